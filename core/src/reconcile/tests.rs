//! A library lends books: readers, books and loans, in a world that remembers what every reconciliation came to.

mod blank;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Needs, Reconciled, Shelf, Situation, reconcile};
use crate::delivery::Outcome;
use crate::description::{
    At, By, Change, Computation, Computed, Constraint, Expression, FieldPath, Member, Messages, Missing, Partner,
    RecordType, RecordTypeId, Reference, Routes, Rule, Single, Step, Type, WhenGone,
};
use crate::digest::Digest;
use crate::json::{Json, Pointer};
use crate::record::{Sent, digest_alone};
use crate::rule;
use crate::state::State;
use crate::store::{Gone, HeldRecord, RecordId};
use crate::validate::Schema;

const READER: RecordTypeId = RecordTypeId(0);
const BOOK: RecordTypeId = RecordTypeId(1);
const LOAN: RecordTypeId = RecordTypeId(2);
const SEASON: RecordTypeId = RecordTypeId(3);

fn record_type(name: &str, key: &[&str], schema: &Value) -> RecordType {
    let key = key.iter().map(|key| FieldPath { up: 0, path: key.split('.').map(str::to_owned).collect() }).collect();
    let schema = Schema::compile(schema, "").unwrap();
    RecordType { name: name.to_owned(), key, schema, ..RecordType::default() }
}

fn expression(source: &str, names: &[Member]) -> Expression {
    Expression::compile(source, names).unwrap()
}

fn reference(name: &str, to: RecordTypeId, path: &[&str], cascades: bool) -> Reference {
    let gone = if cascades { WhenGone::Cascade } else { WhenGone::Missing };
    let by = By::Key(vec![path.iter().map(|&step| step.to_owned()).collect()]);
    let missing = Missing::Park(SignedDuration::from_hours(24));
    Reference { name: name.to_owned(), to, by, when: None, missing, gone }
}

fn partner() -> Partner {
    let readers = RecordType {
        piecemeal: vec!["cards".to_owned()],
        computed: vec![Computed {
            path: vec![Step::Member("cards".to_owned()), Step::Items],
            name: "code".to_owned(),
            value: Computation::Expression(expression(
                "{'lost': '1'}[label]",
                &[Member::optional("label", Type::Text)],
            )),
            reads: Vec::new(),
            at: At::Write,
            is_own: false,
        }],
        rules: vec![Rule { code: "mail-taken".to_owned(), constraint: Constraint::Unique(vec!["mail".to_owned()]) }],
        ..record_type(
            "Reader",
            &["code"],
            &json!({"required": ["code", "name"], "properties": {"name": {"type": "string"}}}),
        )
    };
    let books = record_type("Book", &["code"], &json!({"required": ["code"]}));
    let season =
        Member::required("Season", Type::List(Box::new(Type::Object(vec![Member::required("code", Type::Text)]))));
    let loans = RecordType {
        changes: vec![Change::Insert, Change::Delete],
        computed: vec![Computed {
            path: Vec::new(),
            name: "season".to_owned(),
            value: Computation::Expression(expression("size(Season) > 0 ? Season[0].code : 'none'", &[season])),
            reads: vec![SEASON],
            at: At::Create,
            is_own: false,
        }],
        references: vec![
            reference("reader", READER, &["reader", "code"], true),
            reference("book", BOOK, &["book"], false),
        ],
        ..record_type("Loan", &["reader.code", "book", "season"], &json!({}))
    };
    let open = expression("state == 'open'", &[Member::required("state", Type::Text)]);
    let closed = json!({"state": "closed"}).as_object().unwrap().clone();
    let seasons = RecordType {
        singles: vec![Single { when: open, otherwise: closed }],
        aliases: vec![("title".to_owned(), "name".to_owned())],
        ..record_type("Season", &["code"], &json!({"required": ["code", "state"]}))
    };
    Partner {
        name: "library".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b""),
        operations: Vec::new(),
        operator: Vec::new(),
        records_by_type: None,
        messages: Messages::default(),
        webhooks: None,
        refuses_unknown: false,
        records: [readers, books, loans, seasons].into_iter().chain(blank::record_types()).collect(),
        options: None,
        document: Value::Null,
        routes: Routes::default(),
    }
}

/// Number, body, whether it waits, and when it was true.
type Row = (RecordId, Vec<u8>, bool, Option<i64>);

/// What is stored, as far as reconciling needs it.
#[derive(Debug, Default, Clone, PartialEq)]
struct World {
    rows: BTreeMap<(RecordTypeId, String), Row>,
    gone: Vec<Gone>,
    next: i64,
    now: Timestamp,
}

fn setting() -> Digest {
    Digest::of(b"setting")
}

impl World {
    fn state(&self, partner: &Partner) -> State {
        let held = self.rows.iter().map(|((of, key), (id, body, waits, as_of))| HeldRecord {
            id: *id,
            of: *of,
            key: key.clone(),
            digest: (!waits).then(|| digest_alone(&partner.records[usize::from(of.0)], body, setting())),
            waits: *waits,
            as_of: *as_of,
        });
        State::new(held.collect(), &partner.records).with_gone(self.gone.clone())
    }

    /// Reconciles, answering what is asked for; remembers the result.
    fn take(&mut self, sent: &[Sent], complete: &[RecordTypeId], as_of: Option<i64>) -> Reconciled {
        let partner = partner();
        let state = self.state(&partner);
        let mut known = Shelf::default();
        let reconciled = loop {
            let situation = Situation {
                partner: &partner,
                options: &Value::Null,
                complete,
                as_of,
                now: self.now,
                state: &state,
                shelf: &known,
                setting: setting(),
                depth_max: 16,
                notes_max: 10,
            };
            match reconcile(sent, &situation) {
                Ok(reconciled) => break reconciled,
                Err(needs) => self.answer(&partner, &needs, &mut known),
            }
        };
        for gone in &reconciled.gone {
            self.rows.retain(|_, (id, ..)| *id != gone.id);
            self.gone.extend(gone.as_of.map(|as_of| Gone { of: gone.of, key: gone.key.clone(), as_of }));
        }
        for present in &reconciled.present {
            let name = (present.of, present.key.clone());
            let id = self.rows.get(&name).map_or(RecordId(self.next), |row| row.0);
            self.next += 1;
            self.rows.insert(name, (id, present.body.read().into_owned(), present.waits.is_some(), present.as_of));
        }
        reconciled
    }

    fn answer(&self, partner: &Partner, needs: &Needs, known: &mut Shelf) {
        assert_ne!(*needs, Needs::default());
        for ((of, _), (id, body, ..)) in &self.rows {
            if needs.whole.contains(of) || needs.bodies.contains(&(*of, *id)) {
                known.bodies.insert(*id, body.clone());
            }
            if needs.values.contains(of) {
                let json = Json::parse(body, 16).unwrap();
                let members = rule::members(&partner.records[usize::from(of.0)].rules);
                let value = |member: &String| json.get(member).and_then(Json::as_text).map(str::to_owned);
                known.values.entry(*of).or_default().insert(*id, members.iter().map(value).collect());
            }
        }
        for of in &needs.values {
            known.values.entry(*of).or_default();
        }
        known.whole.extend(&needs.whole);
    }

    fn merge(&mut self, sent: &[Sent]) -> Vec<&'static str> {
        words(&self.take(sent, &[], None))
    }

    fn shown(&self) -> Vec<String> {
        let rows = self.rows.iter().map(|((of, _), (_, body, waits, _))| {
            let waits = if *waits { " waits" } else { "" };
            format!("{} {}{waits}", of.0, String::from_utf8_lossy(body))
        });
        rows.collect()
    }
}

fn words(reconciled: &Reconciled) -> Vec<&'static str> {
    reconciled.entries.iter().map(|entry| entry.outcome.word()).collect()
}

fn sent(of: RecordTypeId, change: Change, body: &Value) -> Sent {
    let body = body.to_string().into_bytes();
    let body = Json::parse(&body, 16).unwrap().to_bytes().into();
    Sent { of, pointer: Pointer::root().item(0), change, ordered: true, body, sorted: Vec::new() }
}

fn reader(code: &str, name: &str, mail: &str) -> Value {
    json!({"code": code, "name": name, "mail": mail})
}

#[test]
fn changes_apply_one_after_the_other() {
    let mut world = World::default();
    let table = [
        (Change::Insert, reader("a", "Ann", "a@x"), "created"),
        (Change::Insert, reader("a", "Ann", "a@x"), "rejected"),
        (Change::Update, json!({"code": "a", "name": "Anna"}), "updated"),
        (Change::Update, json!({"code": "a", "name": "Anna"}), "unchanged"),
        (Change::Update, json!({"code": "b"}), "rejected"),
        (Change::Update, json!({"code": "a", "name": 7}), "rejected"),
        (Change::Upsert, reader("b", "Ben", "b@x"), "created"),
        (Change::Insert, json!({"code": "c"}), "rejected"),
        (Change::Insert, json!({"name": "no code"}), "rejected"),
    ];
    let changes: Vec<_> = table.iter().map(|(change, body, _)| sent(READER, *change, body)).collect();
    let expected: Vec<_> = table.iter().map(|(.., word)| *word).collect();
    assert_eq!(world.merge(&changes), expected, "in one payload");
    assert_eq!(
        world.shown(),
        [r#"0 {"code":"a","mail":"a@x","name":"Anna"}"#, r#"0 {"code":"b","mail":"b@x","name":"Ben"}"#]
    );
    let mut apart = World::default();
    let found: Vec<_> = changes.iter().flat_map(|change| apart.merge(std::slice::from_ref(change))).collect();
    assert_eq!((found, apart.shown()), (expected, world.shown()), "one payload each");
}

#[test]
fn a_complete_payload_removes_what_it_does_not_have_and_keeps_what_is_bad() {
    let mut world = World::default();
    let insert = |code: &str| sent(READER, Change::Upsert, &reader(code, "N", code));
    world.merge(&[insert("a"), insert("b"), insert("c")]);
    let bad = sent(READER, Change::Upsert, &json!({"code": "b", "name": 1}));
    let found = world.take(&[insert("a"), bad], &[READER], None);
    assert_eq!((words(&found), found.gone.len()), (vec!["unchanged", "rejected"], 1));
    assert_eq!(world.shown().len(), 2);
}

#[test]
fn of_two_records_with_one_key_neither_is_taken() {
    let mut world = World::default();
    let twin = |name: &str| Sent { ordered: false, ..sent(READER, Change::Upsert, &reader("a", name, "a@x")) };
    assert_eq!(world.merge(&[twin("one"), twin("other")]), ["rejected", "rejected"]);
    assert!(world.rows.is_empty());
}

#[test]
fn a_mail_may_be_handed_on_but_not_be_shared_with_who_keeps_it() {
    let mut world = World::default();
    world.merge(&[
        sent(READER, Change::Insert, &reader("a", "A", "1")),
        sent(READER, Change::Insert, &reader("b", "B", "2")),
    ]);
    let handed =
        [sent(READER, Change::Upsert, &reader("b", "B", "1")), sent(READER, Change::Upsert, &reader("a", "A", "2"))];
    assert_eq!(world.merge(&handed), ["updated", "updated"]);
    assert_eq!(world.merge(&[sent(READER, Change::Insert, &reader("c", "C", "1"))]), ["rejected"]);
    let both =
        [sent(READER, Change::Insert, &reader("d", "D", "9")), sent(READER, Change::Insert, &reader("e", "E", "9"))];
    assert_eq!(world.merge(&both), ["rejected", "rejected"]);
    // `a` may not have what `b` has; so it keeps its own, and then `f` may not have that.
    let chain =
        [sent(READER, Change::Upsert, &reader("a", "A", "1")), sent(READER, Change::Insert, &reader("f", "F", "2"))];
    assert_eq!(world.merge(&chain), ["rejected", "rejected"]);
    assert_eq!(world.rows.len(), 2);
}

#[test]
fn a_loan_waits_for_its_reader_and_its_book_and_goes_with_its_reader() {
    let mut world = World::default();
    let loan = sent(LOAN, Change::Insert, &json!({"reader": {"code": "a"}, "book": "x"}));
    let taken = world.take(std::slice::from_ref(&loan), &[], None);
    assert_eq!((taken.entries[0].outcome, taken.changes[0]), (Outcome::Parked, Outcome::Created));
    assert_eq!(world.merge(std::slice::from_ref(&loan)), ["rejected"], "it is there, though it waits");
    let update = Sent { change: Change::Update, ..loan };
    assert_eq!(world.merge(&[update]), ["rejected"], "a loan comes and goes, and is never updated");
    assert_eq!(world.merge(&[sent(READER, Change::Insert, &reader("a", "A", "1"))]), ["created"]);
    assert!(world.shown()[1].ends_with("waits"), "the book is missing still");
    world.merge(&[sent(BOOK, Change::Insert, &json!({"code": "x"}))]);
    assert_eq!(world.shown()[2], r#"2 {"book":"x","reader":{"code":"a"},"season":"none"}"#);
    world.merge(&[sent(BOOK, Change::Delete, &json!({"code": "x"}))]);
    assert!(world.shown()[1].ends_with("waits"), "without its book it waits again");
    assert_eq!(world.merge(&[sent(READER, Change::Delete, &json!({"code": "a", "cards": ["all"]}))]), ["deleted"]);
    assert!(world.shown().is_empty(), "without its reader it is gone");
}

#[test]
fn one_payload_may_bring_a_loan_before_its_reader() {
    let mut world = World::default();
    let loan = sent(LOAN, Change::Insert, &json!({"reader": {"code": "a"}, "book": "x"}));
    let rest =
        [sent(BOOK, Change::Insert, &json!({"code": "x"})), sent(READER, Change::Insert, &reader("a", "A", "1"))];
    let all: Vec<_> = std::iter::once(loan).chain(rest).collect();
    assert_eq!(world.merge(&all), ["created", "created", "created"]);
}

#[test]
fn only_one_season_is_open_and_loans_are_of_that_one() {
    let mut world = World::default();
    let season =
        |change, code: &str, state: &str| sent(SEASON, change, &json!({"code": code, "state": state, "title": code}));
    world.merge(&[season(Change::Insert, "s1", "open")]);
    world.merge(&[season(Change::Insert, "s2", "open")]);
    assert_eq!(
        world.shown(),
        [r#"3 {"code":"s1","name":"s1","state":"closed"}"#, r#"3 {"code":"s2","name":"s2","state":"open"}"#]
    );
    world.merge(&[
        season(Change::Delete, "s1", "x"),
        sent(LOAN, Change::Insert, &json!({"reader": {"code": "a"}, "book": "x"})),
    ]);
    assert!(world.shown()[0].contains(r#""season":"s2""#), "{:?}", world.shown());
}

#[test]
fn a_deletion_takes_single_items_and_the_record_with_the_last() {
    let mut world = World::default();
    let cards = |codes: &[&str]| codes.iter().map(|code| json!({"code": code, "color": "red"})).collect::<Value>();
    world.merge(&[sent(READER, Change::Insert, &json!({"code": "a", "name": "A", "cards": cards(&["1", "2"])}))]);
    let delete = |cards: Value| sent(READER, Change::Delete, &json!({"code": "a", "cards": cards}));
    assert_eq!(world.merge(&[delete(json!([]))]), ["rejected"]);
    assert_eq!(world.merge(&[delete(json!([{"label": "lost"}]))]), ["updated"]);
    assert_eq!(world.merge(&[delete(json!([{"code": "7"}]))]), ["unchanged"]);
    assert_eq!(world.merge(&[delete(json!([{"code": "2"}]))]), ["deleted"]);
}

#[test]
fn what_is_older_than_what_was_applied_is_not_applied() {
    let mut world = World::default();
    let named = |name: &str| [sent(READER, Change::Upsert, &reader("a", name, "1"))];
    let take = |world: &mut World, name: &str, as_of| words(&world.take(&named(name), &[], Some(as_of)));
    assert_eq!(take(&mut world, "A", 5), ["created"]);
    assert_eq!(take(&mut world, "B", 4), ["stale"]);
    assert_eq!(take(&mut world, "C", 5), ["updated"]);
    assert_eq!(take(&mut world, "C", 7), ["unchanged"]);
    assert_eq!(take(&mut world, "D", 6), ["stale"], "what was said again counts as said then");
    assert!(world.shown()[0].contains(r#""C""#));
    let delete = [sent(READER, Change::Delete, &json!({"code": "a", "cards": ["all"]}))];
    assert_eq!(words(&world.take(&delete, &[], Some(8))), ["deleted"]);
    assert_eq!(take(&mut world, "E", 7), ["stale"], "what is gone does not come back from before");
    assert_eq!(take(&mut world, "E", 8), ["created"]);
}

fn some_readers() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::btree_map(0..8_u8, 0..6_u8, 0..8).prop_map(|map| map.into_iter().collect())
}

fn snapshot(readers: &[(u8, u8)]) -> Vec<Sent> {
    let one = |(code, mail): &(u8, u8)| {
        let body = reader(&code.to_string(), "N", &mail.to_string());
        Sent { ordered: false, ..sent(READER, Change::Upsert, &body) }
    };
    readers.iter().map(one).collect()
}

proptest! {
    #[test]
    fn the_order_in_a_payload_changes_nothing(before in some_readers(), after in some_readers(), turn in 0..8_usize) {
        let mut one = World::default();
        one.take(&snapshot(&before), &[READER], None);
        let mut other = one.clone();
        let mut turned = after.clone();
        turned.rotate_left(turn.min(after.len()));
        let outcome = |reconciled: &Reconciled| {
            let mut all: Vec<_> = reconciled.entries.iter().map(|entry| (entry.key.clone(), entry.outcome.word())).collect();
            all.sort();
            all
        };
        let first = outcome(&one.take(&snapshot(&after), &[READER], None));
        prop_assert_eq!(first, outcome(&other.take(&snapshot(&turned), &[READER], None)));
        prop_assert_eq!(one.shown(), other.shown());
    }

    #[test]
    fn what_is_accepted_is_unchanged_the_second_time(before in some_readers(), after in some_readers()) {
        let mut world = World::default();
        world.take(&snapshot(&before), &[READER], None);
        let first = world.take(&snapshot(&after), &[READER], None);
        let shown = world.shown();
        let again = world.take(&snapshot(&after), &[READER], None);
        prop_assert_eq!(shown, world.shown());
        for (first, again) in first.entries.iter().zip(&again.entries) {
            let expected = if first.outcome == Outcome::Rejected { Outcome::Rejected } else { Outcome::Unchanged };
            prop_assert_eq!(again.outcome, expected);
        }
        prop_assert!(again.gone.is_empty());
    }

    #[test]
    fn no_two_readers_ever_share_a_mail(steps in prop::collection::vec(some_readers(), 1..5)) {
        let mut world = World::default();
        for step in steps {
            world.take(&snapshot(&step), &[READER], None);
            let mails: Vec<_> = world.rows.values().map(|(_, body, ..)| {
                Json::parse(body, 8).unwrap().get("mail").and_then(Json::as_text).unwrap().to_owned()
            }).collect();
            let distinct: std::collections::BTreeSet<_> = mails.iter().collect();
            prop_assert_eq!(distinct.len(), mails.len());
        }
    }
}
