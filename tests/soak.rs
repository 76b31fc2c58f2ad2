//! Turns a plan into a verdict. Clients of all partners send as fast as they can; servers, and what they stand on, are
//! killed meanwhile; a reader polls the change feed all the time. In the end nothing that was acknowledged may be lost,
//! done twice or told to nobody.
//!
//! `make test` does this for moments, `make soak` for as long as one likes. To let one more partner take part: a
//! [`script::Script`] of what its client sends. To let something else happen: a [`Blow`].

pub mod address;
pub mod fleet;
mod ledger;
mod reader;
mod rebuild;
pub mod script;
mod sender;
mod state;
mod subscriber;
pub mod target;
mod verdict;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use self::fleet::Fleet;
use self::ledger::Ledger;
use self::reader::Reader;
use self::sender::Sender;
use self::state::State;
use self::subscriber::Subscriber;
use crate::site::Site;

/// How long everybody waits for what has to come.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who owns what is sent; each has a reader.
const TENANTS: [&str; 2] = ["north", "south"];

/// What happens, and how much is sent meanwhile.
pub struct Plan {
    /// The same number gives the same requests and the same choices; the machine decides on the rest.
    pub seed: u64,
    /// So many servers work on one database at once.
    pub servers: usize,
    /// Connections of each partner in each tenant. Each has one client, which sends one request after the other.
    pub connections: usize,
    /// Between two blows at most so many requests are answered, and as many during each.
    pub answers_max: usize,
    /// What happens, one after the other.
    pub blows: Vec<Blow>,
}

/// Something that happens while clients send.
pub enum Blow {
    /// The server at this place is killed with SIGKILL, and another one is started in its place.
    Kill(usize),
    /// Something that servers have to live with, and what it is called.
    Other(&'static str, Box<dyn FnOnce(&Fleet)>),
}

/// What a run was like.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    /// How often a server was killed.
    pub kills: usize,
    /// What else happened.
    pub others: Vec<&'static str>,
    /// Requests that were sent.
    pub sent: usize,
    /// Requests that were acknowledged: answered, and not with a request to come back later.
    pub acknowledged: usize,
    /// Requests that nobody acknowledged, though they had been kept: worked on nevertheless.
    pub applied_unasked: usize,
    /// Requests that nobody acknowledged, kept and not applied.
    pub interrupted: usize,
    /// Changes that readers saw.
    pub changes: usize,
    /// Entities that there are in the end.
    pub entities: usize,
    /// What subscribers were told, and how often they were told again.
    pub told: (usize, usize),
    /// How long clients sent.
    pub time: Duration,
}

/// Lets everything in `plan` happen in `site`, and posts what was stored to `control` afterwards, which must not differ
/// then. Both must be empty. Panics at whatever was lost, and says what.
pub fn run(mut site: Site, mut control: Site, plan: Plan) -> Figures {
    for place in [&mut site, &mut control] {
        fleet::furnish(place, plan.connections);
    }
    let mut figures = Figures::default();
    let subscriber = Subscriber::new(plan.seed);
    let fleet = Fleet::start(site, plan.servers);
    let start = Instant::now();
    let (ledgers, mut readers) = load(&fleet, &subscriber, plan, &mut figures);
    figures.time = start.elapsed();

    let client = fleet.any(0).expect("all are running");
    verdict::settle(&client);
    verdict::until_told(&client, &ledgers);
    for reader in &mut readers {
        reader.finish(&client);
        figures.changes += reader.seen();
        figures.entities += reader.entities();
    }
    let kept = verdict::of_deliveries(&client, &ledgers, &mut figures);
    let state = State::read(&client, &kept);
    figures.told = verdict::of_sends(&state, &subscriber.close());
    drop(fleet);

    let server = control.start();
    let again = rebuild::post(&server, &ledgers, &kept);
    verdict::of_state(&state, &State::read(&server, &again));
    figures
}

/// Clients send and readers read until all has happened.
fn load(fleet: &Fleet, subscriber: &Subscriber, plan: Plan, figures: &mut Figures) -> (Vec<Ledger>, Vec<Reader>) {
    let (answers, answers_max) = (AtomicUsize::new(0), AtomicUsize::new(plan.answers_max));
    // What happens takes time, in which clients go on; but not for ever, since all of it is looked at in the end.
    let get_on = |further: usize| {
        let awaited = answers.load(Ordering::Relaxed) + further;
        answers_max.store(awaited + plan.answers_max, Ordering::Relaxed);
        fleet.until("clients get on", || answers.load(Ordering::Relaxed) >= awaited);
    };
    let connections = fleet::connections(plan.connections);
    thread::scope(|scope| {
        let ending = fleet.ending();
        let senders: Vec<_> = (0..)
            .zip(connections)
            .map(|(nth, connection)| {
                let sender = Sender::new(connection, subscriber.address(), plan.seed.wrapping_add(nth));
                scope.spawn(|| sender.send(fleet, &answers, &answers_max))
            })
            .collect();
        let readers: Vec<_> = TENANTS.map(|tenant| scope.spawn(|| Reader::new(tenant).read(fleet))).into();
        let mut rng = Rng::with_seed(plan.seed);
        for blow in plan.blows {
            get_on(rng.usize(1..=plan.answers_max));
            match blow {
                Blow::Kill(nth) => {
                    fleet.kill(nth);
                    figures.kills += 1;
                }
                Blow::Other(name, happens) => {
                    happens(fleet);
                    figures.others.push(name);
                }
            }
        }
        // Whoever comes after the last blow gets on as well.
        get_on(plan.answers_max);
        drop(ending);
        let joined = |result: thread::Result<_>| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let ledgers = senders.into_iter().map(|sender| joined(sender.join())).collect();
        (ledgers, readers.into_iter().map(|reader| reader.join().expect("a reader found something wrong")).collect())
    })
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} kills", self.kills)?;
        for other in &self.others {
            write!(out, ", {other}")?;
        }
        write!(
            out,
            "; {} requests sent in {:.0?}, {} acknowledged, of the others {} applied and {} kept without effect; \
             {} changes read on the way to {} entities; {} notices taken, {} more than once",
            self.sent,
            self.time,
            self.acknowledged,
            self.applied_unasked,
            self.interrupted,
            self.changes,
            self.entities,
            self.told.0,
            self.told.1,
        )
    }
}
