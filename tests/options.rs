//! What an operator chooses for a connection takes effect with its next delivery, even of an identical payload.

use rollcall_tests::jusoor::sync;
use rollcall_tests::school::{Payload, Size};
use serde_json::json;

use crate::site;
use crate::state::{changes, counts, entities, feed_end};

#[test]
fn a_school_year_set_later_reaches_every_class_of_an_identical_payload() {
    let mut site = site();
    let payload = Payload::of(Size::SMALL);
    let server = site.start();
    sync(&server, "north-school", &payload);
    assert!(entities(&server, "north-reader", "academicSession", "").is_empty());
    let classes = entities(&server, "north-reader", "class", "");
    assert!(classes.values().all(|class| class["terms"] == json!([])), "without a school year there are no terms");
    server.kill();

    for (name, created, updated) in [("2026/27", 1, 0), ("2026/2027", 0, 1)] {
        site.set_option("school", "schoolYear", json!({ "name": name, "start": "2026-09-01", "end": "2027-06-30" }));
        let server = site.start();
        let end = feed_end(&server, "north-reader");
        let answer = sync(&server, "north-school", &payload);
        let session = counts(&answer, "academicSession");
        assert!((session.0, session.1) == (created, updated) || session.3 == 1, "{name}: {answer}");
        let sessions = entities(&server, "north-reader", "academicSession", "status=active");
        let (id, session) = sessions.iter().next().expect("there is a school year");
        assert_eq!((sessions.len(), &session["title"]), (1, &json!(name)));
        for class in entities(&server, "north-reader", "class", "").values() {
            assert!(class["terms"].to_string().contains(id), "{name}: {class}");
        }
        assert_eq!(counts(&answer, "user"), (0, 0, 28, 0), "{name}");
        assert!(!changes(&server, "north-reader", end).is_empty(), "{name}");

        let again = sync(&server, "north-school", &payload);
        assert_eq!(counts(&again, "class"), (0, 0, 4, 0), "{name}: it takes effect once");
    }
}

#[test]
fn people_of_two_branches_with_one_number_are_two_where_numbers_are_per_branch() {
    let mut payload = Payload::of(Size::SMALL);
    let mut second = payload.branches[0].clone();
    second.id = 11;
    second.name = "Second School".into();
    payload.branches.push(second);
    for (scope, people) in [("connection", 28), ("branch", 56)] {
        let mut site = site();
        site.set_option("school", "personScope", json!(scope));
        let server = site.start();
        sync(&server, "north-school", &payload);
        assert_eq!(entities(&server, "north-reader", "user", "").len(), people, "{scope}");
        assert_eq!(entities(&server, "north-reader", "class", "").len(), 8, "{scope}");
    }
}

#[test]
fn options_that_the_description_does_not_know_stop_the_start() {
    let mut site = site();
    site.set_option("school", "schoolYaer", json!({}));
    let error = site.start_expecting_failure();
    assert!(error.contains("schoolYaer") && error.contains("school"), "{error}");
}
