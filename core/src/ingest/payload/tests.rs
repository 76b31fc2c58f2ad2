//! That a payload is read alike however large it is: in one tree, or around its records and these by themselves.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Payload;
use crate::canonical::Canonical;
use crate::costs::Costs;
use crate::delivery::Report;
use crate::description::{Operation, Partner};
use crate::digest::Digest;
use crate::ingest::sparse;
use crate::limits::Limits;

/// Places in each example that are changed in every way.
const PLACES: usize = 24;

#[test]
fn every_payload_is_read_alike_as_a_whole_and_around_its_records() {
    let canonical = Canonical::load(Path::new("../schemas/canonical")).unwrap();
    let folders = std::fs::read_dir("../schemas").unwrap().map(|entry| entry.unwrap().path());
    let (mut around, mut whole) = (0, 0);
    for folder in folders.filter(|folder| folder.join("openapi.yaml").exists()) {
        let partner = Partner::load(&folder, &canonical, &|_: &str| true).unwrap();
        for body in examples(&folder).iter().flat_map(changed) {
            for operation in partner.operations.iter().filter(|operation| operation.verb.changes().is_some()) {
                let media = operation.body.as_ref().and_then(|body| body.media.first());
                if media.is_some_and(|media| sparse::read(media, &body, &limits(0), &Costs::default()).is_some()) {
                    around += 1;
                } else {
                    whole += 1;
                }
                assert_eq!(
                    shown(&partner, operation, &body, &limits(0)),
                    shown(&partner, operation, &body, &limits(usize::MAX)),
                    "{} of {}: {}",
                    operation.id,
                    partner.name,
                    String::from_utf8_lossy(&body)
                );
            }
        }
    }
    assert!(around > 100 && whole > 100, "{around} around, {whole} whole");
}

fn limits(piece_bytes: usize) -> Limits {
    Limits { piece_bytes, warnings_max: 3, violations_max: 3, ..Limits::default() }
}

/// The payloads among a partner's examples.
fn examples(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|it| it == "json")).collect();
    files.sort();
    let payloads = files.iter().filter(|file| !file.to_string_lossy().ends_with(".expected.json"));
    payloads.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
}

/// An example, and what becomes of it where one place in it is changed.
fn changed(example: &Value) -> Vec<Vec<u8>> {
    let mut places = Vec::new();
    places_in(example, String::new(), &mut places);
    let mut all = vec![example.to_string().into_bytes()];
    let each = places.len().div_ceil(PLACES).max(1);
    for place in places.iter().step_by(each) {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut changed = example.clone();
            change(changed.pointer_mut(place).unwrap());
            changed.to_string().into_bytes()
        };
        all.push(with(&|value| *value = json!(7)));
        all.push(with(&|value| *value = json!([])));
        all.push(with(&|value| match value {
            Value::Object(members) => {
                members.insert("unheard of".to_owned(), json!({"a": [1]}));
                members.insert("More".to_owned(), Value::Null);
            }
            Value::Array(items) => items.extend_from_within(..),
            _ => *value = Value::Null,
        }));
        all.push(with(&|value| *value = json!("\u{0}a key that stands twice")));
    }
    let twice: Vec<_> = all
        .iter()
        .map(|body| String::from_utf8_lossy(body).replace(r#""\u0000a key that stands twice""#, r#"{"a":1,"a":2}"#))
        .collect();
    twice.into_iter().map(String::into_bytes).collect()
}

fn places_in(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| places_in(member, format!("{at}/{name}"), places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, item)| places_in(item, format!("{at}/{nth}"), places));
        }
        _ => {}
    }
    places.push(at);
}

/// All that reading a body comes to.
fn shown(partner: &Partner, operation: &Operation, body: &[u8], limits: &Limits) -> (Vec<String>, Report) {
    let (options, setting) = (json!({}), Digest::of(b"setting"));
    let read = Payload::read(operation, &options, &partner.records, setting, limits, body, &Costs::default());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match read.map(|(payload, report)| (payload.into_owned(), report)) {
        Ok((Payload::Whole(cut), report)) => {
            let records = cut.records.iter().map(|record| {
                let (body, ancestors) = (text(&record.content.read()), text(&record.ancestors));
                let (_, unknown) = record.row(&partner.records[usize::from(record.of.0)]);
                format!("{} {} {body} {ancestors} {:?} {unknown:?}", record.pointer, record.key, record.digest)
            });
            (records.collect(), report)
        }
        Ok((Payload::OneByOne { sent, as_of }, report)) => {
            let sent = sent.iter().map(|sent| {
                let body = text(&sent.body.read());
                format!("{} {:?} {:?} {} {body} {as_of:?}", sent.pointer, sent.of, sent.change, sent.ordered)
            });
            (sent.collect(), report)
        }
        Err(report) => (Vec::new(), *report),
    }
}
