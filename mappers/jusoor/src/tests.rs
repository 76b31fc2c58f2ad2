//! What Jusoor's records become.

use std::collections::BTreeMap;

use rollcall_mapper_sdk::{Diagnostic, Row, run_native};
use serde_json::{Value, json};

use crate::Jusoor;

fn mapped(record: &str, body: &Value, ancestors: &Value, options: &Value) -> BTreeMap<(&'static str, String), Value> {
    let (rows, diagnostics): (Vec<Row>, Vec<Diagnostic>) = run_native::<Jusoor>(record, body, ancestors, options);
    assert_eq!(diagnostics, []);
    rows.into_iter().map(|row| ((row.kind, row.source_id), json!(row.fields))).collect()
}

fn section(options: &Value) -> BTreeMap<(&'static str, String), Value> {
    let body = json!({
        "name": "A/1",
        "students": [{"user_no": 5, "name_user": "سارة العمري"}],
        "subjects": [
            {"id": 7, "name": "Math", "teachers": [{"user_no": 5, "name_user": "Omar", "user_email": "omar@school.example"}]},
            {"id": 8, "name": "Art", "teachers": [{"user_no": 5, "name_user": "Omar", "user_email": "omar@school.example"}]},
        ],
    });
    mapped("Section", &body, &json!({"id": 1, "name": "Grade 1", "parent": {"id": 10, "name": "Noor"}}), options)
}

#[test]
fn a_branch_is_a_school_with_those_who_run_it() {
    let body = json!({"id": 10, "name": "مدرسة النور", "managers": [{"user_no": 1, "name_user": "Huda Salem"}]});
    let mirror = json!({"school_admins": [{"user_no": 1, "name_user": "Ali Hasan", "user_email": ""}]});
    let all = mapped("Branch", &body, &mirror, &json!({}));
    assert_eq!(all[&("org", "branch:10".into())], json!({"name": "مدرسة النور", "type": "school", "identifier": "10"}));
    assert_eq!(
        all[&("user", "manager:1".into())],
        json!({
            "enabledUser": "true", "givenName": "Huda", "familyName": "Salem", "metadata": {"name": "Huda Salem"},
            "roles": [{"roleType": "primary", "role": "principal", "org": "branch:10"}],
        })
    );
    assert_eq!(all[&("user", "admin:1".into())]["roles"][0]["role"], "siteAdministrator");
    assert_eq!(all[&("user", "admin:1".into())].get("email"), None);
    assert_eq!(all.len(), 3);
}

#[test]
fn a_class_is_a_course_of_its_school() {
    let all = mapped("Class", &json!({"id": 1, "name": "Grade 1"}), &json!({"id": 10}), &json!({}));
    let course = json!({"title": "Grade 1", "courseCode": "1", "org": "branch:10"});
    assert_eq!(all, BTreeMap::from([(("course", "branch:10/class:1".into()), course)]));
}

#[test]
fn a_section_is_a_class_with_its_people() {
    let all = section(&json!({}));
    let class = "branch:10/class:1/section:A%2F1";
    assert_eq!(
        all[&("class", class.into())],
        json!({
            "title": "A/1", "classType": "homeroom", "course": "branch:10/class:1", "school": "branch:10",
            "subjects": ["Art", "Math"], "terms": [],
        })
    );
    assert_eq!(all[&("course", "branch:10/subject:8".into())]["courseCode"], "8");
    assert_eq!(all[&("user", "student:5".into())]["givenName"], "سارة");
    assert_eq!(all[&("user", "teacher:5".into())]["familyName"], "Omar");
    assert_eq!(all[&("user", "teacher:5".into())]["email"], "omar@school.example");
    assert_eq!(
        all[&("enrollment", format!("{class}/student:5"))],
        json!({"user": "student:5", "class": class, "school": "branch:10", "role": "student"})
    );
    assert_eq!(
        all[&("enrollment", format!("{class}/teacher:5/subject:7"))],
        json!({
            "user": "teacher:5", "class": class, "school": "branch:10", "role": "teacher",
            "metadata": {"course": "branch:10/subject:7"},
        })
    );
    assert_eq!(all.len(), 8);
}

#[test]
fn the_school_year_is_the_term_of_every_class() {
    let options = json!({"schoolYear": {"name": "2026/27", "start": "2026-09-01", "end": "2027-06-30"}});
    let all = section(&options);
    assert_eq!(all[&("class", "branch:10/class:1/section:A%2F1".into())]["terms"], json!(["schoolYear:2026%2F27"]));
    let branch = mapped("Branch", &json!({"id": 10, "name": "Noor"}), &json!({}), &options);
    assert_eq!(
        branch[&("academicSession", "schoolYear:2026%2F27".into())],
        json!({
            "title": "2026/27", "startDate": "2026-09-01", "endDate": "2027-06-30", "type": "schoolYear",
            "schoolYear": "2027",
        })
    );
}

#[test]
fn people_can_be_numbered_per_branch() {
    let all = section(&json!({"personScope": "branch"}));
    assert!(all.contains_key(&("user", "branch:10/student:5".into())));
    let enrollment = &all[&("enrollment", "branch:10/class:1/section:A%2F1/student:5".into())];
    assert_eq!(enrollment["user"], "branch:10/student:5");
}

#[test]
fn who_appears_twice_and_differs_is_said_twice() {
    let body = json!({"name": "A", "subjects": [], "students": [
        {"user_no": 5, "name_user": "Sara"}, {"user_no": 5, "name_user": "Sarah"}, {"user_no": 5, "name_user": "Sara"}]});
    let ancestors = json!({"id": 1, "name": "Grade 1", "parent": {"id": 10, "name": "Noor"}});
    let (rows, _) = run_native::<Jusoor>("Section", &body, &ancestors, &json!({}));
    assert_eq!(rows.iter().filter(|row| row.kind == "user").count(), 2);
}

#[test]
fn an_empty_name_is_accepted_and_noted() {
    let body = json!({"name": "A", "subjects": [], "students": [{"user_no": 5, "name_user": " "}]});
    let ancestors = json!({"id": 1, "name": "Grade 1", "parent": {"id": 10, "name": "Noor"}});
    let (rows, diagnostics) = run_native::<Jusoor>("Section", &body, &ancestors, &json!({}));
    assert_eq!(rows.len(), 3);
    assert_eq!((diagnostics[0].code.as_str(), diagnostics[0].pointer.as_str()), ("no-name", "/students/0/name_user"));
}
