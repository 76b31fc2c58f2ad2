//! Calls that read: records as they are stored, the log of a delivery, the connection itself. They leave no trace.

use std::sync::Arc;

use axum::body::Body;
use rollcall_core::delivery::Entry;
use rollcall_core::description::{Listed, ProblemClass};
use rollcall_core::json::{Json, Pointer};
use rollcall_core::store::read::RecordQuery;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::paging::{Part, part};
use super::{Call, Done, context, request};
use crate::access::Connection;
use crate::body;
use crate::intake::{self, blocking};
use crate::problem::Problem;

impl Call {
    /// Shows the connection itself.
    pub(super) async fn connection(&self, connection: &Arc<Connection>, body: Body) -> Result<Done, Problem> {
        self.members(connection, body).await?;
        let sender = &connection.sender;
        Ok(read(json!({"connection": {"name": sender.connection}, "options": *sender.options})))
    }

    /// Lists what is stored of the connection.
    pub(super) async fn list(
        &self,
        connection: &Arc<Connection>,
        listed: &Listed,
        body: Body,
    ) -> Result<Done, Problem> {
        let members = self.members(connection, body).await?;
        let query = request::query(self);
        let part = part(&self.operation().paging, &query, &members, self.app.ingest.limits.page_rows_max);
        match listed {
            Listed::Records { of, waiting } => {
                let sender = &connection.sender;
                let question = RecordQuery {
                    tenant: sender.tenant.clone(),
                    connection: sender.connection.clone(),
                    of: *of,
                    waiting: *waiting,
                    limit: part.limit,
                    offset: part.offset,
                };
                let found = self.app.reader.records(&self.loaded.partner, &question).await?;
                let records: Vec<_> = found.rows.into_iter().map(|row| row.body).collect();
                Ok(read(json!({"records": records, "total": found.total})))
            }
            Listed::Selected(_) | Listed::Items { .. } | Listed::Called { .. } | Listed::Sends { .. } => {
                Err(Problem::unavailable("not-built", "this is not built yet"))
            }
            Listed::Log { delivery } => {
                let named = self.path.iter().chain(&query).find(|(name, _)| name == delivery);
                self.log(connection, named.map(|(_, id)| id.as_str()), part).await
            }
        }
    }

    /// The log of one delivery of this very connection.
    async fn log(&self, connection: &Arc<Connection>, id: Option<&str>, part: Part) -> Result<Done, Problem> {
        let unknown = || Problem::unknown("there is no such delivery");
        let id: Uuid = id.and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
        let sender = &connection.sender;
        let limit = part.limit.unwrap_or(i64::MAX.unsigned_abs());
        let log = self.app.reader.log(&sender.tenant, &sender.connection, id, limit, part.offset).await?;
        let log = log.ok_or_else(unknown)?;
        let bodies = self.sent(&sender.tenant, id, &log.entries).await?;
        Ok(read(context::log(&self.loaded.partner.messages, id, &log, part, &bodies)))
    }

    /// What was sent of each entry's record, as far as it is there.
    async fn sent(&self, tenant: &str, delivery: Uuid, entries: &[Entry]) -> Result<Vec<Value>, Problem> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let Some(body) = self.app.reader.body(tenant, delivery).await? else { return Ok(Vec::new()) };
        let pointers: Vec<_> = entries.iter().map(|entry| entry.pointer.clone()).collect();
        let depth = self.app.ingest.limits.json_depth_max;
        blocking(async move {
            let json = Json::parse(&body.bytes, depth).unwrap_or(Json::Null);
            pointers.iter().map(|pointer| at(&json, pointer).map_or_else(|| json!({}), Json::to_value)).collect()
        })
        .await
    }

    /// The members of the request's body: which page is wanted. No body, or one that nobody declared, has none.
    async fn members(&self, connection: &Arc<Connection>, body: Body) -> Result<Map<String, Value>, Problem> {
        let limits = &self.app.ingest.limits;
        let checked = request::check(self, &connection.sender.options);
        let payload = body::read_small(body, &self.head.headers, limits).await;
        checked?;
        if self.operation().body.is_none() {
            return Ok(Map::new());
        }
        intake::check_payload(self.operation(), &payload)?;
        let bytes = payload.bytes.unwrap_or_default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        let checked = self.app.ingest.check(self.operation(), &connection.sender.options, &bytes);
        checked.map_err(|report| intake::refusal(*report, Vec::new(), limits.violations_max))?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Problem::new(ProblemClass::Invalid, "invalid", "the body must be an object"))
    }
}

/// What a call that read came to.
fn read(context: Value) -> Done {
    Done { context, delivery: None, as_log: false }
}

/// What stands at a place.
fn at<'j, 'b>(json: &'j Json<'b>, pointer: &Pointer) -> Option<&'j Json<'b>> {
    pointer.steps().try_fold(json, |json, step| match json {
        Json::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => json.get(&step),
    })
}
