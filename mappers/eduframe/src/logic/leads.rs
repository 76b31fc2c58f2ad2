//! Leads: what somebody said beside becomes a comment, and what they are interested in rows.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::known;
use crate::Options;

#[derive(Debug, Deserialize)]
struct Lead {
    id: i64,
    #[serde(default, rename = "lead_products")]
    products: Vec<Product>,
    #[serde(default)]
    courses_leads: Vec<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Product {
    catalog_product_id: Option<i64>,
    catalog_variant_id: Option<i64>,
}

/// `POST /leads`. Where products are named, the older ways to say what somebody is interested in are ignored.
pub(super) fn create(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let lead: Lead = known::change(desk)?;
    let products: Vec<_> = lead.products.iter().filter_map(|product| product.catalog_product_id).collect();
    let variants: Vec<_> = lead.products.iter().filter_map(|product| product.catalog_variant_id).collect();
    known::each(desk, "CatalogProduct", &products, "lead_products")?;
    known::each(desk, "CatalogVariant", &variants, "lead_products")?;
    let mut rows = lead.courses_leads.clone();
    if let Some(courses) = known::argument(desk, "course_ids")? {
        known::each(desk, "Course", &courses, "course_ids")?;
        rows.extend(courses.iter().map(|course| Map::from_iter([("course_id".to_owned(), json!(course))])));
    }
    if !lead.products.is_empty() {
        rows.clear();
    }
    let numbers = |member: &str| rows.iter().filter_map(|row| row.get(member)?.as_i64()).collect::<Vec<_>>();
    known::each(desk, "Course", &numbers("course_id"), "courses_leads_attributes")?;
    known::each(desk, "PlannedCourse", &numbers("planned_course_id"), "courses_leads_attributes")?;
    for row in &mut rows {
        row.insert("lead_id".to_owned(), lead.id.into());
    }
    desk.keep_with("Lead", json!({"courses_leads": rows}));
    if let Some(comment) = desk.argument::<Text<'_>>("comment")?.filter(|comment| !comment.is_empty()) {
        let id = desk.number("Comment")?;
        let about = json!({"id": id, "content": comment, "commentable_type": "Lead", "commentable_id": lead.id});
        desk.put("Comment", about);
    }
    Ok(())
}
