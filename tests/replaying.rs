//! What partners sent is enough to make what is stored: folded again from the database alone, worked on once more after it
//! came to nothing, looked at by operators.

use std::process::Command;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rollcall_tests::client::{Answer, Client};
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{self, PARTNER, post, sync};
use rollcall_tests::school::{Payload, Person, Size};
use rollcall_tests::site::Site;
use serde_json::{Value, json};

use crate::remapping::DELIVERIES_VARIABLE;
use crate::state::{deliveries, entities, everything, rows, text};
use crate::{events, on_every_database, site_on};

on_every_database!(
    what_was_sent_is_folded_to_what_is_there_however_often_that_is_interrupted,
    what_is_not_as_it_was_sent_is_shown_and_put_right,
    what_was_rejected_is_worked_on_once_more,
    records_that_were_put_aside_are_tried_again_without_the_others,
    what_is_older_than_what_came_last_is_only_looked_at,
);

const PATIENCE: Duration = Duration::from_mins(3);

const REBUILD: &str = "/admin/v1/tenants/north/connections/school/rebuild";

/// How many deliveries change something, unless [`DELIVERIES_VARIABLE`] says so.
const DELIVERIES: u64 = 40;

/// How long one of them may take, when many are folded again.
const PATIENCE_WITH_EACH: Duration = Duration::from_millis(100);

fn count() -> u64 {
    std::env::var(DELIVERIES_VARIABLE).ok().map_or(DELIVERIES, |count| count.parse().unwrap())
}

fn what_was_sent_is_folded_to_what_is_there_however_often_that_is_interrupted(kind: Kind) {
    let mut site = site_on(kind);
    let server = site.start();
    let count = count();
    fill(&server, count);
    server.kill();
    site.config["limits"]["replayed_per_second_max"] = json!(20);
    for _ in 0..2 {
        let server = site.start();
        rebuild(&server, false);
        until(&server, |progress| progress["deliveries"].as_u64() > Some(0));
        server.kill();
    }
    site.config["limits"]["replayed_per_second_max"] = json!(10_000);
    let server = site.start();
    let before = everything(&server, "north-reader");
    rebuild(&server, false);
    let progress = until(&server, |progress| progress["state"] == "done");
    assert_eq!(progress["difference"], json!({"records": {}, "entities": {}}), "{progress}");
    assert_eq!((&progress["deliveries"], &progress["missing"]), (&json!(count), &json!(0)), "{progress}");
    assert_eq!(everything(&server, "north-reader"), before);
    let left = std::fs::read_dir(site.path().join("scratch")).unwrap().count();
    assert_eq!(left, 0, "what was folded is left behind");
}

fn what_is_not_as_it_was_sent_is_shown_and_put_right(kind: Kind) {
    let site = site_on(kind);
    let server = site.start();
    fill(&server, DELIVERIES);
    let before = everything(&server, "north-reader");
    let table = table_of(&site, "Section");
    site.stored().execute(&format!("update {table} set students = '[]' where name = 'B'"));
    let said = rollcall(&server, &["rebuild", "--tenant", "north", "--connection", "school"], 1);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["difference"]["records"]["Section"]["other"], 2, "{said}");
    let said = rollcall(&server, &["rebuild", "--tenant", "north", "--connection", "school", "--replace"], 0);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["replaced"].is_object(), "{said}");
    rebuild(&server, false);
    let progress = until(&server, |progress| progress["state"] == "done");
    assert_eq!(progress["difference"], json!({"records": {}, "entities": {}}), "{progress}");
    assert_eq!(everything(&server, "north-reader"), before);
}

fn what_was_rejected_is_worked_on_once_more(kind: Kind) {
    let mut site = site_on(kind);
    // The description says too little at first: names of people are short.
    let description = site.copy_schemas().join(PARTNER).join("openapi.yaml");
    let good = std::fs::read_to_string(&description).unwrap();
    let bad = good.replacen("name_user: {type: string", "name_user: {type: string, maxLength: 30", 1);
    assert_ne!(good, bad);
    std::fs::write(&description, bad).unwrap();
    let server = site.start();
    let mut payload = Payload::of(Size::SMALL);
    sync(&server, "north-school", &payload);
    let name = "Maha with a name that is longer than most";
    payload.section(0, 0).students[0].name_user = name.into();
    let answer = post(&server, "north-school", &payload);
    assert_eq!(answer.status, 422, "{}", answer.text());
    let first = answer.header("rollcall-delivery").to_owned();

    let listed = server.get_json("/admin/v1/quarantine?status=rejected&connection=school&code=maxLength", "operator");
    assert_eq!(rows(&listed).iter().map(|row| text(row, "id")).collect::<Vec<_>>(), [first.as_str()], "{listed}");
    assert_eq!(rows(&server.get_json("/admin/v1/quarantine?code=required", "operator")).len(), 0);
    let shown = server.get_json(&format!("/admin/v1/quarantine/{first}"), "operator");
    assert_eq!(shown["troubles"][0]["sent"], name, "{shown}");
    let said = rollcall(&server, &["quarantine", "retry", "--all", "--connection", "school"], 0);
    assert!(said.contains("rejected") && said.contains("1 done, 0 could not be done"), "{said}");
    let again = text(&rows(&server.get_json("/admin/v1/quarantine", "operator"))[0], "id");
    assert_ne!(again, first, "the new attempt stands for the first");
    server.kill();

    std::fs::write(&description, good).unwrap();
    let server = site.start();
    let done = operator(&server, &format!("/admin/v1/deliveries/{again}/reprocess"), &json!({}));
    assert_eq!(done.status, 200, "{}", done.text());
    let done = done.json();
    assert_eq!((text(&done, "first"), &done["report"]["status"]), (first, &json!("applied")));
    assert!(rows(&server.get_json("/admin/v1/quarantine", "operator")).is_empty());
    assert_eq!(post(&server, "north-school", &payload).json()["status"], "unchanged");

    let broken = server.post(jusoor::BRANCHES, &jusoor::headers("north-school"), b"{}");
    let discard = format!("/admin/v1/quarantine/{}/discard", broken.header("rollcall-delivery"));
    assert_eq!(operator(&server, &discard, &json!({"reason": "a mistake"})).status, 200);
    assert_eq!(operator(&server, &discard, &json!({"reason": "a mistake"})).status, 409);
    assert!(rows(&server.get_json("/admin/v1/quarantine", "operator")).is_empty());
}

fn records_that_were_put_aside_are_tried_again_without_the_others(kind: Kind) {
    let server = events::site(kind).start();
    let said = |event: Value| {
        let id = events::send(&server, &events::expanded(json!({"events": [event]})));
        (events::finished(&server, &id)["status"].clone(), id)
    };
    assert_eq!(said(json!({"insert": {"user": [{"professor": 1}]}})).0, 4);
    let shared = "p1@escola.example";
    let users = json!([{"professor": 2}, {"professor": 3, "email": shared}, {"professor": 4}]);
    let (status, first) = said(json!({"insert": {"user": users, "subject": [{"disciplina": 1}]}}));
    assert_eq!(status, 3, "one of them is not taken");

    let quarantine = |query: &str| rows(&server.get_json(&format!("/admin/v1/quarantine{query}"), "operator")).clone();
    let found = quarantine("?status=partly");
    assert_eq!(
        found.iter().map(|row| (text(row, "id"), &row["aside"])).collect::<Vec<_>>(),
        [(first.clone(), &json!(1))]
    );
    let shown = server.get_json(&format!("/admin/v1/quarantine/{first}"), "operator");
    let [record] = shown["records"].as_array().unwrap().as_slice() else { panic!("one record is put aside: {shown}") };
    assert_eq!((&record["outcome"], &record["sent"]["email"]), (&json!("rejected"), &json!(shared)), "{record}");
    let code = text(&record["notes"][0], "code");
    assert_eq!((quarantine(&format!("?code={code}")).len(), quarantine("?code=required").len()), (1, 0));
    assert!(quarantine("?status=failed").is_empty());

    // What was taken is said anew meanwhile, and the address becomes free.
    let changes = json!([{"code": "p2", "name": "Nome novo"}, {"code": "p1", "email": "novo@escola.example"}]);
    assert_eq!(said(json!({"update": {"user": changes}})).0, 4);
    let retried = rollcall(&server, &["quarantine", "retry", "--all", "--connection", "school"], 0);
    assert!(retried.contains("applied") && retried.contains("1 done, 0 could not be done"), "{retried}");
    assert!(quarantine("").is_empty());
    let people = entities(&server, "north-reader", "user", "status=active");
    let mut names: Vec<_> = people.values().map(|user| text(user, "familyName")).collect();
    names.sort_unstable();
    assert_eq!(names, ["1", "3", "4", "novo"], "who was taken is as said last, who was put aside is there");

    let (status, second) = said(json!({"insert": {"user": [{"professor": 5, "email": shared}, {"professor": 6}]}}));
    assert_eq!(status, 3);
    let reason = "two people share an address";
    rollcall(&server, &["quarantine", "discard", &second, "--reason", reason], 0);
    rollcall(&server, &["quarantine", "discard", &second, "--reason", reason], 1);
    assert!(quarantine("").is_empty());
    let kept = server.get_json(&format!("/api/v1/deliveries/{second}"), "north-reader");
    assert_eq!((&kept["status"], &kept["report"]["discarded"]["reason"]), (&json!("applied"), &json!(reason)));
}

fn what_is_older_than_what_came_last_is_only_looked_at(kind: Kind) {
    let server = site_on(kind).start();
    let whole = Payload::of(Size::SMALL);
    let first = text(&sync(&server, "north-school", &whole), "delivery");
    let mut smaller = whole.clone();
    smaller.branches[0].classes.pop();
    sync(&server, "north-school", &smaller);
    let after = everything(&server, "north-reader");
    let kept = deliveries(&server, "north-reader").len();
    let path = format!("/admin/v1/deliveries/{first}/reprocess");
    let looked = operator(&server, &path, &json!({})).json();
    assert_eq!(
        (&looked["isOutdated"], &looked["dryRun"], &looked["delivery"]),
        (&json!(true), &json!(true), &json!(null))
    );
    assert_eq!(looked["report"]["counts"]["class"]["updated"], 2, "{looked}");
    assert_eq!((everything(&server, "north-reader"), deliveries(&server, "north-reader").len()), (after, kept));
    let back = operator(&server, &path, &json!({"rewind": true})).json();
    assert_eq!(back["report"]["status"], "applied", "{back}");
    assert_eq!(post(&server, "north-school", &whole).json()["status"], "unchanged");
}

/// Sends many payloads, each of which says something else than the one before.
fn fill(client: &Client, count: u64) {
    let mut payload = Payload::of(Size::SMALL);
    for nth in 0..count {
        let section = payload.section(usize::from(nth % 2 == 0), usize::from(nth % 3 == 0));
        match nth % 5 {
            0 => _ = section.students.pop(),
            1 => section.students.push(Person::nth(500_000 + nth, "students")),
            _ => section.students[0].name_user = format!("Maha Number {nth}"),
        }
        sync(client, "north-school", &payload);
    }
}

fn rebuild(client: &Client, replace: bool) {
    let answer = operator(client, REBUILD, &json!({"replace": replace}));
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// How far the rebuild is, once that is so.
#[track_caller]
fn until(client: &Client, is_so: impl Fn(&Value) -> bool) -> Value {
    let (start, patience) = (Instant::now(), PATIENCE + PATIENCE_WITH_EACH * u32::try_from(count()).unwrap());
    loop {
        let progress = client.get_json(REBUILD, "operator");
        assert_ne!(progress["state"], "failed", "{progress}");
        if is_so(&progress) {
            return progress;
        }
        assert!(start.elapsed() < patience, "{progress}");
        yield_now();
    }
}

fn operator(client: &Client, path: &str, body: &Value) -> Answer {
    let headers = [("authorization", "Bearer operator"), ("content-type", "application/json")];
    client.post(path, &headers, body.to_string().as_bytes())
}

fn rollcall(client: &Client, arguments: &[&str], expected: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments).args(["--server", client.address()]).env("ROLLCALL_CREDENTIAL", "operator");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(expected), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The table that holds the records of a type.
fn table_of(site: &Site, of: &str) -> String {
    let sql = format!("select name from stored_table where type = '{of}' and partner = '{PARTNER}'");
    site.stored().texts(&sql).remove(0)
}
