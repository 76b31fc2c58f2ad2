//! Turns a delivery that is stored into an example that holds nobody's data: its likeness, and in what it does not come to
//! the same as what was sent.
//!
//! What was sent does not leave the server: whoever asks gets the likeness alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_core::bundle::Bundle;
use rollcall_core::description::{Operation, ProblemClass};
use rollcall_core::ingest::Loaded;
use rollcall_core::json::{Json, Pointer};
use rollcall_core::language::described::body_schema;
use rollcall_core::language::{Document, Folder};
use rollcall_core::likeness::likeness;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::holding::whose;
use crate::intake::blocking;
use crate::partners::DESCRIPTION;
use crate::preview::{Preview, Previewer};
use crate::problem::Problem;
use crate::versions::told;

/// Differences that are named.
const DIFFERENCES_MAX: usize = 20;

/// A likeness of what a delivery sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// The partner.
    pub partner: String,
    /// The operation that it was sent to.
    pub operation: String,
    /// What may stand in an example's file.
    pub payload: Box<RawValue>,
    /// Where something stands as it was sent, because nothing else of its shape satisfies its schema.
    pub kept: Vec<Pointer>,
    /// In what it does not come to the same, by shape; empty where it does.
    pub differences: Vec<String>,
}

/// Draws the likeness of what a delivery sent. What stands at a place in `keep` stays as it is; `*` is any step.
pub async fn draw(app: &Arc<App>, delivery: Uuid, keep: Vec<Pointer>) -> Result<Example, Problem> {
    let (archived, from, loaded) = whose(app, delivery).await?;
    let body = app.reader.body(&archived.tenant, delivery).await?;
    let body = body.filter(|body| body.content_encoding.is_none());
    let body = body.ok_or_else(|| clash("what was sent is not kept, or in an encoding that cannot be undone"))?.bytes;
    let most = app.ingest.limits.likeness_bytes_max;
    if body.len() > most {
        let detail = format!("a likeness is drawn of at most {most} bytes (`likeness_bytes_max`)");
        return Err(Problem::new(ProblemClass::TooLarge, "too-large", detail));
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Problem::fault(error.to_string()))?;
    let bundle = app.ingest.store.administration().bundle(loaded.version).await?;
    let operation = archived.delivery.operation;
    let app = Arc::clone(app);
    blocking(async move {
        let bundle = bundle.ok_or_else(|| clash("its partner's description is not stored"))?;
        let bundle = Bundle::open(&bundle, &app.ingest.limits.bundle).map_err(Problem::fault)?;
        let document = Document::read_in(Folder::Memory(bundle.files()), DESCRIPTION, &mut Vec::new());
        let document = document.ok_or_else(|| clash("its partner's description cannot be read"))?;
        Draft { app: &app, from: &from, loaded: &loaded, document }.draw(&operation, &body, &keep, key)
    })
    .await?
}

/// All that a likeness depends on beside what was sent.
struct Draft<'d> {
    app: &'d App,
    from: &'d Connection,
    loaded: &'d Loaded,
    document: Document,
}

impl Draft<'_> {
    fn draw(&self, operation: &str, body: &[u8], keep: &[Pointer], key: [u8; 32]) -> Result<Example, Problem> {
        let partner = &self.loaded.partner;
        let payload = Json::parse(body, self.app.ingest.limits.json_depth_max);
        let payload = payload.map_err(|_| clash("what was sent is not JSON"))?;
        let schema = body_schema(&self.document, operation);
        let drawn = likeness(&payload, &self.document, schema.as_ref(), keep, key);
        let called = partner.operation(operation).ok_or_else(|| clash("its operation is not there any more"))?;
        let differences = self.differences(called, body, &drawn.payload)?;
        let payload = String::from_utf8(drawn.payload).map_err(Problem::fault)?;
        let payload = RawValue::from_string(payload).map_err(Problem::fault)?;
        let (partner, operation) = (partner.name.clone(), operation.to_owned());
        Ok(Example { partner, operation, payload, kept: drawn.kept, differences })
    }

    /// In what two payloads do not come to the same, sent to a connection that has nothing.
    fn differences(&self, operation: &Operation, one: &[u8], other: &[u8]) -> Result<Vec<String>, Problem> {
        if operation.body.is_none() || operation.verb.changes().is_none() {
            return Ok(Vec::new());
        }
        let (options, limits) = (&*self.from.sender.options, &self.app.ingest.limits);
        let previewer = Previewer { canonical: self.app.canonical(), loaded: self.loaded, operation, options, limits };
        let looked = |body| previewer.preview(None, body).map(|preview| looks(&preview));
        let [one, other] = [looked(one), looked(other)];
        let (one, other) = (one.map_err(|error| clash(told(&error)))?, other.map_err(|error| clash(told(&error)))?);
        let all = one.keys().chain(other.keys().filter(|look| !one.contains_key(*look)));
        let differing = all.filter(|look| one.get(*look) != other.get(*look)).map(|look| {
            let [was, is] = [&one, &other].map(|looks| looks.get(look).copied().unwrap_or_default());
            format!("{look}: {is} instead of {was}")
        });
        Ok(differing.take(DIFFERENCES_MAX).collect())
    }
}

/// What becomes of a payload, by shape: how often there is what.
fn looks(preview: &Preview) -> BTreeMap<String, usize> {
    let mut looks = BTreeMap::new();
    let mut count = |look: String| *looks.entry(look).or_insert(0) += 1;
    for (kind, entities) in &preview.entities {
        for fields in entities.values() {
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            count(format!("{kind} with {}", names.join(", ")));
        }
    }
    let notes = [
        ("rejected", &preview.rejections),
        ("refused", &preview.refusals),
        ("parked", &preview.parked),
        ("fault", &preview.faults),
        ("warning", &preview.warnings),
    ];
    for (what, notes) in notes {
        for note in notes {
            count(format!("{what} `{}` at {}", note.code, note.pointer));
        }
    }
    looks
}

fn clash(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemClass::Clash, "clash", detail)
}

#[cfg(test)]
mod tests;
