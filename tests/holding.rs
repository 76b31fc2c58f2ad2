//! What would change more than is likely is not applied until an operator has looked at it.

use std::process::Command;

use rollcall_tests::client::{Answer, Client};
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{self, PARTNER, post, sync};
use rollcall_tests::school::{Payload, Person, Size};
use rollcall_tests::site::Site;
use serde_json::{Value, json};

use crate::state::{counts, deliveries, entities, everything, feed_end, rows, text};
use crate::{on_every_database, site_on};

on_every_database!(
    half_of_the_branches_missing_is_held_until_somebody_approves,
    a_school_without_classes_is_held_and_put_aside,
    a_mapper_that_drops_every_teacher_is_held,
    what_comes_later_takes_the_place_of_what_is_held,
    what_is_approved_is_what_was_shown,
);

/// 50 students and 25 teachers, each of whom teaches ten of them.
const WITH_TEACHERS: Size = Size { classes: 5, sections: 1, subjects: 5, students: 10 };

fn half_of_the_branches_missing_is_held_until_somebody_approves(kind: Kind) {
    let server = holding(kind).start();
    let whole = branches(4);
    sync(&server, "north-school", &whole);
    let (before, end) = (everything(&server, "north-reader"), feed_end(&server, "north-reader"));
    let mut half = whole.clone();
    half.branches.truncate(2);

    let dry: Vec<_> = jusoor::headers("north-school").into_iter().chain([("rollcall-dry-run", "true")]).collect();
    let asked = server.post(jusoor::BRANCHES, &dry, &half.to_bytes());
    assert_held(&asked, "would remove 120 of 240: user");
    assert!(held(&server).is_empty(), "a dry run is kept");

    let answer = post(&server, "north-school", &half);
    assert_held(&answer, "would remove 120 of 240: user");
    let delivery = answer.header("rollcall-delivery").to_owned();
    let kept = deliveries(&server, "north-reader").len();
    let again = post(&server, "north-school", &half);
    assert_eq!(again.header("rollcall-delivery"), delivery, "the same words are the same delivery");
    assert_eq!(deliveries(&server, "north-reader").len(), kept);
    assert_eq!((everything(&server, "north-reader"), feed_end(&server, "north-reader")), (before, end));

    let shown = server.get_json(&format!("/admin/v1/held/{delivery}"), "operator");
    let report = &shown["report"];
    assert_eq!((&shown["tenant"], &shown["status"]), (&json!("north"), &json!("held")));
    assert_eq!((counts(report, "user").3, counts(report, "org").3), (120, 2));
    let passed = &report["held"]["passed"];
    let users = json!({"kind": "user", "change": "removed", "count": 120, "of": 240});
    assert!(passed.as_array().is_some_and(|passed| passed.contains(&users)), "{passed}");
    assert!(report["held"]["changes"].as_array().is_some_and(|changes| changes[0]["change"] == "removed"), "{report}");

    let approved = operator(&server, &format!("/admin/v1/held/{delivery}/approve"), &json!({}));
    assert_eq!(approved.status, 200, "{}", approved.text());
    assert_eq!(counts(&approved.json()["report"], "user"), (0, 0, 120, 120));
    assert_eq!(entities(&server, "north-reader", "user", "status=active").len(), 120);
    assert!(held(&server).is_empty());
    assert_eq!(operator(&server, &format!("/admin/v1/held/{delivery}/approve"), &json!({})).status, 409);
    let answer = sync(&server, "north-school", &half);
    assert_eq!(text(&answer, "status"), "unchanged");
}

fn a_school_without_classes_is_held_and_put_aside(kind: Kind) {
    let site = holding(kind);
    let server = site.start();
    let whole = Payload::of(Size::SMALL);
    sync(&server, "north-school", &whole);
    let before = everything(&server, "north-reader");
    let mut empty = whole.clone();
    empty.branches[0].classes.clear();
    let answer = post(&server, "north-school", &empty);
    assert_held(&answer, "would remove 28 of 28: user");
    let delivery = answer.header("rollcall-delivery").to_owned();

    let listed = rollcall(&server, &["held", "list", "--connection", "school"]);
    assert!(listed.contains(&delivery), "{listed}");
    let reason = "their export was broken";
    let said = rollcall(&server, &["held", "discard", &delivery, "--reason", reason]);
    assert!(said.contains(reason), "{said}");
    assert!(held(&server).is_empty());
    assert_eq!(everything(&server, "north-reader"), before);
    let kept = server.get_json(&format!("/api/v1/deliveries/{delivery}"), "north-reader");
    assert_eq!((&kept["status"], &kept["report"]["discarded"]["reason"]), (&json!("discarded"), &json!(reason)));
    assert_held(&post(&server, "north-school", &empty), "would remove 28 of 28: user");
}

fn a_mapper_that_drops_every_teacher_is_held(kind: Kind) {
    let site = holding(kind);
    let payload = Payload::of(WITH_TEACHERS);
    let server = site.start();
    sync(&server, "north-school", &payload);
    server.kill();
    site.put_mapper(PARTNER, &without_teachers());
    let server = site.start();
    let answer = post(&server, "north-school", &payload);
    assert_held(&answer, "would remove 25 of 25: user (teacher)");
    assert_held(&answer, "would remove 25 of 25: enrollment (teacher)");
    let delivery = answer.header("rollcall-delivery").to_owned();
    assert_eq!(entities(&server, "north-reader", "user", "status=active").len(), 75);
    let approved = operator(&server, &format!("/admin/v1/held/{delivery}/approve"), &json!({}));
    assert_eq!(counts(&approved.json()["report"], "user"), (25, 0, 50, 25), "{}", approved.text());
}

fn what_comes_later_takes_the_place_of_what_is_held(kind: Kind) {
    let server = holding(kind).start();
    let whole = branches(4);
    sync(&server, "north-school", &whole);
    let (mut half, mut other) = (whole.clone(), whole.clone());
    half.branches.truncate(2);
    other.branches.drain(..2);
    let first = post(&server, "north-school", &half).header("rollcall-delivery").to_owned();
    let second = post(&server, "north-school", &other).header("rollcall-delivery").to_owned();
    let status = |id: &str| text(&server.get_json(&format!("/api/v1/deliveries/{id}"), "north-reader"), "status");
    assert_eq!((status(&first), status(&second)), ("superseded".into(), "held".into()));
    let since =
        |id: &str| server.get_json(&format!("/admin/v1/held/{id}"), "operator")["report"]["held"]["since"].clone();
    assert_eq!(since(&first), since(&second), "it waits since the first one");
    assert_eq!(text(&sync(&server, "north-school", &whole), "status"), "unchanged");
    assert_eq!(status(&second), "superseded");
    assert!(held(&server).is_empty());
    assert_eq!(operator(&server, &format!("/admin/v1/held/{second}/approve"), &json!({})).status, 409);
}

fn what_is_approved_is_what_was_shown(kind: Kind) {
    let server = holding(kind).start();
    let whole = branches(4);
    sync(&server, "north-school", &whole);
    let mut half = whole.clone();
    half.branches.truncate(2);
    let delivery = post(&server, "north-school", &half).header("rollcall-delivery").to_owned();
    // Somebody who would have been removed is erased: it would remove one fewer.
    let erased = json!({"records": [], "texts": [whole.branches[3].classes[0].sections[0].students[0].name_user]});
    let path = "/admin/v1/tenants/north/connections/school/erasures";
    let answer = operator(&server, path, &erased);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let approve = format!("/admin/v1/held/{delivery}/approve");
    assert_eq!(operator(&server, &approve, &json!({})).status, 409);
    assert_eq!(held(&server).len(), 1);
    let anyway = operator(&server, &approve, &json!({"anyway": true}));
    assert_eq!(anyway.status, 200, "{}", anyway.text());
    assert_eq!(entities(&server, "north-reader", "user", "status=active").len(), 120);
}

/// A site whose connections are no places to try things out.
fn holding(kind: Kind) -> Site {
    let mut site = site_on(kind);
    site.config["hold"] = json!({});
    site
}

/// A payload of so many branches, each with 56 students and 4 teachers of its own.
fn branches(count: u64) -> Payload {
    let size = Size { classes: 2, sections: 2, subjects: 2, students: 14 };
    let mut payload = Payload::of(size);
    let first = payload.branches.remove(0);
    for nth in 1..=count {
        let mut branch = first.clone();
        branch.id = nth;
        let move_on = |person: &mut Person| *person = Person::nth(person.user_no + nth * 1_000, "people");
        for section in branch.classes.iter_mut().flat_map(|class| &mut class.sections) {
            section.students.iter_mut().for_each(move_on);
            section.subjects.iter_mut().flat_map(|subject| &mut subject.teachers).for_each(move_on);
        }
        payload.branches.push(branch);
    }
    if let Some(last) = payload.branches.last_mut() {
        last.classes[0].sections[0].students[0].name_user = "Zubayda Onlyone".into();
    }
    payload
}

/// The partner's mapper with other ids for teachers: to those who know the old ones, all are gone.
fn without_teachers() -> Vec<u8> {
    let mut component = mapper_artifacts::component(PARTNER).unwrap();
    for (old, new) in [("/teacher:", "/tutoree:"), ("studentteachermanager", "studenttutoreemanager")] {
        let at = component.windows(old.len()).position(|bytes| bytes == old.as_bytes());
        let at = at.expect("the mapper names teachers so");
        component[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
    component
}

fn held(client: &Client) -> Vec<Value> {
    rows(&client.get_json("/admin/v1/held", "operator")).clone()
}

fn rollcall(client: &Client, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    let server = ["--server", client.address()];
    let output = command.args(arguments).args(server).env("ROLLCALL_CREDENTIAL", "operator").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn operator(client: &Client, path: &str, body: &Value) -> Answer {
    let headers = [("authorization", "Bearer operator"), ("content-type", "application/json")];
    client.post(path, &headers, body.to_string().as_bytes())
}

#[track_caller]
fn assert_held(answer: &Answer, message: &str) {
    let text = answer.text();
    assert!(answer.status == 422 && text.contains("held") && text.contains(message), "{}: {text}", answer.status);
}
