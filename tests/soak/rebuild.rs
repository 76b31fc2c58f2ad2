//! Posts what one database holds to another one: all that was not interrupted, of each connection in its order.

use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::fleet::Connection;
use super::ledger::{Ledger, Sent};
use super::verdict::{Kept, Stored, settle, stored};
use crate::client::Client;

/// How long it waits with what is not taken now.
const PAUSE: Duration = Duration::from_millis(20);

/// Posts what is stored, bytes as they are stored; says what became of each there.
pub(super) fn post(client: &Client, ledgers: &[Ledger], kept: &[Kept]) -> Vec<Kept> {
    let ids: Vec<Vec<_>> = thread::scope(|scope| {
        let posting = ledgers.iter().zip(kept).map(|(ledger, (connection, kept))| {
            scope.spawn(move || {
                let each = ledger.sent.iter().zip(kept);
                each.map(|(sent, kept)| repeat(client, connection, sent, kept.as_ref()?)).collect()
            })
        });
        let posting: Vec<_> = posting.collect();
        posting.into_iter().map(|posting| posting.join().expect("what was taken once is taken again")).collect()
    });
    settle(client);
    let found = stored(client);
    let of = |connection: &Connection, ids: Vec<Option<String>>| {
        let became = |id: String| found.get(&id).unwrap_or_else(|| panic!("{id} is not there")).clone();
        (connection.clone(), ids.into_iter().map(|id| id.map(became)).collect())
    };
    ids.into_iter().zip(kept).map(|(ids, (connection, _))| of(connection, ids)).collect()
}

/// Posts it once more; says which delivery it is now.
fn repeat(client: &Client, connection: &Connection, sent: &Sent, kept: &Stored) -> Option<String> {
    if !kept.is_to_be_repeated() {
        return None;
    }
    let start = Instant::now();
    loop {
        let answer = sent.request.send(client, connection).expect("the server is there");
        if [429, 503].contains(&answer.status) {
            assert!(start.elapsed() < PATIENCE, "{} is never taken", sent.request.path);
            thread::park_timeout(PAUSE);
            continue;
        }
        let before = sent.acknowledged.as_ref().map_or(answer.status, |before| before.status);
        let body = String::from_utf8_lossy(&sent.request.body);
        assert_eq!(answer.status, before, "{} {body}: {}", sent.request.path, answer.text());
        return Some(answer.header("rollcall-delivery").to_owned());
    }
}
