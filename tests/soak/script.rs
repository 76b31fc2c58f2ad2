//! What the partners' clients send: small requests of every kind, each unlike all others, so that what is stored can be
//! told apart.

mod campus_skills;
mod educacional;
mod eduframe;
mod jusoor;

use std::net::SocketAddr;

use fastrand::Rng;
use serde_json::Value;

use super::fleet::Connection;
use crate::client::{Answer, Client};

/// A partner whose clients take part.
#[derive(Debug)]
pub struct Partner {
    /// Its name.
    pub name: &'static str,
    /// The options of its connections.
    pub options: fn() -> Value,
    /// The headers that its client sends, with this credential.
    pub headers: fn(&str) -> Vec<(&'static str, String)>,
    /// The types of its records that scripts make.
    pub records: &'static [&'static str],
    /// What a client sends that can be told things at an address.
    pub script: fn(&Connection, SocketAddr) -> Box<dyn Script>,
}

/// All that take part.
pub static PARTNERS: [Partner; 4] = [jusoor::PARTNER, campus_skills::PARTNER, educacional::PARTNER, eduframe::PARTNER];

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The whole path.
    pub path: String,
    /// The body. Never the same twice, also where nobody reads it.
    pub body: Vec<u8>,
}

/// Decides what a client sends.
pub trait Script: Send {
    /// The next request.
    fn next(&mut self, rng: &mut Rng) -> Request;

    /// Takes note of what was answered.
    fn learn(&mut self, _request: &Request, _answer: &Answer) {}
}

impl Request {
    /// Posts JSON.
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { method: "POST", path: path.into(), body: body.to_string().into_bytes() }
    }

    /// Sends it as the client of a connection does.
    pub fn send(&self, client: &Client, connection: &Connection) -> Result<Answer, ureq::Error> {
        let credential = connection.credential();
        let headers = (connection.partner.headers)(&credential);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.try_call(self.method, &self.path, &headers, Some(&self.body))
    }
}

/// Headers that most partners ask for: a credential, and what the body is.
fn json_headers(name: &'static str, credential: String) -> Vec<(&'static str, String)> {
    vec![(name, credential), ("content-type", "application/json".to_owned())]
}
