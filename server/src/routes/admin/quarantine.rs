//! `/admin/v1/quarantine`: deliveries that came to nothing (rejected, failed or interrupted) or were taken only partly, but
//! for records that were put aside. `GET /{delivery}` shows one with the parts of what was sent that are wrong;
//! `POST /{delivery}/discard` puts it, or these records, aside for good, as it does what is held.
//! `POST /admin/v1/deliveries/{delivery}/reprocess` works on one once more.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use jiff::Timestamp;
use rollcall_core::bundle::Bundle;
use rollcall_core::delivery::{Report, Status};
use rollcall_core::language::Folder;
use rollcall_core::note::Note;
use rollcall_core::store::archive::{ArchiveQuery, Archived};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::parsed;
use crate::app::App;
use crate::evidence::{Trouble, Witness};
use crate::holding;
use crate::intake::{self, blocking};
use crate::problem::Problem;
use crate::query;
use crate::reprocessing::{How, reprocess};

/// How deliveries end that come to nothing.
const STATUSES: [Status; 3] = [Status::Rejected, Status::Failed, Status::Interrupted];

/// Characters of a part of what was sent that are shown.
const SHOWN_CHARS: usize = 4_096;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Listing {
    tenant: Option<String>,
    connection: Option<String>,
    partner: Option<String>,
    /// How it ended: `rejected`, `failed`, `interrupted`, or `partly`: it was taken, but for records that were put aside.
    #[schemars(with = "Option<String>")]
    status: Option<Ended>,
    /// What is wrong: the class of the problem, or the code of a note.
    code: Option<String>,
    /// Received before.
    #[schemars(with = "Option<String>")]
    before: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    after: Option<Uuid>,
    limit: Option<u32>,
}

/// How a delivery ended that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Rejected,
    Failed,
    Interrupted,
    Partly,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::routes) struct Again {
    /// Apply it though something newer says everything anew.
    #[serde(default)]
    rewind: bool,
    /// By the version of the partner that was in use when it was received.
    #[serde(default)]
    as_run: bool,
    /// Of a delivery that was taken: only its records that were put aside.
    #[serde(default)]
    aside: bool,
}

/// Lists them, the oldest first. `next` is where the next page begins; there may be more where it is not `null`, whatever
/// this page holds.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let asked: Listing = query::parse(&uri)?;
    let limit = query::limit(asked.limit, app.ingest.limits.page_rows_max)?;
    let (statuses, aside) = match asked.status {
        None => (STATUSES.to_vec(), true),
        Some(Ended::Partly) => (Vec::new(), true),
        Some(Ended::Rejected) => (vec![Status::Rejected], false),
        Some(Ended::Failed) => (vec![Status::Failed], false),
        Some(Ended::Interrupted) => (vec![Status::Interrupted], false),
    };
    let store = Arc::clone(&app.ingest.store);
    let code = asked.code.clone();
    let found = blocking(async move {
        let query = ArchiveQuery {
            statuses: &statuses,
            aside,
            tenant: asked.tenant.as_deref(),
            connection: asked.connection.as_deref(),
            partner: asked.partner.as_deref(),
            before: asked.before,
            after: asked.after,
            limit,
        };
        store.archive().deliveries_that(&query).await
    });
    let mut found = found.await??;
    let is_full = u32::try_from(found.len()).is_ok_and(|found| found == limit);
    let next = found.last().filter(|_| is_full).map(|last| last.delivery.id);
    if let Some(code) = code {
        let mut with_code = Vec::new();
        for found in found {
            if has_code(&found, &code) || found.aside > 0 && logs_code(&app, &found, &code).await? {
                with_code.push(found);
            }
        }
        found = with_code;
    }
    Ok(Json(json!({"quarantine": found, "next": next})))
}

fn has_code(found: &Archived, code: &str) -> bool {
    found.delivery.report.as_ref().is_some_and(|report| {
        report.problem.is_some_and(|class| class.word() == code) || notes(report).any(|note| note.code == code)
    })
}

/// Whether the log of a delivery says so of a record that was put aside: a report names only some of them.
async fn logs_code(app: &App, found: &Archived, code: &str) -> Result<bool, Problem> {
    let errors = app.ingest.store.archive().errors(found.delivery.id).await?;
    Ok(errors.iter().flat_map(|entry| &entry.notes).any(|note| note.code == code))
}

fn notes(report: &Report) -> impl Iterator<Item = &Note> {
    troubles(report).map(|(_, note)| note)
}

fn troubles(report: &Report) -> impl Iterator<Item = (Trouble, &Note)> {
    let kinds = [
        (Trouble::Rejected, &report.rejections),
        (Trouble::Refused, &report.refusals),
        (Trouble::Fault, &report.faults),
    ];
    kinds.into_iter().flat_map(|(trouble, notes)| notes.iter().map(move |note| (trouble, note)))
}

/// Shows one, with what was sent where something is wrong, to an operator, on purpose; and with what the description that
/// is in use now says there. `records` are the lines of its log that tell of an error, where the partner keeps one.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(delivery): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let (archived, _, loaded) = holding::whose(&app, delivery).await?;
    let bytes = app.reader.body(&archived.tenant, delivery).await?.map(|body| body.bytes).unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let bundle = app.ingest.store.administration().bundle(loaded.version).await?;
    let bundle = bundle.and_then(|bundle| Bundle::open(&bundle, &app.ingest.limits.bundle).ok());
    let files = bundle.as_ref().map(|bundle| Folder::Memory(bundle.files()));
    let operation = loaded.partner.operation(&archived.delivery.operation);
    let witness = operation.map(|operation| Witness::new(app.canonical(), &loaded, operation, files));
    let report = archived.delivery.report.as_ref();
    let troubles = report.into_iter().flat_map(troubles).map(|(trouble, note)| {
        let sent = body.pointer(note.pointer.as_str()).map(shown);
        let evidence = witness.as_ref().map(|witness| witness.evidence(&bytes, trouble, note));
        json!({
            "pointer": note.pointer, "code": note.code, "message": note.message, "words": note.words, "sent": sent,
            "trouble": trouble.word(), "evidence": evidence,
        })
    });
    let troubles: Vec<_> = troubles.collect();
    let records = app.ingest.store.archive().errors(delivery).await?;
    let records = records.iter().take(app.ingest.limits.violations_max).map(|entry| {
        let sent = body.pointer(entry.pointer.as_str()).map(shown);
        json!({
            "pointer": entry.pointer, "record": entry.record, "key": entry.key, "outcome": entry.outcome,
            "notes": entry.notes, "sent": sent,
        })
    });
    let records: Vec<_> = records.collect();
    Ok(Json(json!({"delivery": archived, "troubles": troubles, "records": records})))
}

/// Part of what was sent, if it is not too long: then its beginning, as text.
fn shown(part: &Value) -> Value {
    let text = part.to_string();
    if text.len() <= SHOWN_CHARS { part.clone() } else { text.chars().take(SHOWN_CHARS).collect::<String>().into() }
}

/// Works on one once more.
pub(super) async fn again(
    State(app): State<Arc<App>>,
    Path(delivery): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let dry_run = intake::dry_run(&headers)?;
    let Again { rewind, as_run, aside } = if body.is_empty() { Again::default() } else { parsed(&body)? };
    let done = reprocess(&app, delivery, How { rewind, as_run, aside, dry_run }).await?;
    Ok(Json(json!(done)))
}
