//! Documents that nobody has written for us become descriptions.

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_core::description::{Partner, Verb, check};
use serde_json::{Value, json};

use super::{Newcomer, NewcomerError, Proposal};
use crate::partners::Folders;

/// A project that has what one must have.
fn project() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["schemas/canonical", "schemas/library", "mappers/sdk"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let manifest = "[workspace]\nmembers = [\"core\", \"mappers/sdk\"] # all\n\n# Ours.\n[workspace.lints]\n";
    fs::write(root.path().join("Cargo.toml"), manifest).unwrap();
    root
}

fn folders() -> Folders {
    Folders { schemas: Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas"), mappers: PathBuf::new() }
}

/// What becomes of a vendor's document: the proposal, and the partner as it is loaded.
fn from(root: &Path, document: &Value) -> (Proposal, Partner) {
    let canonical = folders().canonical().unwrap();
    let vendor = root.join("vendor.json");
    fs::write(&vendor, document.to_string()).unwrap();
    let newcomer = Newcomer::new(root, "night-school").unwrap();
    let (files, proposal) = newcomer.files_from(&vendor, None, &canonical).unwrap();
    newcomer.write(&files).unwrap();
    let problems = check(&newcomer.schemas(), &canonical, &|_: &str| true);
    assert!(problems.is_empty(), "{}", rollcall_core::language::render(&problems, false));
    let loaded = Partner::load(&newcomer.schemas(), &canonical, &|_: &str| true).unwrap();
    (proposal.unwrap(), loaded)
}

#[test]
fn a_new_partner_has_its_name_in_every_spelling() {
    let root = project();
    let newcomer = Newcomer::new(root.path(), "night-school").unwrap();
    let written = newcomer.write(&newcomer.files()).unwrap();
    assert_eq!(written.len(), 10);
    for path in &written {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root.path()).unwrap().display().to_string();
        for word in ["new-partner", "new_partner", "NewPartner", "New Partner"] {
            assert!(!text.contains(word) && !path.contains(word), "{path} still says {word}");
        }
    }
    let program = root.path().join("mappers/night-school/src/bin/mapper-night-school.rs");
    let program = fs::read_to_string(program).unwrap();
    assert!(program.contains("native_main!(mapper_night_school::NightSchool)"), "{program}");
    let manifest = fs::read_to_string(root.path().join("Cargo.toml")).unwrap();
    let members = "members = [\"core\", \"mappers/sdk\", \"mappers/night-school\"] # all\n\n# Ours.\n";
    assert!(manifest.contains(members), "{manifest}");
}

#[test]
fn what_cannot_be_a_new_partner_is_refused_and_changes_nothing() {
    let root = project();
    let before = fs::read_to_string(root.path().join("Cargo.toml")).unwrap();
    for name in ["library", "canonical", "sdk", "admin", "Night", "night_school", "9", ""] {
        let refused = Newcomer::new(root.path(), name);
        assert!(matches!(refused, Err(NewcomerError::Name { .. } | NewcomerError::Taken(_))), "{name}");
    }
    let elsewhere = Newcomer::new(Path::new("src"), "school");
    assert!(matches!(elsewhere, Err(NewcomerError::Elsewhere { .. })));
    assert_eq!(fs::read_to_string(root.path().join("Cargo.toml")).unwrap(), before);
}

#[test]
fn a_small_document_of_3_0_becomes_a_description_that_says_what_its_operations_do() {
    let root = project();
    let course = json!({"type": "object", "required": ["title"], "properties": {
        "id": {"type": "integer", "format": "int64"}, "title": {"type": "string"},
        "note": {"type": "string", "nullable": true, "format": "phone"},
    }});
    let parameter = |name: &str, place: &str| json!({"name": name, "in": place, "required": place == "path", "schema": {"type": "integer"}});
    let ok = |schema: Value| json!({"description": "Done", "content": {"application/json": {"schema": schema}}});
    let one = json!({"$ref": "#/components/schemas/Course"});
    let body = json!({"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": {
        "title": {"type": "string"}}}}}});
    let document = json!({
        "openapi": "3.0.3", "info": {"title": "Night School", "version": "7"},
        "paths": {
            "/courses": {
                "get": {
                    "parameters": [parameter("page", "query"), parameter("colour", "query"), parameter("id", "query")],
                    "responses": {"200": ok(json!({"type": "object", "properties": {
                        "data": {"type": "array", "items": one}}})), "default": {"description": "Trouble"}},
                },
                "post": {"requestBody": body, "responses": {"201": ok(one.clone()), "200": {"description": "As before"}}},
            },
            "/courses/{course}": {
                "parameters": [parameter("course", "path")],
                "get": {"operationId": "one", "responses": {"200": ok(one.clone())}},
                "delete": {"responses": {"204": {"description": "Gone"}}},
            },
            "/courses/{course}/archive": {"post": {"responses": {"200": {"description": "Done"}}}},
        },
        "components": {"schemas": {"Course": course}},
    });
    let (proposal, partner) = from(root.path(), &document);
    assert_eq!(proposal.kept(), ["GET /courses", "POST /courses", "GET /courses/{course}", "DELETE /courses/{course}"]);
    let left: Vec<_> = proposal.left_out().iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(left, ["POST /courses/{course}/archive"], "{}", proposal.text());
    let ids: Vec<_> = partner.operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids, ["getCourses", "postCourses", "one", "deleteCoursesCourse"]);
    assert!(matches!(partner.operations[0].verb, Verb::List(_)));
    let list = partner.operations[0].parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>();
    assert_eq!(list, ["page", "id"], "one that chooses nothing is gone");
    let text = proposal.text();
    assert!(text.contains("update: {x-rollcall: {where: 'id == value'}}"), "{text}");
    let example = fs::read_to_string(root.path().join("schemas/night-school/examples/records/course.json")).unwrap();
    assert_eq!(example.parse::<Value>().unwrap(), json!({"Course": [{"id": 1, "title": "text"}]}));
}

#[test]
fn every_shipped_document_goes_through_3_0_and_comes_back_as_a_description() {
    for name in folders().partners().unwrap() {
        let mut document = folders().describe(&name).unwrap().document;
        rollcall_openapi::age(&mut document);
        let root = project();
        let (proposal, partner) = from(root.path(), &document);
        assert_eq!(proposal.kept().len(), partner.operations.len(), "{name}");
    }
}
