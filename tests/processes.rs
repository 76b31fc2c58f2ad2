//! Several server processes on one PostgreSQL: each delivery is worked on once, by whichever has time; what one leaves
//! behind, another one does; a connection that is called through all of them at once is served as by one.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::site::{Server, Site, digest};
use serde_json::{Value, json};

use crate::events::{self, expanded};
use crate::site_of;
use crate::state::entities;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// Connections that send at the same time.
const CONNECTIONS: usize = 12;

/// What each of them sends, one message after the other.
const MESSAGES: usize = 8;

/// How many people a message brings that takes a while.
const PEOPLE: usize = 800;

#[test]
fn each_delivery_is_worked_on_once_by_whichever_process_has_time() {
    let mut site = site();
    site.config["limits"]["queues_in_progress_max"] = json!(1); // so that none is fast enough to leave nothing to others
    let servers = start(&site);
    let mut sent = BTreeSet::new();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let clients = servers.each_ref().map(|server| Client::clone(server));
                scope.spawn(move || {
                    let through = |nth: usize| &clients[(connection + nth) % clients.len()];
                    (0..MESSAGES).map(|nth| send(through(nth), connection, &named(nth))).collect::<Vec<_>>()
                })
            })
            .collect();
        for sender in senders {
            sent.extend(sender.join().unwrap());
        }
    });
    until_applied(&site, &sent);
    let people = entities(&servers[0], "north-reader", "user", "status=active");
    let names: Vec<_> = people.values().map(|user| user["familyName"].as_str().unwrap()).collect();
    assert_eq!(names, [&*(MESSAGES - 1).to_string(); CONNECTIONS], "somewhere a later message did not win");

    let logs = servers.each_ref().map(|server| server.log());
    let worked: Vec<BTreeSet<&str>> = logs.iter().map(|log| applied(log, &sent)).collect();
    assert_eq!(worked.iter().map(BTreeSet::len).sum::<usize>(), sent.len(), "something was worked on twice");
    assert!(worked.iter().all(|worked| !worked.is_empty()), "somebody did nothing");
}

#[test]
fn what_a_killed_process_was_at_is_done_by_another_when_its_lease_has_ended() {
    let mut site = site();
    site.config["limits"]["queues_in_progress_max"] = json!(1); // so that each process is at one
    let [dying, one, other] = start(&site);
    let people: Vec<_> = (1..=PEOPLE).map(|number| json!({"aluno": number})).collect();
    let large = expanded(json!({"events": [{"insert": {"user": people}}]}));
    let sent: BTreeSet<_> = (0..3).map(|connection| send(&dying, connection, &large)).collect();
    until("each process has begun one of them", || {
        let begun = "select distinct c.process::text from claim c join delivery d on d.tenant = c.tenant \
                     and d.connection = c.connection where c.process is not null and d.attempts = 1";
        site.stored().texts(begun).len() == 3
    });
    dying.kill();
    let small: BTreeSet<_> = (3..CONNECTIONS).map(|connection| send(&one, connection, &named(0))).collect();
    until_applied(&site, &sent);
    until_applied(&site, &small);
    let attempts = site.stored().texts("select attempts::text from delivery order by attempts desc limit 2");
    assert_eq!(attempts, ["2", "1"], "what was left behind is begun once more, and nothing else");
    assert_eq!(entities(&other, "north-reader", "user", "status=active").len(), 3 * PEOPLE + CONNECTIONS - 3);
}

#[test]
fn calls_to_one_connection_through_all_processes_at_once_all_succeed() {
    const CALLS: usize = 20;
    let mut site = site_of(Kind::Postgres, "eduframe");
    site.config["tenants"]["north"]["connections"] = json!({"school": {
        "partner": "eduframe",
        "credentials": [digest("north-school")],
        "options": {
            "slug": "north", "tenant_id": "7f4c1f5e-0d5e-4a57-9d53-6a3f5e0f2b11", "name": "North",
            "website_url": "https://north.example", "currency": "EUR",
        },
    }});
    site.config["tenants"]["south"] = json!({});
    let servers = start(&site);
    thread::scope(|scope| {
        for (who, server) in servers.iter().enumerate() {
            let client = Client::clone(server);
            scope.spawn(move || {
                for nth in 0..CALLS {
                    let label = json!({"name": format!("{who}.{nth}"), "model_type": "Order", "color": "#000000"});
                    let answer = call(&client, "POST", "", &label);
                    assert_eq!(answer.0, 201, "{}", answer.1);
                }
            });
        }
    });
    let (_, labels) = call(&servers[0], "GET", "?per_page=100", &Value::Null);
    let names: BTreeSet<_> = labels.as_array().unwrap().iter().map(|label| label["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), servers.len() * CALLS);
}

/// Many connections of one partner whose messages are acknowledged first, on PostgreSQL.
fn site() -> Site {
    let mut site = site_of(Kind::Postgres, events::PARTNER.name);
    let connection = |nth| {
        let connection = json!({
            "partner": events::PARTNER.name,
            "credentials": [digest(&credential(nth))],
            "options": {"org_ids": ["escola"]},
        });
        (format!("c{nth}"), connection)
    };
    site.config["tenants"]["north"]["connections"] = (0..CONNECTIONS).map(connection).collect();
    site.config["tenants"]["south"] = json!({});
    // Long enough that on a busy machine only the dead are taken for dead.
    site.config["limits"] = json!({"lease_seconds": 10});
    site
}

fn start(site: &Site) -> [Server; 3] {
    [0, 1, 2].map(|nth| site.start_another(&format!("log-{nth}")))
}

fn credential(connection: usize) -> String {
    format!("north-c{connection}")
}

/// A message that gives somebody another name, so that it is seen which message was the last.
fn named(nth: usize) -> Value {
    let name = format!("Nome {nth}");
    expanded(match nth {
        0 => json!({"events": [{"insert": {"user": [{"aluno": 1, "name": name}]}}]}),
        _ => json!({"events": [{"update": {"user": [{"code": "a1", "name": name}]}}]}),
    })
}

/// Sends a message of a connection; says its id.
#[track_caller]
fn send(client: &Client, connection: usize, message: &Value) -> String {
    let credential = credential(connection);
    let headers = [("x-api-key", credential.as_str()), ("content-type", "application/json")];
    let path = format!("/{}/prod/sync/v1", events::PARTNER.name);
    let answer = client.post(&path, &headers, message.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["messageId"].as_str().expect("it has an id").to_owned()
}

#[track_caller]
fn call(client: &Client, method: &str, query: &str, body: &Value) -> (u16, Value) {
    let body = (!body.is_null()).then(|| body.to_string().into_bytes());
    let headers = [("authorization", "Bearer north-school"), ("content-type", "application/json")];
    let answer = client.call(method, &format!("/eduframe/api/v1/labels{query}"), &headers, body.as_deref());
    (answer.status, answer.json())
}

#[track_caller]
fn until_applied(site: &Site, sent: &BTreeSet<String>) {
    until("everything is applied", || {
        let statuses: BTreeMap<_, _> = site
            .stored()
            .texts("select id::text || ' ' || status from delivery")
            .iter()
            .filter_map(|row| row.split_once(' '))
            .map(|(id, status)| (id.to_owned(), status.to_owned()))
            .collect();
        sent.iter().all(|id| statuses.get(id).is_some_and(|status| status == "applied" || status == "unchanged"))
    });
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it is waited in vain until {what}");
    }
}

/// Which of the deliveries a log says that its process ended.
fn applied<'l>(log: &'l str, sent: &'l BTreeSet<String>) -> BTreeSet<&'l str> {
    let ends = |line: &&str| line.contains("Applied") || line.contains("Unchanged");
    let ended: Vec<_> = log.lines().filter(ends).collect();
    sent.iter().map(String::as_str).filter(|id| ended.iter().any(|line| line.contains(id))).collect()
}
