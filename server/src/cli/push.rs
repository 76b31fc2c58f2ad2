//! `rollcall push`: sends files as a partner's client would.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rollcall_core::description::{Credential, Operation};
use rollcall_core::ingest::Loaded;
use rollcall_server::client::{Call, Reply};
use rollcall_server::config::credential_from_environment;
use rollcall_server::demo::{Demo, DemoCall};

use super::operator::ServerArgs;
use super::{FolderArgs, Outcome, operation};

/// Send files as a partner's client would
///
/// Each file is the body of one call of the partner's operation, in the order given. Headers come from the partner's
/// demo.yaml, as far as --header does not say otherwise. A credential in the environment variable `ROLLCALL_CREDENTIAL`
/// is put where the description wants it.
#[derive(Debug, clap::Args)]
pub(super) struct Push {
    /// Whose client to be
    #[arg(long)]
    partner: String,
    /// The payloads
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// The operation to call, where the partner has several
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    /// A further header, `name: value`
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Ask what would become of the files; nothing is stored
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    folders: FolderArgs,
}

impl Push {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let (_, loaded) = self.folders.load(&self.partner)?;
        let template = self.template(&loaded, operation(&loaded, self.operation.as_deref())?)?;
        let client = self.server.client();
        let bar = progress(self.files.len());
        let mut refused = 0;
        for file in &self.files {
            let body = std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
            let reply = client.send(Call { body, ..template.clone() });
            let reply = reply.with_context(|| format!("failed to send {}", file.display()))?;
            refused += usize::from(!reply.is_success());
            bar.suspend(|| self.tell(file, &reply));
            bar.inc(1);
        }
        bar.finish_and_clear();
        if self.files.len() > 1 {
            println!("{} sent, {refused} refused", self.files.len());
        }
        Ok(if refused == 0 { Outcome::Done } else { Outcome::Problems })
    }

    /// The call, but for its body.
    fn template(&self, loaded: &Loaded, operation: &Operation) -> anyhow::Result<Call> {
        let demo = Demo::load(&self.folders.folders().partner(&self.partner))?;
        let calls = demo.map(|demo| demo.calls).unwrap_or_default();
        let is_of = |call: &&DemoCall| call.operation(&loaded.partner).is_some_and(|of| of.id == operation.id);
        let example = calls.iter().find(is_of);
        let mut path = example.map_or_else(|| operation.path.clone(), |call| call.path.clone());
        ensure!(!path.contains('{'), "the path {path} has parameters, and demo.yaml has no call that shows them");
        let like_it = example.or_else(|| calls.iter().find(|call| call.method == operation.method));
        let mut headers = like_it.map(|call| call.headers.clone()).unwrap_or_default();
        if let Some(credential) = credential_from_environment() {
            match operation.security.first() {
                Some(Credential::Header(name)) => {
                    headers.insert(name.clone(), credential.expose().to_owned());
                }
                Some(Credential::Bearer) => {
                    headers.insert("authorization".to_owned(), format!("Bearer {}", credential.expose()));
                }
                Some(Credential::Query(name)) => {
                    let pair =
                        form_urlencoded::Serializer::new(String::new()).append_pair(name, credential.expose()).finish();
                    path = format!("{path}?{pair}");
                }
                Some(Credential::Path(_)) | None => {}
            }
        }
        headers.extend(self.headers.iter().cloned());
        if self.dry_run {
            headers.insert("rollcall-dry-run".to_owned(), "true".to_owned());
        }
        Ok(Call {
            method: operation.method.clone(),
            path: format!("/{}{path}", self.partner),
            headers: headers.into_iter().collect(),
            body: Vec::new(),
        })
    }

    /// The whole reply to a single file; a line each of many, and more only where something is wrong.
    fn tell(&self, file: &Path, reply: &Reply) {
        if self.files.len() == 1 {
            eprintln!("{}", reply.status);
            println!("{}", reply.body);
        } else {
            let delivery = reply.delivery.as_deref().unwrap_or("-");
            println!("{} {delivery} {}", reply.status, file.display());
            if !reply.is_success() {
                println!("    {}", reply.body);
            }
        }
    }
}

/// A bar on standard error, if there is more than one thing to do and someone to see it.
fn progress(files: usize) -> ProgressBar {
    if files < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {per_sec}, {eta} left");
    let bar = ProgressBar::new(files as u64);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is `name: value`")?;
    Ok((name.trim().to_lowercase(), value.trim().to_owned()))
}
