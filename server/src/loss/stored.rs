//! The samples are what a partner's connections sent last, as it is stored.

use std::sync::Arc;

use rollcall_core::description::{Operation, Partner};
use rollcall_core::store::StoreError;
use rollcall_core::store::read::Delivery;

use super::{Losses, Samples};
use crate::access::Connection;
use crate::app::App;
use crate::intake::blocking;
use crate::preview::Previewer;
use crate::problem::Problem;

/// What gets lost of the payloads that a partner sent last, `deliveries` of them; by the version in use.
pub async fn of_stored(app: &Arc<App>, partner: &str, deliveries: usize) -> Result<Losses, Problem> {
    let access = app.access();
    let mut sent = Vec::new();
    for connection in access.connections().iter().filter(|of| of.partner == partner) {
        sent.extend(last_of(app, connection, deliveries).await?);
    }
    sent.sort_by_key(|(_, delivery)| std::cmp::Reverse(delivery.id));
    sent.truncate(deliveries);
    let app = Arc::clone(app);
    blocking(async move { look(&app, sent).await }).await?
}

/// What a connection sent last, of that which has records.
async fn last_of(
    app: &App,
    connection: &Arc<Connection>,
    deliveries: usize,
) -> Result<Vec<(Arc<Connection>, Delivery)>, StoreError> {
    let Some(loaded) = app.registry.of(connection) else { return Ok(Vec::new()) };
    let (sender, limit) = (&connection.sender, u32::try_from(deliveries).unwrap_or(u32::MAX));
    let last = app.reader.deliveries(&sender.tenant, Some(&sender.connection), None, limit).await?;
    let has_records = |delivery: &Delivery| operation(&loaded.partner, &delivery.operation).is_some();
    Ok(last.into_iter().filter(has_records).map(|delivery| (Arc::clone(connection), delivery)).collect())
}

/// Tries them, the oldest first.
async fn look(app: &App, sent: Vec<(Arc<Connection>, Delivery)>) -> Result<Losses, Problem> {
    let mut limits = app.ingest.limits.clone();
    limits.warnings_max = usize::MAX;
    let mut samples = Samples::new(limits.loss_records_max);
    for (connection, delivery) in sent.into_iter().rev() {
        let body = app.reader.body(&connection.sender.tenant, delivery.id).await?;
        let body = body.filter(|body| body.content_encoding.is_none() && body.bytes.len() <= limits.loss_bytes_max);
        let loaded = app.registry.of(&connection);
        let operation = loaded.as_ref().and_then(|loaded| operation(&loaded.partner, &delivery.operation));
        let (Some(body), Some(loaded), Some(operation)) = (body, &loaded, operation) else {
            samples.leave_out();
            continue;
        };
        let (canonical, options) = (app.canonical(), &*connection.sender.options);
        let previewer = Previewer { canonical, loaded, operation, options, limits: &limits };
        if samples.add(&previewer, None, &body.bytes, Some(delivery.received_at)).is_err() {
            samples.leave_out();
        }
    }
    Ok(samples.losses())
}

/// The operation of this name, if records are sent to it.
fn operation<'p>(partner: &'p Partner, id: &str) -> Option<&'p Operation> {
    let operation = partner.operation(id)?;
    (operation.body.is_some() && operation.verb.changes().is_some()).then_some(operation)
}
