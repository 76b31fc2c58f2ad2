//! What calls do: records before, a call, records after.

mod catalog;
mod invoices;
mod orders;
mod people;
mod planning;
mod programs;
mod signup;

use rollcall_mapper_sdk::logic::{Class, Decline, Logic as _, Office};
use serde_json::{Value, json};

use crate::Eduframe;

/// An educator with two planned courses and a few people.
fn office() -> Office<Eduframe> {
    Office::new(&json!({
        "slug": "academy", "name": "The Academy", "website_url": "https://academy.example", "currency": "EUR",
        "user_id": 90, "invoice_days": 30,
    }))
    .with("Educator", json!({"id": 1, "default_invoice_vat_multiplier": "1.21"}))
    .with("Course", json!({"id": 1, "name": "Welding", "cost": "100.00", "cost_scheme": "student"}))
    .with("CatalogProduct", json!({"id": 5, "productable_type": "Course", "productable_id": 1}))
    .with(
        "PlannedCourse",
        json!({
            "id": 10, "course_id": 1, "status": "planned", "start_date": "2026-09-01T00:00:00.000Z",
            "end_date": "2026-12-18", "max_participants": 2, "cost": "99.95", "cost_scheme": "student",
        }),
    )
    .with("PlannedCourse", json!({"id": 11, "course_id": 1, "status": "active"}))
    .with("CatalogVariant", variant(70, "PlannedCourse", 10))
    .with("CatalogVariant", variant(71, "PlannedCourse", 11))
    .with("User", person(1, "Ada", &["customer"]))
    .with("User", person(2, "Ben", &[]))
    .with("User", person(3, "Cem", &["teacher"]))
}

fn variant(id: i64, of: &str, variantable_id: i64) -> Value {
    json!({"id": id, "product_id": 5, "variantable_type": of, "variantable_id": variantable_id})
}

fn person(id: i64, name: &str, roles: &[&str]) -> Value {
    let email = format!("{}@academy.example", name.to_lowercase());
    json!({"id": id, "first_name": name, "last_name": "Moss", "email": email, "roles": roles})
}

/// The members of a record, in the order of their names here.
fn members(office: &Office<Eduframe>, of: &str, id: i64, names: &[&str]) -> Value {
    let record = office.record(of, id).unwrap_or_else(|| panic!("there is no {of} {id}"));
    names.iter().map(|name| record.get(*name).cloned().unwrap_or_default()).collect()
}

/// One member of all records of a type.
fn all(office: &Office<Eduframe>, of: &str, name: &str) -> Value {
    office.records(of).into_iter().map(|record| record.get(name).cloned().unwrap_or_default()).collect()
}

/// What a decline comes to: its class, code, and the member that is to blame.
fn why(decline: &Decline) -> (Class, &str, &str) {
    (decline.class, &decline.code, decline.field.as_deref().unwrap_or_default())
}

#[test]
fn calls_are_listed_once_by_name() {
    let names: Vec<_> = Eduframe::CALLS.iter().map(|(name, _)| *name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}
