//! Turns work on a delivery into what it costs: how long each stage took, what mapping used up, what was written.
//!
//! Whoever works counts here as it goes on, from any thread; whoever started it reads the sums when it has ended, however
//! that was. A stage is also a span of the trace, so that both speak of the same.
//!
//! To measure one more stage: a variant of [`Stage`] with its word, and [`Costs::stage`] around the work.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Instrument as _;

/// Part of the work on a delivery, in the order of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The body becomes a tree.
    Parse,
    /// The tree is checked against its schema.
    Validate,
    /// The tree becomes records.
    Cut,
    /// What is stored is read: records, contributions, entities.
    Look,
    /// What was sent is compared with what is stored; of a call about single records: what it comes to.
    Reconcile,
    /// Records become contributions.
    Map,
    /// Contributions become entities, and entities steps.
    Plan,
    /// The body is kept. Goes on beside the other stages.
    Keep,
    /// What it came to is written.
    Commit,
}

/// Something that rows are written of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Foreign records, written or removed.
    Record,
    /// Entities, written or marked as removed.
    Entity,
    /// Lines of a log.
    Entry,
    /// What subscribers are to be told.
    Send,
}

/// What the work on one delivery has cost so far.
#[derive(Debug, Default)]
pub struct Costs {
    stages: [Sum; Stage::ALL.len()],
    rows: [AtomicU64; Rows::ALL.len()],
    fuel: AtomicU64,
    memory: AtomicU64,
    again: AtomicU64,
}

/// How long something took, in all.
#[derive(Debug, Default)]
struct Sum {
    nanoseconds: AtomicU64,
    times: AtomicU64,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Parse,
        Self::Validate,
        Self::Cut,
        Self::Look,
        Self::Reconcile,
        Self::Map,
        Self::Plan,
        Self::Keep,
        Self::Commit,
    ];

    /// The word for it, in metrics and traces.
    pub fn word(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Validate => "validate",
            Self::Cut => "cut",
            Self::Look => "look",
            Self::Reconcile => "reconcile",
            Self::Map => "map",
            Self::Plan => "plan",
            Self::Keep => "keep",
            Self::Commit => "commit",
        }
    }
}

impl Rows {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Record, Self::Entity, Self::Entry, Self::Send];

    /// The word for it, in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Entity => "entity",
            Self::Entry => "entry",
            Self::Send => "send",
        }
    }
}

impl Costs {
    /// Does work of a stage.
    pub fn stage<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = span(stage).in_scope(work);
        self.took(stage, start.elapsed());
        done
    }

    /// Does work of a stage that waits for others.
    pub async fn stage_of<F: Future>(&self, stage: Stage, work: F) -> F::Output {
        let start = Instant::now();
        let done = work.instrument(span(stage)).await;
        self.took(stage, start.elapsed());
        done
    }

    /// Adds time that a stage took.
    fn took(&self, stage: Stage, took: Duration) {
        let sum = &self.stages[stage as usize];
        sum.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        sum.times.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds rows that are written.
    pub fn wrote(&self, rows: Rows, count: usize) {
        self.rows[rows as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Adds what mapping used up: fuel in all, and the most memory that an instance had, in bytes.
    pub fn used(&self, fuel: u64, memory: u64) {
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
        self.memory.fetch_max(memory, Ordering::Relaxed);
    }

    /// Counts that the work is begun again, because somebody else changed the connection meanwhile.
    pub fn begun_again(&self) {
        self.again.fetch_add(1, Ordering::Relaxed);
    }

    /// The stages that were passed, each with how long it took in all.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, Duration)> {
        let passed = Stage::ALL.into_iter().zip(&self.stages).filter(|(_, sum)| sum.times.load(Ordering::Relaxed) > 0);
        passed.map(|(stage, sum)| (stage, Duration::from_nanos(sum.nanoseconds.load(Ordering::Relaxed))))
    }

    /// How many rows were written.
    pub fn rows(&self, rows: Rows) -> u64 {
        self.rows[rows as usize].load(Ordering::Relaxed)
    }

    /// Fuel that mapping used; 0 where nothing was mapped.
    pub fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// The most memory that an instance of the mapper had, in bytes; 0 where nothing was mapped.
    pub fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    /// How often the work was begun again.
    pub fn again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }
}

/// The span of a stage. Nobody pays for it who does not ask for spans as fine as this.
fn span(stage: Stage) -> tracing::Span {
    tracing::debug_span!("stage", stage = stage.word())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Costs, Rows, Stage};

    #[tokio::test]
    async fn what_a_stage_costs_adds_up_and_what_was_not_passed_is_not_told() {
        let costs = Costs::default();
        costs.took(Stage::Map, Duration::from_millis(2));
        costs.took(Stage::Map, Duration::from_millis(3));
        assert_eq!(costs.stages().collect::<Vec<_>>(), [(Stage::Map, Duration::from_millis(5))]);
        assert_eq!(costs.stage(Stage::Cut, || 7), 7);
        assert_eq!(costs.stage_of(Stage::Commit, async { 8 }).await, 8);
        let passed: Vec<_> = costs.stages().map(|(stage, _)| stage.word()).collect();
        assert_eq!(passed, ["cut", "map", "commit"]);
    }

    #[test]
    fn fuel_and_rows_add_up_and_of_memory_the_most_counts() {
        let costs = Costs::default();
        for (fuel, memory) in [(10, 300), (20, 200)] {
            costs.used(fuel, memory);
            costs.wrote(Rows::Entity, 4);
            costs.begun_again();
        }
        assert_eq!((costs.fuel(), costs.memory(), costs.rows(Rows::Entity), costs.again()), (30, 300, 8, 2));
        assert_eq!(costs.rows(Rows::Record), 0);
    }

    #[test]
    fn every_stage_and_every_row_has_its_own_place() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, place, "{stage:?}");
        }
        for (place, rows) in Rows::ALL.into_iter().enumerate() {
            assert_eq!(rows as usize, place, "{rows:?}");
        }
    }
}
