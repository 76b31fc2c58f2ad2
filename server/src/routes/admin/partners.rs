//! `/admin/v1/partners`: which versions there are and which are active. `POST /admin/v1/bundles` brings a further one;
//! `POST /admin/v1/partners/{partner}/activations` decides which is used. `/admin/v1/log` tells who decided what.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use rollcall_core::bundle::VersionId;
use rollcall_core::description::ProblemClass;
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use rollcall_core::store::administration::{Action, Activation, Active, StoredVersion};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::parsed;
use crate::app::App;
use crate::intake::blocking;
use crate::problem::Problem;
use crate::versions::{self, DecideError, ExamineError, Wish};

/// Lines of the log in one answer.
const LINES_MAX: u32 = 1_000;

/// What is to be decided.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Decision {
    action: Action,
    /// A version's id, or as many of its first digits as are enough.
    version: Option<String>,
    /// `tenant/connection`.
    connection: Option<String>,
    plan: Option<Uuid>,
    after: Option<i64>,
    /// With a plan: not where anything was committed since it was made.
    #[serde(default)]
    if_unchanged: bool,
}

/// Which part of the log.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::routes) struct Part {
    before: Option<i64>,
    limit: Option<u32>,
}

/// Lists partners, with what is active.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let office = app.ingest.store.administration();
    let (activations, versions) = (office.activations().await?, office.versions().await?);
    let partners: Vec<_> =
        Active::all(&activations).iter().map(|(name, active)| shown(name, active, &versions)).collect();
    Ok(Json(json!({"partners": partners})))
}

/// Lists the versions of a partner.
pub(super) async fn versions(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let versions = app.ingest.store.administration().versions().await?;
    let own: Vec<_> = versions.into_iter().filter(|version| version.partner == partner).collect();
    Ok(Json(json!({"versions": own})))
}

/// Lists what was decided about a partner, the last first.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let activations = app.ingest.store.administration().activations().await?;
    let own: Vec<_> = activations.iter().rev().filter(|activation| activation.partner == partner).map(told).collect();
    Ok(Json(json!({"activations": own})))
}

/// Takes a bundle. It is looked at and kept, and not active yet.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let most = usize::try_from(app.ingest.limits.bundle.bytes_max).unwrap_or(usize::MAX);
    let bytes = to_bytes(body, most).await.map_err(|_| {
        Problem::new(
            ProblemClass::TooLarge,
            "too-large",
            format!("a bundle has at most {most} bytes (`bundle.bytes_max`)"),
        )
    })?;
    let examining = Arc::clone(&app);
    let examined = async move {
        let examined = versions::examine(&examining, &bytes).await?;
        versions::keep(&examining, &examined).await?;
        Ok::<_, ExamineError>(examined)
    };
    let examined = blocking(examined).await?.map_err(|error| match error {
        ExamineError::Refused(reasons) => refused("bundle-refused", "the bundle is refused", reasons),
        ExamineError::Store(error) => Problem::from(error),
    })?;
    let manifest = examined.bundle.manifest();
    Ok(Json(json!({
        "version": examined.bundle.id(),
        "partner": manifest.partner,
        "name": manifest.version,
        "signedBy": examined.signer,
    })))
}

/// Decides.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Json<Value>, Problem> {
    let who = app.operator(&headers)?;
    let decision: Decision = parsed(&body)?;
    let mut wish = Wish {
        action: decision.action,
        version: match &decision.version {
            Some(digits) => Some(version(&app, &partner, digits).await?),
            None => None,
        },
        connection: decision.connection.as_deref().map(connection).transpose()?,
        plan: decision.plan,
        after: decision.after,
        partner,
    };
    let is_of_connection = matches!(wish.action, Action::Pin | Action::Unpin);
    if is_of_connection != wish.connection.is_some() || wish.action == Action::Start {
        return Err(invalid("`connection` is for `pin` and `unpin`, and these are for connections"));
    }
    let moved = match wish.plan {
        Some(plan) => planned(&app, plan, &mut wish, decision.if_unchanged).await?,
        None => Vec::new(),
    };
    let deciding = Arc::clone(&app);
    let decided = blocking(async move { versions::decide(&deciding, &who, &wish).await }).await?;
    let activation = decided.map_err(|error| match error {
        DecideError::Stale(_) => Problem::new(ProblemClass::Clash, "stale", error.to_string()),
        DecideError::Unknown(what) => Problem::unknown(what),
        DecideError::Refused(reasons) => refused("version-refused", "the version is refused", reasons),
        DecideError::Store(error) => Problem::from(error),
    })?;
    let mut told = told(&activation);
    if activation.plan.is_some() {
        told["moved"] = json!(moved);
    }
    Ok(Json(told))
}

/// Lists who decided what, the last first.
pub(super) async fn log(
    State(app): State<Arc<App>>,
    Query(part): Query<Part>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let limit = part.limit.unwrap_or(LINES_MAX).min(LINES_MAX);
    let acts = app.ingest.store.administration().acts(part.before, limit).await?;
    let line = |(number, act)| {
        let rollcall_core::store::administration::Act { at, who, what, about } = act;
        json!({"number": number, "at": at, "who": who, "what": what, "about": about})
    };
    Ok(Json(json!({"lines": acts.into_iter().map(line).collect::<Vec<_>>()})))
}

/// Takes from a plan what it was made for, and refuses one that was made under anything else. The connections to which
/// something was committed since.
async fn planned(app: &App, plan: Uuid, wish: &mut Wish, if_unchanged: bool) -> Result<Vec<String>, Problem> {
    let kept = app.ingest.store.administration().plan(plan).await?;
    let kept = kept.filter(|kept| kept.partner == wish.partner);
    let kept = kept.ok_or_else(|| Problem::unknown("this partner has no such plan"))?;
    if wish.version.is_some_and(|version| version != kept.version) {
        return Err(invalid("the plan is for another version"));
    }
    let moved = |what: &str| Problem::new(ProblemClass::Clash, "stale", format!("{what} since the plan was made"));
    if kept.body["conditions"] != versions::conditions(app, &wish.partner) {
        return Err(moved("options or canonical schemas have changed"));
    }
    let data = versions::data(app, &wish.partner).await?;
    let now = data.as_object().into_iter().flatten();
    let others: Vec<_> = now.filter(|(name, generation)| kept.body["data"][name] != **generation).collect();
    if if_unchanged && !others.is_empty() {
        return Err(moved("something was committed"));
    }
    (wish.version, wish.after) = (Some(kept.version), Some(kept.after));
    Ok(others.into_iter().map(|(name, _)| name.clone()).collect())
}

/// The version that some digits stand for.
pub(super) async fn version(app: &App, partner: &str, digits: &str) -> Result<VersionId, Problem> {
    let versions = app.ingest.store.administration().versions().await?;
    let like = |version: &&StoredVersion| version.partner == partner && version.id.to_string().starts_with(digits);
    let found: Vec<_> = versions.iter().filter(like).collect();
    match found.as_slice() {
        [only] if !digits.is_empty() => Ok(only.id),
        [] => Err(Problem::unknown("this partner has no such version")),
        _ => Err(invalid("several versions start with these digits")),
    }
}

pub(super) fn connection(text: &str) -> Result<(String, String), Problem> {
    let (tenant, name) = text.split_once('/').ok_or_else(|| invalid("a connection is named `tenant/connection`"))?;
    Ok((tenant.to_owned(), name.to_owned()))
}

fn shown(name: &str, active: &Active, versions: &[StoredVersion]) -> Value {
    let named = |id: VersionId| versions.iter().find(|version| version.id == id).map(|version| version.name.clone());
    let pins: serde_json::Map<_, _> =
        active.pins.iter().map(|((tenant, name), id)| (format!("{tenant}/{name}"), json!(id))).collect();
    let last = active.partner.as_ref();
    json!({
        "partner": name,
        "number": active.number,
        "version": active.version(),
        "name": active.version().and_then(named),
        "since": last.map(|last| last.at),
        "by": last.map(|last| last.who.clone()),
        "pins": pins,
    })
}

fn told(activation: &Activation) -> Value {
    let Activation { partner, number, connection, version, action, at, who, plan } = activation;
    let connection = connection.as_ref().map(|(tenant, name)| format!("{tenant}/{name}"));
    json!({
        "partner": partner, "number": number, "action": action, "connection": connection, "version": version,
        "at": at, "by": who, "plan": plan,
    })
}

pub(super) fn refused(code: &'static str, detail: &str, reasons: Vec<String>) -> Problem {
    let note = |reason: String| Note::new(Pointer::root(), code, reason);
    Problem::new(ProblemClass::Invalid, code, detail).with_errors(reasons.into_iter().map(note).collect(), 0)
}

pub(super) fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemClass::Invalid, "invalid", detail)
}
