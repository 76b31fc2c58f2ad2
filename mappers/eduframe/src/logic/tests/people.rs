//! Users, how they sign in, teachers, leads and tasks.

use rollcall_mapper_sdk::logic::Class;
use serde_json::{Value, json};

use super::{all, members, office, person, why};

fn authentication(id: i64, user_id: i64, kind: &str) -> Value {
    json!({"id": id, "user_id": user_id, "uid": format!("{user_id}@{kind}"), "authentication_provider_type": kind})
}

#[test]
fn a_user_signs_in_with_address_and_password_where_that_is_asked_for() {
    for (asked, count) in [(json!(false), 0), (json!("0"), 0), (json!(true), 1), (json!(1), 1)] {
        let mut office = office();
        let visit = office.call("create-user").change(person(7, "Gus", &[]));
        visit.argument("with_authentication", asked.clone()).run().unwrap();
        assert_eq!(office.records("Authentication").len(), count, "{asked}");
        assert_eq!(members(&office, "User", 7, &["first_name"]), json!(["Gus"]));
    }
    let mut office = office();
    for _ in 0..2 {
        let visit = office.call("update-user").about("User", 2).change(person(2, "Bea", &[]));
        visit.argument("with_authentication", true).run().unwrap();
    }
    assert_eq!(all(&office, "Authentication", "uid"), json!(["bea@academy.example"]));
    assert_eq!(members(&office, "Authentication", 1, &["user_id", "authentication_provider_id"]), json!([2, 1]));
}

#[test]
fn nobody_signs_in_in_two_ways_of_one_kind() {
    let table = [
        (authentication(9, 1, "surf_conext"), None),
        (authentication(9, 1, "eduframe"), Some("authentication_provider_type")),
        (json!({"id": 9, "user_id": 2, "uid": "1@eduframe", "authentication_provider_type": "eduframe"}), Some("uid")),
        (json!({"id": 9, "user_id": 2, "uid": "1@eduframe", "authentication_provider_type": "openid_connect"}), None),
    ];
    for (change, field) in table {
        let mut office = office().with("Authentication", authentication(1, 1, "eduframe"));
        let done = office.call("create-authentication").change(change.clone()).run();
        assert_eq!(done.as_ref().err().map(why), field.map(|field| (Class::Invalid, "taken", field)), "{change}");
    }
}

#[test]
fn the_last_way_to_sign_in_stays() {
    let mut office = office()
        .with("Authentication", authentication(1, 1, "eduframe"))
        .with("Authentication", authentication(2, 1, "surf_conext"))
        .with("Authentication", authentication(3, 2, "eduframe"));
    office.call("delete-authentication").about("Authentication", 1).run().unwrap();
    assert_eq!(all(&office, "Authentication", "id"), json!([2, 3]));
    let decline = office.call("delete-authentication").about("Authentication", 2).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Clash, "last", "id"));
}

#[test]
fn a_teacher_is_a_user_with_a_role() {
    let mut office = office();
    let done = office.call("make-teacher").argument("user_id", 1).run().unwrap();
    assert_eq!(done.told["location"], "https://academy.example/teachers/1");
    assert_eq!(members(&office, "User", 1, &["roles", "teacher_active"]), json!([["customer", "teacher"], true]));
    office.call("deactivate-teacher").about("User", 1).run().unwrap();
    assert_eq!(members(&office, "User", 1, &["roles", "teacher_active"]), json!([["customer", "teacher"], false]));
    office.call("activate-teacher").about("User", 1).run().unwrap();
    assert_eq!(members(&office, "User", 1, &["teacher_active"]), json!([true]));
    office.call("make-teacher").argument("user_id", 3).run().unwrap();
    assert_eq!(members(&office, "User", 3, &["roles"]), json!([["teacher"]]));
    let decline = office.call("make-teacher").argument("user_id", 99).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Invalid, "reference", "user_id"));
    assert_eq!(why(&office.call("make-teacher").run().unwrap_err()), (Class::Invalid, "required", "user_id"));
}

#[test]
fn a_lead_has_a_comment_and_what_it_is_interested_in() {
    let mut office = office();
    let change = json!({"id": 60, "title": "Forge", "courses_leads": [{"planned_course_id": 10}]});
    let visit = office.call("create-lead").change(change).argument("comment", "by phone");
    visit.argument("course_ids", json!([1])).run().unwrap();
    let about = ["content", "commentable_type", "commentable_id"];
    assert_eq!(members(&office, "Comment", 1, &about), json!(["by phone", "Lead", 60]));
    let rows = json!([{"planned_course_id": 10, "lead_id": 60}, {"course_id": 1, "lead_id": 60}]);
    assert_eq!(members(&office, "Lead", 60, &["courses_leads"]), json!([rows]));
    // Products go before the older ways to say it.
    let change = json!({"id": 61, "courses_leads": [{"course_id": 1}], "lead_products": [{"catalog_product_id": 5}]});
    office.call("create-lead").change(change).run().unwrap();
    assert_eq!(members(&office, "Lead", 61, &["courses_leads"]), json!([[]]));
    assert_eq!(office.records("Comment").len(), 1);
    let table = [
        (json!({"lead_products": [{"catalog_product_id": 9}]}), "lead_products"),
        (json!({"lead_products": [{"catalog_product_id": 5, "catalog_variant_id": 9}]}), "lead_products"),
        (json!({"courses_leads": [{"course_id": 9}]}), "courses_leads_attributes"),
        (json!({"courses_leads": [{"planned_course_id": 9}]}), "courses_leads_attributes"),
    ];
    for (mut change, field) in table {
        change["id"] = json!(62);
        let decline = office.call("create-lead").change(change).run().unwrap_err();
        assert_eq!(why(&decline), (Class::Invalid, "reference", field));
    }
}

#[test]
fn a_task_is_done_once_and_can_be_taken_up_again() {
    let done_before = "2026-08-01T00:00:00.000Z";
    let table = [
        (json!(null), json!(true), json!(["2026-08-30T07:00:00.000Z", 90])),
        (json!(done_before), json!("true"), json!([done_before, null])),
        (json!(done_before), json!(0), json!([null, null])),
        (json!(null), json!(false), json!([null, null])),
        (json!(done_before), json!(null), json!([done_before, null])),
    ];
    for (before, completed, after) in table {
        let task = json!({"id": 1, "name": "Call", "assignee_id": 3, "completed_at": before});
        let mut office = office().with("Task", task.clone());
        let visit = office.call("complete-task").about("Task", 1).change(task);
        visit.argument("completed", completed.clone()).run().unwrap();
        assert_eq!(members(&office, "Task", 1, &["completed_at", "completed_by_id"]), after, "{before} {completed}");
    }
}
