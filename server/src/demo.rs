//! Turns a partner's `demo.yaml` into a connection and the calls that its client would make: for the demonstration, and
//! for whoever tries a description out.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rollcall_core::description::{Operation, Partner};
use serde::Deserialize;
use serde_json::Value;

use crate::client::Call;
use crate::config::Secret;

/// What stands for a delivery's id in a path.
const DELIVERY: &str = "{delivery}";

/// The file in a partner's folder.
const FILE: &str = "demo.yaml";

/// What there is to try a partner out with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    /// The connection that it is tried out with.
    pub connection: DemoConnection,
    /// What its client would call, in this order.
    pub calls: Vec<DemoCall>,
}

/// The connection of a [`Demo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoConnection {
    /// What its client sends to be let in. For demonstrations only.
    pub credential: Secret,
    /// What a sender of webhooks puts into their path to be let in, where the partner has any.
    #[serde(default)]
    pub webhook_secret: Option<Secret>,
    /// What it chooses.
    #[serde(default)]
    pub options: Option<Value>,
}

/// A call of a [`Demo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoCall {
    /// `POST`
    pub method: String,
    /// The documented path. `{delivery}` in it is the id of the last delivery that the calls before it left behind.
    pub path: String,
    /// Names and values, the credential among them.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, a file beside this one.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The body, if it is short.
    #[serde(default)]
    pub body: Option<Value>,
}

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not say what it should.
    #[error("{} is not valid:\n{message}", path.display())]
    Invalid {
        /// Which one.
        path: PathBuf,
        /// Place and reason.
        message: String,
    },
}

impl Demo {
    /// Reads what is in a partner's folder; `None` if it has no demonstration.
    pub fn load(folder: &Path) -> Result<Option<Self>, DemoError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = read(path.clone())?;
        let demo =
            serde_yaml::from_slice(&text).map_err(|error| DemoError::Invalid { path, message: error.to_string() })?;
        Ok(Some(demo))
    }

    /// Everything that lets a client of the connection in.
    pub fn credentials(&self) -> impl Iterator<Item = &Secret> {
        let DemoConnection { credential, webhook_secret, .. } = &self.connection;
        [credential].into_iter().chain(webhook_secret)
    }

    /// What the connection chooses.
    pub fn options(&self) -> Value {
        self.connection.options.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}

impl DemoCall {
    /// The operation that answers it.
    pub fn operation<'p>(&self, partner: &'p Partner) -> Option<&'p Operation> {
        let path = self.path.split('?').next().unwrap_or_default();
        partner.route(&self.method, path).ok().map(|(operation, _)| operation)
    }

    /// The same call with a delivery's id where its path leaves room for one.
    #[must_use]
    pub fn about(&self, delivery: Option<&str>) -> Self {
        Self { path: self.path.replace(DELIVERY, delivery.unwrap_or_default()), ..self.clone() }
    }

    /// The call of the partner's route, whose files are in `folder`.
    pub fn call(&self, partner: &str, folder: &Path) -> Result<Call, DemoError> {
        let body = match (&self.file, &self.body) {
            (Some(file), _) => read(folder.join(file))?,
            (None, Some(body)) => body.to_string().into_bytes(),
            (None, None) => Vec::new(),
        };
        Ok(Call {
            method: self.method.clone(),
            path: format!("/{partner}{}", self.path),
            headers: self.headers.clone().into_iter().collect(),
            body,
        })
    }

    /// The same call as a line for a shell.
    pub fn curl(&self, base: &str, partner: &str, folder: &Path) -> String {
        let mut line = format!("curl -X {} {}", self.method, quoted(&format!("{base}/{partner}{}", self.path)));
        for (name, value) in &self.headers {
            line = format!("{line} -H {}", quoted(&format!("{name}: {value}")));
        }
        let data = match (&self.file, &self.body) {
            (Some(file), _) => Some(format!("--data-binary @{}", quoted(&folder.join(file).display().to_string()))),
            (None, Some(body)) => Some(format!("--data {}", quoted(&body.to_string()))),
            (None, None) => None,
        };
        if let Some(data) = data {
            if !self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                line.push_str(" -H 'Content-Type: application/json'"); // curl would say that it is a form
            }
            line = format!("{line} {data}");
        }
        line
    }
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn read(path: PathBuf) -> Result<Vec<u8>, DemoError> {
    std::fs::read(&path).map_err(|source| DemoError::Read { path, source })
}
