//! What must hold in the end, whatever happened.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fleet::{self, Connection};
use super::ledger::{Acknowledged, Ledger, Sent};
use super::state::{self, State};
use super::subscriber::Notice;
use super::{Figures, PATIENCE, TENANTS};
use crate::client::Client;

/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(50);

/// Rows that are asked for at once.
const PAGE: usize = 1_000;

/// Differences that are told.
const DIFFERENCES: usize = 8;

/// A delivery as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Its id.
    pub(super) id: String,
    /// Where it stands.
    pub(super) status: String,
    /// What became of it.
    pub(super) report: Value,
    connection: String,
}

/// What is stored of each request of a connection, in their order.
pub(super) type Kept = (Connection, Vec<Option<Stored>>);

impl Stored {
    /// Whether it has had its effect, be it none.
    pub(super) fn is_to_be_repeated(&self) -> bool {
        ["applied", "unchanged", "rejected"].contains(&self.status.as_str())
    }

    fn is_open(&self) -> bool {
        ["received", "queued"].contains(&self.status.as_str())
    }
}

/// All deliveries that a server knows, by id.
pub(super) fn stored(client: &Client) -> HashMap<String, Stored> {
    let mut found = HashMap::new();
    for tenant in TENANTS {
        let mut before = String::new();
        loop {
            let path = format!("/api/v1/deliveries?limit={PAGE}{before}");
            let mut page = client.get_json(&path, &fleet::reader(tenant));
            for delivery in page["deliveries"].as_array_mut().into_iter().flatten() {
                let text = |member: &str| delivery[member].as_str().unwrap_or_default().to_owned();
                let (id, status) = (text("id"), text("status"));
                let connection = format!("{tenant}-{}", text("connection"));
                found.insert(id.clone(), Stored { id, status, connection, report: delivery["report"].take() });
            }
            let Some(next) = page["next"].as_str() else { break };
            before = format!("&before={next}");
        }
    }
    found
}

/// Waits until nothing waits to be worked on.
pub(super) fn settle(client: &Client) {
    let open = || stored(client).into_values().filter(Stored::is_open);
    until(|| open().map(|open| format!("{open:?} is worked on")).collect());
}

/// Waits until everybody who subscribed was told everything.
pub(super) fn until_told(client: &Client, ledgers: &[Ledger]) {
    let sends = |of: &Ledger| state::sends(client, &of.connection).into_values().flatten();
    let missing = || ledgers.iter().flat_map(sends).filter(|send| !send.is_taken);
    until(|| missing().map(|send| format!("{send:?} is taken")).collect());
}

/// What is stored is what was sent: all that was acknowledged, once each, and nothing that nobody sent. Says for each
/// request what is stored of it.
pub(super) fn of_deliveries(client: &Client, ledgers: &[Ledger], figures: &mut Figures) -> Vec<Kept> {
    let mut by_connection: HashMap<String, Vec<Stored>> = HashMap::new();
    for delivery in stored(client).into_values() {
        by_connection.entry(delivery.connection.clone()).or_default().push(delivery);
    }
    let of = |ledger: &Ledger| {
        let connection = &ledger.connection;
        let found = by_connection.remove(&connection.credential()).unwrap_or_default();
        (connection.clone(), of_connection(client, ledger, found, figures))
    };
    ledgers.iter().map(of).collect()
}

fn of_connection(client: &Client, ledger: &Ledger, found: Vec<Stored>, figures: &mut Figures) -> Vec<Option<Stored>> {
    let connection = &ledger.connection;
    let mut by_body: HashMap<Vec<u8>, Stored> = HashMap::new();
    for delivery in found {
        let body = client.get(&format!("/api/v1/deliveries/{}/body", delivery.id), &connection.reader());
        assert_eq!(body.status, 200, "the body of {delivery:?} is lost: {}", body.text());
        let other = by_body.insert(body.body, delivery.clone());
        assert!(other.is_none(), "one request is stored as {delivery:?} and as {other:?}");
    }
    let stored: Vec<_> = ledger.sent.iter().map(|sent| by_body.remove(&sent.request.body)).collect();
    assert!(by_body.is_empty(), "nobody sent {:?}", by_body.into_values().next());
    let mut last = String::new();
    for (sent, stored) in ledger.sent.iter().zip(&stored) {
        figures.sent += 1;
        of_request(sent, stored.as_ref(), figures);
        // Ids tell milliseconds; what several servers do within one has no order.
        let time = stored.iter().map(|stored| stored.id[..13].to_owned()).next();
        let is_in_order = time.as_ref().is_none_or(|time| *time >= last);
        assert!(is_in_order, "{} {stored:?} comes before what was sent earlier", connection.name);
        last = time.unwrap_or(last);
    }
    stored
}

fn of_request(sent: &Sent, stored: Option<&Stored>, figures: &mut Figures) {
    let Some(acknowledged) = &sent.acknowledged else {
        match stored {
            Some(stored) if stored.is_to_be_repeated() => figures.applied_unasked += 1,
            Some(_) => figures.interrupted += 1,
            None => {}
        }
        return;
    };
    figures.acknowledged += 1;
    let Acknowledged { status, delivery } = acknowledged;
    let stored = stored.unwrap_or_else(|| panic!("{delivery} was answered with {status}, and is lost"));
    assert_eq!(stored.id, *delivery, "the answer names another delivery");
    let expected: &[_] = match status {
        ..300 => &["applied", "unchanged"],
        // A database that crashes may forget why something had no effect; that it had none it cannot.
        _ if !figures.others.is_empty() => &["rejected", "interrupted"],
        _ => &["rejected"],
    };
    assert!(expected.contains(&stored.status.as_str()), "it was answered with {status}: {stored:?}");
}

/// All subscribers were told everything: of one record in order, and nothing that did not happen. Says how much that was,
/// and how much of it more than once.
pub(super) fn of_sends(state: &State, notices: &[Notice]) -> (usize, usize) {
    let mut counts = (0, 0);
    for (path, sends) in &state.sends {
        let heard: Vec<_> = notices.iter().filter(|notice| notice.path == *path).collect();
        for notice in &heard {
            assert!(sends.iter().any(|send| send.id == notice.id), "{path} was told {notice:?}, which did not happen");
        }
        let mut last: HashMap<&str, &str> = HashMap::new();
        for send in sends {
            let first = heard.iter().position(|notice| notice.id == send.id);
            let first = first.unwrap_or_else(|| panic!("{path} was not told {send:?}"));
            if let Some(before) = last.insert(&send.record, &send.id) {
                let is_told = |notice: &&Notice| notice.was_taken && notice.id == before;
                assert!(heard[..first].iter().copied().any(|notice| is_told(&notice)), "{send:?} overtakes {before}");
            }
            let taken = heard.iter().filter(|notice| notice.was_taken && notice.id == send.id).count();
            assert!(taken > 0, "{path} did not take {send:?}");
            counts.0 += 1;
            counts.1 += usize::from(taken > 1);
        }
    }
    counts
}

/// What can be read is what can be read where the same was posted and nobody was killed.
pub(super) fn of_state(found: &State, expected: &State) {
    let mut differences = Vec::new();
    for (place, row) in &found.rows {
        match expected.rows.get(place) {
            Some(other) if other == row => {}
            other => differences.push(format!("{place}\n  is     {row}\n  not    {other:?}")),
        }
    }
    let missing = expected.rows.iter().filter(|(place, _)| !found.rows.contains_key(*place));
    differences.extend(missing.map(|(place, row)| format!("{place}\n  is missing: {row}")));
    let (count, first) = (differences.len(), differences.iter().take(DIFFERENCES).cloned().collect::<Vec<_>>());
    assert!(differences.is_empty(), "{count} differences to a rebuilt database:\n{}", first.join("\n"));
}

/// Waits until nothing is awaited any more; as long as it becomes less, however slowly.
fn until(awaited: impl Fn() -> Vec<String>) {
    let (mut least, mut since) = (usize::MAX, Instant::now());
    loop {
        let left = awaited();
        let Some(what) = left.first() else { return };
        if left.len() < least {
            (least, since) = (left.len(), Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "it is waited in vain until {what}, and for {} more", left.len() - 1);
        thread::park_timeout(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::ledger::{Acknowledged, Sent};
    use super::super::script::Request;
    use super::super::state::{Send, State};
    use super::super::subscriber::Notice;
    use super::{Figures, Stored, of_request, of_sends, of_state};

    fn state(rows: &[(&str, i64)], sends: &[(&str, &str)]) -> State {
        let send = |(id, record): &(&str, &str)| Send::new(id, record);
        let sends = BTreeMap::from([("/hook".to_owned(), sends.iter().map(send).collect())]);
        let rows = rows.iter().map(|(place, value)| ((*place).to_owned(), json!(value))).collect();
        State { rows, sends }
    }

    fn notices(heard: &[(&str, bool)]) -> Vec<Notice> {
        let notice = |(id, was_taken): &(&str, bool)| Notice {
            path: "/hook".to_owned(),
            id: (*id).to_owned(),
            was_taken: *was_taken,
        };
        heard.iter().map(notice).collect()
    }

    #[test]
    fn what_is_told_again_before_the_server_knows_that_it_was_taken_is_counted() {
        let state = state(&[], &[("1", "a"), ("2", "b"), ("3", "a")]);
        let heard = [("2", true), ("1", false), ("1", true), ("1", true), ("3", true)];
        assert_eq!(of_sends(&state, &notices(&heard)), (3, 1));
    }

    #[test]
    fn what_subscribers_must_not_hear_is_noticed() {
        for (wrong, heard) in [
            ("was not told", vec![("1", true)]),
            ("did not take", vec![("1", true), ("2", false)]),
            ("overtakes 1", vec![("1", false), ("2", true), ("1", true)]),
            ("did not happen", vec![("1", true), ("2", true), ("3", true)]),
        ] {
            let found = panic_of(move || _ = of_sends(&state(&[], &[("1", "a"), ("2", "a")]), &notices(&heard)));
            assert!(found.contains(wrong), "{wrong}: {found}");
        }
    }

    #[test]
    fn what_differs_is_noticed() {
        let rows = [("a", 1), ("b", 2)];
        of_state(&state(&rows, &[]), &state(&rows, &[]));
        for (other, place) in [(&rows[..1], "b"), (&[("a", 1), ("b", 3)], "b"), (&[("a", 1), ("b", 2), ("c", 3)], "c")]
        {
            let other = other.to_vec();
            let found = panic_of(move || of_state(&state(&rows, &[]), &state(&other, &[])));
            assert!(found.contains(&format!(":\n{place}\n")), "{found}");
        }
    }

    #[test]
    fn what_was_acknowledged_and_is_not_as_was_said_is_noticed() {
        let stored = |id: &str, status: &str| {
            let (id, status) = (id.to_owned(), status.to_owned());
            Some(Stored { id, status, report: Value::Null, connection: String::new() })
        };
        for (wrong, status, stored) in [
            ("is lost", 200, None),
            ("names another", 200, stored("2", "applied")),
            ("answered with 200", 200, stored("1", "interrupted")),
            ("answered with 422", 422, stored("1", "applied")),
        ] {
            let acknowledged = Some(Acknowledged { status, delivery: "1".to_owned() });
            let sent = Sent { request: Request::post("/", &Value::Null), acknowledged };
            let found = panic_of(move || of_request(&sent, stored.as_ref(), &mut Figures::default()));
            assert!(found.contains(wrong), "{wrong}: {found}");
        }
    }

    fn panic_of(wrong: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = std::panic::catch_unwind(wrong).expect_err("it is not noticed");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }
}
