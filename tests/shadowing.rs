//! Versions that run beside the ones in use: what they come to outlives the server, and each of several processes knows what
//! all of them have counted.

use std::fs;
use std::time::{Duration, Instant};

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{BRANCHES, PARTNER, headers};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::{Site, digest};
use serde_json::{Value, json};

use crate::upgrades::{build_of, describe, post, second, upload};
use crate::{on_every_database, site_of};

on_every_database!(what_was_counted_outlives_the_server_and_goes_with_what_ran);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// A partner whose clients call about single records.
const OF_RECORDS: &str = "eduframe";

fn what_was_counted_outlives_the_server_and_goes_with_what_ran(kind: Kind) {
    let mut site = site_of(kind, PARTNER);
    site.copy_schemas();
    let server = site.start();
    let version = upload(&server, &second(&site));
    describe(&site, "version: '2'", "version: '1'");
    run(&server, PARTNER, &json!(version));
    let payload = Payload::of(Size::SMALL).to_bytes();
    let send = |client: &Client| assert_eq!(client.post(BRANCHES, &headers("north-school"), &payload).status, 200);
    send(&server);
    until("what was counted is stored, though nobody asks", || stored(&site) == 1);
    server.kill();

    let server = site.start();
    assert_eq!(shown(&server, PARTNER)["counts"], json!({"same": 1}));
    send(&server);
    until("both are counted", || shown(&server, PARTNER)["counts"] == json!({"same": 2}));
    assert_eq!(stored(&site), 2, "each process counts for itself");
    run(&server, PARTNER, &Value::Null);
    assert_eq!((shown(&server, PARTNER), stored(&site)), (Value::Null, 0));
}

#[test]
fn each_process_knows_what_all_have_counted() {
    let mut site = site_of(Kind::Postgres, OF_RECORDS);
    let folder = site.copy_schemas().join(OF_RECORDS);
    fs::remove_dir_all(folder.join("examples")).unwrap(); // which hold the other version to what it does not do
    let labels = folder.join("labels.yaml");
    site.config["tenants"]["north"]["connections"] = json!({"school": {
        "partner": OF_RECORDS,
        "credentials": [digest("north-school")],
        "options": {
            "slug": "north", "tenant_id": "7f4c1f5e-0d5e-4a57-9d53-6a3f5e0f2b11", "name": "North",
            "website_url": "https://north.example", "currency": "EUR",
        },
    }});
    site.config["tenants"]["south"] = json!({});
    let servers = ["one", "other"].map(|log| site.start_another(log));
    let text = fs::read_to_string(&labels).unwrap();
    let changed = text.replacen("{key: id, kinds: [tag]}", "{key: id}", 1);
    assert_ne!(text, changed);
    fs::write(&labels, changed).unwrap();
    let bundle = fs::read(build_of(&site, OF_RECORDS, "second.rcb")).unwrap();
    let version = json!(upload(&servers[0], &bundle));
    run(&servers[0], OF_RECORDS, &version);
    until("the other one follows", || shown(&servers[1], OF_RECORDS)["version"] == version);

    let credential = [("authorization", "Bearer north-school"), ("content-type", "application/json")];
    let deliveries = servers.each_ref().map(|server| {
        let label = json!({"name": "Late", "model_type": "Order", "color": "#000000"}).to_string();
        let answer = server.post("/eduframe/api/v1/labels", &credential, label.as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
        json!(answer.header("rollcall-delivery"))
    });
    let is_known = |server: &Client| shown(server, OF_RECORDS)["counts"] == json!({"different": 2});
    until("both know of both", || servers.iter().all(|server| is_known(server)));
    assert_eq!(stored(&site), 2, "each process looked at what it was sent");
    let mut newest_first = deliveries.to_vec();
    newest_first.sort_by_key(|delivery| std::cmp::Reverse(delivery.to_string()));
    for server in &servers {
        let shown = shown(server, OF_RECORDS);
        let seen = shown["last"].as_array().unwrap();
        assert_eq!(seen.iter().map(|seen| seen["delivery"].clone()).collect::<Vec<_>>(), newest_first);
        assert!(seen.iter().all(|seen| seen["differences"] == json!(["tag: 1 not there"])), "{shown}");
    }

    run(&servers[1], OF_RECORDS, &Value::Null);
    until("both follow", || servers.iter().all(|server| shown(server, OF_RECORDS).is_null()));
    until("what was counted goes", || stored(&site) == 0);
}

/// Lets a version run beside, or none.
#[track_caller]
fn run(client: &Client, partner: &str, version: &Value) {
    let wish = json!({"version": version}).to_string();
    let answer = post(client, &format!("/admin/v1/partners/{partner}/shadow"), wish.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["shadow"]["version"], *version);
}

/// What a server shows of what runs beside.
fn shown(client: &Client, partner: &str) -> Value {
    client.get_json(&format!("/admin/v1/partners/{partner}/shadow"), "operator")["shadow"].clone()
}

/// How many processes have stored what they counted.
fn stored(site: &Site) -> usize {
    site.stored().texts("select body from tally").len()
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it is waited in vain until {what}");
        std::thread::yield_now();
    }
}
