//! A library tells who wants to know of its books, and of its readers' cards.

use serde_json::{Map, Value, json};

use super::{Call, Change, Happened, Heard, Subscription, hear, raise};
use crate::clock::FixedClock;
use crate::description::{
    Event, Expression, FieldPath, Happening, Keying, Member, Messages, Partner, RecordType, RecordTypeId, Routes,
    Template, Type, Webhooks,
};
use crate::digest::Digest;
use crate::table::{ColumnForm, Table, columns, table_name};
use crate::validate::Schema;

const BOOK: RecordTypeId = RecordTypeId(0);
const CARD: RecordTypeId = RecordTypeId(1);
const WEBHOOK: RecordTypeId = RecordTypeId(2);

fn record_type(name: &str, members: &[(&str, ColumnForm)]) -> RecordType {
    RecordType {
        name: name.to_owned(),
        key: vec![FieldPath { up: 0, path: vec!["id".to_owned()] }],
        table: Table { name: table_name(&["record", "library", name]), columns: columns(members.iter().copied()) },
        keying: Keying::Counted,
        blank: true,
        ..RecordType::default()
    }
}

fn expression(source: &str, names: &[(&str, Type)]) -> Expression {
    let names: Vec<_> = names.iter().map(|(name, of)| Member::required(name, of.clone())).collect();
    Expression::compile(source, &names).unwrap()
}

fn webhooks() -> Webhooks {
    let event = |name: &str, of, on| Event { name: name.to_owned(), of, on };
    let state = Type::nullable(Type::Text);
    let before = Type::Object(vec![Member::required("state", state.clone())]);
    let lent = [("state", state), ("before", before), ("options", Type::Any)];
    let lent = |source| Happening::Changed(expression(source, &lent));
    let wanted = [("active", Type::Boolean), ("events", Type::List(Box::new(Type::Text))), ("event", Type::Text)];
    Webhooks {
        events: vec![
            event("book.created", BOOK, Happening::Created),
            event("book.updated", BOOK, Happening::Updated),
            event("book.deleted", BOOK, Happening::Deleted),
            event("book.lent", BOOK, lent("before.state != 'lent' && state == 'lent'")),
            event("book.read", BOOK, lent("false")),
            event("card.deleted", CARD, Happening::Deleted),
        ],
        subscription: WEBHOOK,
        only: expression("active && event in events", &wanted),
        url: "url".to_owned(),
        timeout_ms: 10_000,
        body: Template::object(vec![
            ("what", expression("event", &[("event", Type::Text)])),
            ("where", expression("options.town", &[("options", Type::Any)])),
            ("thing", expression("record", &[("record", Type::Any)])),
        ]),
        schema: Schema::compile(&json!({}), "").unwrap(),
        received: ("what".to_owned(), "thing".to_owned()),
    }
}

fn partner() -> Partner {
    let texts = |names: &[&'static str]| names.iter().map(|name| (*name, ColumnForm::Text)).collect::<Vec<_>>();
    Partner {
        operator: Vec::new(),
        records_by_type: None,
        messages: Messages::default(),
        webhooks: Some(webhooks()),
        refuses_unknown: false,
        name: "library".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b"library"),
        operations: Vec::new(),
        records: vec![
            record_type("Book", &texts(&["id", "title", "state"])),
            record_type("Card", &texts(&["id"])),
            record_type("Webhook", &texts(&["id", "url", "active", "events"])),
        ],
        options: None,
        document: Value::Null,
        routes: Routes::default(),
    }
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What is raised when this becomes of the book 7: events with what is told of the book.
fn raised_by(before: &Value, after: &Value) -> Vec<(String, Value)> {
    let (before, after) = (before.as_object(), after.as_object());
    let change = Change { of: BOOK, key: "[7]", before, after };
    let everything = json!({"active": true, "events":
        ["book.created", "book.updated", "book.deleted", "book.lent", "book.read", "card.deleted"]});
    let subscriptions = [Subscription { key: "[1]", body: &members(&everything) }];
    let clock = FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap());
    let happened = Happened { changes: &[change], calls: &[] };
    let sends = raise(&partner(), happened, &subscriptions, &json!({"town": "Elm"}), &clock);
    sends
        .into_iter()
        .map(|send| {
            assert_eq!((send.subscription.as_str(), send.record), ("[1]", ("Book".to_owned(), "[7]".to_owned())));
            let mut body: Value = serde_json::from_slice(&send.body).unwrap();
            assert_eq!((&body["what"], &body["where"]), (&json!(send.event), &json!("Elm")));
            (send.event, body["thing"].take())
        })
        .collect()
}

#[test]
fn what_a_record_said_and_says_raises_its_events() {
    let book = |state: Value| json!({"id": 7, "title": "Momo", "state": state});
    let (home, lent) = (book(json!("home")), book(json!("lent")));
    let bare = json!({"id": 7});
    let spelled_out = json!({"id": 7, "title": null, "state": null});
    let table = [
        (&Value::Null, &home, vec![("book.created", &home)]),
        (&Value::Null, &bare, vec![("book.created", &spelled_out)]),
        (&home, &home, vec![]),
        (&home, &lent, vec![("book.updated", &lent), ("book.lent", &lent)]),
        (&bare, &lent, vec![("book.updated", &lent), ("book.lent", &lent)]),
        (&lent, &home, vec![("book.updated", &home)]),
        (&Value::Null, &lent, vec![("book.created", &lent)]),
        (&lent, &Value::Null, vec![("book.deleted", &lent)]),
        (&Value::Null, &Value::Null, vec![]),
    ];
    for (before, after, expected) in table {
        let expected: Vec<_> = expected.into_iter().map(|(event, told)| (event.to_owned(), told.clone())).collect();
        assert_eq!(raised_by(before, after), expected, "{before} {after}");
    }
}

#[test]
fn only_who_wants_to_know_is_told_and_everybody_else_is_not_looked_at() {
    let (book, card) = (members(&json!({"id": 7})), members(&json!({"id": 3})));
    let changes = [
        Change { of: BOOK, key: "[7]", before: None, after: Some(&book) },
        Change { of: CARD, key: "[3]", before: Some(&card), after: None },
        Change { of: WEBHOOK, key: "[1]", before: Some(&card), after: None },
    ];
    let bodies = [
        json!({"active": true, "events": ["book.created", "card.deleted"]}),
        json!({"active": false, "events": ["book.created"]}),
        json!({"active": true, "events": []}),
        json!({"events": ["card.deleted"]}),
        json!({"active": true, "events": ["card.deleted"]}),
    ];
    let bodies = bodies.map(|body| members(&body));
    let keys = ["[1]", "[2]", "[3]", "[4]", "[5]"];
    let subscriptions: Vec<_> = keys.iter().zip(&bodies).map(|(key, body)| Subscription { key, body }).collect();
    let clock = FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap());
    let happened = Happened { changes: &changes, calls: &[] };
    let sends = raise(&partner(), happened, &subscriptions, &Value::Null, &clock);
    let told: Vec<_> = sends.iter().map(|send| (send.subscription.as_str(), send.event.as_str())).collect();
    assert_eq!(told, [("[1]", "book.created"), ("[1]", "card.deleted"), ("[5]", "card.deleted")]);
    assert!(sends.is_sorted_by(|one, other| one.id < other.id));

    let silent = Partner { webhooks: None, ..partner() };
    assert_eq!(raise(&silent, happened, &subscriptions, &Value::Null, &clock), []);
}

#[test]
fn a_partners_own_logic_raises_what_the_description_lists_and_nothing_else() {
    let book = members(&json!({"id": 7, "title": "Momo"}));
    let call = |event, of| Call { event, of, key: "[7]", record: &book };
    let calls = [call("book.read", BOOK), call("book.read", CARD), call("book.burnt", BOOK)];
    let wanted = members(&json!({"active": true, "events": ["book.read", "book.burnt"]}));
    let subscriptions = [Subscription { key: "[1]", body: &wanted }];
    let clock = FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap());
    let happened = Happened { changes: &[], calls: &calls };
    let sends = raise(&partner(), happened, &subscriptions, &json!({"town": "Elm"}), &clock);
    let bodies: Vec<Value> = sends.iter().map(|send| serde_json::from_slice(&send.body).unwrap()).collect();
    let thing = json!({"id": 7, "title": "Momo", "state": null});
    assert_eq!(bodies, [json!({"what": "book.read", "where": "Elm", "thing": thing})]);
}

#[test]
fn what_another_hub_tells_says_which_record_it_is_about() {
    let partner = partner();
    let webhooks = partner.webhooks.as_ref().unwrap();
    let book = json!({"id": 7, "title": "Momo", "unheard-of": true});
    let hear = |event: &str, thing: &Value| {
        let body = json!({"what": event, "thing": thing});
        hear(&partner, webhooks, &body)
            .map(|heard| heard.map(|Heard { of, key, is_gone, record }| (of, key, is_gone, record.len())))
            .map_err(|note| (note.pointer.to_string(), note.code))
    };
    let there = |gone| Ok(Some((BOOK, "[7]".to_owned(), gone, 3)));
    let wrong = |code: &str| Err(("/thing".to_owned(), code.to_owned()));
    let table = [
        ("book.created", &book, there(false)),
        ("book.updated", &book, there(false)),
        ("book.lent", &book, there(false)),
        ("book.deleted", &book, there(true)),
        ("card.deleted", &json!({"id": 7}), Ok(Some((CARD, "[7]".to_owned(), true, 1)))),
        ("book.burnt", &book, Ok(None)),
        ("book.created", &json!("Book"), wrong("type")),
        ("book.created", &json!({"title": "Momo"}), wrong("required")),
    ];
    for (event, thing, expected) in table {
        assert_eq!(hear(event, thing), expected, "{event} {thing}");
    }
}
