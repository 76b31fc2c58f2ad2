//! Orders, from placing to cancelling.

use rollcall_mapper_sdk::logic::{Class, Office};
use serde_json::{Value, json};

use super::{all, members, office, person, variant, why};
use crate::Eduframe;

fn order(status: &str, variant_id: i64, students: &[i64]) -> Value {
    let items: Vec<_> = students.iter().map(|student| json!({"student_id": student})).collect();
    json!({
        "id": 30, "status": status, "catalog_variant_id": variant_id, "creator_id": 1, "order_items": items,
        "label_ids": [4],
    })
}

fn place(
    office: &mut Office<Eduframe>,
    more: &Value,
    arguments: &Value,
) -> Result<Vec<String>, (Class, String, String)> {
    let mut change = json!({"id": 30, "creator_id": 1, "catalog_variant_id": 70});
    change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut visit = office.call("place-order").change(change);
    for (name, value) in arguments.as_object().unwrap() {
        visit = visit.argument(name, value.clone());
    }
    let done = visit.run().map_err(|decline| {
        let (class, code, field) = why(&decline);
        (class, code.to_owned(), field.to_owned())
    })?;
    Ok(done.events.into_iter().map(|event| event.name).collect())
}

#[test]
fn an_order_names_its_students_and_counts_what_they_cost() {
    // What is sent, the arguments; the students, what it costs without and with tax.
    let table = [
        (json!({}), json!({}), json!([1]), json!(["99.95", "120.94"])),
        (json!({}), json!({"student_ids": [2, 3]}), json!([2, 3]), json!(["199.90", "241.88"])),
        (json!({"cost": "10"}), json!({"student_ids": [2, 3, 2]}), json!([2, 3]), json!(["20.00", "24.20"])),
        (json!({"cost_scheme": "order"}), json!({"student_ids": [2, 3]}), json!([2, 3]), json!(["99.95", "120.94"])),
        (json!({"cost_scheme": "free"}), json!({"student_ids": []}), json!([1]), json!(["0.00", "0.00"])),
        (json!({"cost_scheme": "tbd"}), json!({}), json!([1]), json!([null, null])),
    ];
    for (sent, arguments, students, total) in table {
        let mut office = office();
        place(&mut office, &sent, &arguments).unwrap();
        let order = office.record("Order", 30).unwrap();
        let named: Value =
            order["order_items"].as_array().unwrap().iter().map(|item| item["student_id"].clone()).collect();
        assert_eq!(named, students);
        assert_eq!(order["number_of_students"], students.as_array().unwrap().len());
        let counted = members(&office, "Order", 30, &["total_cost_excl", "total_cost_incl"]);
        assert_eq!(counted, total, "{sent} {arguments}");
        assert_eq!(members(&office, "Order", 30, &["status", "planned_course_id"]), json!(["requested", 10]));
        assert!(office.records("Enrollment").is_empty());
    }
}

#[test]
fn who_orders_pays_with_a_personal_account_unless_one_is_named() {
    let mut office = office();
    place(&mut office, &json!({}), &json!({})).unwrap();
    assert_eq!(
        members(&office, "Account", 1, &["name", "account_type", "personal_user_id"]),
        json!(["Ada Moss", "personal", 1])
    );
    assert_eq!(members(&office, "Affiliation", 1, &["account_id", "user_id"]), json!([1, 1]));
    place(&mut office, &json!({"id": 31}), &json!({})).unwrap();
    place(&mut office, &json!({"id": 32, "account_id": 8}), &json!({})).unwrap();
    assert_eq!(all(&office, "Order", "account_id"), json!([1, 1, 8]));
    assert_eq!(office.records("Account").len(), 1);
}

#[test]
fn an_order_may_be_approved_at_once() {
    let mut office = office();
    let events = place(&mut office, &json!({"creator_id": 2}), &json!({"approve": "1", "student_ids": [2]})).unwrap();
    assert_eq!(events, ["order.approved"]);
    assert_eq!(members(&office, "Order", 30, &["status"]), json!(["active"]));
    let enrolled = ["student_id", "planned_course_id", "order_id", "status", "start_date", "end_date"];
    assert_eq!(
        members(&office, "Enrollment", 1, &enrolled),
        json!([2, 10, 30, "confirmed", "2026-09-01", "2026-12-18"])
    );
    assert_eq!(members(&office, "User", 2, &["roles"]), json!([["customer", "student"]]));
}

#[test]
fn what_cannot_be_ordered_is_declined() {
    let table = [
        (json!({"catalog_variant_id": 9}), json!({}), (Class::Invalid, "reference", "catalog_variant_id")),
        (json!({"creator_id": 9}), json!({}), (Class::Invalid, "reference", "creator_id")),
        (json!({}), json!({"student_ids": [2, 9]}), (Class::Invalid, "reference", "student_ids")),
        (json!({"cost": "x"}), json!({}), (Class::Invalid, "format", "cost")),
        (json!({}), json!({"student_ids": [1, 2, 3], "approve": true}), (Class::Invalid, "full", "max_participants")),
    ];
    for (sent, arguments, expected) in table {
        let mut office = office();
        let (class, code, field) = place(&mut office, &sent, &arguments).unwrap_err();
        assert_eq!((class, code.as_str(), field.as_str()), expected);
        assert!(office.records("Order").is_empty());
    }
}

#[test]
fn approving_enrols_the_students_of_an_order() {
    let mut office = office().with("Order", order("requested", 71, &[1, 2]));
    office.call("approve-order").about("Order", 30).run().unwrap();
    assert_eq!(members(&office, "Order", 30, &["status", "creator_id"]), json!(["active", 1]));
    assert_eq!(all(&office, "Enrollment", "student_id"), json!([1, 2]));
    // The course is on its way, and does not say when it began.
    assert_eq!(members(&office, "Enrollment", 2, &["status", "start_date"]), json!(["active", "2026-08-30"]));
    assert_eq!(members(&office, "User", 1, &["roles"]), json!([["customer", "student"]]));
}

#[test]
fn what_cannot_be_approved_is_declined() {
    let seat = |id: i64, student: i64, status: &str| json!({"id": id, "student_id": student, "planned_course_id": 10, "status": status});
    let table = [
        ("active", vec![], vec![1], Some((Class::Clash, "not-requested", "status"))),
        ("canceled", vec![], vec![1], Some((Class::Clash, "not-requested", "status"))),
        ("requested", vec![seat(1, 1, "confirmed")], vec![1], Some((Class::Clash, "enrolled", "student_ids"))),
        ("requested", vec![seat(1, 1, "canceled")], vec![1], None),
        ("requested", vec![seat(1, 3, "completed")], vec![1, 2], Some((Class::Invalid, "full", "max_participants"))),
        ("requested", vec![seat(1, 3, "canceled")], vec![1, 2], None),
    ];
    for (status, seats, students, expected) in table {
        let mut office = seats.iter().cloned().fold(office(), |office, seat| office.with("Enrollment", seat));
        office = office.with("Order", order(status, 70, &students));
        let done = office.call("approve-order").about("Order", 30).run();
        assert_eq!(done.as_ref().err().map(why), expected, "{status} {seats:?}");
        let new = if expected.is_some() { 0 } else { students.len() };
        assert_eq!(office.records("Enrollment").len(), seats.len() + new);
    }
    let over = json!({"id": 12, "course_id": 1, "status": "canceled"});
    let office_of = office().with("PlannedCourse", over).with("CatalogVariant", variant(72, "PlannedCourse", 12));
    let mut office = office_of.with("Order", order("requested", 72, &[1]));
    let decline = office.call("approve-order").about("Order", 30).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Clash, "over", "status"));
}

#[test]
fn an_order_is_denied_once() {
    let mut office = office().with("Order", order("requested", 70, &[1]));
    office.call("deny-order").about("Order", 30).run().unwrap();
    assert_eq!(members(&office, "Order", 30, &["status"]), json!(["denied"]));
    for call in ["deny-order", "cancel-order", "approve-order"] {
        let decline = office.call(call).about("Order", 30).run().unwrap_err();
        assert_eq!(decline.class, Class::Clash, "{call}");
    }
}

#[test]
fn cancelling_an_order_cancels_its_enrollments() {
    let seat = |id: i64, order_id: i64, status: &str| json!({"id": id, "student_id": id, "planned_course_id": 10, "order_id": order_id, "status": status});
    let mut office = office()
        .with("Order", order("active", 70, &[1, 2]))
        .with("Enrollment", seat(1, 30, "confirmed"))
        .with("Enrollment", seat(2, 30, "completed"))
        .with("Enrollment", seat(3, 31, "active"))
        .with("ProgramEnrollment", json!({"id": 1, "order_id": 30, "state": "confirmed"}));
    office.call("cancel-order").about("Order", 30).run().unwrap();
    assert_eq!(all(&office, "Enrollment", "status"), json!(["canceled", "completed", "active"]));
    assert_eq!(all(&office, "ProgramEnrollment", "state"), json!(["canceled"]));
    assert_eq!(members(&office, "Order", 30, &["status"]), json!(["canceled"]));
}

#[test]
fn an_order_takes_labels_for_orders() {
    let label = |id: i64, of: &str| json!({"id": id, "name": "urgent", "model_type": of});
    let table = [
        (json!(6), Ok(json!([4, 6]))),
        (json!(4), Ok(json!([4]))),
        (json!(7), Err((Class::Invalid, "model-type", "label_id"))),
        (json!(8), Err((Class::Invalid, "reference", "label_id"))),
    ];
    for (label_id, expected) in table {
        let mut office = office()
            .with("Order", order("active", 70, &[1]))
            .with("Label", label(4, "Order"))
            .with("Label", label(6, "Order"))
            .with("Label", label(7, "Lead"));
        let done = office.call("label-order").about("Order", 30).argument("label_id", label_id).run();
        match expected {
            Ok(labels) => assert_eq!(members(&office, "Order", 30, &["label_ids"]), json!([labels])),
            Err(expected) => assert_eq!(done.as_ref().err().map(why), Some(expected)),
        }
    }
}

#[test]
fn an_enrollment_is_cancelled_once_and_not_when_it_is_over() {
    for (status, declined) in [("confirmed", false), ("active", false), ("canceled", true), ("completed", true)] {
        let mut office = office().with("Enrollment", json!({"id": 1, "student_id": 2, "status": status}));
        let done = office.call("cancel-enrollment").about("Enrollment", 1).run();
        assert_eq!(done.as_ref().err().map(why), declined.then_some((Class::Clash, "over", "status")), "{status}");
        let after = if declined { status } else { "canceled" };
        assert_eq!(members(&office, "Enrollment", 1, &["status", "student_id"]), json!([after, 2]));
    }
}

#[test]
fn an_edition_enrols_in_the_courses_that_it_is_made_of() {
    let mut office = office()
        .with("ProgramEdition", json!({"id": 20, "program_id": 2, "name": "2026", "max_participants": 2}))
        .with("CatalogVariant", variant(73, "Program::Edition", 20))
        .with("ProgramElement", json!({"id": 1, "edition_id": 20, "course_id": 1, "planned_course_id": 10}))
        .with("ProgramElement", json!({"id": 2, "edition_id": 20, "course_id": 4}))
        .with("ProgramElement", json!({"id": 3, "edition_id": 21, "course_id": 5}))
        .with(
            "Enrollment",
            json!({"id": 1, "student_id": 2, "planned_course_id": 10, "order_id": 7, "status": "active"}),
        )
        .with("Order", order("requested", 73, &[1, 2]))
        .with("User", person(4, "Dee", &[]));
    office.call("approve-order").about("Order", 30).run().unwrap();
    assert_eq!(members(&office, "ProgramEnrollment", 1, &["student_id", "edition_id", "order_id"]), json!([1, 20, 30]));
    assert_eq!(members(&office, "Enrollment", 2, &["student_id", "planned_course_id", "order_id"]), json!([1, 10, 30]));
    assert_eq!(all(&office, "PersonalProgramElement", "enrollment_id"), json!([1, 1, 2, 2]));
    assert_eq!(all(&office, "PersonalProgramElement", "course_id"), json!([1, 4, 1, 4]));
    assert_eq!(all(&office, "PersonalProgramElement", "course_enrollment_id"), json!([2, null, 1, null]));
    // One is full, and the other knows who takes it already.
    let mut again = order("requested", 73, &[4]);
    again["id"] = json!(31);
    let mut office = office.with("Order", again);
    let decline = office.call("approve-order").about("Order", 31).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Invalid, "full", "max_participants"));
    // Who cancels the program keeps the place that did not come with it.
    office.call("cancel-program-enrollment").about("ProgramEnrollment", 1).run().unwrap();
    office.call("cancel-program-enrollment").about("ProgramEnrollment", 2).run().unwrap();
    assert_eq!(all(&office, "ProgramEnrollment", "state"), json!(["canceled", "canceled"]));
    assert_eq!(all(&office, "Enrollment", "status"), json!(["active", "canceled"]));
}
