//! `/admin/v1/tenants/{tenant}/connections/{connection}/records/{record}`: a connection's records of one type. `GET`
//! lists them; `PUT` writes one or a list of them, `DELETE ?key=["…"]` removes one. Only records that no client of the
//! partner can send are written here, and each time that is a delivery with a report like any other.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use rollcall_core::delivery::Entry;
use rollcall_core::description::{ProblemClass, RecordTypeId};
use rollcall_core::ingest::{Ingested, Loaded, removal};
use rollcall_core::store::read::RecordQuery;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::access::Connection;
use crate::app::App;
use crate::body::{self, Payload};
use crate::intake::{self, By, DELIVERY, DRY_RUN};
use crate::problem::Problem;
use crate::query;

/// Tenant, connection, record type.
type Place = (String, String, String);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Listing {
    waiting: Option<bool>,
    limit: Option<u32>,
    offset: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Naming {
    key: String,
}

/// Lists records, in the order in which they first arrived.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let asked: Listing = query::parse(&uri)?;
    let records = Records::find(&app, &place)?;
    let question = RecordQuery {
        tenant: place.0,
        connection: place.1,
        of: records.of,
        waiting: asked.waiting,
        limit: Some(query::limit(asked.limit, app.ingest.limits.page_rows_max)?.into()),
        offset: asked.offset.unwrap_or_default(),
    };
    let found = app.reader.records(&records.loaded.partner, &question).await?;
    Ok(Json(json!({"records": found.rows, "total": found.total})))
}

/// Writes records: those that are there are replaced.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    app.operator(&headers)?;
    let records = Records::find(&app, &place)?;
    let at = records.written_by()?;
    let payload = body::read(body, &headers, &app.ingest.limits).await;
    intake::check_payload(&records.loaded.partner.operator[at], &payload)?;
    records.apply(By::Operator(at), payload, &headers).await
}

/// Removes a record.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    app.operator(&headers)?;
    let asked: Naming = query::parse(&uri)?;
    let records = Records::find(&app, &place)?;
    records.written_by()?;
    let body = records.named(&asked.key)?.to_string().into_bytes();
    let payload = Payload {
        sha256: Sha256::digest(&body).into(),
        size: body.len() as u64,
        bytes: Some(body.into()),
        content_encoding: None,
        flaw: None,
    };
    records.apply(By::Own(Box::new(removal(records.name(), records.of))), payload, &headers).await
}

/// The records of one type of one connection.
struct Records {
    app: Arc<App>,
    from: Arc<Connection>,
    loaded: Arc<Loaded>,
    of: RecordTypeId,
}

impl Records {
    fn find(app: &Arc<App>, (tenant, connection, record): &Place) -> Result<Self, Problem> {
        let access = app.access();
        let from = access.connection(tenant, connection);
        let from = from.ok_or_else(|| Problem::unknown("there is no such connection"))?;
        let loaded = app.registry.of(from).ok_or_else(|| Problem::unknown("there is no such partner"))?;
        let types = &loaded.partner.records;
        let Some(of) = (0..).zip(types).find_map(|(id, of)| (of.name == *record).then_some(RecordTypeId(id))) else {
            let names: Vec<_> = types.iter().map(|of| of.name.as_str()).collect();
            let there = names.join(", ");
            return Err(Problem::unknown(format!("there is no such type of record; there are: {there}")));
        };
        Ok(Self { app: Arc::clone(app), from: Arc::clone(from), loaded, of })
    }

    fn name(&self) -> &str {
        &self.loaded.partner.records[usize::from(self.of.0)].name
    }

    /// The operation that writes them, if operators may.
    fn written_by(&self) -> Result<usize, Problem> {
        let operations = &self.loaded.partner.operator;
        operations.iter().position(|operation| operation.id == self.name()).ok_or_else(|| {
            Problem::new(ProblemClass::Forbidden, "forbidden", "records of this type are sent by the partner alone")
        })
    }

    /// A record that says nothing but its key.
    fn named(&self, key: &str) -> Result<Value, Problem> {
        let fields = &self.loaded.partner.records[usize::from(self.of.0)].key;
        let parts: Vec<Value> = serde_json::from_str(key).unwrap_or_default();
        if parts.len() != fields.len() {
            let names: Vec<_> = fields.iter().map(|field| field.path.join(".")).collect();
            let wanted = format!("must be a JSON list of: {}", names.join(", "));
            return Err(Problem::bad_parameter("key", &wanted));
        }
        let mut record = Value::Object(Map::new());
        for (field, part) in fields.iter().zip(parts) {
            let mut member = &mut record;
            for name in &field.path {
                member = &mut member[name.as_str()];
            }
            *member = part;
        }
        Ok(record)
    }

    /// Takes a delivery of the operator's through all stages.
    async fn apply(&self, by: By, payload: Payload, headers: &HeaderMap) -> Result<Response, Problem> {
        let dry_run = intake::dry_run(headers)?;
        let received = intake::received(payload, by.operation(&self.loaded), &*self.app.ingest.clock);
        let id = (!dry_run).then_some(received.id);
        let Ingested { report, entries, .. } =
            intake::take(&self.app, &self.from, &self.loaded, by, received, dry_run).await.map_err(unknown)?;
        let records: Vec<_> = entries.iter().map(told).collect();
        let counts = report.counts;
        let mut response = Json(json!({"delivery": id, "status": report.status, "records": records, "counts": counts}))
            .into_response();
        if let Some(Ok(id)) = id.map(|id| id.to_string().try_into()) {
            response.headers_mut().insert(DELIVERY, id);
        }
        if dry_run {
            response.headers_mut().insert(DRY_RUN, axum::http::HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

/// What became of one record.
fn told(entry: &Entry) -> Value {
    let key: Value = entry.key.as_deref().and_then(|key| serde_json::from_str(key).ok()).unwrap_or_default();
    json!({"key": key, "outcome": entry.outcome.word(), "notes": entry.notes})
}

/// Who names one record that is not there asks for something unknown.
fn unknown(problem: Problem) -> Problem {
    match problem.errors.as_slice() {
        [only] if only.note.code == "unknown" => Problem::unknown("there is no such record").kept_as(problem.delivery),
        _ => problem,
    }
}
