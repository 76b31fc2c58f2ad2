//! `rollcall demo`: a server with every partner's examples in it, and what to try next.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rollcall_core::clock::SystemClock;
use rollcall_core::delivery::Report;
use rollcall_core::description::Verb;
use rollcall_core::hold::Thresholds;
use rollcall_core::retention::Retention;
use rollcall_server::app::App;
use rollcall_server::client::{Call, Client};
use rollcall_server::config::{Config, Connection, Log, Name, Tenant, Webhooks};
use rollcall_server::credential::{Keyring, new_credential};
use rollcall_server::demo::{Demo as Script, DemoCall, quoted};
use rollcall_server::partners::Folders;
use rollcall_server::server::{asked_to_stop, serve};
use rollcall_server::start::start;
use rollcall_server::terms::WebhookSecrets;
use rollcall_server::webhook::guard::Destination;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::{FolderArgs, Outcome, block_on};

/// The tenant of the demonstration.
const TENANT: &str = "demo";

/// Reads and operates; in the demonstration only.
const ADMIN: &str = "demo-admin";

/// How long a delivery that was acknowledged first may take.
const FINISHED_WITHIN: Duration = Duration::from_mins(1);

/// How often is looked whether it is done.
const POLL: Duration = Duration::from_millis(50);

/// Characters of an answer that are shown.
const ANSWER_CHARACTERS_MAX: usize = 300;

/// Run a server with examples in it
///
/// Starts with an empty database in a temporary folder and the tenant `demo`, sends every partner's examples as its
/// client would, shows what they became and what to try next, and keeps serving. Ctrl-C ends it and forgets everything.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "ROLLCALL_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Only this partner [default: all]
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
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
        let scripts = scripts(&folders, self.partner.as_deref())?;
        let data = tempfile::tempdir().context("failed to make a temporary folder")?;
        let database = data.path().join("rollcall.db");
        let mut config = self.config(&scripts, format!("sqlite:{}", database.display()))?;
        if let Some(partner) = &self.partner {
            config.schemas_dir = alone(&folders, partner, &data.path().join("schemas"))?;
        }
        let _log = rollcall_server::log::start(&config)?;
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
                credentials: script.credentials().map(|credential| keyring.digest(credential.expose())).collect(),
                options: script.options(),
                retention: Retention::default(),
                hold: Thresholds::off(),
                mapper_profile: self.folders.mapper_profile,
                webhook_secrets: WebhookSecrets::default(),
            };
            tenant.connections.insert(name(partner)?, connection);
        }
        let mut config = Config {
            listen: self.listen,
            log: Log { filter: "warn".to_owned(), ..Log::default() },
            database_url: database_url.into(),
            schemas_dir: self.folders.schemas.clone(),
            mappers_dir: self.folders.mappers.clone(),
            cache_dir: Some(self.folders.cache.clone()),
            credential_key,
            // Whoever tries it out subscribes on the same machine.
            webhooks: Webhooks { allow: loopback().map_err(anyhow::Error::msg)? },
            ..Config::default()
        };
        config.tenants.insert(name(TENANT)?, tenant);
        config.operators.insert(name(ADMIN)?, vec![keyring.digest(ADMIN)]);
        Ok(config)
    }
}

/// A folder that holds one partner and nothing of the others, whose mappers may not be built.
fn alone(folders: &Folders, partner: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    for path in [folders.canonical_folder(), folders.partner(partner)] {
        let name = path.file_name().context("a partner's folder has a name")?;
        copy(&path, &folder.join(name)).with_context(|| format!("failed to copy {}", path.display()))?;
    }
    Ok(folder.to_owned())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let (path, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn loopback() -> Result<Vec<Destination>, &'static str> {
    ["127.0.0.0/8", "::1"].map(|network| Destination::try_from(network.to_owned())).into_iter().collect()
}

/// Every partner that has a demonstration, or one of them.
fn scripts(folders: &Folders, only: Option<&str>) -> anyhow::Result<Vec<(String, Script)>> {
    let mut scripts = Vec::new();
    for partner in folders.partners()?.into_iter().filter(|name| only.is_none_or(|only| only == name)) {
        if let Some(script) = Script::load(&folders.partner(&partner))? {
            scripts.push((partner, script));
        }
    }
    let wanted = only.unwrap_or("partner");
    ensure!(!scripts.is_empty(), "there is no {wanted} with a demo.yaml in {}", folders.schemas.display());
    Ok(scripts)
}

/// Sends every example and tells what it became; then the server is ready, and there is something to try.
fn show(app: &App, base: &str, folders: &Folders, scripts: &[(String, Script)]) -> anyhow::Result<()> {
    let client = Client::new(base);
    let width = scripts.iter().map(|(partner, _)| partner.len()).max().unwrap_or_default();
    let table = Table { width };
    table.head();
    let mut sent = Vec::new();
    for (partner, script) in scripts {
        let folder = folders.partner(partner);
        let (mut delivery, mut calls) = (None, Vec::new());
        for call in &script.calls {
            let call = call.about(delivery.as_deref());
            let reply = client.send(call.call(partner, &folder)?)?;
            ensure!(
                reply.is_success(),
                "{} {} was answered with {}: {}",
                call.method,
                call.path,
                reply.status,
                reply.body
            );
            let what = call.file.as_ref().map_or_else(
                || format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default()),
                |file| file.display().to_string(),
            );
            match &reply.delivery {
                Some(id) => table.delivery(partner, &what, &finished(&client, id)?),
                None => table.answer(partner, &what, &reply.body),
            }
            delivery = reply.delivery.or(delivery);
            calls.push(call);
        }
        sent.push((partner.as_str(), calls));
    }
    app.set_ready(true);
    println!("\nTry next:\n");
    for line in next(app, base, folders, &sent) {
        println!("  {line}");
    }
    println!("\nCtrl-C ends the demonstration.");
    Ok(())
}

/// What became of a delivery, once it has been worked on.
fn finished(client: &Client, delivery: &str) -> anyhow::Result<Report> {
    let deadline = Instant::now() + FINISHED_WITHIN;
    loop {
        let reply = client.send(Call {
            method: "GET".to_owned(),
            path: format!("/api/v1/deliveries/{delivery}"),
            headers: vec![("authorization".to_owned(), format!("Bearer {ADMIN}"))],
            body: Vec::new(),
        })?;
        ensure!(reply.is_success(), "reading the delivery was answered with {}", reply.status);
        let found: Delivery = serde_json::from_str(&reply.body)?;
        if let Some(report) = found.report {
            return Ok(report);
        }
        ensure!(Instant::now() < deadline, "the delivery {delivery} was not worked on in time");
        Handle::current().block_on(sleep(POLL));
    }
}

/// What was sent and what it became, line by line.
struct Table {
    /// Of the longest partner's name.
    width: usize,
}

impl Table {
    fn head(&self) {
        self.line("partner", "sent", "entities", ["created", "updated", "unchanged", "removed"]);
    }

    fn delivery(&self, partner: &str, sent: &str, report: &Report) {
        let mut lead = (partner, sent);
        for (kind, counts) in &report.counts {
            let counts =
                [counts.created, counts.updated, counts.unchanged, counts.removed].map(|count| count.to_string());
            self.line(lead.0, lead.1, kind, counts.each_ref().map(String::as_str));
            lead = ("", "");
        }
        if report.counts.is_empty() {
            self.line(partner, sent, &format!("({})", report.status.word()), [""; 4]);
        }
        let notes = [
            ("rejected", &report.rejections),
            ("refused", &report.refusals),
            ("fault", &report.faults),
            ("parked", &report.parked),
            ("warning", &report.warnings),
        ];
        for (what, notes) in notes {
            for note in notes {
                println!("{:<1$}   {what}: {2} {3}", "", self.width, note.pointer, note.message);
            }
        }
    }

    /// What a call that leaves no delivery behind was answered with: its beginning, if it is long.
    fn answer(&self, partner: &str, sent: &str, body: &str) {
        self.line(partner, sent, "", [""; 4]);
        let shown: String = body.chars().take(ANSWER_CHARACTERS_MAX).collect();
        let more = if shown.len() < body.len() { " …" } else { "" };
        println!("{:<1$}   {shown}{more}", "", self.width);
    }

    fn line(&self, partner: &str, sent: &str, entities: &str, counts: [&str; 4]) {
        let [created, updated, unchanged, removed] = counts;
        let line = format!(
            "{partner:<0$} {sent:<44} {entities:<16} {created:>8} {updated:>8} {unchanged:>10} {removed:>8}",
            self.width
        );
        println!("{}", line.trim_end());
    }
}

/// Lines for a shell. They work as they are printed, from the folder that this was started in.
fn next(app: &App, base: &str, folders: &Folders, calls: &[(&str, Vec<DemoCall>)]) -> Vec<String> {
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
    for (partner, calls) in calls {
        let curl =
            |call: &DemoCall| call.curl(base, partner, &folders.partner(partner)).replacen("curl ", "curl -s ", 1);
        let Some(loaded) = app.registry.get(partner) else { continue };
        let (changing, reading): (Vec<_>, Vec<_>) = calls
            .iter()
            .partition(|call| call.operation(&loaded.partner).is_some_and(|of| of.verb.changes().is_some()));
        // What makes or changes a single record is not called again: it would make another one, or be refused.
        for call in reading.into_iter().filter(|call| call.method == "GET") {
            lines.push(format!("# what {partner} answers to {}", call.path));
            lines.push(curl(call));
        }
        if let (Some(first), Some(last)) = (changing.first(), changing.last()) {
            let complete = matches!(last.operation(&loaded.partner).map(|of| &of.verb), Some(Verb::Snapshot { .. }));
            let again = if complete { ": nothing changes" } else { "" };
            lines.push(format!("# the last example of {partner} again{again}"));
            lines.push(curl(last));
            lines.push(format!("# what the first example of {partner} would change now, without changing it"));
            lines.push(curl(first).replacen("curl -s ", "curl -s -H 'Rollcall-Dry-Run: true' ", 1));
        }
    }
    lines
}
