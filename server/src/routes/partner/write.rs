//! Calls about single records: what was sent becomes a delivery, worked on at once and kept with what it changes. The
//! answer shows the record as it is stored then, with all that is computed of it.

use std::sync::Arc;

use axum::body::Body;
use rollcall_core::delivery::Received;
use rollcall_core::description::{Action, Resource, Selection, Verb};
use rollcall_core::ingest::{Asked, Written};
use rollcall_core::store::read::SelectPart;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::lists::Lists;
use super::select::about;
use super::{Call, Done, request};
use crate::access::Connection;
use crate::body::{self, Payload};
use crate::intake::{self, blocking};
use crate::metrics::{self, Stage};
use crate::problem::Problem;

impl Call {
    /// Shows one record; where the partner's own logic has a word in that, as it says. Nothing is kept of it.
    pub(super) async fn get(
        &self,
        connection: &Arc<Connection>,
        resource: &Resource,
        body: Body,
    ) -> Result<Done, Problem> {
        if resource.call.is_none() {
            return self.shown(connection, resource, body).await;
        }
        let (asked, _) = self.members(connection, body).await?;
        let received =
            Received { asked, ..intake::received(Payload::empty(), self.operation(), &*self.app.ingest.clock) };
        let (app, loaded, from) = (Arc::clone(&self.app), Arc::clone(&self.loaded), Arc::clone(connection));
        let nth = self.operation;
        let work = async move {
            let operation = &loaded.partner.operations[nth];
            app.ingest.write(&from.sender, &loaded, operation, received, true).await
        };
        let written = intake::not_refused(blocking(work).await??, self.app.ingest.limits.violations_max)?;
        self.told(connection, resource, written, None).await
    }

    /// Takes what was sent about one record, or says why not and keeps it nevertheless.
    pub(super) async fn write(&self, connection: &Arc<Connection>, body: Body) -> Result<Done, Problem> {
        let limits = &self.app.ingest.limits;
        let asked = match request::check(self, &connection.sender.options) {
            Ok(asked) => asked,
            Err(problem) => {
                let payload = body::read_refused(body, &self.head.headers, limits).await;
                return Err(self.reject(connection, payload, problem).await);
            }
        };
        let start = Instant::now();
        let payload = body::read(body, &self.head.headers, limits).await;
        metrics::stage(&connection.sender, self.partner(), Stage::Read, start.elapsed());
        if let Err(problem) = intake::check_payload(self.operation(), &payload) {
            return Err(self.reject(connection, payload, problem).await);
        }
        let received = Received { asked, ..intake::received(payload, self.operation(), &*self.app.ingest.clock) };
        let (dry_run, delivery) = (self.is_dry_run(), (!self.is_dry_run()).then_some(received.id));
        let loaded = &self.loaded;
        let written = intake::write(&self.app, connection, loaded, self.operation, received, dry_run).await?;
        if let Verb::Resource(resource) = &self.operation().verb {
            return self.told(connection, resource, written, delivery).await;
        }
        let (status, options) = (written.report.status, &*connection.sender.options);
        let context = json!({"delivery": {"id": delivery, "status": status}, "options": options});
        Ok(Done { context, lists: Lists::default(), delivery, as_log: false })
    }

    /// What the answer about a record that was written is filled in with.
    async fn told(
        &self,
        connection: &Arc<Connection>,
        resource: &Resource,
        written: Written,
        delivery: Option<Uuid>,
    ) -> Result<Done, Problem> {
        let Written { key, record, told, .. } = written;
        let said = if let Value::Object(record) = record { record } else { Map::new() };
        let is_stored = delivery.is_some() || resource.action == Action::Get;
        let stored = match key.filter(|_| is_stored && resource.action != Action::Delete) {
            Some(key) => {
                let selection = Selection { of: resource.of, ..Selection::default() };
                self.row(connection, &selection, &Asked::default(), SelectPart::Key(key)).await?
            }
            None => None,
        };
        Ok(about(connection, stored.unwrap_or(said), told, delivery))
    }
}
