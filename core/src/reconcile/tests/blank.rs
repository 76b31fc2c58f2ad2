//! Shelves, labels and remarks of the library, which an operator writes.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{World, expression, record_type, sent, words};
use crate::delivery::Outcome;
use crate::description::{
    At, By, Change, Computation, Computed, Derived, Keying, Member, Missing, RecordType, RecordTypeId, Reference, Type,
    WhenGone,
};

const SHELF: RecordTypeId = RecordTypeId(4);
const LABEL: RecordTypeId = RecordTypeId(5);
const REMARK: RecordTypeId = RecordTypeId(6);

fn computed(name: &str, value: Computation, at: At, is_own: bool) -> Computed {
    Computed { path: Vec::new(), name: name.to_owned(), value, reads: Vec::new(), at, is_own }
}

fn reference(name: &str, to: RecordTypeId, by: By, gone: WhenGone) -> Reference {
    Reference { name: name.to_owned(), to, by, when: None, missing: Missing::Refuse, gone }
}

pub(super) fn record_types() -> [RecordType; 3] {
    let name = Member::required("name", Type::Text);
    let own = |name: &str| By::Key(vec![vec![name.to_owned()]]);
    let count = Derived { name: "count".to_owned(), value: expression("1", &[]) };
    let shelf = RecordType {
        blank: true,
        keying: Keying::Counted,
        derived: vec![count],
        defaults: json!({"state": "open"}).as_object().cloned().unwrap_or_default(),
        computed: vec![
            computed("position", Computation::Next(vec!["parent".to_owned()]), At::Create, false),
            computed("slug", Computation::Slug(expression("name", &[name])), At::Create, false),
            computed("past", Computation::History("name".to_owned()), At::Write, true),
            computed("made", Computation::Now, At::Create, true),
            computed("changed", Computation::Now, At::Write, true),
        ],
        references: vec![
            reference("parent", SHELF, own("parent"), WhenGone::Cascade),
            reference("labels", LABEL, By::Items("labels".to_owned()), WhenGone::Unset),
        ],
        ..record_type("Shelf", &["id"], &json!({"required": ["id", "name"]}))
    };
    let label = RecordType {
        blank: true,
        references: vec![reference("best", SHELF, own("best"), WhenGone::Refuse)],
        ..record_type("Label", &["id"], &json!({"required": ["id"]}))
    };
    let word = |says: &str| By::Word { own: "on".to_owned(), word: "of".to_owned(), says: says.to_owned() };
    let remark = RecordType {
        blank: true,
        references: vec![
            reference("on", SHELF, word("shelf"), WhenGone::Unset),
            reference("on", LABEL, word("label"), WhenGone::Cascade),
        ],
        ..record_type("Remark", &["id"], &json!({"required": ["id"]}))
    };
    [shelf, label, remark]
}

impl World {
    /// What became of one record that an operator writes, an hour after the one before.
    fn write(&mut self, of: RecordTypeId, body: &Value) -> &'static str {
        self.now = self.now.checked_add(SignedDuration::from_hours(1)).unwrap();
        self.merge(&[sent(of, Change::Upsert, body)])[0]
    }

    fn remove(&mut self, of: RecordTypeId, key: i64) -> &'static str {
        self.merge(&[sent(of, Change::Delete, &json!({"id": key}))])[0]
    }

    fn says(&self, of: RecordTypeId, key: i64) -> Value {
        let (_, body, ..) = &self.rows[&(of, format!("[{key}]"))];
        serde_json::from_slice(body).unwrap()
    }

    fn keys(&self, of: RecordTypeId) -> Vec<&str> {
        self.rows.keys().filter(|(other, _)| *other == of).map(|(_, key)| key.as_str()).collect()
    }
}

#[test]
fn a_new_record_is_filled_in_and_what_is_null_or_computed_when_read_is_not_kept() {
    let mut world = World::default();
    assert_eq!(world.write(SHELF, &json!({"id": 1, "name": "Far  North", "parent": null, "count": 9})), "created");
    let expected = json!({
        "id": 1, "name": "Far  North", "state": "open", "position": 1, "slug": "far-north", "past": [],
        "made": "1970-01-01T01:00:00.000Z", "changed": "1970-01-01T01:00:00.000Z"
    });
    assert_eq!(world.says(SHELF, 1), expected);
}

#[test]
fn what_the_server_decided_stays_until_something_else_changes() {
    let mut world = World::default();
    world.write(SHELF, &json!({"id": 1, "name": "A"}));
    assert_eq!(world.write(SHELF, &json!({"id": 1, "name": "A", "state": "open"})), "unchanged");
    assert_eq!(world.says(SHELF, 1)["changed"], "1970-01-01T01:00:00.000Z");
    assert_eq!(world.write(SHELF, &json!({"id": 1, "name": "B"})), "updated");
    assert_eq!(world.write(SHELF, &json!({"id": 1, "name": "C"})), "updated");
    let expected = json!({
        "id": 1, "name": "C", "position": 1, "slug": "a", "past": ["B", "A"],
        "made": "1970-01-01T01:00:00.000Z", "changed": "1970-01-01T04:00:00.000Z"
    });
    assert_eq!(world.says(SHELF, 1), expected, "what is not said of it any more is gone");
}

#[test]
fn an_operator_may_say_of_a_new_record_what_the_server_would() {
    let mut world = World::default();
    world.write(SHELF, &json!({"id": 1, "name": "A", "position": 7, "slug": "x", "made": "1969-01-01T00:00:00.000Z"}));
    world.write(SHELF, &json!({"id": 2, "name": "B"}));
    let of = |key: i64, name: &str| world.says(SHELF, key)[name].clone();
    assert_eq!((of(1, "slug"), of(1, "made")), (json!("x"), json!("1969-01-01T00:00:00.000Z")));
    assert_eq!((of(1, "position"), of(2, "position")), (json!(7), json!(8)));
}

#[test]
fn places_are_counted_among_those_that_agree_and_no_two_have_one_slug() {
    let mut world = World::default();
    let shelves = [(1, "A", None), (2, "A", Some(1)), (3, "B", Some(1)), (4, "a!", Some(1))];
    let sent: Vec<_> = shelves
        .map(|(id, name, parent)| sent(SHELF, Change::Upsert, &json!({"id": id, "name": name, "parent": parent})))
        .into();
    assert_eq!(world.merge(&sent), ["created"; 4]);
    let found =
        shelves.map(|(id, ..)| (world.says(SHELF, id)["position"].clone(), world.says(SHELF, id)["slug"].clone()));
    let expected = [(1, "a"), (1, "a-2"), (2, "b"), (3, "a-4")].map(|(position, slug)| (json!(position), json!(slug)));
    assert_eq!(found, expected);
}

#[test]
fn an_update_that_says_null_empties() {
    let mut world = World::default();
    world.write(SHELF, &json!({"id": 1, "name": "A", "note": "x"}));
    world.merge(&[sent(SHELF, Change::Update, &json!({"id": 1, "note": null}))]);
    assert!(world.says(SHELF, 1).get("note").is_none());
    assert_eq!(world.merge(&[sent(SHELF, Change::Update, &json!({"id": 1, "name": null}))]), ["rejected"]);
}

#[test]
fn references_lead_from_lists_and_by_words_and_nowhere_is_refused() {
    let mut world = World::default();
    let table = [
        (LABEL, json!({"id": 1}), "created"),
        (SHELF, json!({"id": 1, "name": "A", "labels": [1, 2]}), "rejected"),
        (SHELF, json!({"id": 1, "name": "A", "labels": [1]}), "created"),
        (SHELF, json!({"id": 2, "name": "B", "parent": 2}), "created"),
        (SHELF, json!({"id": 3, "name": "C", "parent": 4}), "rejected"),
        (REMARK, json!({"id": 1, "of": "shelf", "on": 1}), "created"),
        (REMARK, json!({"id": 2, "of": "shelf", "on": 3}), "rejected"),
        (REMARK, json!({"id": 3, "of": "label", "on": 2}), "rejected"),
        (REMARK, json!({"id": 4, "of": "nothing", "on": 2}), "created"),
        (REMARK, json!({"id": 5, "of": "label"}), "created"),
    ];
    for (of, body, expected) in table {
        assert_eq!(world.write(of, &body), expected, "{body}");
    }
}

#[test]
fn who_refers_to_what_goes_goes_along_is_emptied_or_keeps_it() {
    let mut world = World::default();
    world.write(LABEL, &json!({"id": 1}));
    world.write(LABEL, &json!({"id": 2}));
    world.write(SHELF, &json!({"id": 1, "name": "A", "labels": [1, 2]}));
    world.write(SHELF, &json!({"id": 2, "name": "B", "parent": 1}));
    world.write(SHELF, &json!({"id": 3, "name": "C", "parent": 2}));
    world.write(REMARK, &json!({"id": 1, "of": "shelf", "on": 3}));
    world.write(REMARK, &json!({"id": 2, "of": "label", "on": 1}));
    assert_eq!(world.remove(LABEL, 1), "deleted");
    assert_eq!((world.says(SHELF, 1)["labels"].clone(), world.keys(REMARK)), (json!([2]), vec!["[1]"]));

    world.write(LABEL, &json!({"id": 2, "best": 3}));
    let refused = world.take(&[sent(SHELF, Change::Delete, &json!({"id": 1}))], &[], None);
    let notes = &refused.entries[0].notes;
    assert_eq!((words(&refused), notes[0].code.as_str()), (vec!["rejected"], "referenced"), "shelf 3 would go along");
    assert_eq!(world.keys(SHELF), ["[1]", "[2]", "[3]"]);
    assert_eq!(world.says(REMARK, 1)["on"], 3);

    let both = [sent(SHELF, Change::Delete, &json!({"id": 1})), sent(LABEL, Change::Delete, &json!({"id": 2}))];
    assert_eq!(world.merge(&both), ["deleted", "deleted"], "together they may go");
    assert!(world.keys(SHELF).is_empty());
    assert!(world.says(REMARK, 1).get("on").is_none());
}

#[test]
fn who_keeps_a_record_is_asked_again_when_that_is_rejected_itself() {
    let mut world = World::default();
    world.write(SHELF, &json!({"id": 1, "name": "A"}));
    world.write(LABEL, &json!({"id": 1, "best": 1}));
    // The label would refer to another shelf then, but that one is not there.
    let all =
        [sent(LABEL, Change::Upsert, &json!({"id": 1, "best": 7})), sent(SHELF, Change::Delete, &json!({"id": 1}))];
    let taken = world.take(&all, &[], None);
    assert_eq!(words(&taken), ["rejected", "rejected"]);
    assert!(taken.entries.iter().all(|entry| entry.outcome == Outcome::Rejected));
    assert_eq!((world.keys(SHELF), world.says(LABEL, 1)["best"].clone()), (vec!["[1]"], json!(1)));
}

/// A change of one of a few records, which refers to others of them.
fn some_change() -> impl Strategy<Value = (u8, u8, i64, Option<i64>)> {
    (0..3_u8, 0..3_u8, 1..5_i64, prop::option::of(1..5_i64))
}

fn changed((of, change, id, to): &(u8, u8, i64, Option<i64>)) -> crate::record::Sent {
    let change = if *change == 0 { Change::Delete } else { Change::Upsert };
    match of {
        0 => sent(SHELF, change, &json!({"id": id, "name": "N", "parent": to, "labels": to.map(|to| vec![to, 1])})),
        1 => sent(LABEL, change, &json!({"id": id, "best": to})),
        _ => sent(REMARK, change, &json!({"id": id, "of": if id % 2 == 0 { "shelf" } else { "label" }, "on": to})),
    }
}

proptest! {
    #[test]
    fn no_reference_ever_leads_nowhere(payloads in prop::collection::vec(prop::collection::vec(some_change(), 1..6), 1..8)) {
        let mut world = World::default();
        for payload in payloads {
            world.merge(&payload.iter().map(changed).collect::<Vec<_>>());
            let is_there = |of: RecordTypeId, key: &Value| key.is_null() || world.rows.contains_key(&(of, format!("[{key}]")));
            for ((of, _), (_, body, ..)) in &world.rows {
                let body: Value = serde_json::from_slice(body).unwrap();
                let labels = body["labels"].as_array().cloned().unwrap_or_default();
                prop_assert!(is_there(SHELF, &body["parent"]) && labels.iter().all(|label| is_there(LABEL, label)), "{}", body);
                prop_assert!(is_there(SHELF, &body["best"]), "{}", body);
                let on = if body["of"] == "shelf" { SHELF } else { LABEL };
                prop_assert!(*of != REMARK || is_there(on, &body["on"]), "{}", body);
            }
        }
    }
}
