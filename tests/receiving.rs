//! What is acknowledged is kept, what cannot be kept is not acknowledged: under a burst that ends with `kill -9`, at every
//! limit, with a full disk and a database in use, and while the server is told to stop.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::client::{Answer, Client};
use rollcall_tests::database::Kind;
use rollcall_tests::site::{Server, Site};
use rusqlite::Connection;
use serde_json::json;

use crate::state::{deliveries, rows, text};

/// Whose messages are answered before they are worked on.
pub(crate) const PARTNER: &str = "educacional";

/// The server, and where its compiled mappers are kept.
const PROGRAM: &str = env!("CARGO_BIN_EXE_rollcall");
const CACHE: &str = env!("CARGO_TARGET_TMPDIR");

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn a_call_that_is_refused_unread_does_not_cost_the_client_its_next() {
    let site = site();
    let server = site.start();
    let talk = |words: &[u8]| {
        let mut stream = TcpStream::connect(server.address().trim_start_matches("http://")).unwrap();
        stream.write_all(words).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    };
    let body = " ".repeat(500_000);
    let first =
        format!("POST /nobody/at/all HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let second = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answers = talk([first, second.to_owned()].concat().as_bytes());
    assert!(answers.starts_with("HTTP/1.1 404") && answers.contains("HTTP/1.1 200"), "{answers}");

    let announced = "POST /nobody HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    let answers = talk(announced.as_bytes());
    assert!(answers.starts_with("HTTP/1.1 404") && answers.contains("connection: close"), "{answers}");
}

#[test]
fn every_message_of_a_burst_that_was_answered_is_there_after_kill_nine() {
    let site = site();
    let server = site.start();
    let answered = Mutex::new(BTreeSet::new());
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..64 {
            let client = Client::clone(&server);
            let (answered, next) = (&answered, &next);
            scope.spawn(move || {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < 5_000) {
                    let Ok(answer) = try_send(&client, number, 0) else { return };
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered.lock().unwrap().insert(answer.header("rollcall-delivery").to_owned());
                }
            });
        }
        until("500 are answered", || answered.lock().unwrap().len() >= 500);
        server.kill();
    });
    let answered = answered.into_inner().unwrap();
    let server = site.start();
    let mut kept = BTreeSet::new();
    let mut path = "/api/v1/deliveries?limit=1000".to_owned();
    loop {
        let page = server.get_json(&path, "north-reader");
        kept.extend(rows(&page).iter().map(|row| text(row, "id")));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/deliveries?limit=1000&before={next}");
    }
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} were lost: {lost:?}", lost.len(), answered.len());
}

#[test]
fn who_calls_too_often_is_told_so_in_the_partners_shape_and_costs_the_others_nothing() {
    let mut site = site();
    site.config["limits"] = json!({"calls_per_second_max": 1, "calls_burst_max": 3});
    let server = site.start();
    // However slow the machine is: sixteen at a time are more than one in a second.
    let (refused, next) = (OnceLock::new(), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while refused.get().is_none() {
                    let answer = send(&server, next.fetch_add(1, Ordering::Relaxed), 0);
                    if answer.status != 200 {
                        drop(refused.set(answer));
                    }
                }
            });
        }
    });
    let refused = refused.into_inner().unwrap();
    assert!(next.into_inner() > 3, "the first three may come at once");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.json()["message"], "Há requisições demais, tente mais tarde", "{}", refused.text());
    assert_eq!(server.post(&path(), &headers("south-school"), &message(9, 0)).status, 200);
}

#[test]
fn what_does_not_fit_into_the_queue_is_not_acknowledged() {
    let mut site = site();
    site.config["limits"] = json!({"queued_deliveries_max": 0});
    let server = site.start();
    let answer = send(&server, 1, 0);
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.json()["message"], "Serviço indisponível, tente mais tarde", "{}", answer.text());
    assert!(deliveries(&server, "north-reader").is_empty());
}

#[test]
fn a_full_database_says_so_and_goes_on_when_there_is_room_again() {
    let mut site = site();
    site.config["sqlite"] = json!({"file_bytes_max": 12 << 20});
    let server = site.start();
    let mut kept = 0;
    let refused = loop {
        let answer = send(&server, kept, 100_000);
        if answer.status != 200 {
            break answer;
        }
        kept += 1;
        assert!(kept < 1_000, "the limit does not hold");
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"), "{}", refused.text());
    assert_eq!(refused.json()["message"], "Serviço indisponível, tente mais tarde");
    for nth in 0..5 {
        assert_eq!(send(&server, 1_000 + nth, 100_000).status, 503);
    }
    let ready = server.get("/readyz", "");
    assert_eq!((ready.status, &ready.json()["detail"]), (503, &json!("the database has no room left")));
    let told = server.log().lines().filter(|line| line.contains("the database has no room left")).count();
    assert_eq!(told, 1, "it is told once, not for each who suffers from it");

    let database = Connection::open(site.database()).unwrap();
    database.busy_timeout(PATIENCE).unwrap();
    database.execute_batch("update delivery set body = null; delete from body").unwrap();
    until("it is ready again", || server.get("/readyz", "").status == 200);
    assert_eq!(send(&server, 5_000, 100_000).status, 200);
    let there = deliveries(&server, "north-reader").len() as u64;
    assert_eq!(there, kept + 1, "what was acknowledged is there, and nothing else");
}

#[test]
fn a_database_in_use_is_waited_for_a_while_and_goes_on_when_it_is_free() {
    let mut site = site();
    site.config["sqlite"] = json!({"busy_milliseconds_max": 50});
    let server = site.start();
    let database = Connection::open(site.database()).unwrap();
    database.busy_timeout(PATIENCE).unwrap();
    database.execute_batch("begin immediate").unwrap();
    assert_eq!(send(&server, 1, 0).status, 503);
    let ready = server.get("/readyz", "");
    assert_eq!((ready.status, &ready.json()["detail"]), (503, &json!("the database is too busy")));
    database.execute_batch("rollback").unwrap();
    until("it is ready again", || server.get("/readyz", "").status == 200);
    assert_eq!(send(&server, 2, 0).status, 200);
}

#[test]
fn a_database_that_cannot_be_written_says_so_and_goes_on_when_it_can() {
    let site = with_options(Site::on(Kind::Postgres, PROGRAM, CACHE, PARTNER));
    let server = site.start();
    assert_eq!(send(&server, 1, 0).status, 200);
    let set_read_only = |is: &str| {
        site.stored().execute(&format!(
            "set transaction_read_only = off; do $$ begin \
             execute format('alter database %I set default_transaction_read_only = {is}', current_database()); end $$"
        ));
        let others = "select pg_terminate_backend(pid)::text from pg_stat_activity \
                      where datname = current_database() and pid <> pg_backend_pid()";
        site.stored().texts(others);
    };
    set_read_only("on");
    until("it says that it cannot be written", || {
        assert_ne!(send(&server, 2, 0).status, 200, "what cannot be kept was acknowledged");
        let ready = server.get("/readyz", "");
        ready.status == 503 && ready.json()["detail"] == "the database cannot be written"
    });
    set_read_only("off");
    until("it is ready again", || server.get("/readyz", "").status == 200);
    until("messages are taken again", || send(&server, 3, 0).status == 200);
}

#[test]
fn who_says_nothing_is_not_listened_to_for_ever() {
    let mut site = site();
    site.config["limits"] = json!({"head_read_seconds_max": 1});
    let server = site.start();
    for said in ["", "GET /healthz HTTP/1.1\r\nhost: school", "GET /healthz HTTP/1.1\r\nhost: school.example\r\n\r\n"] {
        let mut stream = connect(&server);
        stream.write_all(said.as_bytes()).unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap_or_else(|error| panic!("{said:?}: {error}"));
        assert_eq!(heard.is_empty(), !said.ends_with("\r\n\r\n"), "{said:?}");
    }
}

#[test]
fn who_is_told_to_stop_finishes_what_was_asked_or_gives_it_back() {
    let mut site = site();
    site.config["limits"] = json!({"shutdown_seconds_max": 600});
    for (patience, asked, is_answered) in [(600, 1, true), (1, 1, false), (600, 2, false)] {
        site.config["limits"]["shutdown_seconds_max"] = json!(patience);
        let server = site.start();
        let body = message(7, 0);
        let mut stream = connect(&server);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: school.example\r\nx-api-key: north-school\r\ncontent-type: application/json\r\n\
             connection: close\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            path(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(&body[..9]).unwrap();
        server.signal("TERM");
        until("it does not listen any more", || TcpStream::connect(address(&server)).is_err());
        if asked == 2 {
            server.signal("TERM");
        }
        let mut answer = String::new();
        if is_answered {
            stream.write_all(&body[9..]).unwrap();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        assert!(server.ended().success(), "stopping is no failure");
    }
}

pub(crate) fn site() -> Site {
    with_options(Site::new(PROGRAM, CACHE, PARTNER))
}

/// The same, with the options that its connections need.
pub(crate) fn with_options(mut site: Site) -> Site {
    for tenant in ["north", "south"] {
        let connections = site.config["tenants"][tenant]["connections"].as_object_mut().unwrap();
        for connection in connections.values_mut() {
            connection["options"] = json!({"org_ids": ["org-1"]});
        }
    }
    site
}

fn path() -> String {
    format!("/{PARTNER}/prod/sync/v1")
}

fn headers(token: &str) -> [(&str, &str); 2] {
    [("x-api-key", token), ("content-type", "application/json")]
}

/// A message that no other number makes, with about so many bytes that do not shrink.
fn message(number: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let name: String = std::iter::repeat_with(|| random.alphanumeric()).take(bytes).collect();
    let message = json!({
        "doo": "2030/11/05T15:25:16.584Z", "ver": "1.0.0", "who": "sis.12458", "org_id": "org-1",
        "dat": [{"typ": "insert", "obj": {"subject": [{"name": format!("Nome {number} {name}"), "code": number.to_string()}]}}],
    });
    message.to_string().into_bytes()
}

fn try_send(client: &Client, number: u64, bytes: usize) -> Result<Answer, impl std::fmt::Display + use<>> {
    client.try_post(&path(), &headers("north-school"), &message(number, bytes))
}

pub(crate) fn send(client: &Client, number: u64, bytes: usize) -> Answer {
    try_send(client, number, bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn address(server: &Server) -> String {
    server.address().trim_start_matches("http://").to_owned()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it takes too long until {what}");
        thread::yield_now();
    }
}
