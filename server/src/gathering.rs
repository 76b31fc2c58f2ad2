//! Turns calls about single records that wait for the same connection into one turn: some of them are worked on one
//! after the other by one thread, share a transaction, and wait for the disk together.
//!
//! Each stays a delivery of its own, with an answer of its own, and sees what those before it did: what is wrong with one
//! costs no other. What is saved is what lies between them: to hand over a turn, to wake a thread and to write the same
//! pages to the log again took longer than the work itself. Nobody waits for others to come; what comes while some are
//! worked on makes up the next turn, which has to be waited for like any other.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use rollcall_core::delivery::Received;
use rollcall_core::ingest::{IngestError, Loaded, Written};
use rollcall_core::store::{ConnectionName, Fate};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Span};

use crate::access::Connection;
use crate::app::App;
use crate::metrics::{self, Stage};
use crate::panic;
use crate::problem::Problem;
use crate::turn::Place;
use crate::worker::blocking;

/// The calls that wait, by connection. There is a line only where somebody is about to take the turn for it.
#[derive(Debug, Default)]
pub struct Gathering(Mutex<HashMap<ConnectionName, VecDeque<Waiting>>>);

/// A call about single records.
#[derive(Debug)]
pub struct Call {
    /// Who calls.
    pub from: Arc<Connection>,
    /// The partner's version that the call is answered by.
    pub loaded: Arc<Loaded>,
    /// The operation, by its place among the partner's.
    pub operation: usize,
    /// What was received.
    pub received: Received,
}

/// A call that waits for its turn.
#[derive(Debug)]
struct Waiting {
    call: Call,
    since: Instant,
    span: Span,
    place: Place,
    told: oneshot::Sender<Result<Written, Problem>>,
}

/// A call that was worked on.
#[derive(Debug)]
struct Done {
    written: Result<Written, Problem>,
    /// What becomes of what it wrote.
    fate: Fate,
    told: oneshot::Sender<Result<Written, Problem>>,
}

impl Gathering {
    /// Lets a call wait; whether somebody has to take the turn for it.
    fn join(&self, name: ConnectionName, waiting: Waiting) -> bool {
        let mut lines = self.lines();
        let is_first = !lines.contains_key(&name);
        lines.entry(name).or_default().push_back(waiting);
        is_first
    }

    /// Those whose turn it is, in the order of their arrival; whether there are more, for whom the turn has to be taken again.
    fn next(&self, name: &ConnectionName, most: usize) -> (Vec<Waiting>, bool) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(name) else { return (Vec::new(), false) };
        let calls = line.drain(..line.len().min(most.max(1))).collect();
        let are_more = !line.is_empty();
        if !are_more {
            lines.remove(name);
        }
        (calls, are_more)
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<ConnectionName, VecDeque<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what a call says when it is its turn, and waits until that survives a power cut. Whoever leaves before its turn has
/// come is not worked on. A problem names the delivery only where it may have been kept: not of a call that was lost with the
/// transaction that it shared.
pub async fn write(app: &Arc<App>, call: Call) -> Result<Written, Problem> {
    let sender = &call.from.sender;
    let place = app.turns.enter(&sender.tenant, &sender.connection);
    let place = place.map_err(|busy| Problem::unavailable("busy", busy.to_string()))?;
    let name = (sender.tenant.clone(), sender.connection.clone());
    let partner = call.loaded.partner.name.clone();
    let (told, is_told) = oneshot::channel();
    let waiting = Waiting { call, since: Instant::now(), span: Span::current(), place, told };
    if app.gathering.join(name.clone(), waiting) {
        tokio::spawn(take_turns(Arc::clone(app), name, partner));
    }
    is_told.await.map_err(|_| Problem::fault("nobody worked on the call"))?
}

/// Takes the connection's turn for those who wait, as long as there are any.
async fn take_turns(app: Arc<App>, name: ConnectionName, partner: String) {
    let most = app.ingest.limits.calls_together_max;
    let mut are_more = true;
    while are_more {
        let turn = app.turns.next(&name.0, &name.1, &partner).await;
        let calls;
        (calls, are_more) = app.gathering.next(&name, most);
        let (done, is_done) = mpsc::channel(calls.len().max(1));
        tokio::spawn(tell(Arc::clone(&app), is_done));
        let work = {
            let app = Arc::clone(&app);
            async move {
                let Ok(_turn) = turn else { return }; // whoever waits is told so
                for waiting in calls.into_iter().filter(|waiting| !waiting.told.is_closed()) {
                    done.send(waiting.work(&app).await).await.ok(); // there is a place for each
                }
            }
        };
        if let Err(message) = blocking(work).await {
            tracing::error!("working on calls panicked: {message}");
        }
    }
}

/// Tells what became of the calls of a turn when it is on the disk: of all of them together, or, where the next ones take
/// long, of those that are done.
async fn tell(app: Arc<App>, mut is_done: mpsc::Receiver<Done>) {
    let patience = Duration::from_millis(app.ingest.limits.call_wait_milliseconds_max);
    while let Some(first) = is_done.recv().await {
        let mut all = vec![first];
        let others = async {
            while let Some(done) = is_done.recv().await {
                all.push(done);
            }
        };
        timeout(patience, others).await.ok();
        let are_synced = app.ingest.synced().await.is_ok();
        for done in all {
            // Each error is one call's. Where it works after all, what waited is on the disk with it.
            let synced = if are_synced { Ok(()) } else { app.ingest.synced().await };
            done.tell(synced);
        }
    }
}

impl Done {
    fn tell(self, synced: Result<(), IngestError>) {
        let Self { written, fate, told } = self;
        let kept = synced.and_then(|()| fate.lost().map_or(Ok(()), |lost| Err(lost.into())));
        drop(told.send(written.and_then(|written| Ok(kept.map(|()| written)?)))); // whoever has left does not need to know
    }
}

impl Waiting {
    /// Works on the call; a panic is its alone.
    async fn work(self, app: &Arc<App>) -> Done {
        let Self { call, since, span, place, told } = self;
        let fate = Fate::default();
        let work = AssertUnwindSafe(call.work(app, since, fate.clone())).catch_unwind().instrument(span);
        let written = work
            .await
            .unwrap_or_else(|payload| Err(Problem::fault(format!("the work panicked: {}", panic::words(&*payload)))));
        drop(place);
        Done { written, fate, told }
    }
}

impl Call {
    async fn work(self, app: &App, since: Instant, fate: Fate) -> Result<Written, Problem> {
        let Self { from, loaded, operation, received } = self;
        let (sender, partner, id) = (&from.sender, &loaded.partner.name, received.id);
        metrics::stage(sender, partner, Stage::Wait, since.elapsed());
        Span::current().record("delivery", tracing::field::display(id));
        let start = Instant::now();
        let answering = app.hands.answer(id);
        let _working = metrics::in_progress(partner);
        let operation = &loaded.partner.operations[operation];
        let written = app.ingest.write_with_others(sender, &loaded, operation, received, fate).await;
        let written = written.map_err(|error| Problem::from(error).kept_as(Some(id)))?;
        answering.end();
        metrics::stage(sender, partner, Stage::Ingest, start.elapsed());
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use rollcall_core::delivery::Status;
    use serde_json::json;

    use crate::fixture::{PARTNER, Server, Site, TENANT};

    /// What a call that makes a record is about, and the status that it is answered with.
    const CALLS: [(&str, u16); 7] = [
        (r#"{"name": "North", "short": "N"}"#, 201),
        (r#"{"name": "South", "short": "N"}"#, 422),
        (r#"{"name": "South", "short": "S"}"#, 201),
        ("{", 400),
        (r#"{"name": "Child", "parent": 1}"#, 201),
        (r#"{"name": "Child", "parent": 77}"#, 422),
        (r#"{"name": "East"}"#, 201),
    ];

    async fn server(calls_together_max: usize) -> Server {
        let mut site = Site::of_records();
        site.config.limits.calls_together_max = calls_together_max;
        site.start().await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_that_wait_together_see_what_those_before_did_and_are_answered_each_for_itself() {
        for together in [1, 3, 16] {
            let server = server(together).await;
            let turn = server.app.turns.take(TENANT, "school", PARTNER).await.unwrap();
            let path = format!("/{PARTNER}/orgs");
            let replies = join_all(CALLS.map(|(body, _)| server.call("POST", &path, "school", body)));
            let wait = async {
                while server.app.gathering.lines().values().map(std::collections::VecDeque::len).sum::<usize>()
                    < CALLS.len()
                {
                    tokio::task::yield_now().await;
                }
                drop(turn);
            };
            let (replies, ()) = futures_util::join!(replies, wait);
            for (reply, (body, status)) in replies.iter().zip(CALLS) {
                assert_eq!(reply.status, status, "{body}, {together} together: {}", reply.body);
                let stored = server.delivery(reply.delivery.unwrap()).await.status;
                assert_eq!(stored, if status == 201 { Status::Applied } else { Status::Rejected }, "{body}");
            }
            let ids: Vec<_> = replies.iter().filter_map(|reply| reply.body["id"].as_u64()).collect();
            assert_eq!(ids, [1, 2, 3, 4], "they are worked on in the order of their arrival");
            assert!(server.app.gathering.lines().is_empty());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_leaves_before_its_turn_has_come_is_not_worked_on_and_leaves_its_place() {
        let server = server(16).await;
        let path = format!("/{PARTNER}/orgs");
        let turn = server.app.turns.take(TENANT, "school", PARTNER).await.unwrap();
        let body = json!({"name": "North"}).to_string();
        let mut call = Box::pin(server.call("POST", &path, "school", &body)).fuse();
        while server.app.gathering.lines().is_empty() {
            assert!(futures_util::poll!(&mut call).is_pending());
        }
        drop(call);
        drop(turn);
        let reply = server.call("POST", &path, "school", &json!({"name": "South"}).to_string()).await;
        assert_eq!((reply.status, &reply.body["id"], &reply.body["name"]), (201, &json!(1), &json!("South")));
    }
}
