//! Turns requests into traces: the id that a request has in the log, the caller's trace that it belongs to, and what
//! others are told of that, so that they can go on with it.

pub mod export;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use rollcall_core::clock::Clock;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that names a request in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken from a caller.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// The id of a request: the caller's own, if it can be nothing but one; else that of the caller's trace; else a new one.
pub fn request_id(headers: &HeaderMap, clock: &dyn Clock) -> String {
    let text = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    if let Some(id) = text.filter(|id| is_id(id)) {
        return id.to_owned();
    }
    let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    let context = caller.span().span_context().clone();
    if context.is_valid() { context.trace_id().to_string() } else { clock.next_id().simple().to_string() }
}

/// Whether a text looks like an id: neither a name nor an address, nor something that could be taken for another line.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Makes a span that has not begun a part of the caller's trace, if the caller names one.
pub fn continue_from(span: &Span, headers: &HeaderMap) {
    let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if caller.span().span_context().is_valid() {
        // It fails only where no spans are sent.
        drop(span.set_parent(caller));
    }
}

/// The header that lets others go on with the trace of a span; none where no spans are sent.
pub fn header(span: &Span) -> Option<(HeaderName, HeaderValue)> {
    let mut headers = HeaderMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut HeaderInjector(&mut headers));
    let name = HeaderName::from_static("traceparent");
    headers.remove(&name).map(|value| (name, value))
}

/// Adds to a span what is known of a request when it is answered. The log says it in a line of its own.
pub fn answered(span: &Span, method: &'static str, route: &str, status: u16) {
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route.to_owned());
    span.set_attribute("http.response.status_code", i64::from(status));
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use rollcall_core::clock::{Clock as _, FixedClock};

    use super::request_id;

    #[test]
    fn a_request_has_the_callers_id_where_that_can_be_nothing_else() {
        let clock = || FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap());
        let own = clock().next_id().simple().to_string();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        let long = "a".repeat(65);
        for (id, parent, expected) in [
            (None, None, own.as_str()),
            (Some("7f.3-A_b:1"), None, "7f.3-A_b:1"),
            (Some("7f3"), Some(parent.as_str()), "7f3"),
            (Some(""), Some(&parent), trace),
            (None, Some(&parent), trace),
            (Some("mara@school.example"), None, &own),
            (Some("one\u{e9}"), None, &own),
            (Some("two words"), None, &own),
            (Some(&long), None, &own),
            (None, Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), &own),
            (None, Some("nonsense"), &own),
        ] {
            let header = |name, value: &str| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            let headers: HeaderMap =
                [id.map(|id| header("x-request-id", id)), parent.map(|parent| header("traceparent", parent))]
                    .into_iter()
                    .flatten()
                    .collect();
            assert_eq!(request_id(&headers, &clock()), expected, "{id:?} {parent:?}");
        }
    }
}
