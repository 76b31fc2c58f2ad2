//! Fills in what the server decides of blank records, which clients write one by one and operators as a whole: `null` is
//! absent, defaults, and what is computed when a record is written.
//!
//! Whoever writes such a record again without what only the server knows does not take it away: a number, a slug and a
//! time stay until something else changes. So writing the same twice is no change.

use std::borrow::Cow;

use serde_json::Value;

use super::computed::filled;
use super::{Name, Work};
use crate::description::{At, Computation, Computed, RecordType};
use crate::json::{Json, Pointer};

/// Bytes of a slug, without what sets it apart from another.
const SLUG_BYTES_MAX: usize = 100;

/// A text as lower-case words with hyphens.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = slug::slugify(text);
    slug.truncate(SLUG_BYTES_MAX);
    slug
}

/// A slug that another record has already, set apart by the record's own key.
pub(crate) fn slug_apart(slug: &str, key: &str) -> String {
    format!("{slug}-{}", slug::slugify(crate::note::shown(key)))
}

/// What may be said of a blank record: nothing of what is computed when it is read.
pub(super) fn without_derived(of: &RecordType, body: Vec<u8>, depth_max: u32) -> Vec<u8> {
    if of.derived.is_empty() {
        return body;
    }
    retained(&body, depth_max, |name, _| !of.derived.iter().any(|derived| derived.name == name))
}

fn retained(body: &[u8], depth_max: u32, keep: impl Fn(&str, &Json<'_>) -> bool) -> Vec<u8> {
    match Json::parse(body, depth_max) {
        Ok(Json::Object(object)) => {
            let kept = object.into_members().into_iter().filter(|(name, json)| keep(name, json));
            Json::Object(kept.collect()).to_bytes()
        }
        _ => body.to_vec(),
    }
}

impl Work<'_> {
    /// What is stored of the blank record `name` where `body` is what it shall say.
    pub(super) fn filled_in(&mut self, name: &Name, body: &[u8]) -> Vec<u8> {
        let of = self.record_type(name.0);
        let stored = self.is_there(name).then(|| self.body(name));
        let body = retained(body, self.situation.depth_max, |_, json| *json != Json::Null);
        let mut body = match &stored {
            Some(stored) => self.with_what_stays(of, &body, stored),
            None => self.with_defaults(of, &body),
        };
        if stored.as_ref() == Some(&body) {
            return body;
        }
        for computed in &of.computed {
            body = self.with_computed(name, computed, body, stored.as_deref());
        }
        body
    }

    /// With what the server said of the record before.
    fn with_what_stays(&self, of: &RecordType, body: &[u8], stored: &[u8]) -> Vec<u8> {
        let (body, stored) = (self.parse(body), self.parse(stored));
        let Json::Object(mut object) = body else { return body.to_bytes() };
        for computed in of.computed.iter().filter(|computed| computed.path.is_empty()) {
            if object.get(&computed.name).is_none()
                && let Some(value) = stored.get(&computed.name)
            {
                object.insert(Cow::Borrowed(&computed.name), value.clone());
            }
        }
        Json::Object(object).to_bytes()
    }

    fn with_defaults(&self, of: &RecordType, body: &[u8]) -> Vec<u8> {
        let body = self.parse(body);
        let Json::Object(object) = &body else { return body.to_bytes() };
        let absent = of.defaults.iter().filter(|(name, _)| object.get(name).is_none());
        let defaults: Vec<_> = absent.map(|(name, value)| (name, value.to_string())).collect();
        let mut object = object.clone();
        for (name, value) in &defaults {
            object.insert(Cow::Borrowed(name), self.parse(value.as_bytes()));
        }
        Json::Object(object).to_bytes()
    }

    /// With one computed member. An operator may say of a new record what the server would.
    fn with_computed(&mut self, name: &Name, computed: &Computed, body: Vec<u8>, stored: Option<&[u8]>) -> Vec<u8> {
        if stored.is_some() && computed.at == At::Create && computed.path.is_empty() {
            return body;
        }
        let is_anew = computed.is_own && stored.is_some() && computed.path.is_empty();
        let body = if is_anew && !matches!(computed.value, Computation::History(_)) {
            retained(&body, self.situation.depth_max, |member, _| member != computed.name)
        } else {
            body
        };
        let values = match &computed.value {
            Computation::Expression(_) | Computation::Now => self.values(computed, &body),
            _ if !is_anew && self.parse(&body).get(&computed.name).is_some() => return body,
            Computation::Next(scope) => {
                vec![(Pointer::root(), self.next(name, &computed.name, scope, &body).to_string())]
            }
            Computation::Slug(text) => {
                let context = self.context(&self.parse(&body), computed);
                let text = text.evaluate(&context).ok();
                let slug = text.as_ref().and_then(Value::as_str).map(|text| self.free_slug(name, &computed.name, text));
                slug.map(|slug| (Pointer::root(), Value::from(slug).to_string())).into_iter().collect()
            }
            Computation::History(of) => {
                let past = self.history(&computed.name, of, &body, stored);
                vec![(Pointer::root(), past)]
            }
        };
        if values.is_empty() { body } else { filled(&self.parse(&body), computed, &values) }
    }

    /// One more than the largest so far among the records that agree in `scope`.
    fn next(&mut self, name: &Name, member: &str, scope: &[String], body: &[u8]) -> i64 {
        let own = self.parse(body).to_value();
        let rows = self.rows(name.0);
        let agreeing = rows.as_array().into_iter().flatten().filter(|row| {
            scope.iter().all(|member| row.get(member).filter(|value| !value.is_null()) == own.get(member))
        });
        agreeing.filter_map(|row| row.get(member)?.as_i64()).max().unwrap_or_default().saturating_add(1)
    }

    /// A slug of `text` that no other record has.
    fn free_slug(&mut self, name: &Name, member: &str, text: &str) -> String {
        let slug = slug(text);
        let others = self.all_of(name.0).into_iter().filter(|other| other != name);
        let is_taken = others.collect::<Vec<_>>().into_iter().any(|other| {
            let body = self.body(&other);
            self.parse(&body).get(member).and_then(Json::as_text) == Some(&slug)
        });
        if is_taken { slug_apart(&slug, &name.1) } else { slug }
    }

    /// What `member` has been before, the newest first, as JSON text.
    fn history(&self, name: &str, member: &str, body: &[u8], stored: Option<&[u8]>) -> String {
        let (body, stored) = (self.parse(body), stored.map(|stored| self.parse(stored)));
        let before = stored.as_ref();
        let mut past = before.and_then(|before| before.get(name)).and_then(Json::as_list).unwrap_or_default().to_vec();
        if let Some(was) = before.and_then(|before| before.get(member))
            && body.get(member) != Some(was)
        {
            past.insert(0, was.clone());
        }
        String::from_utf8(Json::List(past).to_bytes()).unwrap_or_default()
    }
}
