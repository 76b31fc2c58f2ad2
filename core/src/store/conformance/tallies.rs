//! What versions come to that run beside the ones in use: counted by each process, read together, gone with the run.

use uuid::Uuid;

use super::sample::World;
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::store::tally::{Outcome, Run, Seen, Tallies, Tally};

conformance!(
    what_processes_have_counted_is_read_together,
    what_is_written_again_is_counted_once,
    what_was_counted_is_forgotten_with_its_run,
);

impl World {
    fn tallies(&self) -> &dyn Tallies {
        self.store.tallies()
    }

    async fn sum(&self, run: &Run) -> Tally {
        Tally::sum(self.tallies().tallies(run).await.unwrap())
    }

    fn seen(&self, outcome: Outcome) -> Seen {
        let differences = vec!["org: 1 otherwise: name\u{0}".to_owned()];
        Seen { delivery: self.clock.next_id(), outcome, differences }
    }
}

fn run(partner: &str, number: i64) -> Run {
    Run { partner: partner.to_owned(), number }
}

async fn what_processes_have_counted_is_read_together(database: &dyn Database) {
    let world = World::new(database).await;
    let run = run("library", 3);
    assert_eq!(world.sum(&run).await, Tally::default());
    let mut tallies = [Tally::default(), Tally::default()];
    let seen: Vec<_> = (0..Tally::SHOWN_MAX + 2).map(|_| world.seen(Outcome::Refused)).collect();
    for (nth, seen) in seen.iter().enumerate() {
        tallies[nth % 2].count(seen.clone());
    }
    tallies[0].count(world.seen(Outcome::Same));
    tallies[1].count(world.seen(Outcome::Dropped));
    for tally in &tallies {
        world.tallies().put_tally(&run, world.clock.next_id(), tally).await.unwrap();
    }
    drop(world);
    let world = World::new(database).await;
    let sum = world.sum(&run).await;
    let refused = u64::try_from(seen.len()).unwrap();
    assert_eq!(sum.counts, [(Outcome::Same, 1), (Outcome::Refused, refused), (Outcome::Dropped, 1)].into());
    let newest: Vec<_> = seen.into_iter().rev().take(Tally::SHOWN_MAX).collect();
    assert_eq!(sum.last, newest, "the last are shown, whoever looked at them");
}

async fn what_is_written_again_is_counted_once(database: &dyn Database) {
    let world = World::new(database).await;
    let (run, process) = (run("library", 1), world.clock.next_id());
    let mut tally = Tally::default();
    for _ in 0..2 {
        tally.count(world.seen(Outcome::Different));
        for _ in 0..2 {
            world.tallies().put_tally(&run, process, &tally).await.unwrap();
        }
    }
    assert_eq!(world.sum(&run).await, tally);
    assert_eq!(database.count("tally"), 1);
}

async fn what_was_counted_is_forgotten_with_its_run(database: &dyn Database) {
    let world = World::new(database).await;
    let mut tally = Tally::default();
    tally.count(world.seen(Outcome::Faulted));
    let runs = [run("library", 1), run("library", 2), run("library", 5), run("archive", 1)];
    for run in &runs {
        world.tallies().put_tally(run, Uuid::nil(), &tally).await.unwrap();
    }
    world.tallies().forget_tallies("library", 5).await.unwrap();
    for (run, is_there) in runs.iter().zip([false, false, true, true]) {
        let tallies = world.tallies().tallies(run).await.unwrap();
        assert_eq!(!tallies.is_empty(), is_there, "{run:?}");
    }
}
