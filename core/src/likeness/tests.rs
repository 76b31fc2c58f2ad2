use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Likeness, likeness};
use crate::json::{Json, Pointer};
use crate::language::described::body_schema;
use crate::language::{Document, Files, Folder};
use crate::validate::Schema;

const LIBRARY: &str = r"
openapi: 3.1.0
paths:
  /loans:
    post:
      operationId: putLoans
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Payload'}}}}
components:
  schemas:
    Payload:
      type: object
      properties:
        readers: {type: array, items: {$ref: '#/components/schemas/Reader'}}
        loans: {type: array, items: {$ref: '#/components/schemas/Loan'}}
        seats: {type: object, additionalProperties: {type: integer}}
    Reader:
      type: object
      required: [no, name]
      properties:
        no: {type: integer, minimum: 1, maximum: 9223372036854775807}
        name: {type: string, minLength: 1}
        mail: {type: string, format: email}
        born: {type: string, format: DD/MM/YYYY}
        kind: {enum: [child, adult]}
        height: {type: number}
        grade: {type: integer, minimum: 10, maximum: 13}
        tag: {type: string, pattern: '^[A-Z]{2}[0-9]{3}$'}
        page: {type: string, format: uri}
        pin: {const: '4711'}
        month: {type: string, format: MM/YYYY}
        always: {type: integer, minimum: 42, maximum: 42}
    Loan:
      type: object
      properties:
        id: {type: string, format: uuid}
        reader: {type: integer}
        label: {type: string}
        from: {type: string, format: date}
        until: {type: string, format: date-time}
";

const PAYLOAD: &str = r#"{
  "readers": [
    {"no": 4711, "name": "Hala Farah", "mail": "hala.farah@school.example", "born": "31/12/2001", "kind": "child",
     "height": 1.52, "grade": 12, "tag": "AB123", "page": "https://school.example/hala", "pin": "4711", "always": 42},
    {"no": 815, "name": "سارة الخطيب", "born": "05/01/2002", "kind": "adult", "unknown": {"hobby": "Chess", "since": 2019}}
  ],
  "loans": [
    {"id": "7f1c2b1e-52f5-4e3c-9d0e-6a3f6f0c8a11", "reader": 4711, "label": "4711-1 Hala", "from": "2026-09-01",
     "until": "2026-09-15T08:30:00Z"},
    {"id": "0b4f61de-3a74-4d50-8f5a-1c2d3e4f5a6b", "reader": 815, "label": "815-2 Hala", "from": "2026-12-24",
     "until": "2027-01-07T08:30:00+03:00"}
  ],
  "seats": {"Hala": 1, "Omar": 0}
}"#;

fn document() -> Document {
    let by_name = BTreeMap::from([("library.yaml".to_owned(), LIBRARY.as_bytes().to_vec())]);
    let files = Files { called: "library".into(), by_name };
    Document::read_in(Folder::Memory(&files), "library.yaml", &mut Vec::new()).unwrap()
}

fn drawn(key: u8, keep: &[&str]) -> (Likeness, Value) {
    let document = document();
    let schema = body_schema(&document, "putLoans").unwrap();
    let payload = Json::parse(PAYLOAD.as_bytes(), 64).unwrap();
    let keep: Vec<_> = keep.iter().map(|at| Pointer::from(*at)).collect();
    let found = likeness(&payload, &document, Some(&schema), &keep, [key; 32]);
    let compiled = Schema::compile(document.root(), schema.as_str()).unwrap();
    let json = Json::parse(&found.payload, 64).unwrap();
    assert!(compiled.is_valid(&json), "{}", json.to_value());
    let value = json.to_value();
    (found, value)
}

/// The words of all values, without what everybody may know.
fn words(value: &Value) -> BTreeSet<String> {
    let text = value.to_string();
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.chars().count() > 1);
    words.map(str::to_lowercase).collect()
}

#[test]
fn nothing_personal_is_left_and_all_is_as_described() {
    let original: Value = serde_json::from_str(PAYLOAD).unwrap();
    for key in 0..32 {
        let (found, value) = drawn(key, &[]);
        assert_eq!(found.kept, [Pointer::from("/readers/0/always")], "nothing else fits there");
        for personal in ["hala", "farah", "omar", "سارة", "الخطيب", "chess", "4711", "815", "school", "ab"] {
            let mut without = value.clone();
            without["readers"][0]["pin"] = Value::Null;
            assert!(!words(&without).contains(personal), "{key}: {personal}: {value}");
        }
        let names = |value: &Value| value.as_object().map(|members| members.keys().cloned().collect::<BTreeSet<_>>());
        assert_eq!(names(&value["readers"][1]), names(&original["readers"][1]));
        assert_eq!(value["readers"][0]["kind"], "child");
        assert_eq!(value["readers"][0]["pin"], "4711");
    }
}

#[test]
fn references_and_order_hold() {
    for key in 0..32 {
        let (_, value) = drawn(key, &[]);
        let (readers, loans) = (&value["readers"], &value["loans"]);
        for nth in 0..2 {
            let number = readers[nth]["no"].as_i64().unwrap();
            assert_eq!(loans[nth]["reader"], number);
            let label = loans[nth]["label"].as_str().unwrap();
            assert!(label.starts_with(&format!("{number}-")), "{label}");
        }
        assert_ne!(readers[0]["no"], readers[1]["no"]);
        let name = readers[0]["name"].as_str().unwrap().split(' ').next().unwrap();
        let label = loans[1]["label"].as_str().unwrap();
        assert!(label.ends_with(name), "{label}");
        assert!(value["seats"].as_object().unwrap().contains_key(name), "names of members may be names of people");
        assert!(loans[0]["from"].as_str() < loans[1]["from"].as_str());
        assert!(loans[0]["until"].as_str().unwrap().ends_with("T08:30:00Z"));
    }
}

#[test]
fn what_is_drawn_looks_like_what_was_there() {
    let (_, value) = drawn(7, &[]);
    let reader = &value["readers"][0];
    let looks = |text: &str| -> String {
        let look = |letter: char| match letter {
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            '0'..='9' => '0',
            'ء'..='ي' => 'ا',
            other => other,
        };
        text.chars().map(look).collect()
    };
    assert_eq!(looks(reader["name"].as_str().unwrap()), "Aaaa Aaaaa");
    assert_eq!(looks(value["readers"][1]["name"].as_str().unwrap()), looks("سارة الخطيب"));
    assert_eq!(looks(reader["mail"].as_str().unwrap()), "aaaa.aaaaa@aaaaaa.aaaaaaa");
    assert_eq!(looks(reader["height"].to_string().as_str()).len(), 4);
    assert!(reader["page"].as_str().unwrap().starts_with("https://"), "{reader}");
    assert!((10..=13).contains(&reader["grade"].as_i64().unwrap()));
}

#[test]
fn the_same_key_draws_the_same_and_another_key_another() {
    let (one, two, other) = (drawn(1, &[]).0, drawn(1, &[]).0, drawn(2, &[]).0);
    assert_eq!(one, two);
    assert_ne!(one.payload, other.payload);
}

#[test]
fn what_is_to_be_kept_is_kept() {
    let (_, value) = drawn(3, &["/readers/*/name", "/loans/0"]);
    let original: Value = serde_json::from_str(PAYLOAD).unwrap();
    assert_eq!(value["readers"][0]["name"], "Hala Farah");
    assert_eq!(value["loans"][0], original["loans"][0]);
    assert_ne!(value["loans"][1], original["loans"][1]);
}
