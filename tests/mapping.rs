//! Maps the examples and generated schools of every partner's mapper natively and in the sandbox, and compares.

#![cfg(test)]

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::{Strategy as _, any, prop_assert, proptest};
use rollcall_core::canonical::{Canonical, KindId};
use rollcall_core::json::Json;
use rollcall_core::limits::Limits;
use rollcall_core::map::{Budget, Contribution, Host, Input, Mapped, Mapper, Outcome, Value, decode, encode};
use rollcall_mapper_sdk::{Row, convert};
use rollcall_tests::school::{Payload, Size};
use serde_json::{Map, json};

static CANONICAL: LazyLock<Canonical> =
    LazyLock::new(|| Canonical::load(Path::new("../schemas/canonical")).expect("the canonical schemas are good"));
static MAPPER: LazyLock<Mapper> = LazyLock::new(|| {
    let host = Host::new(&Limits::default().mapper, None).expect("the sandbox starts");
    let component = mapper_artifacts::component("jusoor").expect("the mapper is built");
    host.load("jusoor", &component, &CANONICAL).expect("the mapper loads")
});

/// A record as the pipeline hands it to a mapper.
#[derive(Debug, Clone)]
struct Record {
    of: &'static str,
    body: Vec<u8>,
    ancestors: Vec<u8>,
}

/// All records of a payload, cut the way the description says.
fn records(payload: &Payload) -> Vec<Record> {
    let mut records = Vec::new();
    for branch in &payload.branches {
        records.push(record("Branch", &json!({"id": branch.id, "name": branch.name}), &json!({})));
        for class in &branch.classes {
            let above = json!({"id": branch.id});
            records.push(record("Class", &json!({"id": class.id, "name": class.name}), &above));
            for section in &class.sections {
                let parent = json!({"id": branch.id, "name": branch.name});
                let above = json!({"id": class.id, "name": class.name, "parent": parent});
                records.push(record("Section", &json!(section), &above));
            }
        }
    }
    records
}

fn record(of: &'static str, body: &serde_json::Value, ancestors: &serde_json::Value) -> Record {
    let canonical = |value: &serde_json::Value| Json::parse(value.to_string().as_bytes(), 64).unwrap().to_bytes();
    Record { of, body: canonical(body), ancestors: canonical(ancestors) }
}

fn sandboxed(records: &[Record], options: &str, batch_bytes: usize) -> Vec<Mapped> {
    let kinds: Vec<KindId> = CANONICAL.iter().map(|(id, _)| id).collect();
    let inputs: Vec<_> = records
        .iter()
        .map(|one| Input { record: one.of, kinds: &kinds, body: &one.body, ancestors: &one.ancestors })
        .collect();
    let limits = Limits { batch_bytes, ..Limits::default() };
    MAPPER.map(&CANONICAL, options.as_bytes(), &inputs, &Budget::new(&limits)).unwrap()
}

fn native(records: &[Record], options: &str) -> Vec<serde_json::Value> {
    let inputs = records.iter().map(|one| (one.of, one.body.as_slice(), one.ancestors.as_slice()));
    let rows = convert::<mapper_jusoor::Jusoor>(options.as_bytes(), inputs).map(|answer| answer.rows());
    rows.map(|rows: Vec<Row>| json!(rows)).collect()
}

/// A sandboxed record's contributions in the form of native ones.
fn shown(mapped: &Mapped) -> serde_json::Value {
    contributions(mapped).iter().map(show).collect()
}

fn contributions(mapped: &Mapped) -> &[Contribution] {
    let Outcome::Contributions(contributions) = &mapped.outcome else { panic!("{:?}", mapped.outcome) };
    contributions
}

fn show(contribution: &Contribution) -> serde_json::Value {
    let kind = CANONICAL.kind(contribution.kind);
    let fields: Map<_, _> = contribution
        .fields
        .iter()
        .map(|(at, value)| (kind.fields[usize::from(*at)].name.clone(), json_of(value)))
        .collect();
    json!({"kind": kind.name, "sourceId": contribution.source_id, "fields": fields})
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) | Value::Reference(text) => json!(text),
        Value::Integer(integer) => json!(integer),
        Value::Boolean(boolean) => json!(boolean),
        Value::Number(spelled) => serde_json::from_str(spelled).unwrap(),
        Value::Nested(nested) => serde_json::from_str(nested).unwrap(),
    }
}

const OPTIONS: [&str; 3] = [
    "{}",
    r#"{"personScope":"branch"}"#,
    r#"{"schoolYear":{"name":"2026/27","start":"2026-09-01","end":"2027-06-30"}}"#,
];

#[test]
fn the_sandbox_and_native_code_say_the_same() {
    let records = records(&Payload::of(Size::SMALL));
    for options in OPTIONS {
        let sandboxed: Vec<_> = sandboxed(&records, options, 128 << 10).iter().map(shown).collect();
        assert_eq!(sandboxed, native(&records, options), "{options}");
    }
}

#[test]
fn a_whole_school_has_as_many_entities_as_it_has() {
    let records = records(&Payload::of(Size::LARGE));
    let mapped = sandboxed(&records, "{}", Limits::default().batch_bytes);
    let mut entities = std::collections::BTreeMap::new();
    for contribution in mapped.iter().flat_map(contributions) {
        let kind = CANONICAL.kind(contribution.kind).name.as_str();
        entities.entry(kind).or_insert_with(std::collections::BTreeSet::new).insert(contribution.source_id.as_str());
    }
    let counts: Vec<_> = entities.iter().map(|(kind, ids)| (*kind, ids.len())).collect();
    assert_eq!(counts, [("class", 160), ("course", 280), ("enrollment", 5_760), ("org", 1), ("user", 5_040)]);
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    #[test]
    fn order_and_batches_make_no_difference(
        order in any::<u64>().prop_map(fastrand::Rng::with_seed),
        batch_bytes in 1usize..4_000,
    ) {
        let mut order = order;
        let records = records(&Payload::of(Size::SMALL));
        let alone: Vec<_> = sandboxed(&records, "{}", usize::MAX);
        let mut shuffled: Vec<usize> = (0..records.len()).collect();
        order.shuffle(&mut shuffled);
        let given: Vec<_> = shuffled.iter().map(|at| records[*at].clone()).collect();
        for (at, mapped) in shuffled.iter().zip(sandboxed(&given, "{}", batch_bytes)) {
            prop_assert!(mapped == alone[*at]);
            let stored = encode(contributions(&mapped), &CANONICAL);
            prop_assert!(decode(&stored, &CANONICAL).unwrap() == contributions(&mapped));
        }
    }
}
