//! Whatever comes in: the right status, a clear body that never repeats a value, state as it was, and the delivery kept.

use std::io::{Read, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use rollcall_tests::client::Answer;
use rollcall_tests::jusoor::{BRANCHES, headers, sync};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Server;

use crate::site;
use crate::state::{deliveries, everything, feed_end, text};

/// Stands as a value in bad payloads; no answer and no log may show it.
const SECRET: &str = "Zuleikha-Must-Not-Be-Repeated";

/// A payload that is not taken.
struct Bad {
    /// What is wrong with it.
    name: &'static str,
    body: Vec<u8>,
    /// Header that is sent otherwise, or not sent (`None`).
    header: Option<(&'static str, Option<&'static str>)>,
    status: u16,
    /// What the answer names.
    says: Vec<&'static str>,
}

impl Bad {
    fn new(name: &'static str, status: u16, body: impl Into<Vec<u8>>, says: &[&'static str]) -> Self {
        Self { name, body: body.into(), header: None, status, says: says.to_vec() }
    }

    fn with(mut self, header: &'static str, value: Option<&'static str>) -> Self {
        self.header = Some((header, value));
        self
    }
}

#[test]
fn bad_input_is_answered_clearly_kept_and_without_effect() {
    let server = site().start();
    sync(&server, "north-school", &Payload::of(Size::SMALL));
    let (before, end) = (everything(&server, "north-reader"), feed_end(&server, "north-reader"));
    for bad in unreadable().into_iter().chain(invalid()).chain(not_for_us()) {
        let kept = deliveries(&server, "north-reader").len();
        let answer = send(&server, &bad);
        let said = answer.text();
        assert_eq!(answer.status, bad.status, "{}: {said}", bad.name);
        for expected in &bad.says {
            assert!(said.contains(expected), "{}: no `{expected}` in {said}", bad.name);
        }
        assert!(!said.contains(SECRET), "{}: the answer repeats a value: {said}", bad.name);

        let authenticated = bad.status != 401;
        let deliveries = deliveries(&server, "north-reader");
        assert_eq!(deliveries.len(), kept + usize::from(authenticated), "{}", bad.name);
        if authenticated {
            assert_eq!(deliveries[0]["status"], "rejected", "{}", bad.name);
        }
        assert_eq!(feed_end(&server, "north-reader"), end, "{}", bad.name);
    }
    assert_eq!(everything(&server, "north-reader"), before);
    assert!(!server.log().contains(SECRET), "the log repeats a value");
}

#[test]
fn two_hundred_megabytes_are_refused_and_their_sender_reads_why() {
    let server = site().start();
    let mut zeros = std::io::repeat(b' ').take(200 << 20);
    let length = (200_u64 << 20).to_string();
    let headers: Vec<_> = headers("north-school").into_iter().chain([("content-length", &*length)]).collect();
    let answer = server.post_stream(BRANCHES, &headers, &mut zeros);
    assert_eq!(answer.status, 413, "{}", answer.text());

    let mut endless = std::io::repeat(b' ').take(200 << 20);
    let answer = server.post_stream(BRANCHES, &headers[..4], &mut endless);
    assert_eq!(answer.status, 413, "without a content length: {}", answer.text());
    assert!(deliveries(&server, "north-reader").iter().all(|delivery| delivery["status"] == "rejected"));
    assert_eq!(feed_end(&server, "north-reader"), 0);
}

#[test]
fn every_violation_is_listed_up_to_the_limit() {
    let mut site = site();
    site.config["limits"] = serde_json::json!({ "violations_max": 7 });
    let server = site.start();
    let mut payload = serde_json::to_value(Payload::of(Size::SMALL)).unwrap();
    for student in payload["branches"][0]["classes"][0]["sections"][0]["students"].as_array_mut().unwrap() {
        student["user_no"] = SECRET.into();
        student.as_object_mut().unwrap().remove("name_user");
    }
    let answer = server.post(BRANCHES, &headers("north-school"), payload.to_string().as_bytes());
    assert_eq!(answer.status, 422, "{}", answer.text());
    let pointers = answer.text().matches("/branches/0/classes/0/sections/0/students/").count();
    assert!((7..=14).contains(&pointers), "{pointers} places named in {}", answer.text());
    let report = &deliveries(&server, "north-reader")[0]["report"];
    assert_eq!(report["rejections"].as_array().map(Vec::len), Some(7), "{report}");
    assert_eq!(report["omitted"], 12 - 7, "{report}");
}

fn send(server: &Server, bad: &Bad) -> Answer {
    let mut sent = headers("north-school").to_vec();
    if let Some((name, value)) = bad.header {
        sent.retain(|(sent, _)| *sent != name);
        sent.extend(value.map(|value| (name, value)));
    }
    server.post(BRANCHES, &sent, &bad.body)
}

/// Bodies that are not JSON.
fn unreadable() -> Vec<Bad> {
    let whole = Payload::of(Size::SMALL).to_bytes();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let invalid = [b"{\"branches\": [{\"id\": 1, \"name\": \"\xff\xfe\", \"classes\": []}]}".as_slice()].concat();
    vec![
        Bad::new("no body", 400, "", &[]),
        Bad::new("half a body", 400, &whole[..whole.len() / 2], &[]),
        Bad::new("two bodies", 400, [&whole[..], &whole[..]].concat(), &[]),
        Bad::new("no JSON", 400, format!("name={SECRET}"), &[]),
        Bad::new("invalid UTF-8", 400, invalid, &[]),
        Bad::new("deep nesting", 400, deep, &[]),
        Bad::new("duplicate keys", 400, r#"{"branches": [], "branches": []}"#, &["branches"]),
        Bad::new("a gzip bomb", 413, bomb(), &[]).with("content-encoding", Some("gzip")),
        Bad::new("no gzip", 400, &whole[..], &[]).with("content-encoding", Some("gzip")),
        Bad::new("an unknown encoding", 415, &whole[..], &[]).with("content-encoding", Some("br")),
    ]
}

/// JSON that breaks the description.
fn invalid() -> Vec<Bad> {
    let section = |students: &str| section("A", students);
    let one = |person: &str| school(&class(1, &section(person)));
    let student = |number: &str| format!(r#"{{"user_no": {number}, "name_user": "{SECRET}"}}"#);
    let place = "/branches/0/classes/0/sections/0/students/0";
    let number = "/branches/0/classes/0/sections/0/students/0/user_no";
    let spelled_twice = format!("{},{}", class(1, &section(&student("1"))), class(1, ""));
    let two_sections = class(1, &format!("{},{}", section(""), section("")));
    let two_branches =
        r#"{"branches": [{"id": 9, "name": "a", "classes": []}, {"id": 9, "name": "b", "classes": []}]}"#;
    vec![
        Bad::new("a list", 422, "[]", &[]),
        Bad::new("no branches", 422, "{}", &["branches"]),
        Bad::new("branches that are no list", 422, r#"{"branches": {}}"#, &["/branches"]),
        Bad::new("a text for a number", 422, one(&student("\"5\"")), &[number]),
        Bad::new("a fraction", 422, one(&student("1.5")), &[number]),
        Bad::new("a number with a point", 422, one(&student("1.0")), &[number]),
        Bad::new("a huge number", 422, one(&student("1e30")), &[number]),
        Bad::new("a number over 64 bits", 422, one(&student("18446744073709551616")), &[number]),
        Bad::new("nothing for a name", 422, one(r#"{"user_no": 1, "name_user": null}"#), &[place, "name_user"]),
        Bad::new("no name", 422, one(r#"{"user_no": 1}"#), &[place, "name_user"]),
        Bad::new("one branch twice", 422, two_branches, &["/branches/0", "/branches/1"]),
        Bad::new("one class twice", 422, school(&spelled_twice), &["/branches/0/classes/0", "/branches/0/classes/1"]),
        Bad::new("one section twice", 422, school(&two_sections), &["/sections/0", "/sections/1"]),
    ]
}

/// Requests that are not what the vendor documents.
fn not_for_us() -> Vec<Bad> {
    let whole = || Payload::of(Size::SMALL).to_bytes();
    vec![
        Bad::new("a wrong token", 401, whole(), &[]).with("token", Some("north-schoo1")),
        Bad::new("no token", 401, whole(), &[]).with("token", None),
        Bad::new("a reader's token", 401, whole(), &[]).with("token", Some("north-reader")),
        Bad::new("no referer", 400, whole(), &["referer"]).with("referer", None),
        Bad::new("no accept", 400, whole(), &["accept"]).with("accept", None),
        Bad::new("a wrong content type", 415, whole(), &[]).with("content-type", Some("text/csv")),
    ]
}

fn school(classes: &str) -> String {
    format!(r#"{{"branches": [{{"id": 1, "name": "School", "classes": [{classes}]}}]}}"#)
}

fn class(id: u64, sections: &str) -> String {
    format!(r#"{{"id": {id}, "name": "Class", "sections": [{sections}]}}"#)
}

fn section(name: &str, students: &str) -> String {
    format!(r#"{{"name": "{name}", "subjects": [], "students": [{students}]}}"#)
}

/// 300 MB of spaces in 300 KB.
fn bomb() -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..300 {
        gzip.write_all(&spaces).expect("memory takes it");
    }
    gzip.finish().expect("memory takes it")
}

#[test]
fn rejected_deliveries_keep_what_was_sent() {
    let server = site().start();
    let body = school(&class(1, "7"));
    server.post(BRANCHES, &headers("north-school"), body.as_bytes());
    let delivery = deliveries(&server, "north-reader").remove(0);
    let kept = server.get(&format!("/api/v1/deliveries/{}/body", text(&delivery, "id")), "north-reader");
    assert_eq!((kept.status, kept.text()), (200, body));
}
