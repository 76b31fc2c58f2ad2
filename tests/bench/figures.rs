//! Turns samples into a table: smallest, median, and how measures compare within the same round.

use std::fmt::Write as _;
use std::time::Duration;

use crate::load::Load;

/// What is measured. Each sample belongs to a round: the nth of one measure was taken beside the nth of every other.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    measures: Vec<(Measure, Vec<f64>)>,
    /// Milliseconds within which 99 of 100 answers came, under load.
    slowest: Vec<(Measure, f64)>,
}

/// One thing that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// A whole payload into an empty database, over HTTP.
    First,
    /// The same by the peer.
    PeerFirst,
    /// The same bytes again.
    Identical,
    /// The same by the peer.
    PeerIdentical,
    /// The same by a handler that only receives and hashes.
    Received,
    /// The same school with one student renamed and every list in another order.
    Shuffled,
    /// The same by the peer.
    PeerShuffled,
    /// A whole payload into an empty PostgreSQL database, over HTTP.
    FirstOnPostgres,
    /// The same by the peer.
    PeerFirstOnPostgres,
    /// One student renamed and every list in another order, on PostgreSQL.
    ShuffledOnPostgres,
    /// The same by the peer.
    PeerShuffledOnPostgres,
    /// One record made, under load.
    Made,
    /// The same by the peer.
    PeerMade,
    /// One record shown, under load.
    Shown,
    /// The same by the peer.
    PeerShown,
    /// A page of 100 records listed, chosen by a filter, under load.
    Listed,
    /// The same by the peer.
    PeerListed,
    /// A page brought to the disk.
    DiskWait,
    /// Calls that do nothing, under load.
    Hello,
    /// Small deliveries acknowledged, each on the disk, under load.
    Acknowledged,
    /// What the machine lets through of them: a share of the calls that do nothing, or one wait for the disk of every client.
    AcknowledgedAtMost,
    /// Calls that do nothing, of many clients.
    HelloToMany,
    /// Small deliveries of many clients, acknowledged, each on the disk.
    AcknowledgedToMany,
    /// One student renamed and every list in another order, while ten thousand users of others are stored.
    ShuffledBeside10K,
    /// The same bytes again, at that time.
    IdenticalBeside10K,
    /// As above, with a hundred thousand.
    ShuffledBeside100K,
    /// The same bytes again, at that time.
    IdenticalBeside100K,
    /// As above, with a million.
    ShuffledBeside1M,
    /// The same bytes again, at that time.
    IdenticalBeside1M,
    /// Most memory resident, in MB.
    Memory,
    /// The same by the peer.
    PeerMemory,
}

/// What is compared: a goal's name, how many times as fast (or, for memory, as large), and which measures.
const COMPARISONS: &[(&str, &str, Measure, Measure)] = &[
    ("B1", "first sync, Rollcall's speed against the peer's", Measure::PeerFirst, Measure::First),
    ("B2", "identical resync against the own first sync", Measure::First, Measure::Identical),
    ("B2", "identical resync against the peer's", Measure::PeerIdentical, Measure::Identical),
    ("B2", "identical resync, its time against that of receiving and hashing", Measure::Identical, Measure::Received),
    ("B3", "one student changed, shuffled, against the own first sync", Measure::First, Measure::Shuffled),
    ("B3", "one student changed, shuffled, against the peer's", Measure::PeerShuffled, Measure::Shuffled),
    (
        "B1p",
        "first sync on PostgreSQL, Rollcall's speed against the peer's",
        Measure::PeerFirstOnPostgres,
        Measure::FirstOnPostgres,
    ),
    (
        "B3p",
        "one student changed, shuffled, on PostgreSQL, against the own first sync",
        Measure::FirstOnPostgres,
        Measure::ShuffledOnPostgres,
    ),
    (
        "B5",
        "deliveries acknowledged, against what the machine lets through",
        Measure::Acknowledged,
        Measure::AcknowledgedAtMost,
    ),
    ("B6", "the same of 256 clients, against calls that do nothing", Measure::AcknowledgedToMany, Measure::HelloToMany),
    ("R1", "GET of one record, answers per second against the peer's", Measure::Shown, Measure::PeerShown),
    ("R2", "list of 100 with a filter, answers per second against the peer's", Measure::Listed, Measure::PeerListed),
    ("R3", "POST of one record, answers per second against the peer's", Measure::Made, Measure::PeerMade),
    (
        "B10",
        "one student changed, shuffled: with 100,000 users of others against with 10,000",
        Measure::ShuffledBeside100K,
        Measure::ShuffledBeside10K,
    ),
    (
        "B10",
        "one student changed, shuffled: with 1,000,000 users of others against with 10,000",
        Measure::ShuffledBeside1M,
        Measure::ShuffledBeside10K,
    ),
    (
        "B10",
        "identical: with 1,000,000 users of others against with 10,000",
        Measure::IdenticalBeside1M,
        Measure::IdenticalBeside10K,
    ),
    ("B9", "peak resident memory, Rollcall's against the peer's", Measure::Memory, Measure::PeerMemory),
];

impl Figures {
    /// Adds a sample of time.
    pub(crate) fn took(&mut self, measure: Measure, time: Duration) {
        self.add(measure, time.as_secs_f64() * 1e3);
    }

    /// Adds what was measured under load.
    pub(crate) fn loaded(&mut self, measure: Measure, load: Load) {
        self.add(measure, load.per_second);
        self.slowest.push((measure, load.p99));
    }

    /// Adds a sample in the measure's own unit.
    pub(crate) fn add(&mut self, measure: Measure, sample: f64) {
        match self.measures.iter_mut().find(|(known, _)| *known == measure) {
            Some((_, samples)) => samples.push(sample),
            None => self.measures.push((measure, vec![sample])),
        }
    }

    /// The tables.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from("| measured | unit | min | median | every round |\n|---|---|---|---|---|\n");
        for (measure, samples) in &self.measures {
            let (name, unit) = measure.named();
            write_row(&mut text, &format!("{name} | {unit}"), samples, 1);
            let slowest: Vec<_> = self.slowest.iter().filter(|(of, _)| of == measure).map(|(_, p99)| *p99).collect();
            if !slowest.is_empty() {
                write_row(&mut text, &format!("{name}, 99 of 100 within | ms"), &slowest, 1);
            }
        }
        text.push_str("\n| goal | compared within each round | min | median | every round |\n|---|---|---|---|---|\n");
        for (goal, name, above, below) in COMPARISONS {
            let ratios: Vec<_> = self.samples(*above).zip(self.samples(*below)).map(|(a, b)| a / b).collect();
            if !ratios.is_empty() {
                write_row(&mut text, &format!("{goal} | {name}"), &ratios, 2);
            }
        }
        text
    }

    fn samples(&self, measure: Measure) -> impl Iterator<Item = f64> {
        let samples = self.measures.iter().find(|(known, _)| *known == measure);
        samples.into_iter().flat_map(|(_, samples)| samples.iter().copied())
    }
}

impl Measure {
    fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::First => ("first sync", "ms"),
            Self::PeerFirst => ("first sync, peer", "ms"),
            Self::Identical => ("identical resync", "ms"),
            Self::PeerIdentical => ("identical resync, peer", "ms"),
            Self::Received => ("received and hashed", "ms"),
            Self::Shuffled => ("one student changed, shuffled", "ms"),
            Self::PeerShuffled => ("one student changed, shuffled, peer", "ms"),
            Self::FirstOnPostgres => ("first sync, PostgreSQL", "ms"),
            Self::PeerFirstOnPostgres => ("first sync, PostgreSQL, peer", "ms"),
            Self::ShuffledOnPostgres => ("one student changed, shuffled, PostgreSQL", "ms"),
            Self::PeerShuffledOnPostgres => ("one student changed, shuffled, PostgreSQL, peer", "ms"),
            Self::Made => ("POST of one record, 64 clients", "1/s"),
            Self::PeerMade => ("POST of one record, 64 clients, peer", "1/s"),
            Self::Shown => ("GET of one record, 64 clients", "1/s"),
            Self::PeerShown => ("GET of one record, 64 clients, peer", "1/s"),
            Self::Listed => ("list of 100 with a filter, 64 clients", "1/s"),
            Self::PeerListed => ("list of 100 with a filter, 64 clients, peer", "1/s"),
            Self::DiskWait => ("a page brought to the disk", "ms"),
            Self::Hello => ("GET that does nothing, 64 clients", "1/s"),
            Self::Acknowledged => ("small delivery acknowledged, 64 clients", "1/s"),
            Self::AcknowledgedAtMost => ("the lesser of 0.35 of these GETs and 64 waits at a time for the disk", "1/s"),
            Self::HelloToMany => ("GET that does nothing, 256 clients", "1/s"),
            Self::AcknowledgedToMany => ("small delivery acknowledged, 256 clients", "1/s"),
            Self::ShuffledBeside10K => ("one student changed, shuffled, beside 10,000 users of others", "ms"),
            Self::IdenticalBeside10K => ("identical resync, beside 10,000 users of others", "ms"),
            Self::ShuffledBeside100K => ("one student changed, shuffled, beside 100,000 users of others", "ms"),
            Self::IdenticalBeside100K => ("identical resync, beside 100,000 users of others", "ms"),
            Self::ShuffledBeside1M => ("one student changed, shuffled, beside 1,000,000 users of others", "ms"),
            Self::IdenticalBeside1M => ("identical resync, beside 1,000,000 users of others", "ms"),
            Self::Memory => ("peak resident memory", "MB"),
            Self::PeerMemory => ("peak resident memory, peer", "MB"),
        }
    }
}

fn write_row(text: &mut String, name: &str, samples: &[f64], decimals: usize) {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let every: Vec<_> = samples.iter().map(|sample| format!("{sample:.decimals$}")).collect();
    let (min, median) = (sorted[0], sorted[sorted.len() / 2]);
    writeln!(text, "| {name} | {min:.decimals$} | {median:.decimals$} | {} |", every.join(" "))
        .expect("writing to a text never fails");
}
