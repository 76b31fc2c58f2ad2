//! `rollcall demo`: a server with every partner's examples in it, and what to try next.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use rollcall_core::clock::SystemClock;
use rollcall_core::delivery::Report;
use rollcall_server::app::App;
use rollcall_server::client::{Call, Client, Reply};
use rollcall_server::config::{Config, Connection, Log, Name, Tenant};
use rollcall_server::credential::{Keyring, new_credential};
use rollcall_server::demo::{Demo as Script, quoted};
use rollcall_server::partners::Folders;
use rollcall_server::server::{asked_to_stop, serve};
use rollcall_server::start::start;
use serde::Deserialize;
use tokio::net::TcpListener;

use super::{FolderArgs, Outcome, block_on};

/// The tenant of the demonstration.
const TENANT: &str = "demo";

/// Reads and operates; in the demonstration only.
const ADMIN: &str = "demo-admin";

/// Run a server with examples in it
///
/// Starts with an empty database in a temporary folder and the tenant `demo`, sends every partner's examples as its
/// client would, shows what they became and what to try next, and keeps serving. Ctrl-C ends it and forgets everything.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "ROLLCALL_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    folders: FolderArgs,
}

/// A delivery, as far as the demonstration shows it.
#[derive(Deserialize)]
struct Delivery {
    report: Option<Report>,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let folders = self.folders.folders();
        let scripts = scripts(&folders)?;
        let data = tempfile::tempdir().context("failed to make a temporary folder")?;
        let database = data.path().join("rollcall.db");
        let config = self.config(&scripts, format!("sqlite:{}", database.display()))?;
        rollcall_server::log::start(&config.log)?;
        block_on(async {
            let app = start(&config, Arc::new(SystemClock)).await?;
            let listener = TcpListener::bind(self.listen).await;
            let listener = listener.with_context(|| format!("failed to listen on {}", self.listen))?;
            let base = format!("http://{}", listener.local_addr()?);
            println!("listening on {base}; the data is in {}\n", data.path().display());
            let show = tokio::task::spawn_blocking({
                let app = Arc::clone(&app);
                move || show(&app, &base, &folders, &scripts)
            });
            let stop = asked_to_stop();
            tokio::pin!(stop);
            let (ended, shown) = tokio::sync::oneshot::channel();
            let serving = tokio::spawn(serve(app, listener, async {
                shown.await.ok();
            }));
            tokio::select! {
                shown = show => {
                    shown??;
                    stop.await;
                }
                () = &mut stop => {}
            }
            ended.send(()).ok();
            serving.await?.context("failed to serve")?;
            Ok(Outcome::Done)
        })
    }

    /// A tenant with one connection per partner, named after it.
    fn config(&self, scripts: &[(String, Script)], database_url: String) -> anyhow::Result<Config> {
        let credential_key = new_credential().context("failed to draw random bytes")?;
        let keyring = Keyring::new(&credential_key);
        let name = |text: &str| Name::try_from(text.to_owned()).map_err(anyhow::Error::msg);
        let mut tenant = Tenant::default();
        for (partner, script) in scripts {
            let connection = Connection {
                partner: name(partner)?,
                credentials: vec![keyring.digest(script.connection.credential.expose())],
                options: script.options(),
            };
            tenant.connections.insert(name(partner)?, connection);
        }
        let mut config = Config {
            listen: self.listen,
            log: Log { filter: "warn".to_owned(), ..Log::default() },
            database_url,
            schemas_dir: self.folders.schemas.clone(),
            mappers_dir: self.folders.mappers.clone(),
            cache_dir: Some(self.folders.cache.clone()),
            credential_key,
            ..Config::default()
        };
        config.tenants.insert(name(TENANT)?, tenant);
        config.operators.insert(name(ADMIN)?, vec![keyring.digest(ADMIN)]);
        Ok(config)
    }
}

/// Every partner that has a demonstration.
fn scripts(folders: &Folders) -> anyhow::Result<Vec<(String, Script)>> {
    let mut scripts = Vec::new();
    for partner in folders.partners()? {
        if let Some(script) = Script::load(&folders.partner(&partner))? {
            scripts.push((partner, script));
        }
    }
    ensure!(!scripts.is_empty(), "no partner in {} has a demo.yaml", folders.schemas.display());
    Ok(scripts)
}

/// Sends every example and tells what it became; then the server is ready, and there is something to try.
fn show(app: &App, base: &str, folders: &Folders, scripts: &[(String, Script)]) -> anyhow::Result<()> {
    let client = Client::new(base);
    println!(
        "{:<12} {:<44} {:<16} {:>8} {:>8} {:>10} {:>8}",
        "partner", "sent", "entities", "created", "updated", "unchanged", "removed"
    );
    for (partner, script) in scripts {
        let folder = folders.partner(partner);
        for call in &script.calls {
            let reply = client.send(call.call(partner, &folder)?)?;
            ensure!(
                reply.is_success(),
                "{} {} was answered with {}: {}",
                call.method,
                call.path,
                reply.status,
                reply.body
            );
            let sent = call.file.as_ref().map_or_else(|| call.path.clone(), |file| file.display().to_string());
            tell(partner, &sent, &report(&client, &reply)?);
        }
    }
    app.set_ready(true);
    println!("\nTry next:\n");
    for line in next(base, folders, scripts) {
        println!("  {line}");
    }
    println!("\nCtrl-C ends the demonstration.");
    Ok(())
}

/// What became of a delivery, as the server tells it.
fn report(client: &Client, reply: &Reply) -> anyhow::Result<Report> {
    let delivery = reply.delivery.as_deref().context("the answer names no delivery")?;
    let reply = client.send(Call {
        method: "GET".to_owned(),
        path: format!("/api/v1/deliveries/{delivery}"),
        headers: vec![("authorization".to_owned(), format!("Bearer {ADMIN}"))],
        body: Vec::new(),
    })?;
    if !reply.is_success() {
        bail!("reading the delivery was answered with {}", reply.status);
    }
    let delivery: Delivery = serde_json::from_str(&reply.body)?;
    delivery.report.context("the delivery has no report")
}

fn tell(partner: &str, sent: &str, report: &Report) {
    let mut lead = (partner, sent);
    for (kind, counts) in &report.counts {
        println!(
            "{:<12} {:<44} {kind:<16} {:>8} {:>8} {:>10} {:>8}",
            lead.0, lead.1, counts.created, counts.updated, counts.unchanged, counts.removed
        );
        lead = ("", "");
    }
    for (what, notes) in [("refused", &report.refusals), ("fault", &report.faults), ("warning", &report.warnings)] {
        for note in notes {
            println!("{:<12} {what}: {} {}", "", note.pointer, note.message);
        }
    }
}

/// Lines for a shell. They work as they are printed, from the folder that this was started in.
fn next(base: &str, folders: &Folders, scripts: &[(String, Script)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (title, path) in [
        ("the students, as OneRoster has them", "/ims/oneroster/rostering/v1p2/students?limit=3"),
        (
            "only some of them",
            "/ims/oneroster/rostering/v1p2/users?filter=familyName~%27a%27&fields=givenName,familyName",
        ),
        ("everything of one kind, as Rollcall has it", "/api/v1/entities/class?limit=3"),
        ("what changed, in order", "/api/v1/changes?limit=5"),
        ("what was sent", "/api/v1/deliveries"),
        ("what the server did", "/metrics"),
    ] {
        lines.push(format!("# {title}"));
        lines.push(format!("curl -s -H 'Authorization: Bearer {ADMIN}' {}", quoted(&format!("{base}{path}"))));
    }
    for (partner, script) in scripts {
        if let Some(call) = script.calls.last() {
            let line = call.curl(base, partner, &folders.partner(partner));
            lines.push(format!("# the last example of {partner} again: nothing changes"));
            lines.push(line.replacen("curl ", "curl -s ", 1));
        }
        if let Some(call) = script.calls.first() {
            let line = call.curl(base, partner, &folders.partner(partner));
            lines.push(format!("# what the first example of {partner} would change now, without changing it"));
            lines.push(line.replacen("curl ", "curl -s -H 'Rollcall-Dry-Run: true' ", 1));
        }
    }
    lines
}
