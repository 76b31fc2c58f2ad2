//! `rollcall erase`: takes people out of everything that is stored, on a running server.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rollcall_server::erasing::{Named, NamedEntity, NamedRecord};
use serde_json::json;
use uuid::Uuid;

use super::Outcome;
use super::operator::{ServerArgs, step, tell};

/// Erase people from everything that is stored
///
/// Records, entities, the bodies of what was sent, logs, and what subscribers were told: what speaks of them goes, and what
/// remains says that something is gone, not what. Look first, with `--dry-run`. It is done by a running server, with the
/// operator's credential in the environment variable `ROLLCALL_CREDENTIAL`. Whoever is sent again afterwards is there again.
#[derive(Debug, clap::Args)]
pub(super) struct Erase {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Erase someone from what one connection has sent
    Person {
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The connection
        #[arg(long)]
        connection: String,
        /// `sourcedId` of a user
        #[arg(long = "user", value_name = "ID")]
        users: Vec<Uuid>,
        /// Another entity, as kind and `sourcedId`: `contract:4f0c…`
        #[arg(long = "entity", value_name = "KIND:ID")]
        entities: Vec<String>,
        /// A record, as type and key: `User:["125054"]`
        #[arg(long = "record", value_name = "TYPE:KEY")]
        records: Vec<String>,
        /// File with texts that stand for them and for nobody else, one in each line (addresses, numbers of identity cards);
        /// `-` is the standard input. Not an argument, because a command line is public
        #[arg(long, value_name = "FILE")]
        texts: Option<PathBuf>,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// List all erasures, as digests that name nobody: to be kept beside backups
    List,
    /// Do all erasures again, after an older state of the database was put in place
    Again {
        /// What `rollcall erase list` printed later than that state
        file: Option<PathBuf>,
    },
}

impl Erase {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        match self.action {
            Action::Person { tenant, connection, users, entities, records, texts, dry_run } => {
                let mut named = Named { texts: texts.as_deref().map_or(Ok(Vec::new()), lines)?, ..Named::default() };
                let user = |sourced_id| NamedEntity { kind: "user".to_owned(), sourced_id };
                named.entities.extend(users.into_iter().map(user));
                for text in &entities {
                    named.entities.push(entity(text)?);
                }
                for text in &records {
                    named.records.push(record(text)?);
                }
                ensure!(named != Named::default(), "say who: with --user, --entity, --record or --texts");
                let path = format!("tenants/{}/connections/{}/erasures", step(&tenant), step(&connection));
                tell(&operator.ask("POST", &path, &json!(named), dry_run)?)
            }
            Action::List => operator.get("erasures", []),
            Action::Again { file } => {
                let body = file.as_deref().map_or(Ok(Vec::new()), super::read)?;
                tell(&operator.send("POST", "erasures", body, false)?)
            }
        }
    }
}

fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = String::from_utf8(super::read(file)?).context("the texts are not UTF-8")?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn entity(text: &str) -> anyhow::Result<NamedEntity> {
    let (kind, id) = text.split_once(':').context("an entity is named by kind and id: `contract:4f0c…`")?;
    Ok(NamedEntity { kind: kind.to_owned(), sourced_id: id.parse().context("the id of an entity is a UUID")? })
}

fn record(text: &str) -> anyhow::Result<NamedRecord> {
    let (of, key) = text.split_once(':').context("a record is named by type and key: `User:[\"125054\"]`")?;
    let key = serde_json::from_str(key).context("the key of a record is a JSON list")?;
    Ok(NamedRecord { of: of.to_owned(), key })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{entity, record};

    #[test]
    fn names_are_taken_apart() {
        let named = record("User:[\"a:b\",7]").unwrap();
        assert_eq!((named.of.as_str(), named.key), ("User", vec![json!("a:b"), json!(7)]));
        assert_eq!(entity("user:b719ee5d-dd9f-5e92-b91c-fef06dd6cbf7").unwrap().kind, "user");
        assert!(record("User").is_err() && record("User:7").is_err() && entity("user:1").is_err());
    }
}
