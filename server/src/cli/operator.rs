//! Calls a running server's admin API with the operator's credential, and prints what it answers.
//!
//! A command that does so flattens [`ServerArgs`] into its arguments, beside its subcommands if it has any.

use anyhow::Context as _;
use form_urlencoded::byte_serialize;
use rollcall_server::client::{Call, Client, Reply};
use rollcall_server::config::credential_from_environment;
use serde_json::Value;

use super::Outcome;

/// Which server is called.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The server
    #[arg(
        long = "server",
        global = true,
        env = "ROLLCALL_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    base: String,
}

/// An operator at a server.
pub(super) struct Operator {
    client: Client,
    authorization: String,
}

/// What of a query may be said.
type Query<'q, const N: usize> = [(&'q str, Option<String>); N];

impl ServerArgs {
    /// Somebody who calls it without a credential.
    pub(super) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// The operator, with the credential of the environment.
    pub(super) fn operator(&self) -> anyhow::Result<Operator> {
        let credential = credential_from_environment();
        let credential = credential.context("there is no operator's credential in ROLLCALL_CREDENTIAL")?;
        Ok(Operator { client: self.client(), authorization: format!("Bearer {}", credential.expose()) })
    }
}

impl Operator {
    /// Reads something, and prints it.
    pub(super) fn get<const N: usize>(&self, path: &str, query: Query<'_, N>) -> anyhow::Result<Outcome> {
        tell(&self.look(path, query)?)
    }

    /// Reads something.
    pub(super) fn look<const N: usize>(&self, path: &str, query: Query<'_, N>) -> anyhow::Result<Reply> {
        self.ask("GET", &asked(path, query), &Value::Null, false)
    }

    /// Reads something that has to be there.
    pub(super) fn read<const N: usize>(&self, path: &str, query: Query<'_, N>) -> anyhow::Result<Value> {
        let reply = self.look(path, query)?;
        anyhow::ensure!(reply.is_success(), "the server says: {}", reply.body);
        answer(&reply)
    }

    /// Has something done, and prints what came of it.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Outcome> {
        tell(&self.ask("POST", path, body, false)?)
    }

    /// Calls the server; with `dry_run` nothing is stored.
    pub(super) fn ask(&self, method: &str, path: &str, body: &Value, dry_run: bool) -> anyhow::Result<Reply> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(method, path, body, dry_run)
    }

    /// The same with a body that is there as bytes.
    pub(super) fn send(&self, method: &str, path: &str, body: Vec<u8>, dry_run: bool) -> anyhow::Result<Reply> {
        let mut headers = vec![("authorization".to_owned(), self.authorization.clone())];
        headers.extend(dry_run.then(|| ("rollcall-dry-run".to_owned(), "true".to_owned())));
        let path = format!("/admin/v1/{path}");
        Ok(self.client.send(Call { method: method.to_owned(), path, headers, body })?)
    }
}

/// Prints an answer.
pub(super) fn tell(reply: &Reply) -> anyhow::Result<Outcome> {
    match serde_json::from_str::<Value>(&reply.body) {
        Ok(answer) => println!("{}", serde_json::to_string_pretty(&answer)?),
        Err(_) => println!("{}", reply.body),
    }
    Ok(if reply.is_success() { Outcome::Done } else { Outcome::Problems })
}

/// What an answer says.
pub(super) fn answer(reply: &Reply) -> anyhow::Result<Value> {
    serde_json::from_str(&reply.body).context("the server's answer is not JSON")
}

/// A path with what it is asked for.
pub(super) fn asked<const N: usize>(path: &str, query: Query<'_, N>) -> String {
    let mut said = form_urlencoded::Serializer::new(String::new());
    said.extend_pairs(query.into_iter().filter_map(|(name, value)| Some((name, value?))));
    format!("{path}?{}", said.finish())
}

/// A name as one step of a path.
pub(super) fn step(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
