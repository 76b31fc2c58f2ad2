//! Reads on what an answer left unread of its request, so that the next request of the same network connection is heard.
//!
//! HTTP/1.1 sends requests one after another: who answers before a body has been read to its end must read it, or close.
//! Closing without a word costs the client its next call, which may not be safe to repeat ([RFC 9112, 9.6]). So the rest of
//! a body is read and thrown away before the answer goes out; of a large, slow or announced one (`expect: 100-continue`)
//! nothing more is read, and the answer says that it is the last.
//!
//! [RFC 9112, 9.6]: https://www.rfc-editor.org/rfc/rfc9112#section-9.6

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use rollcall_core::limits::Limits;
use tokio::time::timeout;

/// Answers, and sees to the rest of the body: at most `rejected_body_bytes_max` of it in `body_drain_seconds_max`.
pub(crate) async fn read_on(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() || request.version() > Version::HTTP_11 {
        return next.run(request).await;
    }
    let is_awaited = request.headers().contains_key(EXPECT);
    let left = Left::default();
    let request = request.map(|body| Body::new(Lent { body: Some(body), left: left.clone() }));
    let mut response = next.run(request).await;
    if let Some(body) = left.take()
        && (is_awaited || !is_read(body, &limits).await)
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads to the end; whether that came.
async fn is_read(mut body: Body, limits: &Limits) -> bool {
    let mut room = limits.rejected_body_bytes_max;
    let reading = async {
        loop {
            let Some(frame) = body.frame().await else { return true };
            let Ok(frame) = frame else { return false };
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(rest) = room.checked_sub(bytes) else { return false };
            room = rest;
        }
    };
    timeout(Duration::from_secs(limits.body_drain_seconds_max), reading).await.unwrap_or(false)
}

/// Where a body comes back to that nobody read to its end.
#[derive(Debug, Clone, Default)]
struct Left(Arc<Mutex<Option<Body>>>);

impl Left {
    fn put(&self, body: Body) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    fn take(&self) -> Option<Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A body that comes back when it is dropped too early.
struct Lent {
    /// Nothing after its end.
    body: Option<Body>,
    left: Left,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.left.put(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware;
    use futures_util::stream;
    use tower::ServiceExt as _;

    use super::*;

    const LIMIT: u64 = 1_000;

    /// Whether an answer is the connection's last when a body of so many pieces of 100 bytes was sent.
    async fn is_last(request: axum::http::request::Builder, pieces: u64, is_heard: bool) -> bool {
        let limits = Limits { rejected_body_bytes_max: LIMIT, ..Limits::default() };
        let answer = move |request: Request| async move {
            if is_heard {
                request.into_body().collect().await.unwrap();
            }
            StatusCode::FORBIDDEN
        };
        let router = Router::new().fallback(answer).layer(middleware::from_fn_with_state(Arc::new(limits), read_on));
        let sent = stream::iter((0..pieces).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 100]))));
        let response = router.oneshot(request.body(Body::from_stream(sent)).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        response.headers().get(CONNECTION).is_some_and(|said| said == "close")
    }

    #[tokio::test]
    async fn an_answer_is_the_last_only_where_too_much_was_left_unread() {
        assert!(!is_last(Request::builder(), 0, false).await);
        assert!(!is_last(Request::builder(), LIMIT / 100, false).await);
        assert!(is_last(Request::builder(), LIMIT / 100 + 1, false).await);
        assert!(!is_last(Request::builder(), LIMIT / 100 + 1, true).await);
        assert!(is_last(Request::builder().header(EXPECT, "100-continue"), 1, false).await);
        assert!(!is_last(Request::builder().version(Version::HTTP_2), LIMIT, false).await);
    }
}
