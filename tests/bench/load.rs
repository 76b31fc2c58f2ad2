//! Single records under load: the same routes of both programs, called by 64 clients at once, in turn.
//!
//! Labels are what is asked for: they refer to nothing, so that both programs do the same but for what Rollcall keeps and
//! maps beside. The clients are as plain as can be, a socket and a thread each, so that what is measured is the server. Each waits for
//! its answer before it asks again.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rollcall_tests::site::{Site, digest};
use serde_json::json;

use crate::figures::{Figures, Measure};
use crate::rounds::Peer;

/// What lets the clients in.
const TOKEN: &str = "bench";

/// Clients at the same time.
const CLIENTS: u64 = 64;

/// How many records are made; a sixth of them is chosen by the filter.
const MADE: u64 = 6_000;

/// How often one record is asked for.
const SHOWN: u64 = 20_000;

/// How often a page of 100 records is asked for, chosen by a filter.
const LISTED: u64 = 6_000;

/// What labels are for, and how the filter chooses them.
const MODELS: [&str; 6] = ["Account", "Lead", "Order", "Teacher", "User", "Catalog::Product"];

/// What was measured of one route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Milliseconds within which 99 of 100 answers came.
    pub(crate) p99: f64,
}

/// One request, as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    /// What it is answered with where all is well.
    pub(crate) status: u16,
}

/// Measures all routes of both programs in turn, each from a fresh start.
pub(crate) fn of_records(figures: &mut Figures) {
    let site = site();
    let server = site.start();
    let peer = Peer::start(&site);
    let rollcall = |count, ask: fn(&str, u64) -> Asked| {
        load(server.address(), TOKEN, CLIENTS, count, |number| ask("/eduframe", number))
    };
    let other =
        |count, ask: fn(&str, u64) -> Asked| load(peer.address(), TOKEN, CLIENTS, count, |number| ask("", number));
    let measures = [
        (MADE, make as fn(&str, u64) -> Asked, Measure::Made, Measure::PeerMade),
        (SHOWN, show, Measure::Shown, Measure::PeerShown),
        (LISTED, list, Measure::Listed, Measure::PeerListed),
    ];
    for (count, ask, own, peers) in measures {
        figures.loaded(peers, other(count, ask));
        figures.loaded(own, rollcall(count, ask));
    }
}

/// Where records are asked for one by one.
fn site() -> Site {
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), "eduframe");
    site.config["tenants"] = json!({"north": {"connections": {"school": {
        "partner": "eduframe",
        "credentials": [digest(TOKEN)],
        "options": {
            "slug": "bench",
            "tenant_id": "5b0c4c1e-6a3d-4a52-9a57-0d6f4f2b8a11",
            "name": "Bench Academy",
            "website_url": "https://bench.example",
            "currency": "EUR",
            "user_id": 1,
        },
    }}}});
    site.config["limits"] = json!({"calls_per_second_max": 1_000_000, "calls_burst_max": 1_000_000});
    site
}

fn make(base: &str, number: u64) -> Asked {
    let model = MODELS[usize::try_from(number % 6).unwrap_or_default()];
    let body = format!(r##"{{"name": "Label {number}", "color": "#aa0011", "model_type": "{model}"}}"##);
    Asked { method: "POST", path: format!("{base}/api/v1/labels"), body, status: 201 }
}

fn show(base: &str, number: u64) -> Asked {
    let path = format!("{base}/api/v1/labels/{}", 1 + number % MADE);
    Asked { method: "GET", path, body: String::new(), status: 200 }
}

fn list(base: &str, number: u64) -> Asked {
    let page = 1 + number % (MADE / 600);
    let path = format!("{base}/api/v1/labels?model_type=Lead&per_page=100&page={page}");
    Asked { method: "GET", path, body: String::new(), status: 200 }
}

/// Has so many clients together ask `address` (`http://127.0.0.1:8080`) `count` times what `ask` makes of the numbers from 0.
pub(crate) fn load(address: &str, token: &str, clients: u64, count: u64, ask: impl Fn(u64) -> Asked + Sync) -> Load {
    let host = address.strip_prefix("http://").expect("it is an address");
    let number = AtomicU64::new(0);
    let begin = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(host);
                    let mut times = Vec::new();
                    while let Some(asked) =
                        Some(number.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < count).map(&ask)
                    {
                        let start = Instant::now();
                        client.ask(host, token, &asked);
                        times.push(start.elapsed());
                    }
                    times
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client never fails")).collect()
    });
    let lasted = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a figure in a table")]
    let per_second = times.len() as f64 / lasted;
    Load { per_second, p99 }
}

/// A client that keeps its connection.
struct Client {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    fn connect(host: &str) -> Self {
        let stream = TcpStream::connect(host).expect("the server listens");
        stream.set_nodelay(true).expect("it is a socket");
        Self { stream: BufReader::new(stream), line: String::new(), body: Vec::new() }
    }

    fn ask(&mut self, host: &str, token: &str, asked: &Asked) {
        let Asked { method, path, body, status } = asked;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
             x-api-key: {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the server reads");
        let first = self.next_line();
        assert!(first.contains(&format!(" {status} ")), "{method} {path}: {first}");
        let mut length = 0;
        loop {
            let line = self.next_line();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length is a number");
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).expect("the body is whole");
    }

    fn next_line(&mut self) -> String {
        self.line.clear();
        self.stream.read_line(&mut self.line).expect("the server answers");
        self.line.trim_end().to_owned()
    }
}
