//! `rollcall fixture`: an example for a mapper's tests from what was really sent, without anybody's data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Outcome;
use super::operator::{ServerArgs, answer, tell};

/// Make an example of a stored delivery, without anybody's data
///
/// It has the same shape, and references, uniqueness, formats and order hold; names, numbers, addresses and days are others,
/// drawn anew each time. It is written beside the partner's examples; `rollcall test PARTNER --bless` then writes down what
/// it becomes. A running server makes it, with the operator's credential in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Fixture {
    /// The delivery's id
    delivery: Uuid,
    /// What the example is called [default: the last digits of the delivery's id]
    #[arg(long)]
    name: Option<String>,
    /// What is to stay as it was sent: a JSON Pointer, in which `*` is any step
    #[arg(long, value_name = "POINTER")]
    keep: Vec<String>,
    /// Folder of the descriptions
    #[arg(long, env = "ROLLCALL_SCHEMAS_DIR", value_name = "DIR", default_value = "schemas")]
    schemas_dir: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

impl Fixture {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        let path = format!("deliveries/{}/fixture", self.delivery);
        let reply = operator.ask("POST", &path, &json!({"keep": self.keep}), false)?;
        if !reply.is_success() {
            return tell(&reply);
        }
        let drawn = answer(&reply)?;
        let text = |name: &str| drawn[name].as_str().unwrap_or_default().to_owned();
        let (partner, operation) = (text("partner"), text("operation"));
        let folder = self.schemas_dir.join(&partner);
        ensure!(folder.is_dir(), "there is no folder {}", folder.display());
        let id = self.delivery.simple().to_string();
        let name = self.name.unwrap_or_else(|| id[id.len() - 12..].to_owned());
        ensure!(is_plain(&name), "`{name}` is no name for a file: letters, digits, `-` and `_`");
        let file = folder.join("examples").join(&operation).join(format!("{name}.json"));
        ensure!(!file.exists(), "{} is there already", file.display());
        write(&file, &drawn["payload"])?;
        println!("wrote {}", file.display());
        let list = |name: &str| drawn[name].as_array().cloned().unwrap_or_default();
        for kept in list("kept") {
            println!("as it was sent, because nothing else fits there: {}", kept.as_str().unwrap_or_default());
        }
        let differences = list("differences");
        for difference in &differences {
            println!("not the same: {}", difference.as_str().unwrap_or_default());
        }
        if differences.is_empty() {
            println!("it comes to the same; `rollcall test {partner} --bless` writes down what");
            return Ok(Outcome::Done);
        }
        println!("keep what decides that with --keep, if it is about nobody");
        Ok(Outcome::Problems)
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

fn write(file: &Path, payload: &Value) -> anyhow::Result<()> {
    let failed = || format!("failed to write {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(file, format!("{payload:#}\n")).with_context(failed)
}
