//! Turns what went wrong into what a caller reads (RFC 9457 problem details, unless the route documents its own shape)
//! and what the log keeps (the whole chain of causes, once).
//!
//! A [`Problem`] has two sides on purpose: `detail` and `errors` are for the caller and never hold a value, a
//! credential or an internal reason; `cause` is for the operator and never leaves the process.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rollcall_core::description::ProblemClass;
use rollcall_core::ingest::IngestError;
use rollcall_core::note::Note;
use rollcall_core::store::StoreError;
use rollcall_core::store::read::QueryError;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admission::Refused;

/// Something that keeps a request from being answered as it was meant.
#[derive(Debug)]
pub struct Problem {
    /// What kind of thing is wrong; a partner's description maps it to a status.
    pub class: ProblemClass,
    /// The status, where no description says otherwise.
    pub status: StatusCode,
    /// For programs: `missing-header`.
    pub code: &'static str,
    /// For the caller.
    pub detail: String,
    /// Whether `detail` is told as it stands, because a partner's description has put it so.
    pub is_said: bool,
    /// Every single thing that is wrong, by place.
    pub errors: Vec<Finding>,
    /// How many more there are.
    pub omitted: usize,
    /// The delivery that keeps what was sent.
    pub delivery: Option<Uuid>,
    /// What the answer's headers say beside.
    headers: Option<Box<HeaderMap>>,
    /// For the operator.
    cause: Option<Box<Cause>>,
}

/// Why, for the operator.
#[derive(Debug)]
enum Cause {
    /// Something is wrong with this call, on our side.
    Own(Box<dyn Error + Send + Sync>),
    /// The store suffers from something: not told once for each who suffers with it.
    Trouble(Arc<StoreError>),
}

/// A single thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What, and where.
    pub note: Note,
    /// The type of the record that it is wrong with, where that is known.
    pub record: Option<String>,
}

impl From<Note> for Finding {
    fn from(note: Note) -> Self {
        Self { note, record: None }
    }
}

impl Problem {
    /// A problem of this class, with the class's usual status.
    pub fn new(class: ProblemClass, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            class,
            status: usual_status(class),
            code,
            detail: detail.into(),
            is_said: false,
            errors: Vec::new(),
            omitted: 0,
            delivery: None,
            headers: None,
            cause: None,
        }
    }

    /// A problem of this class, told in the words of the partner's description.
    pub fn said(class: ProblemClass, code: &'static str, detail: impl Into<String>) -> Self {
        Self { is_said: true, ..Self::new(class, code, detail) }
    }

    /// No credential, or one that nobody has. Never says which.
    pub fn unauthenticated() -> Self {
        Self::new(ProblemClass::Unauthenticated, "unauthenticated", "the credential is missing or not known")
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// There is no such thing.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(ProblemClass::Unknown, "unknown", detail)
    }

    /// It was there once.
    pub fn gone(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::GONE, ..Self::new(ProblemClass::Unknown, code, detail) }
    }

    /// A parameter is not what it should be.
    pub fn bad_parameter(name: &str, message: &str) -> Self {
        Self::new(ProblemClass::Malformed, "bad-parameter", format!("parameter `{name}` {message}"))
    }

    /// The path is known, the method is not.
    pub fn method_not_allowed(allowed: &str) -> Self {
        let mut problem = Self::new(ProblemClass::Unknown, "method-not-allowed", format!("only {allowed} here"));
        problem.status = StatusCode::METHOD_NOT_ALLOWED;
        match HeaderValue::from_str(allowed) {
            Ok(allowed) => problem.with_header(ALLOW, allowed),
            Err(_) => problem,
        }
    }

    /// Our own fault; the reason is for the log only.
    pub fn fault(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut problem = Self::new(ProblemClass::Fault, "fault", "something failed on our side; it has been logged");
        problem.cause = Some(Box::new(Cause::Own(cause.into())));
        problem
    }

    /// Not now, but soon.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ProblemClass::Unavailable, code, detail).with_header(RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// Too much from this caller; it may come again after `wait`.
    pub fn throttled(detail: impl Into<String>, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self::new(ProblemClass::Limited, "throttled", detail).with_header(RETRY_AFTER, seconds.max(1).into())
    }

    /// Lists single errors.
    #[must_use]
    pub fn with_errors(self, errors: Vec<Note>, omitted: usize) -> Self {
        self.with_findings(errors.into_iter().map(Finding::from).collect(), omitted)
    }

    /// Lists single errors, each with what it is about.
    #[must_use]
    pub fn with_findings(mut self, errors: Vec<Finding>, omitted: usize) -> Self {
        self.errors = errors;
        self.omitted = omitted;
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.get_or_insert_default().insert(name, value);
        self
    }

    /// Names the delivery that keeps what was sent.
    #[must_use]
    pub fn kept_as(mut self, delivery: Option<Uuid>) -> Self {
        self.delivery = delivery;
        self
    }

    /// The headers that the answer has beside its content type.
    pub fn headers(&self) -> HeaderMap {
        self.headers.as_deref().cloned().unwrap_or_default()
    }

    /// What the store suffers from, if that is why.
    pub fn trouble(&self) -> Option<&Arc<StoreError>> {
        match self.cause.as_deref() {
            Some(Cause::Trouble(trouble)) => Some(trouble),
            _ => None,
        }
    }

    /// Writes the chain of causes to the log, if there is one. Whoever turns the problem into an answer calls this.
    pub fn log(&self) {
        let Some(Cause::Own(cause)) = self.cause.as_deref() else { return };
        let mut chain = cause.to_string();
        let mut next = cause.source();
        while let Some(error) = next {
            chain = format!("{chain}: {error}");
            next = error.source();
        }
        tracing::error!(code = self.code, delivery = self.delivery.map(tracing::field::display), "{chain}");
    }

    /// The problem details, RFC 9457.
    fn to_json(&self) -> Value {
        let mut body = json!({
            "type": format!("urn:rollcall:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Problem"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "delivery": self.delivery,
        });
        if !self.errors.is_empty() {
            body["errors"] = self.errors.iter().map(|Finding { note, .. }| error(note)).collect();
            body["omitted"] = json!(self.omitted);
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.status, Json(self.to_json())).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().extend(self.headers());
        if let Some(trouble) = self.trouble() {
            response.extensions_mut().insert(Arc::clone(trouble));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if !matches!(error, StoreError::Unavailable { .. }) {
            return Self::fault(error);
        }
        let problem = Self::unavailable("database", "the server cannot work at the moment; try again later");
        Self { cause: Some(Box::new(Cause::Trouble(Arc::new(error)))), ..problem }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let wait = match refused {
            Refused::TooFast { wait } => wait,
            Refused::TooMany => Duration::ZERO,
        };
        Self::throttled(refused.to_string(), wait)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::UnknownField(_) => Self::new(ProblemClass::Malformed, "unknown-field", error.to_string()),
            QueryError::Store(error) => error.into(),
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Store(error) => error.into(),
            error @ IngestError::Keep(_) => Self::fault(error),
        }
    }
}

/// One error of the problem details: its place, and the key of the record that it is wrong with, where that is known.
fn error(note: &Note) -> Value {
    let mut error = json!({"pointer": note.pointer, "code": note.code, "message": note.message});
    if let Some(key) = note.words.get("key") {
        error["key"] = json!(key);
    }
    error
}

/// The first status of a class's chain.
fn usual_status(class: ProblemClass) -> StatusCode {
    match class {
        ProblemClass::Malformed => StatusCode::BAD_REQUEST,
        ProblemClass::Unauthenticated => StatusCode::UNAUTHORIZED,
        ProblemClass::Forbidden => StatusCode::FORBIDDEN,
        ProblemClass::Unknown => StatusCode::NOT_FOUND,
        ProblemClass::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemClass::Clash | ProblemClass::Held => StatusCode::CONFLICT,
        ProblemClass::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemClass::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ProblemClass::Limited => StatusCode::TOO_MANY_REQUESTS,
        ProblemClass::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        ProblemClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse as _;
    use rollcall_core::description::ProblemClass;
    use rollcall_core::note::Note;

    use super::{Cause, Problem};

    #[tokio::test]
    async fn an_answer_holds_every_error_and_no_cause() {
        let note = Note::new("/a/0".into(), "type", "must be an integer");
        let mut problem = Problem::new(ProblemClass::Invalid, "invalid", "1 violation").with_errors(vec![note], 3);
        problem.cause = Some(Box::new(Cause::Own("a secret reason".into())));
        let response = problem.into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body: serde_json::Value =
            serde_json::from_slice(&to_bytes(response.into_body(), 9999).await.unwrap()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:rollcall:problem:invalid", "title": "Unprocessable Entity", "status": 422,
                "detail": "1 violation", "delivery": null, "omitted": 3,
                "errors": [{"pointer": "/a/0", "code": "type", "message": "must be an integer"}],
            })
        );
    }
}
