//! Turns a version that is stored into the plan of an upgrade to it: what its examples come to, what is different for those who
//! call, and what would become of all that is stored. Nothing is changed by that; the plan is kept, with what it was made under.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rollcall_core::ingest::Loaded;
use rollcall_core::ingest::remap::{Difference, Sample};
use rollcall_core::store::administration::{Active, StoredPlan};
use rollcall_core::upgrade::{self, Change};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::intake::blocking;
use crate::problem::Problem;
use crate::remapping::foresee;
use crate::versions::{Tried, conditions, data, unfit_connections};

/// What a plan says beside whom and which version it is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// What must not have changed when it is carried out.
    pub conditions: Value,
    /// What has been committed to each connection.
    pub data: Value,
    /// The version that is active, by its id.
    pub from: Option<String>,
    /// Why it would be refused.
    pub refused: Vec<String>,
    /// What the examples in its bundle come to.
    #[serde(default)]
    pub examples: Vec<Tried>,
    /// What is different in the description.
    pub changes: Vec<Change>,
    /// What would become of what is stored.
    pub connections: Vec<OfConnection>,
    /// The same for people.
    pub text: String,
}

/// What would become of what is stored of one connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfConnection {
    /// `tenant/connection`
    pub connection: String,
    /// What would be different.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// Makes the plan of an upgrade of a partner to a version, and keeps it.
pub async fn plan(
    app: &Arc<App>,
    who: &str,
    partner: &str,
    to: Arc<Loaded>,
    sample: Sample,
) -> Result<StoredPlan, Problem> {
    let office = app.ingest.store.administration();
    let active = Active::of(partner, &office.activations().await?);
    let from = app.registry.get(partner);
    let mut planned = Planned {
        conditions: conditions(app, partner),
        data: data(app, partner).await?,
        from: from.as_ref().map(|from| from.version.to_string()),
        refused: unfit_connections(app, &to),
        changes: from.as_ref().map_or_else(Vec::new, |from| upgrade::changes(&from.partner, &to.partner)),
        ..Planned::default()
    };
    match examples(app, &to, from.as_ref()).await? {
        Ok(examples) => planned.examples = examples,
        Err(reason) => planned.refused.push(reason),
    }
    let end = Instant::now() + Duration::from_secs(app.ingest.limits.plan_seconds_max);
    let id = app.ingest.clock.next_id();
    let following = if from.is_some() { following(app, partner) } else { Vec::new() };
    let _making = app.remaps.plans.begin(id, partner, &to.version.to_string(), following.len());
    for connection in following {
        planned.connections.push(of_connection(app, &connection, &to, sample, (id, end)).await);
    }
    planned.text = text(&to, from.as_deref(), &planned);
    let plan = StoredPlan {
        id,
        partner: partner.to_owned(),
        version: to.version,
        after: active.number,
        at: app.ingest.clock.now(),
        who: who.to_owned(),
        body: serde_json::to_value(&planned).map_err(Problem::fault)?,
    };
    office.put_plan(&plan).await?;
    Ok(plan)
}

/// What the examples in a version's bundle come to.
async fn examples(
    app: &Arc<App>,
    to: &Arc<Loaded>,
    from: Option<&Arc<Loaded>>,
) -> Result<Result<Vec<Tried>, String>, Problem> {
    let (app, to, from) = (Arc::clone(app), Arc::clone(to), from.cloned());
    Ok(blocking(async move { app.versions.examples(&app, &to, from.as_deref()).await }).await??)
}

/// The connections that would follow: those that have no version of their own.
fn following(app: &App, partner: &str) -> Vec<Arc<Connection>> {
    let table = app.registry.table();
    let access = app.access();
    let follows = |of: &&Arc<Connection>| {
        let name = (of.sender.tenant.clone(), of.sender.connection.clone());
        of.partner == partner && !table.pins.contains_key(&name)
    };
    access.connections().iter().filter(follows).cloned().collect()
}

async fn of_connection(
    app: &Arc<App>,
    connection: &Arc<Connection>,
    to: &Arc<Loaded>,
    sample: Sample,
    (plan, end): (Uuid, Instant),
) -> OfConnection {
    let sender = &connection.sender;
    let name = format!("{}/{}", sender.tenant, sender.connection);
    if Instant::now() >= end {
        let unknown = Some("planning took too long (`plan_seconds_max`); a sample takes less".to_owned());
        return OfConnection { connection: name, difference: None, unknown };
    }
    app.remaps.plans.next(plan, &name);
    match foresee(app, connection, Some(Arc::clone(to)), sample, Some(plan)).await {
        Ok(foreseen) => {
            tracing::info!(tenant = sender.tenant, connection = sender.connection, "an upgrade was looked at");
            OfConnection { connection: name, difference: Some(foreseen.difference), unknown: None }
        }
        Err(problem) => {
            problem.log();
            OfConnection { connection: name, difference: None, unknown: Some(problem.detail) }
        }
    }
}

fn text(to: &Loaded, from: Option<&Loaded>, planned: &Planned) -> String {
    let named = |loaded: &Loaded| format!("{} ({})", loaded.partner.version, loaded.version.short());
    let before = from.map_or_else(|| "nothing".to_owned(), named);
    let mut text = format!("{}: {before} → {}\n", to.partner.name, named(to));
    for reason in &planned.refused {
        push(&mut text, format_args!("\nIt would be refused: {reason}\n"));
    }
    examples_told(&planned.examples, &mut text);
    let breaking = planned.changes.iter().filter(|change| change.breaks.is_some()).count();
    push(&mut text, format_args!("\nWhat is different, {breaking} of {} break somebody:\n\n", planned.changes.len()));
    text.push_str(&upgrade::listed(&planned.changes));
    for of in &planned.connections {
        push(&mut text, format_args!("\nWhat would become of what is stored of {}:\n\n", of.connection));
        match (&of.difference, &of.unknown) {
            (Some(difference), _) => text.push_str(&upgrade::difference(difference)),
            (None, Some(unknown)) => push(&mut text, format_args!("not known: {unknown}\n")),
            (None, None) => {}
        }
    }
    text
}

fn examples_told(examples: &[Tried], text: &mut String) {
    if examples.is_empty() {
        text.push_str("\nIt has no examples.\n");
        return;
    }
    let sound = examples.iter().filter(|tried| tried.failure().is_none()).count();
    push(text, format_args!("\nIts examples, {sound} of {} come to what they say:\n\n", examples.len()));
    for tried in examples {
        push(text, format_args!("  {}\n", tried.line()));
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(what);
    debug_assert!(written.is_ok(), "a String takes everything");
}
