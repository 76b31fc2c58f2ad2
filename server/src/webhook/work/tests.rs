//! Subscribers are told: at least once, in order, in spite of each other, and not for ever.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rollcall_core::delivery::{Received, Status};
use rollcall_core::ingest::Asked;
use rollcall_core::limits::Limits;
use rollcall_core::store::read::{SendQuery, StoredSend};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::yield_now;

use super::back_off;
use crate::config::Name;
use crate::fixture::{PARTNER, Server, Site, TENANT};
use crate::webhook::guard::Destination;

/// All that can happen.
const EVENTS: [&str; 6] =
    ["visit.created", "visit.updated", "visit.deleted", "room.created", "room.updated", "room.deleted"];

fn site() -> Site {
    let mut site = Site::new();
    site.describe(|_| include_str!("openapi.yaml").to_owned());
    site.config.webhooks.allow = vec![Destination::try_from("127.0.0.1".to_owned()).unwrap()];
    site
}

/// Somebody who subscribes.
struct Subscriber {
    url: String,
    requests: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
    desk: Arc<Desk>,
}

/// How a subscriber answers.
struct Desk {
    /// The next statuses; 200 afterwards.
    statuses: Mutex<VecDeque<u16>>,
    /// Each answer takes one; more are given to let it answer.
    leave: Semaphore,
    requests: mpsc::UnboundedSender<(HeaderMap, Bytes)>,
}

impl Subscriber {
    /// Answers with these statuses, one after the other, and then always with 200.
    async fn new(statuses: &[u16]) -> Self {
        let subscriber = Self::silent(statuses).await;
        subscriber.desk.leave.add_permits(10_000);
        subscriber
    }

    /// Takes what comes and answers only when it has leave.
    async fn silent(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let statuses = Mutex::new(statuses.iter().copied().collect());
        let desk = Arc::new(Desk { statuses, leave: Semaphore::new(0), requests: sender });
        let router = axum::Router::new().route("/told", post(answer)).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests, desk }
    }

    /// The next request: its id, its event and whom it is about.
    async fn told(&mut self) -> (String, String, Value) {
        let (headers, body) = self.requests.recv().await.unwrap();
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        (id, body["event"].as_str().unwrap().to_owned(), body["visit"]["who"].take())
    }

    /// The next request: its event and whom it is about.
    async fn event(&mut self) -> (String, Value) {
        let (_, event, who) = self.told().await;
        (event, who)
    }
}

async fn answer(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    desk.requests.send((headers, body)).ok(); // nobody looks any more, once a test has ended
    desk.leave.acquire().await.unwrap().forget();
    let status = desk.statuses.lock().unwrap().pop_front().unwrap_or(200);
    (StatusCode::from_u16(status).unwrap(), "as I like it")
}

/// Calls an operation about the record with this number; the number of the record that it was about.
async fn write(server: &Server, operation: &str, id: Option<i64>, body: Value) -> i64 {
    let app = &server.app;
    let loaded = app.registry.get(PARTNER).unwrap();
    let operation = loaded.partner.operations.iter().find(|other| other.id == operation).unwrap();
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let path = id.map(|id| ("id".to_owned(), json!(id))).into_iter().collect();
    let received = Received {
        id: app.ingest.clock.next_id(),
        first: None,
        operation: operation.id.clone(),
        asked: Asked { path, ..Asked::default() },
        at: app.ingest.clock.now(),
        sha256: Sha256::digest(&bytes).into(),
        size: bytes.len() as u64,
        body: Some(bytes.into()),
        content_encoding: None,
        queued: false,
    };
    let access = app.access();
    let sender = &access.connection(TENANT, "school").unwrap().sender;
    let written = app.ingest.write(sender, &loaded, operation, received, false).await.unwrap();
    assert_eq!(written.report.status, Status::Applied, "{:?}", written.report);
    app.told(&loaded.partner);
    let key: [i64; 1] = serde_json::from_str(&written.key.unwrap()).unwrap();
    key[0]
}

async fn subscribe(server: &Server, subscriber: &Subscriber) -> i64 {
    let hook = json!({"url": subscriber.url, "active": true, "events": EVENTS});
    write(server, "addHook", None, hook).await
}

async fn visit(server: &Server, who: &str) -> i64 {
    write(server, "addVisit", None, json!({"who": who})).await
}

/// What a subscription was told, the first first.
async fn sends(server: &Server, hook: i64) -> Vec<StoredSend> {
    let key = format!("[{hook}]");
    let (connection, subscription) = ("school", key.as_str());
    let (failed, since, until, limit, offset) = (false, None, None, 1_000, 0);
    let query = SendQuery { tenant: TENANT, connection, subscription, failed, since, until, limit, offset };
    let mut sends = server.app.reader.sends(&query).await.unwrap().rows;
    sends.reverse();
    sends
}

/// What a subscription was told, once this holds.
async fn sends_when(server: &Server, hook: i64, done: impl Fn(&[StoredSend]) -> bool) -> Vec<StoredSend> {
    loop {
        let sends = sends(server, hook).await;
        if done(&sends) {
            return sends;
        }
        yield_now().await;
    }
}

fn all(status: &str) -> impl Fn(&[StoredSend]) -> bool {
    move |sends| sends.iter().all(|send| send.status == status)
}

/// Lets the time pass that is waited after so many attempts.
fn wait(server: &Server, site: &Site, attempts: u32) {
    site.clock.advance(back_off(&server.app.ingest.limits, attempts - 1));
    server.app.courier.bell.notify_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_told_what_happened_and_can_tell_who_says_so() {
    let mut site = site();
    let name = |text: &str| Name::try_from(text.to_owned()).unwrap();
    let tenant = site.config.tenants.get_mut(&name(TENANT)).unwrap();
    tenant.connections.get_mut(&name("school")).unwrap().webhook_secrets = vec![0, 3].try_into().unwrap();
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[]).await;
    let hook = subscribe(&server, &subscriber).await;
    let id = visit(&server, "Ada").await;
    let (headers, body) = subscriber.requests.recv().await.unwrap();
    let header = |name: &str| headers[name].to_str().unwrap();
    let seconds = server.app.ingest.clock.now().as_second();
    let secret = |number| server.app.courier.keyring.signing_secret(TENANT, "school", number);
    assert_eq!(header("webhook-timestamp"), seconds.to_string());
    let signed = [0, 3].map(|number| secret(number).sign(header("webhook-id"), seconds, &body)).join(" ");
    assert_eq!(header("webhook-signature"), signed, "by the secret that goes and by the one that comes");
    assert_eq!((header("content-type"), header("user-agent")), ("application/json", super::super::AGENT));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({"event": "visit.created", "visit": {"id": id, "who": "Ada"}}));
    let told = sends_when(&server, hook, all("succeeded")).await;
    assert_eq!((told.len(), told[0].id.to_string().as_str(), &told[0].body), (1, header("webhook-id"), &body));
    let attempt = &told[0].attempts[0];
    assert_eq!(
        (attempt.status, attempt.response.as_deref(), &attempt.problem),
        (Some(200), Some("as I like it"), &None)
    );
    server.rest().await;
    assert!(subscriber.requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again_when_its_time_has_come_and_nothing_overtakes_it() {
    let site = site();
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[500, 302]).await;
    let hook = subscribe(&server, &subscriber).await;
    let id = visit(&server, "Ada").await;
    let (first, event, _) = subscriber.told().await;
    assert_eq!(event, "visit.created");
    sends_when(&server, hook, all("retry")).await;
    write(&server, "changeVisit", Some(id), json!({"who": "Grace"})).await;
    visit(&server, "Mary").await;
    assert_eq!(subscriber.event().await, ("visit.created".to_owned(), json!("Mary")));
    sends_when(&server, hook, |sends| sends[2].status == "retry").await;
    assert!(subscriber.requests.try_recv().is_err(), "its time had not come");

    wait(&server, &site, 1);
    let again = [subscriber.told().await, subscriber.told().await, subscriber.told().await];
    let (mary, own): (Vec<_>, Vec<_>) = again.into_iter().partition(|(_, _, who)| who == "Mary");
    assert_eq!(mary.len(), 1);
    assert_eq!(own[0], (first, "visit.created".to_owned(), json!("Ada")));
    assert_eq!((own[1].1.as_str(), &own[1].2), ("visit.updated", &json!("Grace")));
    write(&server, "removeVisit", Some(id), Value::Null).await;
    assert_eq!(subscriber.event().await, ("visit.deleted".to_owned(), json!("Grace")));
    let told = sends_when(&server, hook, all("succeeded")).await;
    let statuses = |send: &StoredSend| send.attempts.iter().map(|attempt| attempt.status.unwrap()).collect::<Vec<_>>();
    let told: Vec<_> = told.iter().map(|send| (send.event.as_str(), statuses(send))).collect();
    assert_eq!(told[0], (EVENTS[0], vec![500, 200]));
    assert_eq!(told[1], (EVENTS[1], vec![200]));
    assert_eq!(told[2], (EVENTS[0], vec![302, 200]));
    assert_eq!(told[3], (EVENTS[2], vec![200]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_taken_is_given_up_and_what_came_after_it_is_told() {
    let mut site = site();
    site.config.limits = Limits { send_attempts_max: 2, ..Limits::default() };
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[500, 410]).await;
    let hook = subscribe(&server, &subscriber).await;
    let id = visit(&server, "Ada").await;
    write(&server, "changeVisit", Some(id), json!({"who": "Grace"})).await;
    assert_eq!(subscriber.event().await.0, "visit.created");
    sends_when(&server, hook, |sends| sends[0].status == "retry").await;
    wait(&server, &site, 1);
    assert_eq!(subscriber.event().await.0, "visit.created");
    assert_eq!(subscriber.event().await.0, "visit.updated");
    let told = sends_when(&server, hook, |sends| sends[1].status == "succeeded").await;
    assert_eq!((told[0].status.as_str(), told[0].attempts.len()), ("failed", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_or_asks_no_more_is_told_nothing() {
    let site = site();
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[500, 500]).await;
    let hooks = [subscribe(&server, &subscriber).await, subscribe(&server, &subscriber).await];
    visit(&server, "Ada").await;
    for hook in hooks {
        subscriber.told().await;
        sends_when(&server, hook, all("retry")).await;
    }
    write(&server, "removeHook", Some(hooks[0]), Value::Null).await;
    write(&server, "changeHook", Some(hooks[1]), json!({"active": false})).await;
    wait(&server, &site, 1);
    for (hook, expected) in
        hooks.into_iter().zip(["the subscription is gone", "the subscription does not ask for this any more"])
    {
        let told = sends_when(&server, hook, all("failed")).await;
        assert_eq!(told[0].attempts[1].problem.as_deref(), Some(expected));
    }
    assert!(subscriber.requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_answer_costs_the_others_nothing() {
    let mut site = site();
    site.config.limits = Limits { sends_in_progress_max: 5, sends_per_subscription_max: 3, ..Limits::default() };
    let mut server = site.start().await;
    let (mut silent, mut lively) = (Subscriber::silent(&[500, 500, 500]).await, Subscriber::new(&[]).await);
    let hooks = [subscribe(&server, &silent).await, subscribe(&server, &lively).await];
    let names: Vec<_> = (0..20).map(|nth| format!("visitor {nth}")).collect();
    for who in &names {
        visit(&server, who).await;
    }
    server.work();
    let mut told = Vec::new();
    for _ in &names {
        told.push(lively.event().await.1);
    }
    told.sort_by_key(|who| names.iter().position(|name| who == name));
    assert_eq!(told, names);
    sends_when(&server, hooks[1], all("succeeded")).await;
    for _ in 0..3 {
        silent.told().await;
    }
    assert!(silent.requests.try_recv().is_err(), "it has three places");
    // Who fails has one place until it takes something.
    silent.desk.leave.add_permits(3);
    silent.told().await;
    let failed = |sends: &[StoredSend]| sends.iter().filter(|send| send.status == "retry").count() == 3;
    sends_when(&server, hooks[0], failed).await;
    assert!(silent.requests.try_recv().is_err(), "it has one place");
    silent.desk.leave.add_permits(10_000);
    sends_when(&server, hooks[0], |sends| sends.iter().all(|send| send.status != "pending")).await;
    wait(&server, &site, 1);
    sends_when(&server, hooks[0], all("succeeded")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_next_goes_on_and_sends_nothing_twice_that_was_taken() {
    let site = site();
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[200, 500]).await;
    let hook = subscribe(&server, &subscriber).await;
    visit(&server, "Ada").await;
    subscriber.told().await;
    sends_when(&server, hook, all("succeeded")).await;
    let id = visit(&server, "Grace").await;
    subscriber.told().await;
    sends_when(&server, hook, |sends| sends[1].status == "retry").await;
    server.rest().await;
    write(&server, "changeVisit", Some(id), json!({"who": "Mary"})).await;
    drop(server);

    let mut server = site.start().await;
    site.clock.advance(Duration::from_mins(10));
    server.work();
    assert_eq!(subscriber.event().await, ("visit.created".to_owned(), json!("Grace")));
    assert_eq!(subscriber.event().await, ("visit.updated".to_owned(), json!("Mary")));
    sends_when(&server, hook, all("succeeded")).await;
    server.rest().await;
    assert!(subscriber.requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_writes_is_told_too() {
    let site = site();
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[]).await;
    let hook = subscribe(&server, &subscriber).await;
    let rooms = "/admin/v1/tenants/north/connections/school/records/Room";
    let operator = async |method, path: &str, body: &str, dry_run| {
        let headers = [("authorization", "Bearer operator"), ("rollcall-dry-run", dry_run)];
        let reply = server.send(method, path, &headers, body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    };
    let room = r#"{"code": "R1", "floor": 1}"#;
    operator("PUT", rooms, room, "true").await;
    operator("PUT", rooms, room, "false").await;
    operator("PUT", rooms, room, "false").await;
    operator("PUT", rooms, r#"[{"code": "R1", "floor": 2}, {"code": "R2"}]"#, "false").await;
    operator("DELETE", &format!("{rooms}?key=%5B%22R1%22%5D"), "", "false").await;
    let told = sends_when(&server, hook, |sends| sends.len() == 4 && all("succeeded")(sends)).await;
    let told: Vec<_> = told.into_iter().map(|send| (send.event, send.body["visit"].clone())).collect();
    let first = |floor| json!({"code": "R1", "floor": floor});
    let told: Vec<_> = told.iter().map(|(event, room)| (event.as_str(), room)).collect();
    let second = json!({"code": "R2", "floor": null});
    let expected = [
        ("room.created", &first(1)),
        ("room.updated", &first(2)),
        ("room.created", &second),
        ("room.deleted", &first(2)),
    ];
    assert_eq!(told, expected);
    for _ in expected {
        subscriber.requests.recv().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_whom_the_operator_has_not_allowed() {
    let mut site = site();
    site.config.webhooks.allow.clear();
    let mut server = site.start().await;
    server.work();
    let mut subscriber = Subscriber::new(&[]).await;
    let hook = subscribe(&server, &subscriber).await;
    visit(&server, "Ada").await;
    let told = sends_when(&server, hook, all("retry")).await;
    let problem = "the address leads to a host that is not public";
    assert_eq!((told[0].attempts[0].status, told[0].attempts[0].problem.as_deref()), (None, Some(problem)));
    assert!(subscriber.requests.try_recv().is_err());
}

#[test]
fn waits_double_until_they_are_long_enough() {
    let limits = Limits { send_retry_seconds_min: 10, send_retry_seconds_max: 60, ..Limits::default() };
    let waits: Vec<_> = [0, 1, 2, 3, 40, u32::MAX].map(|nth| back_off(&limits, nth).as_secs()).into();
    assert_eq!(waits, [10, 20, 40, 60, 60, 60]);
}

#[test]
fn a_subscriber_may_be_away_for_a_day() {
    let limits = Limits::default();
    let waits = (0..limits.send_attempts_max - 1).map(|nth| back_off(&limits, nth).as_secs());
    assert!(waits.sum::<u64>() > 24 * 60 * 60);
}
