//! A request, as far as it can be wrong in a way of its own.

use std::collections::BTreeMap;
use std::fmt;

use rollcall_tests::client::{Answer, Client};
use serde_json::Value;

use super::document::Operation;
use crate::eduframe::served::PARTNER;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: String,
    /// With `{…}` in it.
    template: String,
    /// The parameters of the path.
    pub(super) path: BTreeMap<String, String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    /// What is sent instead of the body.
    pub(super) text: Option<String>,
    pub(super) has_credential: bool,
}

impl Request {
    pub(super) fn new(operation: &Operation, path: BTreeMap<String, String>) -> Self {
        Self {
            method: operation.method.clone(),
            template: operation.path.clone(),
            path,
            query: Vec::new(),
            body: None,
            text: None,
            has_credential: operation.needs_credential,
        }
    }

    pub(super) fn send(&self, client: &Client, credential: &str) -> Answer {
        let mut headers = Vec::new();
        let bearer = format!("Bearer {credential}");
        if self.has_credential {
            headers.push(("authorization", bearer.as_str()));
        }
        let body = self.text.clone().or_else(|| self.body.as_ref().map(Value::to_string));
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        client.call(&self.method, &self.address(), &headers, body.as_deref().map(str::as_bytes))
    }

    fn address(&self) -> String {
        let mut address = format!("/{}{}", PARTNER, self.template);
        for (name, value) in &self.path {
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            address = address.replace(&format!("{{{name}}}"), &value);
        }
        if self.query.is_empty() {
            return address;
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{address}?{query}")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.address())?;
        match (&self.text, &self.body) {
            (Some(text), _) => write!(f, " {text}"),
            (None, Some(body)) => write!(f, " {body}"),
            (None, None) => Ok(()),
        }
    }
}
