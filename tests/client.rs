//! Talks HTTP as a partner's client or a reader would: any header can be left out, any bytes can be sent.

use std::io::Read;
use std::time::Duration;

use serde_json::Value;
use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body, SendBody};

/// How long any call may take; a debug build that maps 4,800 students on a busy machine needs a part of it.
const PATIENCE: Duration = Duration::from_mins(3);

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    address: String,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the server at `address`, `http://127.0.0.1:8080`. It sends no header that it is not told to.
    pub fn new(address: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .accept(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: config.new_agent(), address: address.to_owned() }
    }

    /// Where the server is, `http://127.0.0.1:8080`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Gets `path` with a bearer token.
    pub fn get(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))], SendBody::none())
            .unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Gets `path` with a bearer token; anything but 200 is the test's end.
    #[track_caller]
    pub fn get_json(&self, path: &str, token: &str) -> Value {
        let answer = self.get(path, token);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// Posts bytes.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_post(path, headers, body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Posts bytes to a server that may not live to answer.
    pub fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, ureq::Error> {
        let mut bytes = body;
        let length = [("content-length", body.len().to_string())];
        let headers: Vec<_> = headers.iter().copied().chain(length.iter().map(|(n, v)| (*n, v.as_str()))).collect();
        self.send("POST", path, &headers, SendBody::from_reader(&mut bytes))
    }

    /// Calls with any method; without a body if there is none.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        self.try_call(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Calls a server that may not live to answer.
    pub fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let Some(mut body) = body else { return self.send(method, path, headers, SendBody::none()) };
        let length = body.len().to_string();
        let headers: Vec<_> = headers.iter().copied().chain([("content-length", &*length)]).collect();
        self.send(method, path, &headers, SendBody::from_reader(&mut body))
    }

    /// Posts as many bytes as `body` gives.
    pub fn post_stream(&self, path: &str, headers: &[(&str, &str)], body: &mut dyn Read) -> Answer {
        let sent = self.send("POST", path, headers, SendBody::from_reader(body));
        sent.unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: SendBody<'_>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(self.agent.run(request.body(body)?)?)
    }
}

impl Answer {
    fn read(mut response: Response<Body>) -> Result<Self, ureq::Error> {
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Self { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
