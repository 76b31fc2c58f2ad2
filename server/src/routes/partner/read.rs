//! Calls that read: records as they are stored, the log of a delivery, the connection itself. They leave no trace.

use std::sync::Arc;

use axum::body::Body;
use rollcall_core::delivery::Entry;
use rollcall_core::description::{Listed, ProblemClass, RecordTypeId};
use rollcall_core::ingest::Asked;
use rollcall_core::json::{Json, Pointer};
use rollcall_core::store::read::RecordQuery;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::lists::Lists;
use super::paging::Part;
use super::select::Wanted;
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
        let wanted = self.wanted(connection, body).await?;
        match listed {
            Listed::Records { of, waiting } => self.records(connection, *of, *waiting, &wanted).await,
            Listed::Selected(selection) => self.selected(connection, selection, wanted).await,
            Listed::Items { of, list } => self.items(connection, of, list, wanted).await,
            Listed::Called { call, .. } => self.called(connection, call, wanted).await,
            Listed::Sends { .. } => self.sends(connection, listed, wanted).await,
            Listed::Log { delivery } => {
                let named = self.path.iter().chain(&wanted.query).find(|(name, _)| name == delivery);
                self.log(connection, named.map(|(_, id)| id.as_str()), wanted.numbers()).await
            }
        }
    }

    /// The records of one type, in the order in which they first arrived.
    async fn records(
        &self,
        connection: &Arc<Connection>,
        of: RecordTypeId,
        waiting: Option<bool>,
        wanted: &Wanted,
    ) -> Result<Done, Problem> {
        let sender = &connection.sender;
        let Part { limit, offset } = wanted.numbers();
        let (tenant, connection) = (sender.tenant.clone(), sender.connection.clone());
        let question = RecordQuery { tenant, connection, of, waiting, limit, offset };
        let found = self.app.reader.records(&self.loaded.partner, &question).await?;
        let records: Vec<_> = found.rows.into_iter().map(|row| row.body).collect();
        Ok(read(json!({"records": records, "total": found.total})))
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

    /// What the request's parameters say, and the members of its body: which page is wanted. No body, or one that nobody
    /// declared, has none.
    pub(super) async fn members(
        &self,
        connection: &Arc<Connection>,
        body: Body,
    ) -> Result<(Asked, Map<String, Value>), Problem> {
        let limits = &self.app.ingest.limits;
        let checked = request::check(self, &connection.sender.options);
        let payload = body::read_small(body, &self.head.headers, limits).await;
        let asked = checked?;
        if self.operation().body.is_none() {
            return Ok((asked, Map::new()));
        }
        intake::check_payload(self.operation(), &payload)?;
        let bytes = payload.bytes.unwrap_or_default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok((asked, Map::new()));
        }
        let checked = self.app.ingest.check(self.operation(), &connection.sender.options, &bytes);
        checked.map_err(|report| intake::refusal(*report, Vec::new(), limits.violations_max))?;
        let members = serde_json::from_slice(&bytes)
            .map_err(|_| Problem::new(ProblemClass::Invalid, "invalid", "the body must be an object"))?;
        Ok((asked, members))
    }
}

/// What a call that read came to.
fn read(context: Value) -> Done {
    Done { context, lists: Lists::default(), delivery: None, as_log: false }
}

/// What stands at a place.
fn at<'j, 'b>(json: &'j Json<'b>, pointer: &Pointer) -> Option<&'j Json<'b>> {
    pointer.steps().try_fold(json, |json, step| match json {
        Json::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => json.get(&step),
    })
}
