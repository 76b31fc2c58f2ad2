//! `rollcall explain`: why an entity says what it says.

use serde_json::Value;
use uuid::Uuid;

use super::Outcome;
use super::operator::{ServerArgs, answer, tell};

/// Characters of a field's name before what it depends on stands in line.
const FIELD_CHARS: usize = 18;

/// Explain why an entity says what it says
///
/// Tells which records speak of it, which delivery brought each, which version of the partner mapped it, and on which values of
/// the record each field depends: the record is mapped again, with one value changed or left out at a time. A running server
/// does that, with the operator's credential in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The entity's sourcedId
    #[arg(value_name = "SOURCEDID")]
    sourced_id: Uuid,
    /// Whose it is, where there are several tenants
    #[arg(long)]
    tenant: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let path = format!("entities/{}/explanation", self.sourced_id);
        let reply = self.server.operator()?.look(&path, [("tenant", self.tenant)])?;
        if self.json || !reply.is_success() {
            return tell(&reply);
        }
        let told = answer(&reply)?;
        println!("{} {}", word(&told, "kind"), word(&told, "sourcedId"));
        let sources = told["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
        if sources.is_empty() {
            println!("\nit is gone: no record speaks of it any more");
        }
        sources.iter().for_each(show);
        if let Some(omitted @ 1..) = told["omitted"].as_u64() {
            println!("\n{omitted} more records speak of it (`explained_records_max`)");
        }
        Ok(Outcome::Done)
    }
}

/// One record, with what each field depends on.
fn show(source: &Value) {
    let (record, key) = (word(source, "record"), &source["key"]);
    println!("\n{record} {key} of {} ({})", word(source, "connection"), word(source, "partner"));
    println!("  delivery  {}", word(source, "delivery"));
    if let Some(why) = source["unknown"].as_str() {
        println!("  mapper    not known: {why}");
        return;
    }
    let (name, id) = (word(source, "versionName"), word(source, "version"));
    let made = if source["made"] == true { "" } else { ", which is not what made what is stored" };
    println!("  mapper    {}, in version {name}+{}{made}", word(source, "mapper"), id.get(..12).unwrap_or(id));
    line("there is one", &source["exists"], "");
    for because in source["fields"].as_array().into_iter().flatten() {
        let more = if because["counts"] == true { "" } else { "  (another record is asked before)" };
        line(word(because, "field"), &because["pointers"], more);
    }
    if let Some(untried @ 1..) = source["untried"].as_u64() {
        println!("  {untried} values were not tried (`places_per_record_max`)");
    }
}

fn line(what: &str, pointers: &Value, more: &str) {
    let all: Vec<_> = pointers.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let all = if all.is_empty() { "whatever it says".to_owned() } else { all.join(", ") };
    println!("    {what:FIELD_CHARS$} {all}{more}");
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}
