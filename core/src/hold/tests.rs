use std::collections::BTreeMap;

use super::{KindThresholds, Threshold, Thresholds, passed};
use crate::delivery::{Change, Counts};

fn counts(created: u64, updated: u64, removed: u64) -> BTreeMap<String, Counts> {
    BTreeMap::from([("person".to_owned(), Counts { created, updated, removed, unchanged: 0 })])
}

fn before(count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("person".to_owned(), count)])
}

#[test]
fn what_removes_too_much_is_held() {
    for (removed, of, is_held) in [
        (0, 0, false),
        (19, 19, false),
        (20, 20, true),
        (99, 100, false),
        (100, 200, true),
        (100, 201, false),
        (150, 199, true),
        (99, 150, false),
        (2_400, 4_800, true),
        (2_399, 4_800, false),
    ] {
        let found = passed(&Thresholds::default(), &counts(0, 0, removed), &before(of), &BTreeMap::new());
        assert_eq!(!found.is_empty(), is_held, "{removed} of {of}");
        assert!(found.iter().all(|found| (found.count, found.of, found.change) == (removed, of, Change::Removed)));
    }
}

#[test]
fn what_is_new_or_another_is_held_only_where_somebody_says_so() {
    let (many, of) = (counts(1_000, 1_000, 0), before(1_000));
    assert_eq!(passed(&Thresholds::default(), &many, &of, &BTreeMap::new()), []);
    let watched =
        KindThresholds { updated: Some(Threshold::default()), created: Some(Threshold::default()), removed: None };
    let thresholds = Thresholds { all: watched, ..Thresholds::default() };
    let found = passed(&thresholds, &many, &of, &BTreeMap::new());
    assert_eq!(found.iter().map(|found| found.change).collect::<Vec<_>>(), [Change::Updated, Change::Created]);
    assert_eq!(passed(&thresholds, &counts(1_000, 0, 0), &before(0), &BTreeMap::new()), [], "the first delivery");
}

#[test]
fn a_part_of_a_kind_that_vanishes_is_held() {
    let parts = |count, of| BTreeMap::from([(("person".to_owned(), "teacher".to_owned()), (count, of))]);
    let (few, of) = (counts(0, 0, 240), before(5_040));
    let found = passed(&Thresholds::default(), &few, &of, &parts(240, 240));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].part.as_deref(), found[0].count, found[0].of), (Some("teacher"), 240, 240));
    assert_eq!(passed(&Thresholds::default(), &few, &of, &parts(90, 240)), []);
    let all = passed(&Thresholds::default(), &counts(0, 0, 5_040), &of, &parts(240, 240));
    assert_eq!(all.iter().map(|found| found.part.clone()).collect::<Vec<_>>(), [None], "told once");
}

#[test]
fn a_connection_says_more_than_its_server_and_a_kind_more_than_all() {
    let threshold = |percent| Some(Threshold { percent, at_least: 1, all_of: 1 });
    let of_kind = |percent| KindThresholds { removed: threshold(percent), ..KindThresholds::default() };
    let server =
        Thresholds { enabled: Some(false), all: of_kind(10), kinds: [("person".to_owned(), of_kind(20))].into() };
    let own = Thresholds { enabled: Some(true), all: of_kind(30), ..Thresholds::default() }.or(&server);
    assert!(own.is_enabled());
    assert_eq!(own.of("person").removed, threshold(20));
    assert_eq!(own.of("group").removed, threshold(30));
    assert_eq!(Thresholds::default().of("group").removed, Some(Threshold::default()));
}
