//! What a version would make of what is stored is known before it is active, and what is mapped anew comes to just that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rollcall_core::bundle::Bundle;
use rollcall_core::limits::BundleLimits;
use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{PARTNER, sync};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Site;
use serde_json::{Value, json};

use crate::state::{KINDS, entities, everything, feed_end, text};
use crate::{on_every_database, site, site_on};

on_every_database!(
    what_a_plan_says_is_what_happens_and_a_stale_one_is_refused,
    a_version_that_drops_every_teacher_waits_before_anything_is_mapped_anew,
    what_is_killed_and_asked_for_again_comes_to_the_same,
);

const PATIENCE: Duration = Duration::from_mins(3);

/// 50 students and 25 teachers, each of whom teaches ten of them.
const WITH_TEACHERS: Size = Size { classes: 5, sections: 1, subjects: 5, students: 10 };

/// How many deliveries come before, unless [`DELIVERIES_VARIABLE`] says so.
const DELIVERIES: usize = 5;

/// The environment variable that has more come.
pub(crate) const DELIVERIES_VARIABLE: &str = "ROLLCALL_TEST_DELIVERIES";

/// How often it is killed.
const KILLS: usize = 3;

fn what_a_plan_says_is_what_happens_and_a_stale_one_is_refused(kind: Kind) {
    let mut site = site_on(kind);
    site.copy_schemas();
    let server = site.start();
    sync(&server, "north-school", &Payload::of(WITH_TEACHERS));
    let bundle = another(&site);
    let (before, end) = (everything(&server, "north-reader"), feed_end(&server, "north-reader"));

    let said = rollcall(&server, &["partner", "plan", &bundle], 0);
    assert!(said.contains("user: 25 created, 0 updated, 25 removed, 50 unchanged"), "{said}");
    let plan = said.rsplit(' ').next().unwrap().trim().to_owned();
    assert_eq!(everything(&server, "north-reader"), before, "a plan changes nothing");
    let shown = server.get_json(&format!("/admin/v1/plans/{plan}"), "operator");
    let school = of_connection(&shown, "north/school");

    let mut more = Payload::of(WITH_TEACHERS);
    more.branches[0].name = "Another name".into();
    sync(&server, "north-annex", &more);
    rollcall(&server, &["partner", "apply", &plan, "--if-unchanged"], 1);
    let applied = rollcall(&server, &["partner", "apply", &plan, "--remap"], 0);
    let applied: Value = serde_json::from_str(&applied).unwrap();
    assert_eq!((&applied["plan"], &applied["moved"]), (&json!(plan), &json!(["north/annex"])));
    is_as_foreseen(&server, &before, end, school);
    let figures = server.get("/metrics", "operator").text();
    let whose = r#"tenant="north",connection="school",partner="jusoor""#;
    let mapped = school["records"].as_object().unwrap().values().map(|of| of["mapped"].as_u64().unwrap()).sum::<u64>();
    for line in [
        format!("rollcall_remapped_records_total{{{whose}}} {mapped}"),
        format!("rollcall_remap_records_left{{{whose}}} 0"),
    ] {
        assert!(mapped > 0 && figures.contains(&line), "no {line} in {figures}");
    }

    let history = server.get_json(&format!("/admin/v1/partners/{PARTNER}/activations"), "operator");
    assert_eq!(history["activations"][0]["plan"], json!(plan), "{history}");
    rollcall(&server, &["partner", "apply", &plan], 1);
    let nothing = rollcall(&server, &["remap", "--dry-run", "--connection", "north/school"], 0);
    assert!(nothing.contains("0 mapped anew"), "{nothing}");

    let version = text(&shown, "version");
    let other = ["partner", "plan", "--partner", PARTNER, "--version", &version[..12]];
    let stale = rollcall(&server, &other, 0).rsplit(' ').next().unwrap().trim().to_owned();
    server.kill();
    let year = json!({"name": "2030/2031", "start": "2030-08-30", "end": "2031-06-24"});
    site.set_option("school", "schoolYear", year);
    let server = site.start();
    let refused = rollcall(&server, &["partner", "apply", &stale], 1);
    assert!(refused.contains("options or canonical schemas have changed"), "{refused}");
}

#[test]
fn a_plan_says_what_the_examples_come_to_and_where_that_is_otherwise_than_before() {
    let mut site = site();
    site.copy_schemas();
    let server = site.start();
    let other = another(&site);
    assert!(rollcall(&server, &["partner", "plan", &other], 0).contains("It has no examples."));
    rollcall(&server, &["partner", "apply", "--bundle", &other], 0);
    let bundle = site.path().join("plain.rcb").display().to_string();
    let said = rollcall(&server, &["partner", "plan", &bundle], 0);
    assert!(said.contains("Its examples, ") && said.contains("otherwise than before at /entities/"), "{said}");
    let plan: Value = serde_json::from_str(&rollcall(&server, &["partner", "plan", &bundle, "--json"], 0)).unwrap();
    let examples = plan["body"]["examples"].as_array().unwrap();
    assert!(!examples.is_empty() && examples.iter().all(|example| example["otherwise"] == json!([])), "{plan}");
    let changed = examples.iter().flat_map(|example| example["changed"].as_array().unwrap());
    assert!(changed.filter_map(Value::as_str).any(|place| place.contains("/teacher:")), "{plan}");
    assert!(examples.iter().any(|example| example["entities"]["user"].as_u64() > Some(0)), "{plan}");
    assert_eq!(server.get_json("/admin/v1/plans", "operator"), json!({"plans": []}), "none is being made");
}

/// What readers see is what was foreseen, and nothing else.
fn is_as_foreseen(
    server: &Client,
    before: &BTreeMap<&'static str, BTreeMap<String, Value>>,
    end: i64,
    foreseen: &Value,
) {
    let after = everything(server, "north-reader");
    let named = |happens: &str| -> BTreeSet<String> {
        let changes = foreseen["changes"].as_array().unwrap().iter();
        changes.filter(|change| change["happens"] == happens).map(|change| text(change, "sourcedId")).collect()
    };
    let is_of_school: BTreeSet<_> = before.values().flat_map(BTreeMap::keys).collect();
    let active = |all: &BTreeMap<&'static str, BTreeMap<String, Value>>| -> BTreeSet<String> {
        let there = KINDS.iter().flat_map(|kind| &all[kind]).filter(|(_, entity)| entity["status"] == "active");
        there.map(|(id, _)| id.clone()).collect()
    };
    let (was, is) = (active(before), active(&after));
    let gone: BTreeSet<_> = was.difference(&is).cloned().collect();
    assert_eq!(gone, named("removed"));
    assert!(named("created").is_subset(&is) && !named("created").iter().any(|id| is_of_school.contains(id)));
    let told: BTreeSet<_> = crate::state::changes(server, "north-reader", end)
        .iter()
        .filter(|change| change["connection"] == "school")
        .map(|change| text(change, "sourcedId"))
        .collect();
    let all: BTreeSet<_> =
        foreseen["changes"].as_array().unwrap().iter().map(|change| text(change, "sourcedId")).collect();
    assert_eq!(told, all, "the feed tells of what is different and of nothing else");
}

fn a_version_that_drops_every_teacher_waits_before_anything_is_mapped_anew(kind: Kind) {
    let mut site = site_on(kind);
    site.config["hold"] = json!({});
    site.copy_schemas();
    let server = site.start();
    sync(&server, "north-school", &Payload::of(WITH_TEACHERS));
    let before = everything(&server, "north-reader");
    let said = rollcall(&server, &["partner", "plan", &another(&site)], 0);
    assert!(said.contains("held, because it would remove 25 of 25: user (teacher)"), "{said}");
    let plan = said.rsplit(' ').next().unwrap().trim().to_owned();

    rollcall(&server, &["partner", "apply", &plan, "--remap"], 1);
    let first = text(&progress(&server, "north/school"), "held");
    assert_eq!(everything(&server, "north-reader"), before);
    let shown = server.get_json(&format!("/admin/v1/held/{first}"), "operator");
    let teachers = json!({"kind": "user", "part": "teacher", "change": "removed", "count": 25, "of": 25});
    assert!(shown["report"]["held"]["passed"].as_array().unwrap().contains(&teachers), "{shown}");
    let users = json!({"created": 25, "updated": 0, "removed": 25, "unchanged": 50});
    assert_eq!(shown["report"]["counts"]["user"], users, "{shown}");
    rollcall(&server, &["held", "discard", &first, "--reason", "a bad version"], 0);
    assert_eq!(everything(&server, "north-reader"), before);

    rollcall(&server, &["remap", "--connection", "north/school"], 1);
    let second = text(&progress(&server, "north/school"), "held");
    assert_ne!(second, first);
    rollcall(&server, &["held", "approve", &second], 0);
    until(&server, "north/school", |progress| progress["state"] == "done");
    let users = entities(&server, "north-reader", "user", "status=active");
    assert_eq!(users.len(), 75);
    assert_eq!(users.keys().filter(|id| !before["user"].contains_key(*id)).count(), 25);
}

fn what_is_killed_and_asked_for_again_comes_to_the_same(kind: Kind) {
    let mut site = site_on(kind);
    site.copy_schemas();
    site.config["limits"]["remap_records"] = json!(1);
    site.config["limits"]["remap_records_per_second_max"] = json!(1);
    let mut server = site.start();
    let deliveries = std::env::var(DELIVERIES_VARIABLE).ok().map_or(DELIVERIES, |count| count.parse().unwrap());
    let mut payload = Payload::of(WITH_TEACHERS);
    for nth in 0..deliveries {
        payload.section(nth % 5, 0).students[nth % 10].name_user = format!("Name {nth}");
        sync(&server, "north-school", &payload);
    }
    let bundle = another(&site);
    rollcall(&server, &["partner", "apply", "--bundle", &bundle], 0);
    for _ in 0..KILLS {
        remap(&server);
        let before = until(&server, "north/school", |progress| progress["records"].as_u64() > Some(0));
        assert_eq!(before["state"], "mapping", "it is killed in the middle");
        server.kill();
        server = site.start();
    }
    server.kill();
    site.config["limits"]["remap_records_per_second_max"] = json!(100_000);
    let server = site.start();
    remap(&server);
    until(&server, "north/school", |progress| progress["state"] == "done");

    let fresh = site_on(kind);
    let server_of_fresh = fresh.start();
    rollcall(&server_of_fresh, &["partner", "apply", "--bundle", &bundle], 0);
    sync(&server_of_fresh, "north-school", &payload);
    assert_eq!(said(&server), said(&server_of_fresh));
    let again = sync(&server, "north-school", &payload);
    assert_eq!(text(&again, "status"), "unchanged");
}

/// What is there, without since when.
fn said(client: &Client) -> Vec<Value> {
    let active = |kind: &str| entities(client, "north-reader", kind, "status=active");
    let all = KINDS.iter().flat_map(|kind| active(kind).into_values());
    let timeless = all.map(|mut entity| {
        entity.as_object_mut().unwrap().remove("dateLastModified");
        entity
    });
    timeless.collect()
}

fn of_connection<'v>(plan: &'v Value, name: &str) -> &'v Value {
    let mut all = plan["body"]["connections"].as_array().unwrap().iter();
    &all.find(|of| of["connection"] == name).unwrap()["difference"]
}

/// A bundle of another version, whose mapper has other ids for teachers: to those who know the old ones, all are gone.
fn another(site: &Site) -> String {
    let (plain, other) = (site.path().join("plain.rcb"), site.path().join("other.rcb"));
    let folder = site.path().join("schemas").join(PARTNER);
    build(site, &folder, &plain);
    let bundle = Bundle::open(&fs::read(&plain).unwrap(), &BundleLimits::default()).unwrap();
    let (mut files, mut mapper) = (bundle.files().by_name.clone(), bundle.mapper().to_vec());
    // Examples would say that teachers are called otherwise.
    files.retain(|name, _| !name.starts_with("examples/"));
    for (old, new) in [("/teacher:", "/tutoree:"), ("studentteachermanager", "studenttutoreemanager")] {
        let at = mapper.windows(old.len()).position(|bytes| bytes == old.as_bytes());
        let at = at.expect("the mapper names teachers so");
        mapper[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
    let (manifest, limits) = (bundle.manifest(), BundleLimits::default());
    let packed = Bundle::pack(&manifest.partner, &manifest.version, files, mapper, &limits).unwrap();
    fs::write(&other, packed.to_bytes()).unwrap();
    other.display().to_string()
}

fn build(site: &Site, folder: &Path, file: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(["bundle", "build"]).arg(folder).arg("--output").arg(file);
    let output = command.env("ROLLCALL_MAPPERS_DIR", site.path().join("mappers")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn remap(client: &Client) {
    let headers = [("authorization", "Bearer operator"), ("content-type", "application/json")];
    let wanted = json!({"connection": "north/school"}).to_string();
    let answer = client.post("/admin/v1/remaps", &headers, wanted.as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// How far mapping a connection anew is.
fn progress(client: &Client, connection: &str) -> Value {
    let all = client.get_json("/admin/v1/remaps", "operator");
    let found = all["remaps"].as_array().unwrap().iter().find(|remap| remap["connection"] == connection);
    found.unwrap_or_else(|| panic!("{connection} is not in {all}")).clone()
}

fn until(client: &Client, connection: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let progress = progress(client, connection);
        if is_so(&progress) {
            return progress;
        }
        assert!(start.elapsed() < PATIENCE && progress["state"] != "failed", "{progress}");
        yield_now();
    }
}

fn rollcall(client: &Client, arguments: &[&str], expected: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments).args(["--server", client.address()]).env("ROLLCALL_CREDENTIAL", "operator");
    let output = command.output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {said}{errors}");
    said.into_owned()
}
