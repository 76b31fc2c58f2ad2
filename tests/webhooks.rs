//! Four subscribers want to know of labels: one answers slowly, one with errors at first, one not at all at first, one is
//! dead for a while. The server is killed again and again meanwhile. All of them are told everything, of each label in
//! order, and what was taken is never sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rollcall_tests::database::Kind;
use rollcall_tests::site::{Server, Site};
use serde_json::{Value, json};

use crate::{on_every_database, site_of};

on_every_database!(
    nothing_is_lost_and_nothing_that_was_taken_is_sent_again_whoever_dies,
    what_one_hub_tells_another_takes_and_does_not_tell_on,
);

/// The partner.
const PARTNER: &str = "eduframe";

/// How long everything together may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// How long the slow one takes.
const SLOWLY: Duration = Duration::from_millis(200);

/// What happens to a label.
const EVENTS: [&str; 3] = ["label.created", "label.updated", "label.deleted"];

/// What a subscriber does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Takes it, after a while.
    Slow,
    /// Answers the first ones with an error.
    Failing,
    /// Does not answer the first ones.
    Silent,
    /// Is not there for a while.
    Dying,
}

/// A request that arrived at a subscriber.
#[derive(Debug, Clone)]
struct Request {
    id: String,
    body: Value,
    /// How often the server had been killed before.
    deaths: usize,
    was_taken: bool,
}

/// Somebody who subscribed.
struct Subscriber {
    manner: Manner,
    address: SocketAddr,
    desk: Arc<Desk>,
}

/// What a subscriber's threads share.
struct Desk {
    manner: Manner,
    /// So many of the next ones are not taken.
    refuses: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    is_closed: AtomicBool,
    deaths: Arc<AtomicUsize>,
}

impl Subscriber {
    fn new(manner: Manner, deaths: &Arc<AtomicUsize>) -> Self {
        let desk = Desk {
            manner,
            refuses: AtomicUsize::new(if matches!(manner, Manner::Failing | Manner::Silent) { 3 } else { 0 }),
            requests: Mutex::default(),
            is_closed: AtomicBool::new(false),
            deaths: Arc::clone(deaths),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let subscriber = Self { manner, address: listener.local_addr().unwrap(), desk: Arc::new(desk) };
        subscriber.listen(listener);
        subscriber
    }

    fn listen(&self, listener: TcpListener) {
        let desk = Arc::clone(&self.desk);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if desk.is_closed.load(Ordering::Acquire) {
                    return;
                }
                let desk = Arc::clone(&desk);
                thread::spawn(move || desk.serve(stream.unwrap()));
            }
        });
    }

    /// Whoever knocks finds nobody from now on.
    fn die(&self) {
        self.desk.is_closed.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address)); // wakes it up once more
        while TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
    }

    fn come_back(&self) {
        self.desk.is_closed.store(false, Ordering::Release);
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    fn requests(&self) -> Vec<Request> {
        self.desk.requests.lock().unwrap().clone()
    }
}

impl Desk {
    fn serve(&self, mut stream: TcpStream) {
        // Whoever sends may die in the middle of it.
        let Some((id, body)) = read(&stream) else { return };
        let fewer = |refuses: usize| refuses.checked_sub(1);
        let was_taken = self.refuses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_err();
        let request = Request { id, body, deaths: self.deaths.load(Ordering::Acquire), was_taken };
        self.requests.lock().unwrap().push(request);
        let status = match self.manner {
            Manner::Slow => {
                wait(SLOWLY);
                200
            }
            Manner::Silent if !was_taken => {
                drop(stream.read(&mut [0])); // until the other side has had enough
                return;
            }
            Manner::Failing if !was_taken => 500,
            _ => 200,
        };
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 5\r\nconnection: close\r\n\r\nso be");
        drop(stream.write_all(answer.as_bytes()));
    }
}

fn wait(long: Duration) {
    let (_sender, nothing) = mpsc::channel::<()>();
    assert!(nothing.recv_timeout(long).is_err());
}

/// The id and the body of a request, if it arrives whole.
fn read(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => _ = headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((headers.get("webhook-id")?.clone(), serde_json::from_slice(&body).ok()?))
}

/// A label, and what happens to it: events, each with the name that the label has then.
type Story = BTreeMap<i64, Vec<(&'static str, String)>>;

fn nothing_is_lost_and_nothing_that_was_taken_is_sent_again_whoever_dies(kind: Kind) {
    let site = site(kind);
    let deaths = Arc::new(AtomicUsize::new(0));
    let manners = [Manner::Slow, Manner::Failing, Manner::Silent, Manner::Dying];
    let subscribers = manners.map(|manner| Subscriber::new(manner, &deaths));
    let mut server = site.start();
    let hooks: Vec<_> = subscribers.iter().map(|subscriber| subscribe(&server, subscriber)).collect();
    let mut story = Story::new();
    let mut taken = Vec::new();
    for round in 0..3 {
        let arrived = || subscribers.each_ref().map(|subscriber| subscriber.requests().len());
        let before = arrived();
        for nth in 0..4 {
            if (round, nth) == (1, 2) {
                subscribers[3].die();
            }
            tell(&server, &mut story, &format!("{round}.{nth}"));
        }
        // Somewhere in the middle of it.
        until("all that are alive are told something", || {
            arrived().into_iter().zip(before).filter(|(now, before)| now > before).count() >= 3
        });
        taken.push(hooks.iter().flat_map(|hook| with_status(&server, hook, "succeeded")).collect::<BTreeSet<_>>());
        server.kill();
        deaths.fetch_add(1, Ordering::Release);
        subscribers[2].desk.refuses.store(3, Ordering::Relaxed);
        server = site.start();
    }
    until("the dead one is missed", || !with_status(&server, &hooks[3], "retry").is_empty());
    subscribers[3].come_back();
    until("everybody was told everything", || {
        hooks.iter().all(|hook| notifications(&server, hook).iter().all(|send| send["status"] == "succeeded"))
    });
    for (subscriber, hook) in subscribers.iter().zip(&hooks) {
        let (manner, requests) = (subscriber.manner, subscriber.requests());
        assert_eq!(told(&requests), story, "{manner:?}");
        for request in &requests {
            let known = taken.iter().take(request.deaths).any(|taken| taken.contains(&request.id));
            assert!(!known, "{manner:?}: {} was taken before", request.id);
        }
        what_the_log_tells(manner, &notifications(&server, hook));
    }
}

fn what_one_hub_tells_another_takes_and_does_not_tell_on(kind: Kind) {
    let site = site(kind);
    let server = site.start();
    let listener = Subscriber::new(Manner::Slow, &Arc::default());
    let (school, annex) = ("north-school", "north-annex");
    let events = EVENTS.map(Value::from).to_vec();
    let url = format!("{}/{PARTNER}/webhooks/{annex}", server.address());
    let hook = call_as(school, &server, "POST", "/webhooks", &json!({"url": url, "events": events}));
    let url = format!("http://{}/hook", listener.address);
    call_as(annex, &server, "POST", "/webhooks", &json!({"url": url, "events": events}));
    let label = |name: &str| json!({"name": name, "model_type": "Order", "color": "#00FF00"});
    let kept = call_as(school, &server, "POST", "/labels", &label("kept"));
    let gone = call_as(school, &server, "POST", "/labels", &label("gone"));
    let path = |label: &Value| format!("/labels/{}", label["id"]);
    call_as(school, &server, "PUT", &path(&kept), &json!({"name": "kept again"}));
    call_as(school, &server, "DELETE", &path(&gone), &Value::Null);
    let hook = hook["id"].as_str().unwrap();
    until("all is told", || notifications(&server, hook).iter().all(|send| send["status"] == "succeeded"));
    let labels = |connection| call_as(connection, &server, "GET", "/labels", &Value::Null);
    assert_eq!(labels(annex), labels(school));
    assert_eq!((labels(annex).as_array().unwrap().len(), &labels(annex)[0]["name"]), (1, &json!("kept again")));
    call_as(annex, &server, "POST", "/labels", &label("own"));
    until("its own is told", || !listener.requests().is_empty());
    assert_eq!(listener.requests()[0].body["event_data"]["name"], "own");

    let unknown = format!("/{PARTNER}/webhooks/nobody");
    let answer = server.call("POST", &unknown, &[("content-type", "application/json")], Some(b"{}"));
    assert!([401, 403, 404].contains(&answer.status), "{} {}", answer.status, answer.text());
}

#[test]
fn what_happened_is_told_in_order_whichever_process_tells_it() {
    let mut site = site(Kind::Postgres);
    // Nobody dies, and on a busy machine nobody is to be taken for dead.
    site.config["limits"]["lease_seconds"] = json!(60);
    let subscriber = Subscriber::new(Manner::Failing, &Arc::default());
    let servers = [0, 1, 2].map(|nth| site.start_another(&format!("log-{nth}")));
    let hook = subscribe(&servers[0], &subscriber);
    let mut story = Story::new();
    for nth in 0..8 {
        tell(&servers[nth % servers.len()], &mut story, &nth.to_string());
    }
    until("all is told", || {
        let sends = notifications(&servers[0], &hook);
        sends.len() == 24 && sends.iter().all(|send| send["status"] == "succeeded")
    });
    let requests = subscriber.requests();
    assert_eq!(told(&requests), story);
    assert_eq!(requests.iter().filter(|request| request.was_taken).count(), 24, "something was sent twice");
}

#[test]
fn subscribers_can_be_told_how_to_check_who_sends() {
    let site = site(Kind::Sqlite);
    let config = site.write_config();
    let secret = |names: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
        command.args(["webhook", "secret"]).args(names).arg("--config").arg(&config);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let school = secret(&["north", "school"]);
    assert!(school.0 && school.1.starts_with("whsec_"), "{school:?}");
    assert_ne!(school, secret(&["north", "annex"]));
    assert_ne!(school, secret(&["north", "school", "--number", "1"]), "the next one is another");
    assert_eq!(school, secret(&["north", "school", "--number", "0"]));
    assert_eq!(secret(&["north", "nobody"]), (false, String::new()));
    assert!(secret(&["north", "nobody", "--set-up"]).0);
}

fn site(kind: Kind) -> Site {
    let mut site = site_of(kind, PARTNER);
    let schemas = site.copy_schemas();
    for folder in fs::read_dir(&schemas).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() && !folder.ends_with(PARTNER) && !folder.ends_with("canonical") {
            fs::remove_dir_all(folder).unwrap(); // it starts four times
        }
    }
    let description = schemas.join(PARTNER).join("openapi.yaml");
    let text = fs::read_to_string(&description).unwrap();
    assert!(text.contains("timeout: PT10S"));
    fs::write(description, text.replace("timeout: PT10S", "timeout: PT3S")).unwrap();
    for connection in ["/north/connections/school", "/north/connections/annex", "/south/connections/school"] {
        let connection = site.config["tenants"].pointer_mut(connection).unwrap();
        connection["options"] = json!({
            "slug": "north",
            "tenant_id": "7f4c1f5e-0d5e-4a57-9d53-6a3f5e0f2b11",
            "name": "North",
            "website_url": "https://north.example",
            "currency": "EUR",
        });
    }
    site.config["webhooks"] = json!({"allow": ["127.0.0.1"]});
    site.config["limits"] = json!({"send_retry_seconds_min": 1, "send_retry_seconds_max": 1, "send_attempts_max": 1_000, "lease_seconds": 2});
    site
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it is waited in vain until {what}");
        thread::yield_now();
    }
}

#[track_caller]
fn call(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    call_as("north-school", server, method, path, body)
}

#[track_caller]
fn call_as(credential: &str, server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { None } else { Some(body.to_string().into_bytes()) };
    let path = format!("/{PARTNER}/api/v1{path}");
    let answer = server.call(method, &path, &[("authorization", &format!("Bearer {credential}"))], body.as_deref());
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

fn subscribe(server: &Server, subscriber: &Subscriber) -> String {
    let url = format!("http://{}/hook", subscriber.address);
    let hook = call(server, "POST", "/webhooks", &json!({"url": url, "active": true, "events": EVENTS}));
    hook["id"].as_str().unwrap().to_owned()
}

/// Makes a label, changes it and removes it.
fn tell(server: &Server, story: &mut Story, name: &str) {
    let label = call(server, "POST", "/labels", &json!({"name": name, "model_type": "Order", "color": "#000000"}));
    let id = label["id"].as_i64().unwrap();
    let path = format!("/labels/{id}");
    let changed = format!("{name} again");
    call(server, "PUT", &path, &json!({"name": changed}));
    call(server, "DELETE", &path, &Value::Null);
    let names = [name.to_owned(), changed.clone(), changed];
    story.insert(id, EVENTS.into_iter().zip(names).collect());
}

fn notifications(server: &Server, hook: &str) -> Vec<Value> {
    let sends = call(server, "GET", &format!("/webhooks/{hook}/notifications"), &Value::Null);
    sends.as_array().unwrap().clone()
}

fn with_status(server: &Server, hook: &str, status: &str) -> Vec<String> {
    let sends = notifications(server, hook).into_iter().filter(|send| send["status"] == status);
    sends.map(|send| send["id"].as_str().unwrap().to_owned()).collect()
}

/// What a subscriber was told of each label. Nothing is told before what happened before it was taken.
fn told(requests: &[Request]) -> Story {
    let mut story = Story::new();
    let mut last: BTreeMap<i64, &str> = BTreeMap::new();
    for (nth, request) in requests.iter().enumerate() {
        let body = &request.body;
        assert_eq!((&body["educator"], &body["event_data"]["model_type"]), (&json!("north"), &json!("Order")));
        let label = body["event_data"]["id"].as_i64().unwrap();
        if let Some(before) = last.insert(label, &request.id)
            && before != request.id
        {
            let was_taken = requests[..nth].iter().any(|other| other.id == before && other.was_taken);
            assert!(was_taken, "{} overtakes {before}", request.id);
        } else if last[&label] == request.id && story.contains_key(&label) {
            continue;
        }
        let event = EVENTS.into_iter().find(|event| body["event"] == *event).unwrap();
        story.entry(label).or_default().push((event, body["event_data"]["name"].as_str().unwrap().to_owned()));
    }
    story
}

fn what_the_log_tells(manner: Manner, sends: &[Value]) {
    let attempts = |send: &Value| send["send_attempts"].as_array().unwrap().clone();
    for send in sends {
        let attempts = attempts(send);
        let (last, others) = attempts.split_last().unwrap();
        assert_eq!((&last["status_code"], &last["response"]), (&json!(200), &json!("so be")));
        assert!(others.iter().all(|attempt| attempt["status_code"] != 200), "{send}");
    }
    let all: Vec<_> = sends.iter().flat_map(attempts).collect();
    let any = |status: &Value| all.iter().any(|attempt| attempt["status_code"] == *status);
    match manner {
        Manner::Slow => {}
        Manner::Failing => assert!(any(&json!(500))),
        Manner::Silent | Manner::Dying => assert!(any(&Value::Null)),
    }
}
