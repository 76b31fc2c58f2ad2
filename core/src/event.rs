//! Turns what changed into what subscribers are told, and what another hub tells into what changes here.
//!
//! What happened follows from what a record said before and what it says afterwards, so that no operation and no call has
//! to think of it; only what changes no record has to be said by the partner's own logic. Both ways are pure: who is told
//! what is decided in the transaction that it happens in, and is a function of what is stored.
//!
//! To add a way in which events are raised: a variant of [`Happening`], its meaning in [`Change::raises`].

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::description::{Event, Happening, Partner, RecordType, RecordTypeId, Webhooks};
use crate::json::{Json, Pointer};
use crate::note::Note;
use crate::record::key_alone;
use crate::store::NewSend;

/// A record that changed.
#[derive(Debug, Clone, Copy)]
pub struct Change<'c> {
    /// What it is.
    pub of: RecordTypeId,
    /// Its key, a canonical JSON list.
    pub key: &'c str,
    /// What it said; `None` if it is new.
    pub before: Option<&'c Map<String, Value>>,
    /// What it says; `None` if it is gone.
    pub after: Option<&'c Map<String, Value>>,
}

/// Something that happened to a record because the partner's own logic says so.
#[derive(Debug, Clone, Copy)]
pub struct Call<'c> {
    /// What happened: an event's name.
    pub event: &'c str,
    /// What the record is.
    pub of: RecordTypeId,
    /// Its key, a canonical JSON list.
    pub key: &'c str,
    /// What it says afterwards; what it said, where it is gone.
    pub record: &'c Map<String, Value>,
}

/// Someone who wants to be told.
#[derive(Debug, Clone, Copy)]
pub struct Subscription<'c> {
    /// The key of its record, a canonical JSON list.
    pub key: &'c str,
    /// What its record says.
    pub body: &'c Map<String, Value>,
}

/// What happened together.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'c> {
    /// The records that changed, in order.
    pub changes: &'c [Change<'c>],
    /// What the partner's own logic adds.
    pub calls: &'c [Call<'c>],
}

/// What subscribers are to be told of what happened: in its order, and where one record raises several events, in that
/// of the description. Nothing, where the partner describes no webhooks.
pub fn raise(
    partner: &Partner,
    happened: Happened<'_>,
    subscriptions: &[Subscription<'_>],
    options: &Value,
    clock: &dyn Clock,
) -> Vec<NewSend> {
    let Some(webhooks) = &partner.webhooks else { return Vec::new() };
    let subscriber = &partner.records[usize::from(webhooks.subscription.0)];
    let subscribers: Vec<_> = subscriptions.iter().map(|one| (one.key, spelled_out(subscriber, one.body))).collect();
    let mut sends = Vec::new();
    for raised in raised(partner, webhooks, happened, options) {
        let Raised { event, key, record, before } = raised;
        let told = subscribers.iter().filter(|(_, subscriber)| wants(webhooks, subscriber, &event.name));
        let mut told = told.peekable();
        if told.peek().is_none() {
            continue;
        }
        let context = json!({"event": event.name, "record": record, "before": before, "options": options});
        let body = webhooks.body.fill(&context).to_string().into_bytes();
        let record = (partner.records[usize::from(event.of.0)].name.clone(), key.to_owned());
        sends.extend(told.map(|(subscription, _)| NewSend {
            id: clock.next_id(),
            subscription: (*subscription).to_owned(),
            event: event.name.clone(),
            record: record.clone(),
            body: body.clone(),
        }));
    }
    sends
}

/// Whether anything that happens to records of this type is told to anyone.
pub fn is_told(webhooks: &Webhooks, of: RecordTypeId) -> bool {
    webhooks.events.iter().any(|event| event.of == of)
}

/// Whether a subscription, spelled out, wants to be told of an event.
pub fn wants(webhooks: &Webhooks, subscription: &Map<String, Value>, event: &str) -> bool {
    let mut names = subscription.clone();
    names.insert("event".to_owned(), event.into());
    webhooks.only.holds(&Value::Object(names))
}

/// What a record says with `null` for what it does not say, as its clients see it.
pub fn spelled_out(of: &RecordType, members: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    if of.blank {
        for column in &of.table.columns[..of.table.columns.len() - of.kept] {
            all.insert(column.property.clone(), Value::Null);
        }
    }
    all.extend(members.iter().map(|(name, value)| (name.clone(), value.clone())));
    all
}

/// An event that is raised.
struct Raised<'c> {
    event: &'c Event,
    key: &'c str,
    record: Value,
    before: Value,
}

fn raised<'c>(
    partner: &'c Partner,
    webhooks: &'c Webhooks,
    happened: Happened<'c>,
    options: &Value,
) -> Vec<Raised<'c>> {
    let mut raised = Vec::new();
    for change in happened.changes {
        let of = &partner.records[usize::from(change.of.0)];
        let events = webhooks.events.iter().filter(|event| event.of == change.of);
        for event in events.filter(|event| change.raises(event, of, options)) {
            let said = |members: Option<&_>| members.map_or(Value::Null, |members| spelled_out(of, members).into());
            let (before, after) = (said(change.before), said(change.after));
            let record = if change.after.is_some() { after } else { before.clone() };
            raised.push(Raised { event, key: change.key, record, before });
        }
    }
    for call in happened.calls {
        let event = webhooks.events.iter().find(|event| event.name == call.event && event.of == call.of);
        let Some(event) = event else { continue };
        let record = spelled_out(&partner.records[usize::from(call.of.0)], call.record);
        raised.push(Raised { event, key: call.key, record: record.into(), before: Value::Null });
    }
    raised
}

impl Change<'_> {
    /// Whether it raises this event of its record type.
    fn raises(&self, event: &Event, of: &RecordType, options: &Value) -> bool {
        match (&event.on, self.before, self.after) {
            (Happening::Created, None, Some(_)) | (Happening::Deleted, Some(_), None) => true,
            (Happening::Updated, Some(before), Some(after)) => before != after,
            (Happening::Changed(when), Some(before), Some(after)) if before != after => {
                let mut names = spelled_out(of, after);
                names.insert("before".to_owned(), spelled_out(of, before).into());
                names.insert("options".to_owned(), options.clone());
                when.holds(&Value::Object(names))
            }
            _ => false,
        }
    }
}

/// What another hub says of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard<'b> {
    /// What the record is.
    pub of: RecordTypeId,
    /// Its key, a canonical JSON list.
    pub key: String,
    /// Whether it is gone.
    pub is_gone: bool,
    /// What it says, or said.
    pub record: &'b Map<String, Value>,
}

/// What the body of a received webhook says; nothing, where it tells of something that no record here is about. That it
/// is what its schema says has been checked before.
pub fn hear<'b>(partner: &Partner, webhooks: &Webhooks, body: &'b Value) -> Result<Option<Heard<'b>>, Note> {
    let (event, record) = &webhooks.received;
    let place = Pointer::root().member(record);
    let name = body.get(event).and_then(Value::as_str).unwrap_or_default();
    let Some(event) = webhooks.events.iter().find(|event| event.name == name) else { return Ok(None) };
    let Some(record) = body.get(record).and_then(Value::as_object) else {
        return Err(Note::new(place, "type", "must be the record that this happened to"));
    };
    let of = &partner.records[usize::from(event.of.0)];
    let bytes = serde_json::to_vec(record).unwrap_or_default();
    let key = Json::parse(&bytes, u32::MAX).ok().and_then(|json| key_alone(of, &json));
    let Some(key) = key else {
        return Err(Note::new(place, "required", "a field of the record's key is missing"));
    };
    Ok(Some(Heard { of: event.of, key, is_gone: matches!(event.on, Happening::Deleted), record }))
}
