//! A new partner is there with one command: what that makes builds, checks, passes its tests and serves as it is.

use std::process::Command;

use rollcall_tests::tree::Tree;
use serde_json::json;

use crate::site;

/// What the new partner is called: two words, so that it is spelled in several ways.
const NAME: &str = "night-school";

#[test]
fn a_new_partner_builds_checks_passes_its_tests_and_serves_as_it_is() {
    let tree = Tree::copy(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"));
    let said = tree.run(&["rollcall", "new", "partner", NAME]);
    assert!(said.contains(&format!("schemas/{NAME}/openapi.yaml")) && said.contains("changed Cargo.toml"), "{said}");
    for command in [
        vec!["rollcall", "check", "schemas/night-school"],
        vec!["cargo", "test", "--offline", "--quiet", "--package", "mapper-night-school"],
        vec!["rollcall", "mapper", "build", NAME],
        vec!["rollcall", "test", NAME],
        vec!["cargo", "fmt", "--check", "--package", "mapper-night-school"],
    ] {
        tree.run(&command);
    }
    let again = tree.fail(&["rollcall", "new", "partner", NAME]);
    assert!(again.contains("is there already; nothing was changed"), "{again}");

    tree.keep_only(NAME);
    let mut site = site();
    site.config["schemas_dir"] = json!(tree.path().join("schemas"));
    site.config["mappers_dir"] = json!(tree.path().join("target/mappers"));
    for (tenant, connection) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][connection]["partner"] = json!(NAME);
    }
    let server = site.start();
    let example = std::fs::read(tree.path().join(format!("schemas/{NAME}/examples/courses.json"))).unwrap();
    let answer = server.post(&format!("/{NAME}/courses"), &[("authorization", "Bearer north-school")], &example);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["counts"]["course"]["created"], 2, "{}", answer.text());
}

#[test]
fn the_program_alone_begins_a_project_in_which_a_new_partner_builds_checks_and_passes_its_tests() {
    let tree = Tree::empty(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"));
    for command in [
        vec!["rollcall", "new", "project"],
        vec!["rollcall", "new", "partner", NAME],
        vec!["rollcall", "check", "schemas/night-school"],
        vec!["rollcall", "mapper", "build", NAME],
        vec!["rollcall", "test", NAME],
    ] {
        tree.run(&command);
    }
    let again = tree.fail(&["rollcall", "new", "project"]);
    assert!(again.contains("is there already; nothing was changed"), "{again}");
}

#[test]
fn nothing_becomes_a_partner_that_cannot_be_one() {
    let nowhere = tempfile::tempdir().unwrap();
    for (name, says) in [("library", "rollcall new project"), ("admin", "one of our own routes"), ("A", "letters")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
        let output = command.args(["new", "partner", name]).current_dir(&nowhere).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(3) && said.contains(says), "{name}: {said}");
    }
    assert_eq!(std::fs::read_dir(&nowhere).unwrap().count(), 0);
}
