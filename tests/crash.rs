//! The process dies in the middle of a post: what was answered is there, what was not is marked, nothing is half done.

use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{self, BRANCHES, sync};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Server;
use rollcall_tests::soak::target::{self, Measure};
use serde_json::json;

use crate::state::{counts, deliveries, encode, everything, feed_end, text, total};
use crate::{on_every_database, site, site_on};

/// How long it may take until a process that is gone is missed.
const PATIENCE: Duration = Duration::from_mins(3);

on_every_database!(kill_nine_in_the_middle_of_a_post_leaves_the_database_whole, what_was_answered_survives,);

fn kill_nine_in_the_middle_of_a_post_leaves_the_database_whole(kind: Kind) {
    let mut site = site_on(kind);
    site.config["limits"] = json!({"lease_seconds": 2});
    let server = site.start();
    let small = Payload::of(Size::SMALL);
    sync(&server, "north-school", &small);
    let (before, end) = (everything(&server, "north-reader"), feed_end(&server, "north-reader"));

    let large = Payload::of(Size::LARGE);
    let bytes = large.to_bytes();
    thread::scope(|scope| {
        let client = Client::clone(&server);
        let posting = scope.spawn(|| {
            let client = client;
            client.try_post(BRANCHES, &jusoor::headers("north-school"), &bytes).map(|answer| answer.status)
        });
        while deliveries(&server, "north-reader")[0]["status"] != "received" {
            assert!(!posting.is_finished(), "the post was answered before it was seen");
        }
        server.kill();
        assert!(posting.join().unwrap().is_err(), "the post was answered although its server was dead");
    });

    let server = site.start();
    assert!(site.stored().is_whole());
    until_interrupted(&server);
    let interrupted = deliveries(&server, "north-reader").remove(0);
    assert_eq!(text(&interrupted, "status"), "interrupted");
    assert_eq!(everything(&server, "north-reader"), before, "an unanswered post was applied");
    assert_eq!(feed_end(&server, "north-reader"), end);

    let answer = sync(&server, "north-school", &large);
    assert_eq!(counts(&answer, "class").0 + counts(&answer, "class").1 + counts(&answer, "class").2, 160);
    assert_eq!(total(&server, "north-reader", &format!("enrollments?filter={}", encode("status='active'"))), 5_760);
    let body = server.get(&format!("/api/v1/deliveries/{}/body", text(&interrupted, "id")), "north-reader");
    assert!(body.status == 200 && body.body == bytes, "the interrupted payload was lost");
}

fn what_was_answered_survives(kind: Kind) {
    let site = site_on(kind);
    let server = site.start();
    sync(&server, "north-school", &Payload::of(Size::SMALL));
    let before = everything(&server, "north-reader");
    server.kill();
    let server = site.start();
    assert_eq!(everything(&server, "north-reader"), before);
    assert_eq!(deliveries(&server, "north-reader")[0]["status"], "applied");
}

/// Waits until it is known that who was at the delivery is gone.
fn until_interrupted(server: &Server) {
    let start = Instant::now();
    while deliveries(server, "north-reader")[0]["status"] == "received" {
        assert!(start.elapsed() < PATIENCE, "nobody finds out that the process is gone");
    }
}

/// What `make soak` does for as long as one likes, for a moment.
const MOMENT: Measure = Measure { seed: 1, kills: 3, connections: 1, answers_max: 25 };

#[test]
fn nothing_acknowledged_is_lost_or_done_twice_whoever_dies() {
    println!("{}", target::sqlite(site, MOMENT));
}

#[test]
fn three_servers_lose_nothing_though_each_is_killed_and_postgresql_crashes() {
    println!("{}", target::processes(site, MOMENT).unwrap());
}

#[test]
fn nothing_is_lost_with_a_primary_that_a_standby_takes_over_from() {
    println!("{}", target::standby(site, Measure { kills: 2, ..MOMENT }).unwrap());
}
