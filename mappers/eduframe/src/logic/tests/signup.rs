//! Signing up: who is known, who is new, who pays.

use rollcall_mapper_sdk::logic::{Class, Decline, Done, Office};
use serde_json::{Value, json};

use super::{all, members, office, why};
use crate::Eduframe;

fn sign_up(office: &mut Office<Eduframe>, change: &Value, arguments: &Value) -> Result<Done, Decline> {
    let mut sent = json!({"id": 30});
    sent.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let mut visit = office.call("sign-up").change(sent);
    for (name, value) in arguments.as_object().unwrap() {
        visit = visit.argument(name, value.clone());
    }
    visit.run()
}

fn human(name: &str) -> Value {
    let email = format!("{}@academy.example", name.to_lowercase());
    json!({"first_name": name, "last_name": "Moss", "email": email})
}

#[test]
fn somebody_new_gets_a_user_an_account_and_an_order() {
    let mut office = office();
    let mut creator = human("Fay");
    creator["with_authentication"] = json!("true");
    creator["address_attributes"] = json!({"city": "Delft"});
    let done =
        sign_up(&mut office, &json!({"catalog_variant_id": 70}), &json!({"creator_attributes": creator})).unwrap();
    assert_eq!(done.told["location"], "https://academy.example/orders/30");
    assert_eq!(
        members(&office, "User", 4, &["first_name", "roles", "address"]),
        json!(["Fay", ["customer"], {"city": "Delft"}])
    );
    assert_eq!(
        members(&office, "Account", 1, &["name", "account_type", "personal_user_id"]),
        json!(["Fay Moss", "personal", 4])
    );
    assert_eq!(members(&office, "Affiliation", 1, &["account_id", "user_id", "key_contact"]), json!([1, 4, true]));
    assert_eq!(members(&office, "Authentication", 1, &["user_id", "uid"]), json!([4, "fay@academy.example"]));
    let order = ["status", "origin", "creator_id", "account_id", "catalog_variant_id", "total_cost_excl"];
    assert_eq!(members(&office, "Order", 30, &order), json!(["requested", "website", 4, 1, 70, "99.95"]));
    assert_eq!(office.record("Order", 30).unwrap()["order_items"][0]["student_id"], 4);
}

#[test]
fn who_is_known_is_not_made_again() {
    for creator in [json!({"id": 1}), human("Ada")] {
        let mut office = office().with("Account", json!({"id": 8, "name": "Ada", "personal_user_id": 1}));
        sign_up(&mut office, &json!({"planned_course_id": 10}), &json!({"creator_attributes": creator})).unwrap();
        assert_eq!(office.records("User").len(), 3);
        assert_eq!(
            members(&office, "Order", 30, &["creator_id", "account_id", "catalog_variant_id"]),
            json!([1, 8, 70])
        );
    }
}

#[test]
fn students_are_named_one_by_one_and_each_is_one_person() {
    let mut office = office();
    let students = json!({
        "1": {"student_attributes": human("Gil")}, "0": {"creator_is_student": 1}, "2": {"student_attributes": {"id": 2}},
    });
    let arguments = json!({"creator_attributes": human("Fay"), "enrollments_attributes": students});
    sign_up(&mut office, &json!({"catalog_variant_id": 70}), &arguments).unwrap();
    let items = office.record("Order", 30).unwrap()["order_items"].as_array().unwrap().clone();
    assert_eq!(items.iter().map(|item| item["student_id"].clone()).collect::<Value>(), json!([4, 5, 2]));
    assert_eq!(all(&office, "User", "first_name"), json!(["Ada", "Ben", "Cem", "Fay", "Gil"]));
    let twice = json!([{"student_attributes": human("Gil")}, {"student_attributes": {"id": 5}}]);
    let arguments = json!({"creator_attributes": {"id": 1}, "enrollments_attributes": twice});
    let decline = sign_up(&mut office, &json!({"catalog_variant_id": 70}), &arguments).unwrap_err();
    assert_eq!(why(&decline), (Class::Invalid, "twice", "enrollments_attributes"));
}

#[test]
fn a_company_pays_where_that_is_said_or_usual() {
    let company = json!({"type": "business", "name": "Forge Ltd", "email": "pay@forge.example"});
    let table = [
        ("personal", company, json!(["Forge Ltd", "business", null])),
        ("business", json!({"name": "Forge Ltd"}), json!(["Forge Ltd", "business", null])),
        ("business", json!({"type": "personal"}), json!(["Ada Moss", "personal", 1])),
    ];
    for (usual, payer, expected) in table {
        let mut office = office().with("Educator", json!({"id": 1, "signup_default_account_type": usual}));
        let arguments = json!({"creator_attributes": {"id": 1}, "account_attributes": payer});
        sign_up(&mut office, &json!({"catalog_variant_id": 70}), &arguments).unwrap();
        assert_eq!(members(&office, "Account", 1, &["name", "account_type", "personal_user_id"]), expected, "{payer}");
        assert_eq!(all(&office, "Affiliation", "user_id"), json!([1]));
    }
}

#[test]
fn what_is_not_enough_is_declined() {
    let creator = json!({"id": 1});
    let nameless = json!({"email": "new@academy.example", "first_name": " "});
    let table = [
        (json!({}), json!({"creator_attributes": creator}), ("required", "catalog_variant_id")),
        (json!({"catalog_variant_id": 9}), json!({"creator_attributes": creator}), ("reference", "catalog_variant_id")),
        (json!({"planned_course_id": 9}), json!({"creator_attributes": creator}), ("reference", "planned_course_id")),
        (json!({"catalog_variant_id": 70}), json!({}), ("required", "creator_attributes")),
        (
            json!({"catalog_variant_id": 70}),
            json!({"creator_attributes": nameless}),
            ("required", "creator_attributes"),
        ),
        (
            json!({"catalog_variant_id": 70}),
            json!({"creator_attributes": {"id": 9}}),
            ("reference", "creator_attributes"),
        ),
        (
            json!({"catalog_variant_id": 70}),
            json!({"creator_attributes": creator, "enrollments_attributes": [{"student_attributes": {"email": "x@y.example"}}]}),
            ("required", "enrollments_attributes"),
        ),
        (
            json!({"catalog_variant_id": 70}),
            json!({"creator_attributes": creator, "account_attributes": {"id": 9}}),
            ("reference", "account_attributes"),
        ),
        (
            json!({"catalog_variant_id": 70}),
            json!({"creator_attributes": creator, "account_attributes": {"type": "business"}}),
            ("required", "account_attributes"),
        ),
        (json!({"catalog_variant_id": 72}), json!({"creator_attributes": creator}), ("over", "planned_course_id")),
    ];
    for (change, arguments, (code, field)) in table {
        let mut office = office()
            .with("PlannedCourse", json!({"id": 12, "status": "canceled"}))
            .with("CatalogVariant", super::variant(72, "PlannedCourse", 12));
        let decline = sign_up(&mut office, &change, &arguments).unwrap_err();
        assert_eq!(why(&decline), (Class::Invalid, code, field), "{change} {arguments}");
        assert!(office.records("Order").is_empty() && office.records("Account").is_empty());
    }
}

#[test]
fn a_whole_class_signs_up_in_a_few_questions() {
    let students = |count: usize| -> Value {
        let student = |nth| json!({"student_attributes": human(&format!("Student{nth}"))});
        (0..count).map(student).collect()
    };
    let mut office = office().with("CatalogVariant", super::variant(74, "PlannedCourse", 11));
    let mut creator = human("Fay");
    creator["with_authentication"] = json!(true);
    let arguments = json!({"creator_attributes": creator, "enrollments_attributes": students(200)});
    let done = sign_up(&mut office, &json!({"catalog_variant_id": 74}), &arguments).unwrap();
    assert_eq!(office.records("User").len(), 3 + 201);
    assert!(done.rounds < 16, "{} rounds", done.rounds);
    let done = office.call("approve-order").about("Order", 30).run().unwrap();
    assert_eq!((office.records("Enrollment").len(), done.rounds < 8), (200, true));
    let arguments = json!({"creator_attributes": creator, "enrollments_attributes": students(250)});
    let decline = sign_up(&mut office, &json!({"catalog_variant_id": 74}), &arguments).unwrap_err();
    assert_eq!(why(&decline), (Class::Invalid, "maxItems", "enrollments_attributes"));
}
