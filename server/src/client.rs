//! Sends what a partner's client would send: for the demonstration, for `rollcall push`, and for whoever wants to see
//! what a description makes of a file.

use std::time::Duration;

use ureq::http::{HeaderName, HeaderValue, Method, Request};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_mins(5);

/// Calls one server.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Call {
    /// `POST`
    pub method: String,
    /// The path on the server, `/library/books`.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The delivery that keeps what was sent.
    pub delivery: Option<String>,
    /// The body.
    pub body: String,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The call cannot be put into HTTP.
    #[error("the call is not valid HTTP")]
    Call(#[from] ureq::http::Error),
    /// The server did not answer.
    #[error("the server did not answer")]
    Server(#[source] Box<ureq::Error>),
}

impl Reply {
    /// Whether the server took it.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// Calls the server at `base`, `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER)).build();
        Self { agent: config.into(), base: base.trim_end_matches('/').to_owned() }
    }

    /// Sends a call and waits for its reply.
    pub fn send(&self, call: Call) -> Result<Reply, ClientError> {
        let method = Method::from_bytes(call.method.as_bytes()).map_err(ureq::http::Error::from)?;
        let mut request = Request::builder().method(method).uri(format!("{}{}", self.base, call.path));
        for (name, value) in &call.headers {
            let name = HeaderName::try_from(name).map_err(ureq::http::Error::from)?;
            request = request.header(name, HeaderValue::try_from(value).map_err(ureq::http::Error::from)?);
        }
        let server = |error| ClientError::Server(Box::new(error));
        let mut response = self.agent.run(request.body(call.body)?).map_err(server)?;
        let delivery =
            response.headers().get("rollcall-delivery").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
        let body = response.body_mut().read_to_string().map_err(server)?;
        Ok(Reply { status: response.status().as_u16(), delivery, body })
    }
}
