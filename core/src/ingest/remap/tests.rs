//! What is foreseen is what happens, whatever records say in one version and in another, in whatever order the parts are
//! taken and wherever that is interrupted, on both databases.

mod town;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::town::{Kind, Style, Town, Version};
use super::{Happening, Place, Sample};
use crate::delivery::{Change, Status};

/// What one record says in one edition: nothing at all where the mapper declines it.
fn words() -> impl Strategy<Value = Value> {
    let org = || prop::sample::select(vec!["a", "b", "c", "d", "e"]);
    let name = prop::option::weighted(0.8, prop::sample::select(vec!["North", "South"]));
    let children = prop::collection::btree_set(org(), 0..2);
    let word = (org(), name, prop::option::weighted(0.4, org()), children).prop_map(|(org, name, parent, children)| {
        // Without a name it can but add to lists.
        let parent = parent.filter(|_| name.is_some());
        let children = if name.is_none() && children.is_empty() { BTreeSet::from(["a"]) } else { children };
        json!({"org": org, "name": name, "parent": parent, "children": children})
    });
    let trap = Just(json!([{"org": ""}]));
    let said = prop::collection::vec(word, 0..3).prop_map(Value::from);
    prop_oneof![10 => said, 1 => Just(Value::Null), 1 => trap]
}

/// Records; a good half of them say the same in both editions.
fn records() -> impl Strategy<Value = Vec<Value>> {
    let record = (words(), words(), any::<bool>());
    prop::collection::vec(record, 1..9).prop_map(|records| {
        let record = |(id, (one, two, same)): (usize, (Value, Value, bool))| {
            let two = if same { one.clone() } else { two };
            json!({"id": id, "do": "edition", "editions": {"one": one, "two": two}})
        };
        records.into_iter().enumerate().map(record).collect()
    })
}

/// What is foreseen happens; interrupted and gone on with it comes to the same.
async fn hold(kind: Kind, style: Style, records: &[Value], seed: usize) {
    let town = Town::new(kind, style).await;
    town.send(Version::One, records).await;
    let before = town.state().await;
    let foreseen = town.foresee(Version::One, Version::Two, Sample::All).await;
    assert_eq!(town.state().await, before, "looking stores nothing");
    let again = town.foresee(Version::One, Version::Two, Sample::All).await;
    assert_eq!((&again.difference, &again.parts), (&foreseen.difference, &foreseen.parts));

    town.remap(Version::Two, town::shuffled(&foreseen.parts, seed)).await;
    let after = town.state().await;
    let named = |happening| {
        let changes = foreseen.difference.changes.iter().filter(|change| change.happens == happening);
        changes.map(|change| change.sourced_id).collect::<BTreeSet<_>>()
    };
    assert_eq!(before.created_until(&after), named(Happening::Created));
    assert_eq!(before.removed_until(&after), named(Happening::Removed));
    assert_eq!(before.restored_until(&after), named(Happening::Restored));
    let updated = before.updated_until(&after);
    assert_eq!(updated.keys().copied().collect::<BTreeSet<_>>(), named(Happening::Updated));
    for change in foreseen.difference.changes.iter().filter(|change| change.happens == Happening::Updated) {
        assert_eq!(updated[&change.sourced_id], change.fields, "the fields that are foreseen");
    }
    let all: BTreeSet<_> = foreseen.difference.changes.iter().map(|change| change.sourced_id).collect();
    assert_eq!(before.told_until(&after), all, "the feed tells of what is different and of nothing else");
    let counted = foreseen.difference.entities.get("org").copied().unwrap_or_default();
    assert_eq!(counted.created + counted.updated + counted.removed, all.len() as u64);
    assert_eq!(counted.created + counted.updated + counted.unchanged, after.active() as u64);
    if style == Style::Nested {
        refusals_are_counted(records, &foreseen.difference.records["Attack"]);
        let sent = Town::new(kind, style).await;
        sent.send(Version::One, records).await;
        sent.send(Version::Two, records).await;
        assert_eq!(sent.state().await.entities(), after.entities(), "it is as if everything had been sent again");
    }

    let killed = Town::new(kind, style).await;
    killed.send(Version::One, records).await;
    let parts = town::shuffled(&foreseen.parts, seed / 7);
    let some = seed % (parts.len() + 1);
    killed.remap(Version::Two, parts[..some].to_vec()).await;
    let rest = killed.foresee(Version::Two, Version::Two, Sample::All).await;
    killed.remap(Version::Two, rest.parts).await;
    assert_eq!(killed.state().await.entities(), after.entities(), "killed and gone on with");
    let nothing = killed.foresee(Version::Two, Version::Two, Sample::All).await;
    assert!(nothing.parts.is_empty() && nothing.difference.is_quiet(), "{nothing:?}");
}

fn refusals_are_counted(records: &[Value], counts: &super::RecordCounts) {
    let trap = json!([{"org": ""}]);
    let is_taken = |record: &Value, edition: &str| {
        let words = &record["editions"][edition];
        *words != Value::Null && *words != trap
    };
    let count = |wanted: &dyn Fn(&Value) -> bool| records.iter().filter(|record| wanted(record)).count() as u64;
    let newly = |record: &Value, becomes: &Value| is_taken(record, "one") && record["editions"]["two"] == *becomes;
    assert_eq!(counts.newly_refused, count(&|record| newly(record, &Value::Null)));
    assert_eq!(counts.newly_faulted, count(&|record| newly(record, &trap)));
    assert_eq!(counts.newly_taken, count(&|record| !is_taken(record, "one") && is_taken(record, "two")));
    assert_eq!(counts.stored, records.len() as u64);
}

/// So many cases in every run, and as many more as somebody asks for.
fn cases(few: u32) -> u32 {
    let more = std::env::var("ROLLCALL_TEST_CASES").ok().and_then(|count| count.parse::<u32>().ok());
    more.map_or(few, |more| few.max(more))
}

fn check(kind: Kind, style: Style, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let tried = runner.run(&(records(), any::<u16>()), |(records, seed)| {
        runtime.block_on(hold(kind, style, &records, usize::from(seed)));
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_is_foreseen_happens_to_payloads_in_sqlite() {
    check(Kind::Sqlite, Style::Nested, cases(24));
}

#[test]
fn what_is_foreseen_happens_to_single_records_in_sqlite() {
    check(Kind::Sqlite, Style::Alone, cases(24));
}

#[test]
fn what_is_foreseen_happens_to_payloads_in_postgres() {
    check(Kind::Postgres, Style::Nested, cases(6));
}

#[test]
fn what_is_foreseen_happens_to_single_records_in_postgres() {
    check(Kind::Postgres, Style::Alone, cases(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_stay_the_words_of_whom_they_came_by_and_are_not_mapped_again_when_they_come_again() {
    let town = Town::new(Kind::Sqlite, Style::Nested).await;
    let says = |name: &str| json!([{"org": "a", "name": name}]);
    let records = [json!({"id": 1, "do": "edition", "editions": {"one": says("North"), "two": says("South")}})];
    let sent = town.send(Version::One, &records).await;
    let foreseen = town.foresee(Version::One, Version::Two, Sample::All).await;
    town.remap(Version::Two, foreseen.parts).await;
    let after = town.state().await;
    assert_eq!(town.origins("a").await, [sent]);
    town.send(Version::Two, &records).await;
    assert_eq!(town.state().await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_looks_at_so_many_and_what_others_say_stays() {
    let town = Town::new(Kind::Sqlite, Style::Alone).await;
    let says = |id: u64, name: &str| json!([{"org": format!("org-{id}"), "name": name}]);
    let editions = |id| json!({"one": says(id, "North"), "two": says(id, "South")});
    let records: Vec<_> = (0..20).map(|id| json!({"id": id, "do": "edition", "editions": editions(id)})).collect();
    town.send(Version::One, &records).await;
    let difference = town.foresee(Version::One, Version::Two, Sample::Some(5)).await.difference;
    assert_eq!((difference.sample, difference.changes.len()), (Some(5), 5));
    assert_eq!(difference.fields["org"]["name"], 5);
    assert_eq!(difference.entities["org"].unchanged, 15);
}

/// Each says one organisation in the first edition, and nothing in the second.
fn vanishing(count: u64) -> Vec<Value> {
    let editions = |id| json!({"one": [{"org": format!("org-{id}"), "name": "North"}], "two": []});
    (0..count).map(|id| json!({"id": id, "do": "edition", "editions": editions(id)})).collect()
}

/// What would take everything away waits, and what is approved is what was shown.
async fn waits_for_an_operator(kind: Kind) {
    let town = Town::new(kind, Style::Nested).await;
    town.send(Version::One, &vanishing(25)).await;
    let before = town.state().await;
    let foreseen = town.foresee(Version::One, Version::Two, Sample::All).await;
    let passed = &foreseen.held.as_ref().unwrap().passed;
    assert_eq!(
        (passed[0].kind.as_str(), passed[0].change, passed[0].count, passed[0].of),
        ("org", Change::Removed, 25, 25)
    );
    assert_eq!(&foreseen.difference.passed, passed);
    let (first, report) = town.hold(Version::Two, &foreseen).await;
    assert_eq!((report.status, report.counts["org"].removed), (Status::Held, 25));
    assert_eq!(town.hold(Version::Two, &foreseen).await.0, first, "what waits already is not kept twice");
    assert_eq!(town.state().await, before);
    assert!(!town.has_begun(Version::Two).await);

    town.send(Version::One, &vanishing(26)).await;
    assert!(town.approve(Version::Two, first).await.is_none(), "it is not what was shown any more");
    assert_eq!(town.status(first).await, Status::Held);
    let foreseen = town.foresee(Version::One, Version::Two, Sample::All).await;
    let (second, _) = town.hold(Version::Two, &foreseen).await;
    assert_eq!((town.status(first).await, town.status(second).await), (Status::Superseded, Status::Held));

    let approved = town.approve(Version::Two, second).await.unwrap();
    assert_eq!(town.status(second).await, Status::Applied);
    let (last, parts) = approved.parts.split_last().unwrap();
    assert!(!parts.is_empty());
    for part in parts {
        assert!(town.has_begun(Version::Two).await, "the rest of it does not wait again");
        town.take(Version::Two, part, Place::Within).await;
    }
    town.take(Version::Two, last, Place::Last).await;
    assert!(!town.has_begun(Version::Two).await);
    assert_eq!(town.state().await.active(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_take_everything_away_waits_in_sqlite() {
    waits_for_an_operator(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_take_everything_away_waits_in_postgres() {
    waits_for_an_operator(Kind::Postgres).await;
}
