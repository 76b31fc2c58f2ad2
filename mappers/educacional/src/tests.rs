//! What Educacional HUB's objects become.

use std::collections::BTreeMap;

use rollcall_mapper_sdk::{Diagnostic, Row, run_native};
use serde_json::{Value, json};

use crate::Educacional;

type Entities = BTreeMap<(&'static str, String), Value>;

fn options() -> Value {
    json!({"org_ids": ["b253"], "org_name": "Colégio Horizonte", "roles": {"31": "monitor"}})
}

fn run(record: &str, body: &Value) -> (Entities, Vec<Diagnostic>) {
    let (rows, diagnostics): (Vec<Row>, _) = run_native::<Educacional>(record, body, &json!({}), &options());
    (rows.into_iter().map(|row| ((row.kind, row.source_id), json!(row.fields))).collect(), diagnostics)
}

fn mapped(record: &str, body: &Value) -> Entities {
    let (entities, diagnostics) = run(record, body);
    assert_eq!(diagnostics, []);
    entities
}

fn user(more: &Value) -> Value {
    let mut user = json!({
        "name": "Ana Clara Souza", "code": "125054", "dob": "2011/03/09T00:00:00.000Z", "roles": [{"code": "aluno"}],
    });
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

#[test]
fn a_user_is_a_person_of_the_school() {
    let all = mapped(
        "User",
        &user(&json!({
            "sis_id": "77", "cpf": "529.982.247-25", "inep": 12_345_678_901_i64, "email": "ana@escola.example",
            "login": "ana.souza", "cellphone": "(41) 99999-0000", "gender": "F", "status": "active",
        })),
    );
    let school = json!({"name": "Colégio Horizonte", "type": "school", "identifier": "b253"});
    let person = json!({
        "enabledUser": "true", "givenName": "Ana", "familyName": "Clara Souza", "metadata": {"name": "Ana Clara Souza"},
        "identifier": "125054", "username": "ana.souza", "email": "ana@escola.example", "sms": "(41) 99999-0000",
        "primaryOrg": "org:b253", "roles": [{"roleType": "primary", "role": "student", "org": "org:b253"}],
        "userIds": [
            {"type": "cpf", "identifier": "529.982.247-25"}, {"type": "inep", "identifier": "12345678901"},
            {"type": "sis", "identifier": "77"},
        ],
    });
    assert_eq!(all[&("org", "org:b253".into())], school);
    assert_eq!(all[&("user", "user:125054".into())], person);
    assert_eq!(all.len(), 2);
}

#[test]
fn only_who_is_active_is_enabled() {
    for (status, enabled) in [("active", "true"), ("arquived", "false"), ("archived", "false"), ("suspended", "false")]
    {
        let all = mapped("User", &user(&json!({ "status": status })));
        assert_eq!(all[&("user", "user:125054".into())]["enabledUser"], enabled, "{status}");
    }
}

#[test]
fn roles_are_those_of_oneroster_whatever_their_order() {
    let table = [
        (json!([{"code": "professor", "id": 2}, {"code": "administrador", "id": 9}]), "siteAdministrator teacher"),
        (json!([{"code": "administrador"}, {"code": "professor"}]), "siteAdministrator teacher"),
        (json!([{"code": "professor"}, {"code": "responsavel"}]), "guardian teacher"),
        (json!([{"code": "coordenador"}, {"code": "diretor"}]), "principal ext:coordinator"),
        (json!([{"code": "aluno"}, {"code": "monitor", "id": 31}]), "student ext:monitor"),
        (json!([{"code": "colaborador"}, {"code": "colaborador", "id": 5}]), "ext:staff"),
    ];
    for (roles, expected) in table {
        let all = mapped("User", &user(&json!({ "roles": roles })));
        let found = all[&("user", "user:125054".into())]["roles"].as_array().unwrap().clone();
        let words: Vec<_> = found.iter().map(|role| role["role"].as_str().unwrap()).collect();
        assert_eq!(words.join(" "), expected);
        assert!(found.iter().enumerate().all(|(nth, role)| (role["roleType"] == "primary") == (nth == 0)));
    }
}

#[test]
fn a_role_that_is_in_no_table_is_refused_by_its_place() {
    for role in [json!({"code": "capitao"}), json!({"id": 77})] {
        let (entities, diagnostics) = run("User", &user(&json!({"roles": [{"code": "aluno"}, role]})));
        assert!(entities.is_empty());
        assert_eq!((diagnostics[0].code.as_str(), diagnostics[0].pointer.as_str()), ("unknown-role", "/roles/1"));
    }
}

#[test]
fn a_section_is_a_class_of_its_level() {
    let body =
        json!({"name": "7º A", "code": "7/A", "level": "7º Série", "term_code": "2026", "term": "2026", "period": 1});
    let all = mapped("Section", &body);
    let course = json!({"title": "7º Série", "courseCode": "7º Série", "org": "org:b253"});
    let class = json!({
        "title": "7º A", "classCode": "7/A", "classType": "homeroom", "grades": ["7º Série"], "periods": ["morning"],
        "course": "level:7º Série", "school": "org:b253", "terms": ["term:2026"],
    });
    assert_eq!(all[&("course", "level:7º Série".into())], course);
    assert_eq!(all[&("class", "section:7%2FA/term:2026".into())], class);
    assert_eq!(all.len(), 3);
}

#[test]
fn a_section_without_level_and_term_is_its_own_course() {
    let all = mapped("Section", &json!({"name": "Xadrez", "code": "X", "term": "-"}));
    assert_eq!(all[&("course", "section:X".into())], json!({"title": "Xadrez", "courseCode": "X", "org": "org:b253"}));
    let class = &all[&("class", "section:X".into())];
    assert_eq!((&class["course"], &class["terms"]), (&json!("section:X"), &json!([])));
}

#[test]
fn a_subject_is_a_course() {
    let all = mapped("Subject", &json!({"name": "Matemática", "code": "MAT7", "ccc": "MAT", "mec": 12}));
    let course = json!({
        "title": "Matemática", "courseCode": "MAT7", "org": "org:b253", "subjects": ["Matemática"],
        "subjectCodes": ["MAT", "12"],
    });
    assert_eq!(all[&("course", "subject:MAT7".into())], course);
    assert_eq!(all.len(), 2);
}

#[test]
fn a_term_has_days_of_its_own_and_the_year_in_which_it_ends() {
    let body = json!({"title": "1º semestre", "code": "2026-1", "start": "02/02/2026", "end": "2026-07-10", "status": "active"});
    let term = json!({
        "title": "1º semestre", "startDate": "2026-02-02", "endDate": "2026-07-10", "type": "term",
        "schoolYear": "2026", "metadata": {"status": "active"},
    });
    assert_eq!(mapped("Term", &body)[&("academicSession", "term:2026-1".into())], term);
    let bare = mapped("Term", &json!({"code": "2026-2", "start": "03/08/2026", "end": "18/12/2026"}));
    assert_eq!(bare[&("academicSession", "term:2026-2".into())]["title"], "2026-2");
}

#[test]
fn a_link_to_a_parent_adds_to_both() {
    let all = mapped("StudentParent", &json!({"student": {"code": "1"}, "parent": {"code": "2"}}));
    assert_eq!(all[&("user", "user:1".into())], json!({"agents": ["user:2"], "roles": []}));
    let guardian = json!({"roles": [{"roleType": "primary", "role": "guardian", "org": "org:b253"}]});
    assert_eq!(all[&("user", "user:2".into())], guardian);
    assert_eq!(all.len(), 2);
}

#[test]
fn links_to_sections_are_enrollments() {
    let body = json!({"sis_id": "9", "section": {"code": "7A"}, "student": {"code": "1"}, "term": "2026"});
    let student = json!({"user": "user:1", "class": "section:7A/term:2026", "school": "org:b253", "role": "student"});
    let all = mapped("SectionStudent", &body);
    assert_eq!(all, BTreeMap::from([(("enrollment", "section:7A/term:2026/student:1".into()), student)]));

    let body = json!({
        "section": {"code": "7A"}, "teacher": {"code": "2"}, "subject": {"code": "MAT7"},
        "start_date": "02/02/2026", "end_date": "2026/07/10T00:00:00.000Z", "term_code": "2025", "term": "-",
    });
    let teacher = json!({
        "user": "user:2", "class": "section:7A", "school": "org:b253", "role": "teacher",
        "metadata": {"course": "subject:MAT7"}, "beginDate": "2026-02-02", "endDate": "2026-07-10",
    });
    let all = mapped("SectionTeacher", &body);
    assert_eq!(all, BTreeMap::from([(("enrollment", "section:7A/teacher:2/subject:MAT7".into()), teacher)]));
}
