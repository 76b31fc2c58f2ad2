//! A partner's client mirrors its school: what is new is created, what is gone is marked, what is as it was stays.

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{self, sync};
use rollcall_tests::school::{Payload, Person, Size};
use serde_json::{Value, json};

use crate::state::{ONEROSTER, changes, counts, deliveries, encode, entities, everything, feed_end, text, total};
use crate::{on_every_database, site, site_on};

on_every_database!(
    a_large_school_arrives_whole_and_repeating_it_changes_nothing,
    a_removed_section_marks_exactly_its_own_rows,
    who_returns_is_who_left,
    a_dry_run_answers_and_keeps_nothing,
);

/// What the large school becomes.
const LARGE: [(&str, u64); 7] = [
    ("orgs", 1),
    ("courses", 280),
    ("classes", 160),
    ("users", 5_040),
    ("students", 4_800),
    ("teachers", 240),
    ("enrollments", 5_760),
];

fn a_large_school_arrives_whole_and_repeating_it_changes_nothing(kind: Kind) {
    let server = site_on(kind).start();
    let mut payload = Payload::of(Size::LARGE);
    let first = sync(&server, "north-school", &payload);
    assert_eq!(counts(&first, "user"), (5_040, 0, 0, 0));
    for (list, count) in LARGE {
        assert_eq!(total(&server, "north-reader", list), count, "{list}");
    }
    let end = feed_end(&server, "north-reader");
    for seed in [None, Some(1), Some(2)] {
        if let Some(seed) = seed {
            payload.shuffle(seed);
        }
        let again = sync(&server, "north-school", &payload);
        assert_eq!(counts(&again, "user"), (0, 0, 5_040, 0), "shuffled with {seed:?}");
        assert_eq!(counts(&again, "enrollment"), (0, 0, 5_760, 0), "shuffled with {seed:?}");
        assert_eq!(feed_end(&server, "north-reader"), end, "shuffled with {seed:?}");
    }
}

fn a_removed_section_marks_exactly_its_own_rows(kind: Kind) {
    let server = site_on(kind).start();
    let mut payload = Payload::of(Size::SMALL);
    for connection in ["north-school", "north-annex", "south-school"] {
        sync(&server, connection, &payload);
    }
    let (before, south) = (everything(&server, "north-reader"), everything(&server, "south-reader"));
    let end = feed_end(&server, "north-reader");

    payload.branches[0].classes[1].sections.remove(0);
    let answer = sync(&server, "north-school", &payload);
    assert_eq!(counts(&answer, "class"), (0, 0, 3, 1));
    assert_eq!(counts(&answer, "user"), (0, 0, 18 + 4, 6));
    assert_eq!(counts(&answer, "enrollment"), (0, 0, 3 * 8, 8));
    assert_eq!(counts(&answer, "course"), (0, 0, 6, 0));

    let changed = changes(&server, "north-reader", end);
    assert_eq!(changed.len(), 1 + 6 + 8);
    let marked: Vec<_> = changed.iter().map(|change| text(change, "sourcedId")).collect();
    assert!(changed.iter().all(|change| change["status"] == "tobedeleted" && change["connection"] == "school"));
    for (kind, rows) in everything(&server, "north-reader") {
        for (id, row) in rows {
            let expected = if marked.contains(&id) { "tobedeleted" } else { "active" };
            assert_eq!(row["status"], expected, "{kind} {id}");
            assert!(marked.contains(&id) || row == before[kind][&id], "{kind} {id} was touched");
        }
    }
    assert_eq!(everything(&server, "south-reader"), south);
}

fn who_returns_is_who_left(kind: Kind) {
    let server = site_on(kind).start();
    let whole = Payload::of(Size::SMALL);
    sync(&server, "north-school", &whole);
    let before = everything(&server, "north-reader");
    let mut smaller = whole.clone();
    smaller.branches[0].classes.remove(1);
    sync(&server, "north-school", &smaller);
    let answer = sync(&server, "north-school", &whole);
    assert_eq!(counts(&answer, "class"), (0, 2, 2, 0));
    let after = everything(&server, "north-reader");
    for (kind, rows) in before {
        assert!(rows.keys().eq(after[kind].keys()), "{kind}: other ids than before");
        assert!(after[kind].values().all(|row| row["status"] == "active"), "{kind}");
    }
}

#[test]
fn one_changed_student_changes_one_user() {
    let server = site().start();
    let mut payload = Payload::of(Size::SMALL);
    sync(&server, "north-school", &payload);
    let end = feed_end(&server, "north-reader");
    payload.section(1, 1).students[2].name_user = "Salma El Amrani".into();
    payload.shuffle(3);
    let answer = sync(&server, "north-school", &payload);
    assert_eq!(counts(&answer, "user"), (0, 1, 27, 0));
    let changed = changes(&server, "north-reader", end);
    assert_eq!(changed.len(), 1);
    let user = server.get_json(&format!("{ONEROSTER}/users/{}", text(&changed[0], "sourcedId")), "north-reader");
    assert_eq!((&user["user"]["givenName"], &user["user"]["familyName"]), (&json!("Salma"), &json!("El Amrani")));
}

fn a_dry_run_answers_and_keeps_nothing(kind: Kind) {
    let server = site_on(kind).start();
    let payload = Payload::of(Size::SMALL);
    let headers = jusoor::headers("north-school");
    let dry: Vec<_> = headers.into_iter().chain([("rollcall-dry-run", "true")]).collect();
    let answer = server.post(jusoor::BRANCHES, &dry, &payload.to_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("rollcall-dry-run"), "true");
    let said = answer.json();
    assert_eq!(counts(&said, "user"), (28, 0, 0, 0));
    assert_eq!(said["delivery"], Value::Null, "{said}");
    assert_eq!(feed_end(&server, "north-reader"), 0);
    assert!(deliveries(&server, "north-reader").is_empty());
    assert!(everything(&server, "north-reader").values().all(std::collections::BTreeMap::is_empty));

    let real = sync(&server, "north-school", &payload);
    assert_eq!(said["counts"], real["counts"], "the dry run promised something else");
}

#[test]
fn people_who_are_spelled_in_two_ways_are_one_whatever_the_order() {
    let mut payload = Payload::of(Size::SMALL);
    let number = payload.section(0, 0).students[0].user_no;
    payload.section(1, 1).students[0] =
        Person { user_no: number, name_user: "Another Spelling".into(), user_email: None };
    let mut picked = Vec::new();
    for seed in 0..3 {
        let server = site().start();
        payload.shuffle(seed);
        let answer = sync(&server, "north-school", &payload);
        assert!(!warnings(&answer).is_empty(), "no warning in {answer}");
        let students = entities(&server, "north-reader", "user", "");
        assert_eq!(students.len(), 27);
        let names = |row: &Value| (text(row, "sourcedId"), row["givenName"].clone(), row["email"].clone());
        let mut of: Vec<_> = students.values().map(|row| format!("{:?}", names(row))).collect();
        of.sort();
        picked.push(of);
    }
    assert!(picked.iter().all(|of| *of == picked[0]), "the pick depends on the order");
}

#[test]
fn unknown_members_are_kept_and_a_near_miss_is_named() {
    let server = site().start();
    let mut payload = serde_json::to_value(Payload::of(Size::SMALL)).unwrap();
    let student = &mut payload["branches"][0]["classes"][0]["sections"][0]["students"][0];
    student["user_emial"] = json!("someone@students.example");
    student["Name_User"] = json!("Someone");
    student["shoe_size"] = json!(38);
    let answer = server.post(jusoor::BRANCHES, &jusoor::headers("north-school"), payload.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = warnings(&answer.json());
    for expected in ["user_email", "name_user", "did you mean", "/branches/0/classes/0/sections/0/students/0"] {
        assert!(said.contains(expected), "no `{expected}` in {said}");
    }
    let delivery = deliveries(&server, "north-reader").remove(0);
    assert_eq!(delivery["report"]["warnings"].as_array().map(Vec::len), Some(3), "{delivery}");
    let body = server.get(&format!("/api/v1/deliveries/{}/body", text(&delivery, "id")), "north-reader");
    assert_eq!(body.body, payload.to_string().as_bytes());
}

#[test]
fn compressed_bodies_are_taken_and_kept_as_what_they_mean() {
    let server = site().start();
    let payload = Payload::of(Size::SMALL);
    let bytes = payload.to_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    for (coding, body) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd::encode_all(&bytes[..], 3).unwrap())] {
        let headers = jusoor::headers("north-school");
        let headers: Vec<_> = headers.into_iter().chain([("content-encoding", coding)]).collect();
        let answer = server.post(jusoor::BRANCHES, &headers, &body);
        assert_eq!(answer.status, 200, "{coding}: {}", answer.text());
    }
    let said = sync(&server, "north-school", &payload);
    assert_eq!(counts(&said, "user"), (0, 0, 28, 0));
    let kept = deliveries(&server, "north-reader");
    let digests: Vec<_> = kept.iter().map(|delivery| text(delivery, "sha256")).collect();
    assert!(digests.len() == 3 && digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn a_body_without_content_type_is_json() {
    let server = site().start();
    let headers = jusoor::headers("north-school");
    let answer = server.post(jusoor::BRANCHES, &headers[..3], &Payload::of(Size::SMALL).to_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn everybody_a_school_names_is_somebody() {
    let server = site().start();
    let mut payload = serde_json::to_value(Payload::of(Size::SMALL)).unwrap();
    payload["managers"] = json!([{ "user_no": 1, "name_user": "Manal" }]);
    payload["branches"][0]["school_admins"] = json!([{ "user_no": 1, "name_user": "Adil Ben Ali" }]);
    let answer = server.post(jusoor::BRANCHES, &jusoor::headers("north-school"), payload.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let with_role = |role: &str| users_with_role(&server, role);
    assert_eq!((with_role("principal"), with_role("siteAdministrator")), (1, 1));
    assert_eq!((with_role("student"), with_role("teacher")), (24, 4));
}

fn users_with_role(client: &Client, role: &str) -> u64 {
    total(client, "north-reader", &format!("users?filter={}", encode(&format!("roles.role='{role}'"))))
}

/// All warnings of an answer in one text.
fn warnings(answer: &Value) -> String {
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    warnings.map(|warning| format!("{} {}", warning["pointer"], warning["message"])).collect::<Vec<_>>().join("\n")
}
