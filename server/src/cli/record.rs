//! `rollcall record`: the records of a connection that its operator sets up, on a running server.

use std::path::PathBuf;

use serde_json::Value;

use super::Outcome;
use super::operator::{Operator, ServerArgs, step, tell};

/// List, write and delete records that an operator sets up
///
/// Some records are never sent by a partner's client; what may stand in them says the partner's description. They are
/// written to a running server, with the operator's credential in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the records of one type, with their keys, and whether they wait for others
    List {
        #[command(flatten)]
        place: Place,
        /// Only those that wait (`true`), or only those that do not
        #[arg(long)]
        waiting: Option<bool>,
        /// So many at most
        #[arg(long)]
        limit: Option<u32>,
        /// So many are left out before
        #[arg(long)]
        offset: Option<u64>,
    },
    /// Write one record or a list of them; those that are there are replaced
    Put {
        #[command(flatten)]
        place: Place,
        /// JSON file; `-` is the standard input
        file: PathBuf,
        #[command(flatten)]
        dry: Dry,
    },
    /// Delete one record
    Delete {
        #[command(flatten)]
        place: Place,
        /// Its key, one argument per part; a part that is JSON (`7`, `true`) is taken as that, any other as text
        #[arg(required = true)]
        key: Vec<String>,
        #[command(flatten)]
        dry: Dry,
    },
}

/// Which records.
#[derive(Debug, clap::Args)]
struct Place {
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// The connection
    #[arg(long)]
    connection: String,
    /// The type of record, as the description names it
    #[arg(long = "type", value_name = "RECORD")]
    record: String,
}

#[derive(Debug, clap::Args)]
struct Dry {
    /// Ask what would become of it; nothing is stored
    #[arg(long)]
    dry_run: bool,
}

impl Record {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        match self.action {
            Action::List { place, waiting, limit, offset } => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(waiting.map(|waiting| ("waiting", waiting.to_string())));
                query.extend_pairs(limit.map(|limit| ("limit", limit.to_string())));
                query.extend_pairs(offset.map(|offset| ("offset", offset.to_string())));
                place.call(&operator, "GET", &query.finish(), Vec::new(), false)
            }
            Action::Put { place, file, dry } => place.call(&operator, "PUT", "", super::read(&file)?, dry.dry_run),
            Action::Delete { place, key, dry } => {
                let key: Vec<_> = key.into_iter().map(part).collect();
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair("key", &Value::Array(key).to_string());
                place.call(&operator, "DELETE", &query.finish(), Vec::new(), dry.dry_run)
            }
        }
    }
}

impl Place {
    /// Calls the server and prints its answer.
    fn call(
        &self,
        operator: &Operator,
        method: &str,
        query: &str,
        body: Vec<u8>,
        dry_run: bool,
    ) -> anyhow::Result<Outcome> {
        let (tenant, connection, record) = (step(&self.tenant), step(&self.connection), step(&self.record));
        let path = format!("tenants/{tenant}/connections/{connection}/records/{record}?{query}");
        tell(&operator.send(method, &path, body, dry_run)?)
    }
}

/// A part of a key.
fn part(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        Ok(Value::String(quoted)) => Value::String(quoted),
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::part;

    #[test]
    fn a_part_of_a_key_is_what_it_looks_like() {
        for (text, value) in [("S1", json!("S1")), ("7", json!(7)), ("\"7\"", json!("7")), ("[", json!("["))] {
            assert_eq!(part(text.to_owned()), value);
        }
    }
}
