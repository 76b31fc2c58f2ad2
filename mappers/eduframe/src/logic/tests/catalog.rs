//! What the catalogue offers, and planned courses with their teachers.

use rollcall_mapper_sdk::logic::Class;
use serde_json::{Value, json};

use super::{all, members, office, person, variant, why};

#[test]
fn what_is_taught_is_listed_and_what_is_planned_is_offered() {
    let mut office = office();
    office.call("create-course").change(json!({"id": 2, "name": "Forging"})).run().unwrap();
    office.call("create-program").change(json!({"id": 3, "name": "Smith"})).run().unwrap();
    let listed = ["productable_type", "productable_id"];
    assert_eq!(members(&office, "CatalogProduct", 6, &listed), json!(["Course", 2]));
    assert_eq!(members(&office, "CatalogProduct", 7, &listed), json!(["Program::Program", 3]));
    office.call("create-planned-course").change(json!({"id": 13, "course_id": 2})).run().unwrap();
    office.call("create-edition").change(json!({"id": 21, "program_id": 3, "name": "2026"})).run().unwrap();
    let offered = ["product_id", "variantable_type", "variantable_id"];
    assert_eq!(members(&office, "CatalogVariant", 72, &offered), json!([6, "PlannedCourse", 13]));
    assert_eq!(members(&office, "CatalogVariant", 73, &offered), json!([7, "Program::Edition", 21]));
}

#[test]
fn a_course_that_came_from_elsewhere_is_listed_when_it_is_planned() {
    let mut office = office().with("Course", json!({"id": 9, "name": "Casting"}));
    office.call("create-planned-course").change(json!({"id": 13, "course_id": 9})).run().unwrap();
    assert_eq!(members(&office, "CatalogProduct", 6, &["productable_id"]), json!([9]));
    let decline = office.call("create-planned-course").change(json!({"id": 14, "course_id": 99})).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Invalid, "reference", "course_id"));
}

#[test]
fn a_planned_course_costs_what_its_course_does_unless_it_says() {
    for (sent, cost) in [(json!({}), json!(["100.00", "student"])), (json!({"cost": "80"}), json!(["80", "student"]))] {
        let mut change = json!({"id": 13, "course_id": 1});
        change.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        let mut office = office();
        office.call("create-planned-course").change(change).run().unwrap();
        assert_eq!(members(&office, "PlannedCourse", 13, &["cost", "cost_scheme"]), cost);
    }
}

#[test]
fn days_and_places_have_an_order() {
    let table = [
        (json!({"start_date": "2026-09-02", "end_date": "2026-09-01"}), Some("end_date")),
        (json!({"start_date": "2026-09-01", "end_date": "2026-09-01"}), None),
        (json!({"min_participants": 3, "max_participants": 2}), Some("max_participants")),
        (json!({"min_participants": 2, "max_participants": 2}), None),
    ];
    for (sent, field) in table {
        let mut change = json!({"id": 13, "course_id": 1});
        change.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        let done = office().call("create-planned-course").change(change).run();
        let declined = done.as_ref().err().map(why);
        assert_eq!(declined, field.map(|field| (Class::Invalid, "order", field)), "{sent}");
    }
}

#[test]
fn teachers_are_given_by_number_and_exchanged() {
    let planned = |id: i64| json!({"id": id, "course_id": 1});
    let mut office = office().with("User", person(4, "Dee", &["teacher"])).with("User", person(5, "Eva", &["teacher"]));
    office.call("create-planned-course").change(planned(13)).argument("teacher_ids", json!([3, 4])).run().unwrap();
    assert_eq!(all(&office, "TeacherEnrollment", "teacher_id"), json!([3, 4]));
    let update = |office: &mut rollcall_mapper_sdk::logic::Office<_>, teachers: Value| {
        let visit = office.call("update-planned-course").about("PlannedCourse", 13).change(planned(13));
        visit.argument("teacher_ids", teachers).run()
    };
    let done = update(&mut office, json!(["4", 5])).unwrap();
    assert_eq!(done.events[0].name, "planned_course.teacher_attendees_changed");
    assert_eq!(all(&office, "TeacherEnrollment", "teacher_id"), json!([4, 5]));
    assert_eq!(update(&mut office, json!([5, 4])).unwrap().events, []);
    assert_eq!(why(&update(&mut office, json!([2])).unwrap_err()), (Class::Invalid, "reference", "teacher_ids"));
    assert_eq!(why(&update(&mut office, json!(["x"])).unwrap_err()), (Class::Invalid, "type", "teacher_ids"));
}

#[test]
fn a_planned_course_of_another_course_is_a_variant_of_another_product() {
    let mut office = office().with("Course", json!({"id": 2, "name": "Forging"}));
    let change = json!({"id": 10, "course_id": 2});
    office.call("update-planned-course").about("PlannedCourse", 10).change(change).run().unwrap();
    assert_eq!(members(&office, "CatalogVariant", 70, &["product_id"]), json!([6]));
    assert_eq!(members(&office, "CatalogVariant", 71, &["product_id"]), json!([5]));
}

#[test]
fn cancelling_a_planned_course_cancels_what_hangs_on_it() {
    let seat = |id: i64, planned: i64, status: &str| json!({"id": id, "student_id": id, "planned_course_id": planned, "status": status});
    let order =
        |id: i64, variant: i64, status: &str| json!({"id": id, "catalog_variant_id": variant, "status": status});
    let mut office = office()
        .with("Enrollment", seat(1, 10, "confirmed"))
        .with("Enrollment", seat(2, 10, "completed"))
        .with("Enrollment", seat(3, 11, "confirmed"))
        .with("Order", order(1, 70, "requested"))
        .with("Order", order(2, 70, "active"))
        .with("Order", order(3, 71, "requested"));
    office.call("cancel-planned-course").about("PlannedCourse", 10).run().unwrap();
    assert_eq!(all(&office, "PlannedCourse", "status"), json!(["canceled", "active"]));
    assert_eq!(all(&office, "Enrollment", "status"), json!(["canceled", "completed", "confirmed"]));
    assert_eq!(all(&office, "Order", "status"), json!(["canceled", "active", "requested"]));
    let decline = office.call("cancel-planned-course").about("PlannedCourse", 10).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Clash, "over", "status"));
}

#[test]
fn what_is_said_of_a_product_is_said_of_what_it_sells() {
    let tabs = json!([{"id": 1, "course_tab_id": 3, "content": "old"}]);
    let mut office = office()
        .with("Category", json!({"id": 2, "name": "Metal"}))
        .with("Course", json!({"id": 1, "name": "Welding", "course_tab_contents": tabs}));
    let done = office
        .call("update-product")
        .about("CatalogProduct", 5)
        .argument("category_id", 2)
        .argument("is_published", "1")
        .argument(
            "course_tab_contents_attributes",
            json!({"1": {"course_tab_id": 4, "content": "more"}, "0": {"id": 1, "content": "new"}}),
        )
        .run()
        .unwrap();
    assert_eq!(done.events[0].name, "product.updated");
    let tabs = json!([{"id": 1, "course_tab_id": 3, "content": "new"}, {"course_tab_id": 4, "content": "more"}]);
    let said = members(&office, "Course", 1, &["name", "category_id", "is_published", "course_tab_contents"]);
    assert_eq!(said, json!(["Welding", 2, true, tabs]));
    for (name, value) in [("category_id", json!(9)), ("course_tab_contents_attributes", json!([{"id": 9}]))] {
        let decline = office.call("update-product").about("CatalogProduct", 5).argument(name, value).run().unwrap_err();
        assert_eq!((decline.class, decline.field.as_deref()), (Class::Invalid, Some(name)));
    }
    let mut office =
        office.with("ProgramEdition", json!({"id": 20})).with("CatalogVariant", variant(73, "Program::Edition", 20));
    office.call("update-variant").about("CatalogVariant", 73).argument("is_published", true).run().unwrap();
    assert_eq!(members(&office, "ProgramEdition", 20, &["is_published"]), json!([true]));
}
