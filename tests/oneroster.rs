//! A OneRoster 1.2 consumer reads what a partner sent.

use rollcall_tests::client::Answer;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::sync;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Server;
use serde_json::{Value, json};

use crate::state::{ONEROSTER, encode, total};
use crate::{on_every_database, site_on};

on_every_database!(lists_are_paged_sorted_filtered_and_cut);

fn lists_are_paged_sorted_filtered_and_cut(kind: Kind) {
    let server = with_a_school(kind);
    pages(&server);
    sorts(&server);
    filters(&server);
    fields(&server);
}

#[test]
fn a_single_object_has_its_wrapper_and_links() {
    let server = with_a_school(Kind::Sqlite);
    for (list, wrapper) in [("orgs", "org"), ("classes", "class"), ("students", "user"), ("enrollments", "enrollment")]
    {
        let id = text(&rows(&get(&server, &format!("{list}?limit=1")))[0]["sourcedId"]);
        let single = get(&server, &format!("{list}/{id}")).json();
        assert_eq!(single[wrapper]["sourcedId"], id.as_str(), "{list}: {single}");
        assert_eq!(single[wrapper]["status"], "active", "{list}");
        assert!(text(&single[wrapper]["dateLastModified"]).ends_with('Z'), "{list}");
    }
    let enrollment = rows(&get(&server, "enrollments?limit=1"))[0].clone();
    for (member, list) in [("user", "users"), ("class", "classes"), ("school", "orgs")] {
        let reference = &enrollment[member];
        assert_eq!(reference["type"], if member == "school" { "org" } else { member }, "{reference}");
        let (href, id) = (text(&reference["href"]), text(&reference["sourcedId"]));
        assert!(href.starts_with("http") && href.ends_with(&id), "{href}");
        let path = format!("{list}/{id}");
        assert!(href.contains(&path) || href.contains(&format!("schools/{id}")), "{href} does not lead to {path}");
        assert_eq!(get(&server, &path).status, 200, "{path}");
    }
    let user = rows(&get(&server, "users?limit=1"))[0].clone();
    assert_eq!(user["enabledUser"], "true", "booleans are words in OneRoster: {user}");
}

#[test]
fn mistakes_are_told_in_the_standards_own_words() {
    let server = with_a_school(Kind::Sqlite);
    let cases = [
        ("users?filter=nothing%3D%27x%27", 400, "invalid_filter_field"),
        ("users?filter=givenName", 400, "invalid_filter_field"),
        ("users?fields=nothing", 400, "invalid_selection_field"),
        ("users?limit=none", 400, "invaliddata"),
        ("users/00000000-0000-0000-0000-000000000000", 404, "unknownobject"),
        ("users/nobody", 404, "unknownobject"),
    ];
    for (path, status, code) in cases {
        let answer = get(&server, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let body = answer.json();
        assert_eq!(body["imsx_codeMajor"], "failure", "{path}: {body}");
        assert!(body["imsx_CodeMinor"].to_string().contains(code), "{path}: no `{code}` in {body}");
    }
    let answer = server.get(&format!("{ONEROSTER}/users"), "nobody");
    assert_eq!((answer.status, &answer.json()["imsx_codeMajor"]), (401, &json!("failure")));
}

fn pages(server: &Server) {
    let mut seen = Vec::new();
    for offset in (0..28).step_by(10) {
        let answer = get(server, &format!("users?limit=10&offset={offset}"));
        assert_eq!(answer.header("x-total-count"), "28");
        seen.extend(rows(&answer).iter().map(|row| text(&row["sourcedId"])));
        let link = answer.header("link");
        for (relation, there) in [("first", true), ("last", true), ("next", offset < 20), ("prev", offset > 0)] {
            assert_eq!(link.contains(&format!("rel=\"{relation}\"")), there, "{relation} at {offset} in {link}");
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 28, "pages overlap or leave something out");
    assert_eq!(rows(&get(server, "users")).len(), 28, "a page has 100 rows by default");
}

fn sorts(server: &Server) {
    let identifiers = |order: &str| -> Vec<String> {
        let page = rows(&get(server, &format!("courses?sort=courseCode&orderBy={order}")));
        page.iter().map(|row| text(&row["courseCode"])).collect()
    };
    let (up, mut down) = (identifiers("asc"), identifiers("desc"));
    assert!(up.is_sorted(), "{up:?}");
    down.reverse();
    assert_eq!(up, down);
}

fn filters(server: &Server) {
    let cases = [
        ("users", "email='u100001@students.alnoor.example'", 1),
        ("users", "roles.role='teacher'", 4),
        ("users", "roles.role!='teacher'", 24),
        ("users", "email~'STUDENTS.alnoor'", 22),
        ("users", "givenName='Nobody'", 0),
        ("users", "familyName='O''Hara'", 0),
        ("users", "roles.role='teacher' AND roles.role='student'", 0),
        ("users", "roles.role='teacher' OR roles.role='student'", 28),
        ("courses", "courseCode>='1003'", 3),
        ("courses", "courseCode<'1003'", 3),
        ("classes", "status='active'", 4),
        ("classes", "dateLastModified>'2020-01-01T00:00:00.000Z'", 4),
        ("enrollments", "role='student'", 24),
    ];
    for (list, filter, count) in cases {
        let found = total(server, "north-reader", &format!("{list}?filter={}", encode(filter)));
        assert_eq!(found, count, "{list} where {filter}");
    }
}

fn fields(server: &Server) {
    let row = rows(&get(server, "users?limit=1&fields=sourcedId,familyName"))[0].clone();
    let members: Vec<_> = row.as_object().expect("a row is an object").keys().collect();
    assert_eq!(members, ["sourcedId", "familyName"]);
}

fn with_a_school(kind: Kind) -> Server {
    let server = site_on(kind).start();
    sync(&server, "north-school", &Payload::of(Size::SMALL));
    server
}

fn get(server: &Server, path: &str) -> Answer {
    server.get(&format!("{ONEROSTER}/{path}"), "north-reader")
}

fn rows(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    crate::state::rows(&answer.json()).clone()
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}
