//! A client that sends one request after the other, to whichever server is there, and never sends the same one again: a
//! request that is not answered may have been taken, and nobody can tell from outside.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;

use super::fleet::{Connection, Fleet};
use super::ledger::{Acknowledged, Ledger, Sent};
use super::script::{Request, Script};
use crate::client::{Answer, Client};

/// How long a client waits that was not answered.
const PAUSE: Duration = Duration::from_millis(20);

/// A client.
pub(super) struct Sender {
    script: Box<dyn Script>,
    rng: Rng,
    ledger: Ledger,
}

impl Sender {
    /// A client of `connection`, which subscribes at `subscriber` where its partner lets it.
    pub(super) fn new(connection: Connection, subscriber: SocketAddr, seed: u64) -> Self {
        let script = (connection.partner.script)(&connection, subscriber);
        Self { script, rng: Rng::with_seed(seed), ledger: Ledger { connection, sent: Vec::new() } }
    }

    /// Sends until that has to end, as long as there are fewer answers than there may be, and counts them.
    pub(super) fn send(mut self, fleet: &Fleet, answers: &AtomicUsize, answers_max: &AtomicUsize) -> Ledger {
        while !fleet.has_ended(Duration::ZERO) {
            let may_send = answers.load(Ordering::Relaxed) < answers_max.load(Ordering::Relaxed);
            let Some(client) = fleet.any(self.rng.usize(..)).filter(|_| may_send) else {
                fleet.has_ended(PAUSE);
                continue;
            };
            let request = self.script.next(&mut self.rng);
            let acknowledged = self.call(&client, &request);
            if acknowledged.is_some() {
                answers.fetch_add(1, Ordering::Relaxed);
            } else {
                fleet.has_ended(PAUSE);
            }
            self.ledger.sent.push(Sent { request, acknowledged });
        }
        self.ledger
    }

    fn call(&mut self, client: &Client, request: &Request) -> Option<Acknowledged> {
        let answer = request.send(client, &self.ledger.connection).ok()?;
        if answer.status >= 500 || answer.status == 429 {
            return None;
        }
        let delivery = answer.header("rollcall-delivery").to_owned();
        let Answer { status, .. } = answer;
        assert!(!delivery.is_empty(), "{} is answered with {status}, and no delivery: {}", request.path, answer.text());
        self.script.learn(request, &answer);
        Some(Acknowledged { status, delivery })
    }
}
