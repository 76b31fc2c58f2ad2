//! Who may read a tenant is set up, given other credentials and turned off while the server runs.

use std::process::Command;

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use serde_json::{Value, json};

use crate::{on_every_database, site_on};

on_every_database!(readers_are_set_up_rotated_and_turned_off_while_the_server_runs);

fn readers_are_set_up_rotated_and_turned_off_while_the_server_runs(kind: Kind) {
    let site = site_on(kind);
    let server = site.start();
    let board = ["north", "board"];
    assert_eq!(refused(&server, &["create", "nowhere", "board"]), 422, "there is no such tenant");
    assert_eq!(refused(&server, &["rotate", "north", "board"]), 404);
    assert_eq!(refused(&server, &["disable", "north", "reader"]), 409, "the file's are changed there");

    let first = credential(&server, "create", board, &[]);
    assert_eq!(refused(&server, &["create", "north", "board"]), 409);
    assert_eq!((reads(&server, &first, "north"), reads(&server, &first, "south")), (200, 403));
    let second = credential(&server, "rotate", board, &[]);
    assert_eq!((reads(&server, &first, "north"), reads(&server, &second, "north")), (200, 200), "two are valid");
    let third = credential(&server, "rotate", board, &["--overlap", "0"]);
    assert_eq!([&first, &second, &third].map(|token| reads(&server, token, "north")), [401, 401, 200]);

    assert_eq!(done(&server, &["disable", "north", "board"])["disabled"], true);
    assert_eq!(reads(&server, &third, "north"), 401);
    let listed = done(&server, &["list"]);
    let set_up = json!({"tenant": "north", "reader": "board", "disabled": true, "from": "server"});
    let of_file = json!({"tenant": "north", "reader": "reader", "disabled": false, "from": "file"});
    let readers = listed["readers"].as_array().unwrap();
    assert!(readers.contains(&set_up) && readers.contains(&of_file), "{listed}");
    assert_eq!(done(&server, &["enable", "north", "board"])["revision"], 5);
    let log = server.get("/admin/v1/log", "operator").text();
    assert!(log.contains("reader.rotate") && !log.contains(&third), "{log}");

    server.kill();
    let server = site.start();
    assert_eq!((reads(&server, &third, "north"), reads(&server, &first, "north")), (200, 401), "it is remembered");
}

/// How somebody is answered who reads a tenant.
fn reads(client: &Client, token: &str, tenant: &str) -> u16 {
    client.get(&format!("/api/v1/deliveries?tenant={tenant}"), token).status
}

/// What a command says that has gone well.
fn done(client: &Client, words: &[&str]) -> Value {
    let (is_done, said) = rollcall(client, words);
    assert!(is_done, "{words:?}: {said}");
    said
}

/// What a command makes for a reader.
fn credential(client: &Client, action: &str, [tenant, reader]: [&str; 2], more: &[&str]) -> String {
    let said = done(client, &[&[action, tenant, reader], more].concat());
    said["credential"].as_str().unwrap().to_owned()
}

/// The status with which a command is refused.
fn refused(client: &Client, words: &[&str]) -> i64 {
    let (is_done, said) = rollcall(client, words);
    assert!(!is_done, "{words:?}: {said}");
    said["status"].as_i64().unwrap()
}

fn rollcall(client: &Client, words: &[&str]) -> (bool, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.arg("reader").args(words).args(["--server", client.address()]).env("ROLLCALL_CREDENTIAL", "operator");
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = serde_json::from_slice(&output.stdout);
    (output.status.success(), said.unwrap_or_else(|error| panic!("{words:?}: {error}: {errors}")))
}
