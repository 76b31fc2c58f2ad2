//! A database that is slow, in use, used up, silent, cut off or full costs nothing that was acknowledged: calls are refused
//! with the time to come again, `/readyz` and the log say why, nothing is waited for without end, and all goes on by
//! itself.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollcall_test_cluster::{Cluster, Settings};
use rollcall_tests::client::{Answer, Client};
use rollcall_tests::database::{Database, Kind};
use rollcall_tests::proxy::Proxy;
use rollcall_tests::site::{Server, Site};
use serde_json::{Value, json};

use crate::receiving::{PARTNER, send, site, with_options};
use crate::site_of;
use crate::state::deliveries;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The database works, says the log.
const OVER: &str = "the database works again";

/// What a server waits for: long enough for a busy machine, short enough for a test.
fn patience() -> Value {
    json!({
        "acquire_timeout_ms": 4_000, "statement_timeout_ms": 4_000, "answer_timeout_ms": 10_000, "work_timeout_ms": 30_000,
    })
}

/// On PostgreSQL.
fn postgres() -> Site {
    let mut site = with_options(site_of(Kind::Postgres, PARTNER));
    site.config["postgres"] = patience();
    site
}

/// The same, through a line that may fail.
fn through_a_line() -> (Site, Proxy) {
    let mut site = postgres();
    let (line, url) = Proxy::to(&site.stored().url());
    site.config["database_url"] = json!(url);
    (site, line)
}

#[test]
fn a_database_that_says_nothing_any_more_is_not_waited_for_without_end() {
    let (site, line) = through_a_line();
    let server = site.start();
    assert_eq!(send(&server, 1, 0).status, 200);
    line.say_nothing();
    is_refused(&send(&server, 2, 0));
    until_it_says(&server, "the database cannot be reached");
    line.pass();
    goes_on(&server);
    assert_eq!(send(&server, 3, 0).status, 200);
    let kept = deliveries(&server, "north-reader").len();
    // What was not answered may have arrived when it was passed on at last.
    assert!(kept == 2 || kept == 3, "{kept} are kept");
    is_told_once(&server, "the database cannot be reached");
}

#[test]
fn a_database_that_hangs_up_on_everybody_is_found_again() {
    let (site, line) = through_a_line();
    let server = site.start();
    assert_eq!(send(&server, 1, 0).status, 200);
    line.cut();
    is_refused(&send(&server, 2, 0));
    until_it_says(&server, "the database cannot be reached");
    is_refused(&send(&server, 3, 0));
    line.pass();
    goes_on(&server);
    assert_eq!(send(&server, 4, 0).status, 200);
    assert_eq!(deliveries(&server, "north-reader").len(), 2);
    is_told_once(&server, "the database cannot be reached");
}

#[test]
fn what_others_keep_locked_is_waited_for_as_long_as_a_statement_may_take() {
    let site = postgres();
    let server = site.start();
    assert_eq!(send(&server, 1, 0).status, 200);
    thread::scope(|scope| {
        let lock = Lock::take(scope, &site, "lock table delivery in exclusive mode");
        is_refused(&send(&server, 2, 0));
        until_told(&server, "the database is too busy", 1);
        lock.release();
    });
    until("it takes messages again", || send(&server, 3, 0).status == 200);
    assert_eq!(deliveries(&server, "north-reader").len(), 2);
}

#[test]
fn what_was_acknowledged_is_never_given_up_for_the_databases_trouble() {
    let mut site = postgres();
    site.config["limits"] = json!({"queued_attempts_max": 1});
    site.config["postgres"]["statement_timeout_ms"] = json!(2_000);
    let server = site.start();
    thread::scope(|scope| {
        let lock = Lock::take(scope, &site, "select 1 from connection for update");
        assert_eq!(send(&server, 1, 0).status, 200, "it is only worked on later");
        until_told(&server, "the database is too busy", 2);
        lock.release();
    });
    until("it was worked on", || deliveries(&server, "north-reader")[0]["status"] != "queued");
    let [delivery] = <[_; 1]>::try_from(deliveries(&server, "north-reader")).unwrap();
    assert_eq!(delivery["status"], "applied", "{delivery}");
}

#[test]
fn more_calls_than_connections_are_refused_and_the_next_ones_are_served() {
    let mut site = postgres();
    site.config["postgres"]["connections_max"] = json!(1);
    let server = site.start();
    thread::scope(|scope| {
        let lock = Lock::take(scope, &site, "lock table delivery in exclusive mode");
        let sending = (0..8).map(|nth| {
            let client = Client::clone(&server);
            scope.spawn(move || send(&client, nth, 0))
        });
        for answer in sending.collect::<Vec<_>>() {
            is_refused(&answer.join().unwrap());
        }
        lock.release();
    });
    until("it takes messages again", || send(&server, 9, 0).status == 200);
    goes_on(&server);
    assert_eq!(deliveries(&server, "north-reader").len(), 1);
}

#[test]
fn a_database_that_takes_no_more_connections_is_waited_for() {
    let mut site = postgres();
    let name = site.stored().texts("select current_database()::text").remove(0);
    // Whoever may do everything is always let in.
    site.stored().execute(&format!(
        "create role {name} login password 'hub'; alter database {name} owner to {name}; \
         grant all on schema public to {name}"
    ));
    let url = site.stored().url();
    let (_, host) = url.split_once('@').unwrap();
    site.config["database_url"] = json!(format!("postgres://{name}:hub@{host}"));
    let allow = |connections: i32| {
        site.stored().execute(&format!("alter role {name} connection limit {connections}"));
        if connections == 0 {
            let own = format!("select pg_terminate_backend(pid)::text from pg_stat_activity where usename = '{name}'");
            site.stored().texts(&own);
        }
    };
    let server = site.start();
    assert_eq!(send(&server, 1, 0).status, 200);
    allow(0);
    until("it refuses", || send(&server, 2, 0).status == 503);
    until_it_says(&server, "the database is too busy");
    allow(-1);
    goes_on(&server);
    assert_eq!(send(&server, 3, 0).status, 200);
    assert_eq!(deliveries(&server, "north-reader").len(), 2);
    server.kill();
    let forget = format!("reassign owned by {name} to current_user; drop owned by {name}; drop role {name}");
    site.stored().execute(&forget);
}

#[test]
fn a_file_that_may_not_grow_ends_no_process() {
    let site = site();
    let server = site.start();
    let limit = |bytes: &str| {
        let pid = server.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().unwrap();
        assert!(set.success(), "the limit was not set");
    };
    let mut kept = 0;
    limit(&(8 << 20).to_string());
    let refused = loop {
        let answer = send(&server, kept, 100_000);
        if answer.status != 200 {
            break answer;
        }
        kept += 1;
        assert!(kept < 1_000, "the limit does not hold");
    };
    is_refused(&refused);
    until("it says so", || server.get("/readyz", "").status == 503);
    limit("unlimited");
    goes_on(&server);
    assert_eq!(send(&server, 5_000, 100_000).status, 200);
    assert_eq!(deliveries(&server, "north-reader").len() as u64, kept + 1);
}

#[test]
fn a_database_may_be_reached_over_tls_alone() {
    let certified = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
    };
    let (certificate, key) = certified("127.0.0.1");
    let (other, _) = certified("127.0.0.1");
    let cluster = Cluster::start(&Settings {
        fsync: false,
        lines: vec!["ssl = on".to_owned()],
        files: vec![("server.crt".to_owned(), certificate.clone()), ("server.key".to_owned(), key)],
        ..Settings::default()
    });
    let (cluster, mut site) = (cluster.unwrap(), site());
    let database = cluster.database().unwrap();
    let trusted = |name: &str, certificate: &str| {
        let path = site.path().join(name);
        std::fs::write(&path, certificate).unwrap();
        format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), path.display())
    };
    let (right, wrong) = (trusted("right.pem", &certificate), trusted("wrong.pem", &other));
    for url in [format!("{}?sslmode=require", database.url()), right] {
        site.config["database_url"] = json!(url);
        let server = site.start();
        assert_eq!(send(&server, 1, 0).status, 200);
        let open = "select distinct s.ssl::text from pg_stat_ssl s join pg_stat_activity a using (pid) \
                    where a.application_name = 'rollcall'";
        assert_eq!(database.texts(open).unwrap(), ["true"]);
        server.kill();
    }
    site.config["database_url"] = json!(wrong);
    let said = site.start_expecting_failure();
    assert!(said.contains("certificate") && !said.contains(cluster.password()), "{said}");
}

/// Bytes as files of certificates and keys hold them.
fn pem(what: &str, bytes: &[u8]) -> String {
    let digits = STANDARD.encode(bytes);
    let lines: Vec<_> =
        digits.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("digits are text")).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

/// Something that is locked in a database, until it is released.
struct Lock<'l> {
    database: &'l rollcall_test_cluster::Database,
}

impl<'l> Lock<'l> {
    /// Locks something, in a session of its own.
    fn take<'s>(scope: &'s thread::Scope<'s, 'l>, site: &'l Site, sql: &'static str) -> Self {
        let Database::Postgres(database) = site.stored() else { panic!("only PostgreSQL has sessions") };
        let keep = format!("begin; {sql}; set application_name = 'keeper'; select pg_sleep(600)");
        scope.spawn(move || drop(database.execute(&keep))); // it is ended
        let lock = Self { database };
        until("it is locked", || !lock.sessions("pid::text").is_empty());
        lock
    }

    fn sessions(&self, what: &str) -> Vec<String> {
        let sessions = format!(
            "select {what} from pg_stat_activity where datname = current_database() and application_name = 'keeper'"
        );
        self.database.texts(&sessions).expect("the statement is right")
    }

    fn release(self) {
        self.sessions("pg_terminate_backend(pid)::text");
    }
}

/// Refused, in the partner's shape and language, and told when to come again.
#[track_caller]
fn is_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{}", answer.text());
    assert_eq!(answer.json()["message"], "Serviço indisponível, tente mais tarde", "{}", answer.text());
}

#[track_caller]
fn until_it_says(server: &Server, trouble: &str) {
    until(trouble, || {
        let ready = server.get("/readyz", "");
        ready.status == 503 && ready.json()["detail"] == trouble
    });
}

/// Ready again, by itself.
#[track_caller]
fn goes_on(server: &Server) {
    until("it is ready again", || server.get("/readyz", "").status == 200);
    until("messages are taken again", || server.get("/healthz", "").status == 200 && told(server, OVER) > 0);
}

fn told(server: &Server, what: &str) -> usize {
    server.log().lines().filter(|line| line.contains(what)).count()
}

#[track_caller]
fn until_told(server: &Server, what: &str, times: usize) {
    until(what, || told(server, what) >= times);
}

/// When it began, and when it was over; not for each who suffered from it.
#[track_caller]
fn is_told_once(server: &Server, what: &str) {
    assert_eq!((told(server, what), told(server, OVER)), (1, 1), "{}", server.log());
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it takes too long until {what}");
        thread::yield_now();
    }
}
