//! A small world: two kinds of entity, one partner with two record types, and short ways to commit.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::Storage;
use crate::canonical::{Canonical, Field, Form, Join, Kind, KindId, NestedReference, TextRule};
use crate::clock::{Clock as _, FixedClock};
use crate::delivery::{Asked, Entry, Outcome, Received, Report, Status};
use crate::description::{Messages, Partner, RecordType, RecordTypeId};
use crate::digest::Digest;
use crate::identity::Namespace;
use crate::json::Pointer;
use crate::store::{
    Commit, Connection, EntityLink, EntityRow, EntityStep, Finish, RecordId, RecordRow, RecordStep, StoreError,
};
use crate::table::{Cell, ColumnForm, Table, columns, table_name};
use crate::validate::Schema;

pub(super) const ORG: KindId = KindId(0);
pub(super) const PERSON: KindId = KindId(1);
pub(super) const BRANCH: RecordTypeId = RecordTypeId(0);
pub(super) const SECTION: RecordTypeId = RecordTypeId(1);

/// `org` and `person`, which between them have a field of every form.
pub(super) fn canonical() -> Canonical {
    Canonical::from_kinds(vec![kind("org", ORG_FIELDS), kind("person", PERSON_FIELDS)], Digest::of(b"canonical"))
}

pub(super) const ORG_FIELDS: &[(&str, ColumnForm)] = &[("name", ColumnForm::Text), ("parent", ColumnForm::Id)];

const PERSON_FIELDS: &[(&str, ColumnForm)] = &[
    ("givenName", ColumnForm::Text),
    ("age", ColumnForm::Integer),
    ("score", ColumnForm::Number),
    ("enabled", ColumnForm::Boolean),
    ("school", ColumnForm::Id),
    ("roles", ColumnForm::Json),
];

pub(super) fn kind(name: &str, fields: &[(&str, ColumnForm)]) -> Kind {
    let field = |&(name, form): &(&str, ColumnForm)| Field {
        name: name.to_owned(),
        required: false,
        form: match form {
            ColumnForm::Text => Form::Text(TextRule::Any(0)),
            ColumnForm::Integer => Form::Integer(i64::MIN, i64::MAX),
            ColumnForm::Number => Form::Number,
            ColumnForm::Boolean => Form::Boolean,
            ColumnForm::Id => Form::Reference(ORG),
            ColumnForm::Json => Form::Nested(
                Box::new(Schema::compile(&json!({}), "").unwrap()),
                vec![NestedReference { path: vec!["[]".to_owned(), "org".to_owned()], to: ORG }],
            ),
        },
        join: Join::Pick,
    };
    Kind {
        name: name.to_owned(),
        plural: format!("{name}s"),
        parts: None,
        fields: fields.iter().map(field).collect(),
        table: Table { name: table_name(&["entity", name]), columns: columns(fields.iter().copied()) },
    }
}

/// `Branch` and `Section` of the partner `school`.
pub(super) fn partner() -> Partner {
    let name = [("name", ColumnForm::Text)];
    let section = [("name", ColumnForm::Text), ("students", ColumnForm::Json)];
    partner_with(vec![record("Branch", &name), record("Section", &section)])
}

pub(super) fn partner_with(records: Vec<RecordType>) -> Partner {
    Partner {
        operator: Vec::new(),
        records_by_type: None,
        messages: Messages::default(),
        webhooks: None,
        refuses_unknown: false,
        name: "school".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b"school"),
        operations: Vec::new(),
        records,
        options: None,
        document: serde_json::Value::Null,
        routes: crate::description::Routes::default(),
    }
}

pub(super) fn record(name: &str, properties: &[(&str, ColumnForm)]) -> RecordType {
    RecordType {
        name: name.to_owned(),
        table: Table { name: table_name(&["record", "school", name]), columns: columns(properties.iter().copied()) },
        ..RecordType::default()
    }
}

/// A prepared store, and the ids and times of what happens to it.
pub(super) struct World {
    pub(super) store: Box<dyn Storage>,
    pub(super) canonical: Canonical,
    pub(super) partner: Partner,
    pub(super) clock: FixedClock,
}

/// What one commit does.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) records: Vec<RecordStep<'static>>,
    pub(super) entities: Vec<EntityStep<'static>>,
}

impl World {
    pub(super) async fn new(database: &dyn super::Database) -> Self {
        let world = Self {
            store: database.open().await.unwrap(),
            canonical: canonical(),
            partner: partner(),
            clock: FixedClock::at(at("2026-09-01T08:00:00Z")),
        };
        world.store.prepare_canonical(&world.canonical).await.unwrap();
        world.store.prepare_partner(&world.partner).await.unwrap();
        world
    }

    pub(super) async fn connection(&self, tenant: &str, name: &str) -> Connection {
        self.store.connection(tenant, name, "school").await.unwrap()
    }

    pub(super) async fn receive(&self, connection: &Connection, body: &str) -> Uuid {
        let received = self.received(body);
        self.store.receive(connection, &received).await.unwrap();
        received.id
    }

    pub(super) fn received(&self, body: &str) -> Received {
        Received {
            id: self.clock.next_id(),
            first: None,
            operation: "mirror".to_owned(),
            asked: Asked::default(),
            at: self.clock.now(),
            body: Some(body.as_bytes().into()),
            content_encoding: None,
            sha256: *Digest::of(body.as_bytes()).as_bytes(),
            size: body.len() as u64,
            queued: false,
        }
    }

    /// Receives something and commits `plan` as what became of it.
    pub(super) async fn apply(&self, connection: &Connection, plan: Plan) -> Result<i64, StoreError> {
        let delivery = self.receive(connection, "{}").await;
        let report = Report::new(Status::Applied);
        self.store.commit(&self.canonical, &self.partner, self.commit(connection, delivery, plan, &report)).await
    }

    pub(super) fn commit<'a>(
        &self,
        connection: &'a Connection,
        delivery: Uuid,
        plan: Plan,
        report: &'a Report,
    ) -> Commit<'a> {
        Commit {
            connection,
            delivery,
            at: self.clock.now(),
            next_record: connection.next_record + i64::try_from(plan.records.len()).unwrap(),
            active: BTreeMap::from([("org".to_owned(), 1)]),
            applied: None,
            records: plan.records,
            gone: Vec::new(),
            waits: Vec::new(),
            entries: &[],
            entities: plan.entities,
            pieces: None,
            report,
            received: None,
            numbers: Vec::new(),
            sends: Vec::new(),
            finish: Finish::Synced,
            keeps_origins: false,
        }
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The id of the entity that `school` of tenant `demo` calls `source_id`.
pub(super) fn id(kind: &str, source_id: &str) -> Uuid {
    Namespace::of("demo", "school").sourced_id(kind, source_id)
}

pub(super) fn branch(id: i64, key: &'static str, name: &'static str) -> RecordRow<'static> {
    RecordRow {
        of: BRANCH,
        id: RecordId(id),
        new: true,
        key,
        digest: Some(Digest::of(name.as_bytes())),
        ancestors: b"{}",
        cells: vec![text(name)],
        unknown: None,
        contributions: Some(name.as_bytes().into()),
        as_of: None,
    }
}

pub(super) fn section(id: i64, key: &'static str, name: &'static str) -> RecordRow<'static> {
    RecordRow { of: SECTION, cells: vec![text(name), text("[]")], ..branch(id, key, name) }
}

pub(super) fn org(entity: Uuid, source_id: &'static str, name: &'static str) -> EntityRow<'static> {
    EntityRow {
        link: EntityLink { kind: ORG, sourced_id: entity, uniform: true, contributors: vec![RecordId(1)] },
        new: true,
        source_id: source_id.into(),
        digest: Digest::of(name.as_bytes()),
        cells: vec![text(name), Cell::Null],
    }
}

/// A line of a log about a branch.
pub(super) fn line(nth: usize, outcome: Outcome) -> Entry {
    Entry {
        pointer: Pointer::root().item(nth),
        record: "Branch".to_owned(),
        key: Some(format!("[{nth}]")),
        outcome,
        notes: Vec::new(),
    }
}

pub(super) fn text(text: &'static str) -> Cell<'static> {
    Cell::Text(Cow::Borrowed(text))
}
