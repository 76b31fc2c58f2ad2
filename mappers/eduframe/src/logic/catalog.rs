//! What the catalogue offers follows from what is taught: a product for each course and program, a variant for each
//! planned course and edition.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::known::{self, Known, Truth};
use crate::Options;

#[derive(Debug, Deserialize)]
struct Edition<'d> {
    id: i64,
    program_id: i64,
    #[serde(borrow)]
    start_date: Option<Text<'d>>,
    #[serde(borrow)]
    end_date: Option<Text<'d>>,
    min_participants: Option<i64>,
    max_participants: Option<i64>,
}

/// `POST /courses`
pub(super) fn create_course(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let course: Known = known::change(desk)?;
    desk.keep("Course");
    list(desk, "Course", course.id).map(drop)
}

/// `POST /program/programs`
pub(super) fn create_program(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let program: Known = known::change(desk)?;
    desk.keep("Program");
    list(desk, "Program::Program", program.id).map(drop)
}

/// `POST /program/editions`
pub(super) fn create_edition(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let edition: Edition<'_> = known::change(desk)?;
    in_order(edition.start_date.as_deref(), edition.end_date.as_deref(), "end_date")?;
    at_least(edition.min_participants, edition.max_participants)?;
    desk.keep("ProgramEdition");
    let product_id = product(desk, "Program::Program", "Program", edition.program_id, "program_id")?;
    offer(desk, product_id, "Program::Edition", edition.id)
}

#[derive(Debug, Deserialize)]
struct Product<'d> {
    id: i64,
    #[serde(borrow)]
    productable_type: Text<'d>,
    productable_id: i64,
}

#[derive(Debug, Deserialize)]
struct Variant<'d> {
    id: i64,
    #[serde(borrow)]
    variantable_type: Text<'d>,
    variantable_id: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Taught {
    course_tab_contents: Vec<Map<String, Value>>,
}

/// `PUT /catalog/products/{id}`. All that a client may say of a product is its course's or program's.
pub(super) fn update_product(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let product: Product<'_> = desk.record()?;
    let of = if &*product.productable_type == "Course" { "Course" } else { "Program" };
    let mut taught = Map::from_iter([("id".to_owned(), json!(product.productable_id))]);
    if let Some(category_id) = desk.argument::<i64>("category_id")? {
        known::each(desk, "Category", &[category_id], "category_id")?;
        taught.insert("category_id".to_owned(), category_id.into());
    }
    if let Some(Truth(is_published)) = desk.argument("is_published")? {
        taught.insert("is_published".to_owned(), is_published.into());
    }
    if let Some(custom) = desk.argument::<Value>("custom")? {
        taught.insert("custom".to_owned(), custom);
    }
    if let Some(sent) = desk.argument::<Value>("course_tab_contents_attributes")? {
        let there = desk.records::<Taught>(of).key(product.productable_id)?.unwrap_or_default();
        let tabs = tabs(there.course_tab_contents, known::listed(sent))?;
        taught.insert("course_tab_contents".to_owned(), json!(tabs));
    }
    desk.put(of, taught);
    desk.event("product.updated", "CatalogProduct", product.id);
    Ok(())
}

/// What is there, with what was sent written over it.
fn tabs(mut there: Vec<Map<String, Value>>, sent: Vec<Value>) -> Result<Vec<Map<String, Value>>, Stop> {
    for one in sent {
        let Value::Object(one) = one else { continue };
        match one.get("id").filter(|id| !id.is_null()) {
            None => there.push(one),
            Some(id) => {
                let known = there.iter_mut().find(|tab| tab.get("id") == Some(id));
                let unknown = || Stop::invalid("unknown", "there is no such item").at("course_tab_contents_attributes");
                known.ok_or_else(unknown)?.extend(one);
            }
        }
    }
    Ok(there)
}

/// `PUT /catalog/variants/{id}`. Whether it is published is its planned course's or edition's.
pub(super) fn update_variant(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let variant: Variant<'_> = desk.record()?;
    let of = if &*variant.variantable_type == "PlannedCourse" { "PlannedCourse" } else { "ProgramEdition" };
    if let Some(Truth(is_published)) = desk.argument("is_published")? {
        desk.put(of, json!({"id": variant.variantable_id, "is_published": is_published}));
        desk.event("catalog_variant.updated", "CatalogVariant", variant.id);
    }
    Ok(())
}

/// Lists something that is taught. Gives back the number of the product.
fn list(desk: &Desk<'_>, of: &str, taught: i64) -> Result<i64, Stop> {
    let id = desk.number("CatalogProduct")?;
    desk.put("CatalogProduct", json!({"id": id, "productable_type": of, "productable_id": taught}));
    Ok(id)
}

/// The product of something that is taught, which stands in `field`; it is listed now, if it was not.
pub(super) fn product(desk: &Desk<'_>, of: &str, record: &str, id: i64, field: &str) -> Result<i64, Stop> {
    let listed = desk.records::<Known>("CatalogProduct").with("productable_type", of).with("productable_id", id);
    match listed.first()? {
        Some(product) => Ok(product.id),
        None => list(desk, of, known::one::<Known>(desk, record, id, field)?.id),
    }
}

/// Offers something that takes place as a variant of a product.
pub(super) fn offer(desk: &Desk<'_>, product_id: i64, of: &str, id: i64) -> Result<(), Stop> {
    let variant_id = desk.number("CatalogVariant")?;
    let variant = json!({"id": variant_id, "product_id": product_id, "variantable_type": of, "variantable_id": id});
    desk.put("CatalogVariant", variant);
    Ok(())
}

/// Declines what ends before it starts. Both are written alike, so that texts compare as times do.
pub(super) fn in_order(start: Option<&str>, end: Option<&str>, field: &str) -> Result<(), Stop> {
    match (start, end) {
        (Some(start), Some(end)) if end < start => Err(Stop::invalid("order", "is before the start").at(field)),
        _ => Ok(()),
    }
}

/// Declines fewer places than participants are needed.
pub(super) fn at_least(min: Option<i64>, max: Option<i64>) -> Result<(), Stop> {
    match (min, max) {
        (Some(min), Some(max)) if max < min => {
            Err(Stop::invalid("order", "is less than the least number of participants").at("max_participants"))
        }
        _ => Ok(()),
    }
}
