//! Each field of an entity can say which delivery, record, value and version of the partner it comes from.

use std::fs;
use std::process::Command;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{BRANCHES, PARTNER, headers, post, sync};
use rollcall_tests::school::{Payload, Size};
use serde_json::{Value, json};

use crate::state::{deliveries, entities, text};
use crate::upgrades::second;
use crate::{on_every_database, site_on};

on_every_database!(
    each_field_says_which_delivery_record_value_and_version_it_comes_from,
    what_several_records_say_of_one_entity_is_told_of_each,
    what_no_reader_sees_of_what_was_sent_is_told_with_its_first_and_last_times,
);

const PATIENCE: Duration = Duration::from_mins(3);

fn each_field_says_which_delivery_record_value_and_version_it_comes_from(kind: Kind) {
    let mut site = site_on(kind);
    site.copy_schemas();
    let server = site.start();
    sync(&server, "north-school", &Payload::of(Size::SMALL));
    let delivery = text(&deliveries(&server, "north-reader")[0], "id");
    let class = entities(&server, "north-reader", "class", "").into_keys().next().unwrap();
    let told = explained(&server, &class);
    let source = &told["sources"][0];
    assert_eq!((&told["kind"], told["sources"].as_array().unwrap().len()), (&json!("class"), 1), "{told}");
    assert_eq!((text(source, "record"), text(source, "delivery")), ("Section".to_owned(), delivery));
    assert_eq!((&source["made"], &source["untried"]), (&json!(true), &json!(0)), "{told}");
    assert_eq!(source["exists"], json!(["/name", "/parent/id", "/parent/parent/id"]), "what its id is made of");
    let title = because(source, "title");
    assert_eq!((&title["counts"], &title["pointers"]), (&json!(true), &json!(["/name"])), "{told}");
    assert_eq!(because(source, "course")["pointers"], json!(["/parent/id", "/parent/parent/id"]), "{told}");
    assert_eq!(because(source, "classType")["pointers"], json!([]), "that is always said");
    let first = text(source, "version");
    let words = rollcall(&server, &["explain", &class, "--tenant", "north"]);
    assert!(words.contains("  delivery  ") && words.contains(" title              /name\n"), "{words}");
    assert!(words.contains(&format!("in version 1+{}\n", &first[..12])), "{words}");

    let bundle = site.path().join("second.rcb");
    second(&site);
    rollcall(&server, &["partner", "apply", "--bundle", &bundle.display().to_string()]);
    let source = &explained(&server, &class)["sources"][0];
    assert_eq!((&source["version"], &source["made"]), (&json!(first), &json!(true)), "what is stored is as it was");
    rollcall(&server, &["remap", "--connection", "north/school"]);
    let active = server.get_json("/admin/v1/partners", "operator");
    let active = active["partners"].as_array().unwrap().iter().find(|one| one["partner"] == PARTNER).unwrap().clone();
    until(|| explained(&server, &class)["sources"][0]["version"] == active["version"]);
    let source = &explained(&server, &class)["sources"][0];
    assert_eq!((&source["versionName"], &source["made"]), (&json!("2"), &json!(true)));
}

fn what_several_records_say_of_one_entity_is_told_of_each(kind: Kind) {
    let mut site = site_on(kind);
    site.config["limits"] = json!({"explained_records_max": 1});
    let server = site.start();
    let mut payload = Payload::of(Size::SMALL);
    payload.section(0, 0).students[0].name_user = "Zaragoza Zaid".into();
    let student = payload.section(0, 0).students[0].clone();
    payload.section(0, 1).students.push(student);
    sync(&server, "north-school", &payload);
    let all = entities(&server, "north-reader", "user", "");
    let (id, _) = all.iter().find(|(_, user)| user.to_string().contains("Zaragoza")).unwrap();
    let told = explained(&server, id);
    assert_eq!((told["sources"].as_array().unwrap().len(), &told["omitted"]), (1, &json!(1)), "{told}");
    server.kill();
    site.config["limits"] = json!({});
    let server = site.start();
    let told = explained(&server, id);
    assert_eq!((told["sources"].as_array().unwrap().len(), &told["omitted"]), (2, &json!(0)), "{told}");
    assert_eq!(told["sources"][0]["leads"], true);

    payload.section(0, 0).students.remove(0);
    let last = payload.section(0, 1).students.len() - 1;
    payload.section(0, 1).students.remove(last);
    sync(&server, "north-school", &payload);
    assert_eq!(explained(&server, id)["sources"], json!([]), "nobody speaks of it any more");
    let words = rollcall(&server, &["explain", id, "--tenant", "north"]);
    assert!(words.contains("no record speaks of it any more"), "{words}");
    let reader = server.get(&format!("/admin/v1/entities/{id}/explanation?tenant=north"), "north-reader");
    assert_eq!(reader.status, 403, "this is for operators");
    let other = server.get(&format!("/admin/v1/entities/{id}/explanation?tenant=south"), "operator");
    assert_eq!(other.status, 404, "{}", other.text());
}

fn what_no_reader_sees_of_what_was_sent_is_told_with_its_first_and_last_times(kind: Kind) {
    let mut site = site_on(kind);
    let description = site.copy_schemas().join(PARTNER).join("openapi.yaml");
    let described = fs::read_to_string(&description).unwrap();
    let listed = "name: {type: string, enum: [A, B, C]}\n        subjects:";
    assert!(described.contains("name: {type: string}\n        subjects:"));
    fs::write(&description, described.replacen("name: {type: string}\n        subjects:", listed, 1)).unwrap();
    let server = site.start();
    let mut payload = Payload::of(Size::SMALL);
    for colour in ["red", "blue"] {
        let mut body = serde_json::to_value(&payload).unwrap();
        body["branches"][0]["classes"][0]["colour"] = json!(colour);
        let answer = server.post(BRANCHES, &headers("north-school"), body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    payload.section(0, 1).name = "Z".into();
    assert_eq!(post(&server, "north-annex", &payload).status, 422);
    let all = deliveries(&server, "north-reader");
    let (first, last) = (text(&all[2], "receivedAt"), text(&all[1], "receivedAt"));

    let losses: Value = serde_json::from_str(&rollcall(&server, &["loss", PARTNER, "--stored", "--json"])).unwrap();
    let colour = json!({"member": "/branches/*/classes/*/colour", "seen": 2, "firstSeen": first, "lastSeen": last});
    assert_eq!((&losses["payloads"], &losses["unknown"]), (&json!(3), &json!([colour])), "{losses}");
    assert_eq!(losses["unlisted"][0]["seen"], 1, "{losses}");
    let place = "/branches/*/classes/*/sections/*/name";
    let names = losses["words"].as_array().unwrap().iter().find(|words| words["member"] == place).unwrap();
    assert_eq!((&names["came"]["A"]["seen"], &names["never"]), (&json!(4), &json!(["C"])), "{losses}");
    let told = rollcall(&server, &["loss", PARTNER, "--stored", "--deliveries", "1"]);
    assert!(told.contains("1 payloads, 0 records\n") && told.contains("classes/*/sections/*/name  (once, 2"), "{told}");
    let unknown = server.get("/admin/v1/partners/nobody/loss", "operator");
    assert_eq!(unknown.status, 404, "{}", unknown.text());
}

fn explained(client: &Client, id: &str) -> Value {
    client.get_json(&format!("/admin/v1/entities/{id}/explanation?tenant=north"), "operator")
}

fn because<'v>(source: &'v Value, field: &str) -> &'v Value {
    let mut all = source["fields"].as_array().unwrap().iter();
    all.find(|one| one["field"] == field).unwrap_or_else(|| panic!("no {field} in {source}"))
}

fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it never became so");
        yield_now();
    }
}

fn rollcall(client: &Client, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments).args(["--server", client.address()]).env("ROLLCALL_CREDENTIAL", "operator");
    let output = command.output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}{errors}");
    said.into_owned()
}
