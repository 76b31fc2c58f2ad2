//! B11: what more processes on one PostgreSQL are worth. Many connections send what is acknowledged first, all processes
//! are sent to alike, and it is measured until everything is worked on; one, two and four processes in turns, each time on
//! a fresh database.
//!
//! `cargo bench -p rollcall --bench processes` prints deliveries per second of every round, and what they are to those of
//! one process in the same round.

#![expect(clippy::print_stdout, reason = "it talks to the person at the terminal")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::site::{Server, Site, digest};
use serde_json::{Map, Value, json};

/// The partner whose messages are acknowledged first.
const PARTNER: &str = "educacional";

/// Connections that send at the same time.
const CONNECTIONS: usize = 64;

/// Messages of each connection.
const MESSAGES: usize = 24;

/// People in each message.
const PEOPLE: usize = 40;

/// How many processes are compared.
const PROCESSES: [usize; 3] = [1, 2, 4];

/// How often.
const ROUNDS: usize = 5;

/// How often is looked whether everything is worked on.
const LOOK: Duration = Duration::from_millis(20);

fn main() {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!("B11: {CONNECTIONS} connections x {MESSAGES} messages of {PEOPLE} people, {cores} cores; deliveries/s");
    let mut ratios: [Vec<f64>; PROCESSES.len()] = Default::default();
    for round in 1..=ROUNDS {
        let rates = PROCESSES.map(rate);
        for (of, rate) in ratios.iter_mut().zip(rates) {
            of.push(rate / rates[0]);
        }
        let told: Vec<_> = PROCESSES.iter().zip(rates).map(|(count, rate)| format!("{count}: {rate:.0}")).collect();
        println!("round {round}: {}", told.join(", "));
    }
    for (count, mut ratios) in PROCESSES.into_iter().zip(ratios) {
        ratios.sort_by(f64::total_cmp);
        println!("{count} to one: least {:.2}, median {:.2}", ratios[0], ratios[ratios.len() / 2]);
    }
}

/// Deliveries that so many processes work on per second.
fn rate(processes: usize) -> f64 {
    let site = site();
    let servers: Vec<_> = (0..processes).map(|nth| site.start_another(&format!("log-{nth}"))).collect();
    let messages: Vec<_> = (0..MESSAGES).map(message).collect();
    let start = Instant::now();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let client = Client::clone(&servers[connection % servers.len()]);
            let messages = &messages;
            scope.spawn(move || messages.iter().for_each(|message| send(&client, connection, message)));
        }
    });
    until_empty(&site);
    let took = start.elapsed();
    check(&site);
    servers.into_iter().for_each(Server::kill);
    #[expect(clippy::cast_precision_loss, reason = "a figure in a table")]
    let count = (CONNECTIONS * MESSAGES) as f64;
    count / took.as_secs_f64()
}

/// A fresh database with all connections.
fn site() -> Site {
    let (program, cache) = (env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"));
    let mut site = Site::on(Kind::Postgres, program, cache, PARTNER);
    let connection = |nth| {
        let connection = json!({
            "partner": PARTNER, "credentials": [digest(&credential(nth))], "options": {"org_ids": ["escola"]},
        });
        (format!("c{nth}"), connection)
    };
    let connections: Map<String, Value> = (0..CONNECTIONS).map(connection).collect();
    site.config["tenants"] = json!({"north": {"connections": connections}});
    site.config["log"]["filter"] = json!("warn");
    site
}

fn credential(connection: usize) -> String {
    format!("north-c{connection}")
}

/// A message that brings people whom no other one brings.
fn message(nth: usize) -> Vec<u8> {
    let person = |number: usize| {
        json!({
            "code": format!("a{number}"), "name": format!("Nome {number}"), "sis_id": format!("10{number}"),
            "dob": "2011/03/09T00:00:00.000Z", "roles": [{"code": "aluno"}],
        })
    };
    let people: Vec<_> = (0..PEOPLE).map(|at| person(nth * PEOPLE + at)).collect();
    let message = json!({
        "doo": "2030/11/05T15:25:16.584Z", "ver": "1.0.0", "who": "sis.12458", "org_id": "escola",
        "dat": [{"typ": "insert", "obj": {"user": people}}],
    });
    message.to_string().into_bytes()
}

fn send(client: &Client, connection: usize, message: &[u8]) {
    let credential = credential(connection);
    let headers = [("x-api-key", credential.as_str()), ("content-type", "application/json")];
    let answer = client.post(&format!("/{PARTNER}/prod/sync/v1"), &headers, message);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn until_empty(site: &Site) {
    let (_sender, nothing) = mpsc::channel::<()>();
    while site.stored().texts("select count(*)::text from delivery where status = 'queued'") != ["0"] {
        nothing.recv_timeout(LOOK).ok();
    }
}

/// Nothing was measured that was not done.
fn check(site: &Site) {
    let statuses = site.stored().texts("select distinct status from delivery");
    assert_eq!(statuses, ["applied"]);
    let errors = site.stored().texts("select coalesce(sum(errors), 0)::text from delivery");
    assert_eq!(errors, ["0"]);
}
