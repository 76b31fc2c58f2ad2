//! What the server says about its work holds nothing of what it works on: payloads of every partner, in which every
//! string is marked, are sent good, bad, refused and faulting, and no mark is in the log, the figures or the traces.
//! Credentials are marked as well.
//!
//! To look at one more place: an entry in [`Said::places`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mapper_artifacts::HOSTILE;
use rollcall_core::json::Json;
use rollcall_server::demo::{Demo, DemoCall};
use rollcall_server::metrics::catalogue::{ALL, Kind, PROCESS};
use rollcall_tests::client::Answer;
use rollcall_tests::site::{Server, Site, digest, project};
use serde_json::{Value, json};

use crate::{site, upgrades};

/// Begins every marked string; every credential begins with it, too.
const MARK: &str = "zq7x";

/// What numbers are raised by, so that they can be told from others.
const NUMBER: u64 = 777_000_777_000;

/// The same as it stands in texts.
const DIGITS: &str = "777000777";

/// Members whose strings can be marked without breaking any description.
const FREE: &[&str] = &[
    "name",
    "name_user",
    "codeApprenant",
    "nomApprenant",
    "prenomApprenant",
    "emailApprenant",
    "nomEntreprise",
    "emailPersonnel",
    "nomPersonnel",
    "codePersonnel",
    "missionDetails",
    "login",
    "email",
    "first_name",
    "last_name",
    "address",
    "city",
];

/// How long is waited for what comes later.
const PATIENCE: Duration = Duration::from_mins(2);

/// A caller's trace.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes whatever is posted.
struct Collector {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    /// Every so many requests are answered with 500.
    fn new(fails_each: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let taken = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let taken = Arc::clone(&taken);
                thread::spawn(move || take(stream.unwrap(), &taken, fails_each));
            }
        });
        Self { address, requests }
    }

    /// Everything that was posted, heads and bodies.
    fn bytes(&self) -> Vec<u8> {
        self.requests.lock().unwrap().concat()
    }
}

fn take(mut stream: TcpStream, taken: &Mutex<Vec<Vec<u8>>>, fails_each: usize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let before = head.len();
            if reader.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
            let line = head[before..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let nth = {
            let mut taken = taken.lock().unwrap();
            taken.push([head.as_bytes(), &body].concat());
            taken.len()
        };
        let status = if fails_each > 0 && nth % fails_each == 0 { 500 } else { 200 };
        let said = format!("{MARK}answer");
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n\r\n{said}", said.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// What a partner's client does.
struct Script {
    partner: String,
    demo: Demo,
}

impl Script {
    /// Those of all partners.
    fn all() -> Vec<Self> {
        let folders = fs::read_dir(project().join("schemas")).unwrap().map(|entry| entry.unwrap().path());
        let demos = folders.filter(|folder| folder.is_dir()).filter_map(|folder| {
            let partner = folder.file_name().unwrap().to_str().unwrap().to_owned();
            Some(Self { partner, demo: Demo::load(&folder).unwrap()? })
        });
        let demos: Vec<_> = demos.collect();
        assert!(demos.len() >= 4);
        demos
    }

    /// The credential, marked.
    fn credential(&self) -> String {
        format!("{MARK}{}", self.demo.connection.credential.expose())
    }

    /// Makes a call with another body; says what was answered.
    fn call(&self, server: &Server, call: &DemoCall, mark: impl Fn(&str, &mut Value)) -> Answer {
        let folder = project().join("schemas").join(&self.partner);
        let made = call.call(&self.partner, &folder).unwrap();
        let mut body = serde_json::from_slice(&made.body).unwrap_or_default();
        each(&mut body, "", &mark);
        let marked = made.headers.iter().map(|(name, value)| {
            (name.clone(), value.replace(self.demo.connection.credential.expose(), &self.credential()))
        });
        let marked: Vec<_> = marked.collect();
        let mut headers: Vec<_> = marked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let agent = format!("{MARK}agent");
        headers.extend([("user-agent", agent.as_str()), ("cookie", &agent), ("x-request-id", "zq7x@school.example")]);
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        server.call(&made.method, &made.path, &headers, body.as_deref())
    }
}

/// Does something to each scalar, which is given with the name of the member that it is, or is listed in.
fn each(value: &mut Value, name: &str, change: &impl Fn(&str, &mut Value)) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| each(value, name, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, name, change)),
        scalar => change(name, scalar),
    }
}

/// Marks what can be marked without breaking a description.
fn well(name: &str, value: &mut Value) {
    if FREE.contains(&name) {
        everything(name, value);
    }
}

/// Marks every string.
fn everything(_: &str, value: &mut Value) {
    if let Value::String(text) = value {
        text.insert_str(0, MARK);
    }
}

/// Makes texts of numbers and numbers of texts, marked.
fn other_types(_: &str, value: &mut Value) {
    *value = match value {
        Value::String(_) => json!(NUMBER),
        _ => json!(format!("{MARK}number")),
    };
}

#[test]
fn nothing_that_is_sent_is_in_logs_figures_or_traces() {
    let (collector, subscriber) = (Collector::new(0), Collector::new(3));
    let scripts = Script::all();
    let site = place(&scripts, &collector);
    let server = site.start();
    subscribe(&server, &scripts, &subscriber);
    run_beside(&server, &upgrades::second(&site));
    let mut taken = BTreeSet::new();
    for script in &scripts {
        for call in &script.demo.calls {
            let call = call.about(Some("00000000-0000-7000-8000-000000000000"));
            if script.call(&server, &call, well).status < 300 {
                taken.insert(script.partner.as_str());
            }
            script.call(&server, &call, everything);
            script.call(&server, &call, other_types);
        }
    }
    assert_eq!(taken.len(), scripts.len(), "of some partners nothing was taken: {taken:?}");
    attack(&server);
    strangers(&server, &scripts);
    continued(&server);
    settle(&server, &subscriber);

    let kept = ["jusoor", "campus-skills", "educacional", "eduframe"].map(|connection| {
        let path = format!("/api/v1/entities/user?connection={connection}&limit=1000");
        server.get(&path, &format!("{MARK}reader")).text().contains(MARK)
    });
    assert_eq!(kept, [true; 4], "what was marked was not taken, so that nothing is proved");
    let said = Said { log: server.log(), figures: server.get("/metrics", &format!("{MARK}operator")).text() };
    said.is_complete();
    wait_for(&collector, &["POST /jusoor/partner/branches", "commit", "webhook", "delivery"]);
    for (place, bytes) in said.places(&collector) {
        for mark in [MARK, DIGITS] {
            let found = bytes.windows(mark.len()).position(|window| window == mark.as_bytes());
            let around =
                found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())]));
            assert_eq!(around, None, "{mark} is in {place}");
        }
    }
    assert!(subscriber.bytes().windows(15).any(|window| window == b"\r\ntraceparent: "), "webhooks carry no trace");
}

/// Everything that was said.
struct Said {
    log: String,
    figures: String,
}

impl Said {
    fn places(&self, collector: &Collector) -> [(&'static str, Vec<u8>); 3] {
        // The header that lets us in is for the collector.
        let traces = String::from_utf8_lossy(&collector.bytes()).replace(&format!("Bearer {MARK}collector"), "");
        [
            ("the log", self.log.clone().into_bytes()),
            ("the figures", self.figures.clone().into_bytes()),
            ("the traces", traces.into_bytes()),
        ]
    }

    /// Lines are objects in which nothing stands twice, those of a request have its id; figures are in the catalogue.
    fn is_complete(&self) {
        let mut answered = 0;
        for line in self.log.lines() {
            Json::parse(line.as_bytes(), 64).unwrap_or_else(|error| panic!("{error}: {line}"));
            let line: Value = serde_json::from_str(line).unwrap();
            if line["message"] == "answered" {
                answered += 1;
                assert!(line["request"].is_string() && line["method"].is_string(), "{line}");
            }
            if line["message"] == "delivery" {
                assert!(line["delivery"].is_string() && line["connection"].is_string(), "{line}");
            }
        }
        assert!(answered > 100, "only {answered} requests are in the log");
        assert!(self.log.contains(r#""level":"DEBUG""#), "the log tells less than it could");
        figures_are_in_the_catalogue(&self.figures);
    }
}

/// Names and labels of all that is shown are those that operators are told of.
fn figures_are_in_the_catalogue(figures: &str) {
    let mut known: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for metric in ALL {
        let labels: BTreeSet<_> = metric.labels.iter().copied().collect();
        match metric.kind {
            Kind::Histogram(_) => {
                for (part, more) in [("_bucket", Some("le")), ("_sum", None), ("_count", None)] {
                    known.insert(format!("{}{part}", metric.name), labels.iter().copied().chain(more).collect());
                }
            }
            Kind::Counter | Kind::Gauge => _ = known.insert(metric.name.to_owned(), labels),
        }
    }
    known.extend(PROCESS.iter().map(|(name, _)| ((*name).to_owned(), BTreeSet::new())));
    let mut shown = BTreeSet::new();
    for line in figures.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|label| Some(label.split_once("=\"")?.0));
        let labels: BTreeSet<_> = labels.collect();
        assert_eq!(known.get(name), Some(&labels), "{line}");
        shown.insert(name);
    }
    for metric in ALL.iter().filter(|metric| !metric.name.contains("conflicts")) {
        let is_shown = shown.iter().any(|name| name.starts_with(metric.name));
        assert!(is_shown, "{} was never counted", metric.name);
    }
}

/// A server with a connection for each partner, which says as much as it can.
fn place(scripts: &[Script], collector: &Collector) -> Site {
    let mut site = site();
    let schemas = site.copy_schemas();
    fs::create_dir(schemas.join(HOSTILE)).unwrap();
    fs::copy(project().join("tests/hostile/openapi.yaml"), schemas.join(HOSTILE).join("openapi.yaml")).unwrap();
    site.put_mapper(HOSTILE, &mapper_artifacts::component(HOSTILE).unwrap());
    let mut connections = json!({HOSTILE: {"partner": HOSTILE, "credentials": [digest(&format!("{MARK}hostile"))]}});
    for script in scripts {
        connections[&script.partner] = json!({
            "partner": script.partner,
            "credentials": [digest(&script.credential())],
            "options": script.demo.options(),
        });
    }
    let readers = json!({"reader": [digest(&format!("{MARK}reader"))]});
    site.config["tenants"] = json!({"north": {"readers": readers, "connections": connections}});
    site.config["operators"] = json!({"operator": [digest(&format!("{MARK}operator"))]});
    site.config["log"] = json!({"format": "json", "filter": "debug,rollcall_core=trace,rollcall_server=trace"});
    site.config["traces"] = json!({
        "endpoint": format!("http://{}/v1/traces", collector.address),
        "headers": {"authorization": format!("Bearer {MARK}collector")},
        "filter": "debug,hyper=off",
        "export_seconds": 1,
        "spans_queued_max": 100_000,
    });
    site.config["webhooks"] = json!({"allow": ["127.0.0.1"]});
    site.config["limits"] = json!({"send_retry_seconds_min": 1, "send_retry_seconds_max": 1});
    site
}

/// Has the subscriber told of what happens at the partner that tells.
fn subscribe(server: &Server, scripts: &[Script], subscriber: &Collector) {
    let script = scripts.iter().find(|script| script.partner == "eduframe").unwrap();
    let authorization = format!("Bearer {}", script.credential());
    let url = format!("http://{}/{MARK}?token={MARK}", subscriber.address);
    let hook = json!({"url": url, "active": true, "events": ["course.created", "user.created", "lead.created"]});
    let hook = hook.to_string();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let answer = server.post("/eduframe/api/v1/webhooks", &headers, hook.as_bytes());
    assert!(answer.status < 300, "{}", answer.text());
}

/// Lets another version run beside the one in use.
fn run_beside(server: &Server, bundle: &[u8]) {
    let authorization = format!("Bearer {MARK}operator");
    let post = |path: &str, body: &[u8]| {
        let answer = server.post(path, &[("authorization", authorization.as_str())], body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let kept = post("/admin/v1/bundles", bundle);
    let wish = json!({"version": kept["version"]});
    post("/admin/v1/partners/jusoor/shadow", wish.to_string().as_bytes());
}

/// Records that the mapper refuses or traps on, and one that it has never heard of.
fn attack(server: &Server) {
    let unknown = format!("{MARK}attack");
    let attacks = ["nothing", "refuse", "panic", "wrong-kind", "long-diagnostic", &unknown];
    let attacks: Vec<_> = (NUMBER..)
        .zip(attacks)
        .map(|(id, what)| json!({"id": id, "do": what, format!("{MARK}note"): format!("{MARK}note")}))
        .collect();
    let token = format!("{MARK}hostile");
    let headers = [("token", token.as_str()), ("content-type", "application/json")];
    let answer = server.post("/hostile/attacks", &headers, json!({"attacks": attacks}).to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found = ["faults", "refusals"].map(|list| answer.json()[list].as_array().map_or(0, Vec::len));
    assert!(found[0] >= 3 && found[1] == 1, "{}", answer.text());
}

/// Calls with credentials that nobody has, of routes that are not there, with bodies that are no JSON, by odd methods.
fn strangers(server: &Server, scripts: &[Script]) {
    let wrong = format!("{MARK}wrong");
    let bearer = format!("Bearer {wrong}");
    for path in [format!("/{MARK}"), format!("/eduframe/api/v1/{MARK}"), format!("/metrics?{MARK}=1")] {
        assert!(server.get(&path, &wrong).status >= 400);
    }
    for script in scripts {
        for call in &script.demo.calls {
            let call = call.about(Some(MARK));
            let path = format!("/{}{}", script.partner, call.path);
            let headers = [("authorization", bearer.as_str()), ("token", &wrong), ("x-api-key", &wrong)];
            let answer = server.call(&call.method, &path, &headers, Some(wrong.as_bytes()));
            assert!(answer.status >= 400, "{path}: {}", answer.status);
        }
    }
    let mut odd = TcpStream::connect(server.address().trim_start_matches("http://")).unwrap();
    odd.write_all(format!("{MARK} /{MARK} HTTP/1.1\r\nhost: {MARK}\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    odd.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    for path in [format!("/api/v1/deliveries/{MARK}"), format!("/api/v1/entities/user?filter=name='{MARK}'")] {
        server.get(&path, &format!("{MARK}operator"));
    }
}

/// A caller's trace is gone on with.
fn continued(server: &Server) {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let answer = server.call("GET", "/healthz", &[("traceparent", parent.as_str())], None);
    assert_eq!((answer.status, answer.header("x-request-id")), (200, TRACE));
}

/// Waits until the queue is empty, something was looked at by two versions, and the subscriber was told something, in vain at
/// first.
fn settle(server: &Server, subscriber: &Collector) {
    let operator = format!("{MARK}operator");
    let start = Instant::now();
    loop {
        let figures = server.get("/metrics", &operator).text();
        let has = |metric: &str, labels: &str, value: &str| {
            let of = |line: &&str| line.starts_with(metric) && line.contains(labels);
            figures.lines().filter(of).any(|line| line.ends_with(value) || value.is_empty())
        };
        let worked = has("rollcall_deliveries_queued{", "educacional", " 0")
            && has("rollcall_deliveries_total{", "partner=\"educacional\",status=\"applied\"", "");
        let told = !has("rollcall_webhook_attempts_total{", "outcome=\"retried\"", " 0");
        let compared = has("rollcall_shadow_deliveries_total{", "partner=\"jusoor\"", "");
        if worked && compared && told && subscriber.requests.lock().unwrap().len() > 3 {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "it is waited in vain:\n{figures}");
        thread::yield_now();
    }
}

/// Waits until the collector has spans of these names, and of the caller's trace.
fn wait_for(collector: &Collector, names: &[&str]) {
    let start = Instant::now();
    let trace = hex::decode(TRACE).unwrap();
    loop {
        let bytes = collector.bytes();
        let has = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
        if has(&trace) && names.iter().all(|name| has(name.as_bytes())) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "the spans do not arrive");
        thread::yield_now();
    }
}
