//! `rollcall record`: the records of a connection that its operator sets up, on a running server.

use std::path::PathBuf;

use anyhow::bail;
use form_urlencoded::byte_serialize;
use rollcall_server::client::{Call, Client};
use rollcall_server::config::credential_from_environment;
use serde_json::Value;

use super::Outcome;

/// List, write and delete records that an operator sets up
///
/// Some records are never sent by a partner's client; what may stand in them says the partner's description. They are
/// written to a running server, with the operator's credential in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    #[command(subcommand)]
    action: Action,
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

/// Which records, and where.
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
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
}

#[derive(Debug, clap::Args)]
struct Dry {
    /// Ask what would become of it; nothing is stored
    #[arg(long)]
    dry_run: bool,
}

impl Record {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self.action {
            Action::List { place, waiting, limit, offset } => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(waiting.map(|waiting| ("waiting", waiting.to_string())));
                query.extend_pairs(limit.map(|limit| ("limit", limit.to_string())));
                query.extend_pairs(offset.map(|offset| ("offset", offset.to_string())));
                place.call("GET", &query.finish(), Vec::new(), false)
            }
            Action::Put { place, file, dry } => place.call("PUT", "", super::read(&file)?, dry.dry_run),
            Action::Delete { place, key, dry } => {
                let key: Vec<_> = key.into_iter().map(part).collect();
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair("key", &Value::Array(key).to_string());
                place.call("DELETE", &query.finish(), Vec::new(), dry.dry_run)
            }
        }
    }
}

impl Place {
    /// Calls the server and prints its answer.
    fn call(&self, method: &str, query: &str, body: Vec<u8>, dry_run: bool) -> anyhow::Result<Outcome> {
        let Some(credential) = credential_from_environment() else {
            bail!("there is no operator's credential in ROLLCALL_CREDENTIAL")
        };
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {}", credential.expose()))];
        if dry_run {
            headers.push(("rollcall-dry-run".to_owned(), "true".to_owned()));
        }
        let step = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let (tenant, connection, record) = (step(&self.tenant), step(&self.connection), step(&self.record));
        let path = format!("/admin/v1/tenants/{tenant}/connections/{connection}/records/{record}?{query}");
        let reply = Client::new(&self.server).send(Call { method: method.to_owned(), path, headers, body })?;
        match serde_json::from_str::<Value>(&reply.body) {
            Ok(answer) => println!("{}", serde_json::to_string_pretty(&answer)?),
            Err(_) => println!("{}", reply.body),
        }
        Ok(if reply.is_success() { Outcome::Done } else { Outcome::Problems })
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
