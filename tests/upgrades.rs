//! Versions of a partner on running servers: load goes on while they are switched, bad ones are refused with every reason,
//! connections are set up and turned off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rollcall_core::bundle::Bundle;
use rollcall_core::limits::BundleLimits;
use rollcall_tests::client::{Answer, Client};
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{BRANCHES, PARTNER, headers};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Site;
use serde_json::{Value, json};

use crate::{on_every_database, site, site_on};

on_every_database!(
    no_call_fails_and_none_is_answered_by_two_versions_while_they_are_switched,
    what_was_decided_outlives_the_server_and_is_refused_to_who_knows_less,
);

/// How often is upgraded and rolled back, unless [`ROUNDS_VARIABLE`] says so.
const ROUNDS: usize = 4;

/// The environment variable that makes the load go on for longer.
const ROUNDS_VARIABLE: &str = "ROLLCALL_TEST_UPGRADES";

/// How long a process may take to follow another one.
const PATIENCE: Duration = Duration::from_mins(3);

/// Packs what a site has of the partner; where the file is.
fn build(site: &Site, name: &str) -> PathBuf {
    build_of(site, PARTNER, name)
}

/// Packs what a site has of a partner; where the file is.
pub(crate) fn build_of(site: &Site, partner: &str, name: &str) -> PathBuf {
    let file = site.path().join(name);
    let folder = site.path().join("schemas").join(partner);
    let said = rollcall(site, &["bundle", "build"], &[&folder, Path::new("--output"), &file]);
    assert!(said.0, "{}", said.1);
    file
}

fn rollcall(site: &Site, words: &[&str], more: &[&Path]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(words).args(more).env("ROLLCALL_MAPPERS_DIR", site.path().join("mappers"));
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    (output.status.success(), said)
}

/// Changes the site's description.
pub(crate) fn describe(site: &Site, from: &str, to: &str) {
    let path = site.path().join("schemas").join(PARTNER).join("openapi.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "there is no `{from}` in the description");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// A second version of the partner.
pub(crate) fn second(site: &Site) -> Vec<u8> {
    describe(site, "version: '1'", "version: '2'");
    fs::read(build(site, "second.rcb")).unwrap()
}

/// Calls as the operator.
pub(crate) fn post(client: &Client, path: &str, body: &[u8]) -> Answer {
    client.post(path, &[("authorization", "Bearer operator"), ("content-type", "application/json")], body)
}

/// Has a server keep a bundle; its version.
pub(crate) fn upload(client: &Client, bundle: &[u8]) -> String {
    let answer = post(client, "/admin/v1/bundles", bundle);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["version"].as_str().unwrap().to_owned()
}

fn decide(client: &Client, decision: &Value) -> Answer {
    post(client, &format!("/admin/v1/partners/{PARTNER}/activations"), decision.to_string().as_bytes())
}

fn decided(client: &Client, decision: &Value) -> Value {
    let answer = decide(client, decision);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The version that a server answers with.
fn version(client: &Client) -> String {
    client.get(&format!("/{PARTNER}/openapi.json"), "").header("rollcall-version").to_owned()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: never");
        thread::yield_now();
    }
}

fn no_call_fails_and_none_is_answered_by_two_versions_while_they_are_switched(kind: Kind) {
    let mut site = site_on(kind);
    site.copy_schemas();
    let rounds = std::env::var(ROUNDS_VARIABLE).ok().map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut servers = vec![site.start()];
    if kind == Kind::Postgres {
        servers.push(site.start_another("another"));
    }
    let bundle = second(&site);
    let to = upload(&servers[0], &bundle);
    let first = version(&servers[0]);
    assert!(first.starts_with("jusoor/1+"), "{first}");
    // Odd while something is being decided.
    let (epoch, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let known = |said: &str| said == first || said == format!("jusoor/2+{}", &to[..12]);
    let payload = Payload::of(Size::SMALL).to_bytes();
    let answered = AtomicU64::new(0);
    thread::scope(|scope| {
        for (nth, token) in ["north-school", "north-annex", "south-school"].into_iter().enumerate() {
            let client = Client::clone(&servers[nth % servers.len()]);
            let (is_alone, payload) = (servers.len() == 1, &payload);
            let (epoch, over, known, answered, first) = (&epoch, &over, &known, &answered, &first);
            scope.spawn(move || {
                let check = |answer: &Answer, before: u64| {
                    let said = answer.header("rollcall-version");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(known(said), "{said}");
                    if is_alone && before.is_multiple_of(2) && before == epoch.load(Ordering::SeqCst) {
                        let is_first = before.is_multiple_of(4);
                        assert_eq!(said == first, is_first, "another version was active all the time");
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                };
                while !over.load(Ordering::SeqCst) {
                    let before = epoch.load(Ordering::SeqCst);
                    check(&client.post(BRANCHES, &headers(token), payload), before);
                    let before = epoch.load(Ordering::SeqCst);
                    let document = client.get(&format!("/{PARTNER}/openapi.json"), "");
                    check(&document, before);
                    let name = document.json()["info"]["version"].as_str().unwrap().to_owned();
                    let said = document.header("rollcall-version");
                    assert!(said.starts_with(&format!("{PARTNER}/{name}+")), "{said} answers version {name}");
                }
            });
        }
        for round in 0..rounds {
            for decision in [json!({"action": "apply", "version": to}), json!({"action": "rollback"})] {
                let seen = answered.load(Ordering::SeqCst);
                epoch.fetch_add(1, Ordering::SeqCst);
                decided(&servers[round % servers.len()], &decision);
                epoch.fetch_add(1, Ordering::SeqCst);
                until("calls go on", || answered.load(Ordering::SeqCst) > seen + 6);
            }
        }
        over.store(true, Ordering::SeqCst);
    });
    let history = servers[0].get_json(&format!("/admin/v1/partners/{PARTNER}/activations"), "operator");
    assert_eq!(history["activations"].as_array().unwrap().len(), 2 * rounds + 1);
    for server in &servers {
        until("every process follows", || version(server) == first);
    }
}

fn what_was_decided_outlives_the_server_and_is_refused_to_who_knows_less(kind: Kind) {
    let mut site = site_on(kind);
    site.copy_schemas();
    let server = site.start();
    let first = version(&server);
    let to = upload(&server, &second(&site));
    describe(&site, "version: '2'", "version: '1'");
    let applied = decided(&server, &json!({"action": "apply", "version": &to[..8], "after": 1}));
    assert_eq!((&applied["number"], &applied["by"]), (&json!(2), &json!("operator")));
    assert_eq!(decide(&server, &json!({"action": "rollback", "after": 1})).status, 409);
    assert_eq!(decide(&server, &json!({"action": "apply", "version": "ffff"})).status, 404);
    let pinned =
        decided(&server, &json!({"action": "pin", "connection": "north/annex", "version": first[9..].to_owned()}));
    assert_eq!(pinned["number"], 3);

    server.kill();
    let server = site.start();
    let payload = Payload::of(Size::SMALL).to_bytes();
    let answers = |token: &str| {
        let answer = server.post(BRANCHES, &headers(token), &payload);
        (answer.status, answer.header("rollcall-version").to_owned())
    };
    assert_eq!(answers("north-school"), (200, format!("jusoor/2+{}", &to[..12])));
    assert_eq!(answers("north-annex"), (200, first.clone()));
    decided(&server, &json!({"action": "unpin", "connection": "north/annex"}));
    assert_eq!(answers("north-annex").1, format!("jusoor/2+{}", &to[..12]));
    decided(&server, &json!({"action": "disable"}));
    assert_eq!(answers("north-school").0, 503);
    decided(&server, &json!({"action": "rollback"}));
    assert_eq!(answers("north-school"), (200, format!("jusoor/2+{}", &to[..12])), "what was active before");
    decided(&server, &json!({"action": "rollback"}));
    assert_eq!(answers("north-school"), (200, first));
    let log = server.get_json("/admin/v1/log?limit=2", "operator");
    assert_eq!(log["lines"][0]["what"], "partner.rollback");
}

#[test]
fn bad_bundles_are_refused_with_every_reason_and_nothing_else_happens() {
    let mut site = site();
    let key = site.path().join("key");
    let (made, public) = rollcall(&site, &["bundle", "key"], &[&key]);
    assert!(made, "{public}");
    site.config["bundles"] = json!({"keys": [public.trim()], "require_signature": true});
    site.copy_schemas();
    let server = site.start();
    let before = version(&server);
    let good = build(&site, "good.rcb");
    let bytes = fs::read(&good).unwrap();
    let refused = |bytes: &[u8], reasons: &[&str]| {
        let answer = post(&server, "/admin/v1/bundles", bytes);
        assert_eq!(answer.status, 422, "{}", answer.text());
        for reason in reasons {
            assert!(answer.text().contains(reason), "no `{reason}` in {}", answer.text());
        }
        assert_eq!(version(&server), before);
    };
    refused(&bytes, &["not signed"]);
    refused(&bytes[..bytes.len() / 2], &["cut off"]);
    refused(&[&bytes[..], b"more"].concat(), &["follows its end"]);
    refused(b"", &["cut off"]);

    let other = site.path().join("other");
    rollcall(&site, &["bundle", "key"], &[&other]);
    rollcall(&site, &["bundle", "sign"], &[&good, Path::new("--key"), &other]);
    refused(&fs::read(&good).unwrap(), &["none of `bundles.keys`"]);
    let sign = |file: &Path| {
        let (signed, said) = rollcall(&site, &["bundle", "sign"], &[file, Path::new("--key"), &key]);
        assert!(signed, "{said}");
        fs::read(file).unwrap()
    };
    upload(&server, &sign(&good));

    let example = site.path().join("schemas").join(PARTNER).join("examples/small-school.expected.json");
    let expected = fs::read_to_string(&example).unwrap();
    fs::write(&example, expected.replacen("branch:10", "branch:11", 1)).unwrap();
    let failing = sign(&build(&site, "failing.rcb"));
    refused(&failing, &["examples/small-school.json comes to something else at /entities/"]);
    fs::write(&example, expected).unwrap();
    upload(&server, &sign(&build(&site, "good-again.rcb")));
}

/// A component that wants a function from outside.
const IMPORTING: &[u8] = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x06\x01\0\x01a\x01\0";

/// What a bundle is when something of it is otherwise: the description's text, and the component.
fn changed(bundle: &Bundle, change: impl FnOnce(&mut String, &mut Vec<u8>)) -> Vec<u8> {
    let (manifest, mut files, mut mapper) =
        (bundle.manifest(), bundle.files().by_name.clone(), bundle.mapper().to_vec());
    let description = files.get_mut("openapi.yaml").unwrap();
    let mut text = String::from_utf8(description.clone()).unwrap();
    change(&mut text, &mut mapper);
    *description = text.into_bytes();
    let limits = BundleLimits::default();
    Bundle::pack(&manifest.partner, &manifest.version, files, mapper, &limits).unwrap().to_bytes()
}

fn replaced(text: &mut String, from: &str, to: &str) {
    assert!(text.contains(from), "there is no `{from}` in the description");
    *text = text.replacen(from, to, 1);
}

#[test]
fn a_version_that_does_not_fit_is_refused_with_every_reason_and_nothing_else_happens() {
    const NAME: &str = "name: {type: string}\n        sections:";
    let mut site = site();
    site.copy_schemas();
    let server = site.start();
    let before = version(&server);
    let bytes = fs::read(build(&site, "good.rcb")).unwrap();
    let good = Bundle::open(&bytes, &BundleLimits::default()).unwrap();
    let mut digests = zstd::decode_all(bytes.as_slice()).unwrap();
    let at = digests.windows(14).position(|bytes| bytes == b"openapi: 3.1.0").unwrap();
    digests[at + 13] = b'1';
    let bad: [(&str, Vec<u8>, &[&str]); 5] = [
        (
            "the description and the component are broken",
            changed(&good, |text, mapper| {
                replaced(text, "accept: all", "acept: all");
                replaced(text, "key: [parent.id, id]", "key: [parent.id, ident]");
                IMPORTING.clone_into(mapper);
            }),
            &["jusoor/openapi.yaml:", "acept", "ident", "must not import anything"],
        ),
        (
            "a column would hold something else",
            changed(&good, |text, _| {
                replaced(text, NAME, "name: {type: integer, format: int64}\n        sections:");
            }),
            &["would change from text to integer", "comes to something else"],
        ),
        (
            "the component was built against another contract",
            changed(&good, |_, mapper| {
                let (from, to) = (b"rollcall:mapper/mapping@1.", b"rollcall:mapper/mapping@7.");
                while let Some(at) = mapper.windows(from.len()).position(|bytes| bytes == from) {
                    mapper[at..at + to.len()].copy_from_slice(to);
                }
            }),
            &["version 7."],
        ),
        ("there is no component", changed(&good, |_, mapper| mapper.clear()), &["not a WebAssembly component"]),
        (
            "a file is not what the manifest says",
            zstd::bulk::compress(&digests, 3).unwrap(),
            &["`openapi.yaml` has another digest"],
        ),
    ];
    for (name, bundle, reasons) in bad {
        let answer = post(&server, "/admin/v1/bundles", &bundle);
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
        for reason in reasons {
            assert!(answer.text().contains(reason), "{name}: no `{reason}` in {}", answer.text());
        }
        assert_eq!(version(&server), before, "{name}");
    }
    let answer = server.post(BRANCHES, &headers("north-school"), &Payload::of(Size::SMALL).to_bytes());
    assert_eq!((answer.status, answer.header("rollcall-version")), (200, &*before));
    assert_eq!(upload(&server, &bytes)[..12], before[9..]);
}

#[test]
fn connections_are_set_up_rotated_and_turned_off_while_the_server_runs() {
    let server = site().start();
    let change = |connection: &str, wish: &Value| {
        post(&server, &format!("/admin/v1/tenants/{connection}"), wish.to_string().as_bytes())
    };
    let changed = |connection: &str, wish: &Value| {
        let answer = change(connection, wish);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["credential"].as_str().unwrap_or_default().to_owned()
    };
    let payload = Payload::of(Size::SMALL).to_bytes();
    let status = |token: &str| server.post(BRANCHES, &headers(token), &payload).status;
    let new = "east/connections/school";
    let create = json!({"action": "create", "partner": PARTNER});
    let unfit = json!({"action": "create", "partner": PARTNER, "options": {"nothing": 1}});
    assert_eq!(change(new, &unfit).status, 422);
    assert_eq!(change(new, &json!({"action": "create", "partner": "nobody"})).status, 422);
    assert_eq!(change(new, &json!({"action": "rotate"})).status, 404);
    assert_eq!(
        change("north/connections/school", &json!({"action": "disable"})).status,
        409,
        "the file's are read-only"
    );
    let first = changed(new, &create);
    assert_eq!((status(&first), change(new, &create).status), (200, 409));
    let second = changed(new, &json!({"action": "rotate"}));
    assert_eq!((status(&first), status(&second)), (200, 200), "two are valid");
    let third = changed(new, &json!({"action": "rotate", "overlap_seconds": 0}));
    let refused = status("nobody's");
    assert_eq!((status(&first), status(&second), status(&third)), (refused, refused, 200));
    changed(new, &json!({"action": "disable"}));
    assert_ne!(status(&third), 200);
    changed(new, &json!({"action": "enable"}));
    assert_eq!(status(&third), 200);
    let listed = server.get_json("/admin/v1/connections", "operator");
    let from: Vec<_> =
        listed["connections"].as_array().unwrap().iter().map(|of| of["from"].as_str().unwrap()).collect();
    assert_eq!(from.iter().filter(|from| **from == "server").count(), 1);
    let of_terms = |terms: &Value| change(new, &json!({"action": "terms", "terms": terms})).status;
    assert_eq!(of_terms(&json!({"hold": {"enabled": false}, "webhook_secrets": [0, 1]})), 200);
    for wrong in [json!({"webhook_secrets": []}), json!({"webhook_secrets": [0, 1, 2]}), json!({"nothing": 1})] {
        assert_eq!(of_terms(&wrong), 422, "{wrong}");
    }
    let listed = server.get_json("/admin/v1/connections", "operator");
    let ours = listed["connections"].as_array().unwrap().iter().find(|of| of["tenant"] == "east").unwrap();
    assert_eq!((&ours["hold"]["enabled"], &ours["webhook_secrets"]), (&json!(false), &json!([0, 1])), "{ours}");
    let log = server.get("/admin/v1/log", "operator").text();
    assert!(log.contains("connection.rotate") && !log.contains(&third), "{log}");
}

#[test]
fn a_bundle_that_appears_in_the_folder_becomes_active_and_a_bad_one_is_told_of_once() {
    let mut site = site();
    let folder = site.path().join("bundles");
    fs::create_dir(&folder).unwrap();
    site.config["bundles"] = json!({"dir": folder, "policy": "apply", "poll_seconds": 1});
    site.copy_schemas();
    let server = site.start();
    let first = version(&server);
    fs::write(folder.join("bad.rcb"), "no bundle").unwrap();
    fs::write(folder.join("good.rcb"), second(&site)).unwrap();
    until("it becomes active", || version(&server).starts_with("jusoor/2+"));
    until("the bad one is told of", || server.log().contains("the bundle is refused"));
    decided(&server, &json!({"action": "rollback"}));
    fs::write(folder.join("again.rcb"), fs::read(folder.join("good.rcb")).unwrap()).unwrap();
    fs::write(folder.join("worse.rcb"), "no bundle either").unwrap();
    until("it goes on looking", || server.log().matches("the bundle is refused").count() == 2);
    assert_eq!(version(&server), first, "who went back has decided");
}
