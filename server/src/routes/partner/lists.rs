//! Turns records that an answer shows just as they are into its bytes: they are copied into it and never read, and taken
//! out of their parcels only when they are sent.

use std::collections::BTreeMap;
use std::vec;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rollcall_core::description::Stretch;
use rollcall_core::parcel::Content;

/// Bytes of an answer that are made together. A longer one is sent while it is being made.
const CHUNK_BYTES: usize = 256 << 10;

/// The lists of records that an answer shows just as they are.
#[derive(Debug, Default)]
pub(super) struct Lists {
    bodies: Vec<Content<'static>>,
    /// Which bodies each of the lists holds.
    places: BTreeMap<&'static str, Vec<usize>>,
}

impl Lists {
    /// Lists of these bodies, by their names.
    pub(super) fn new(bodies: Vec<Content<'static>>, places: BTreeMap<&'static str, Vec<usize>>) -> Self {
        Self { bodies, places }
    }

    /// Whether there is a list of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// An answer with the lists in their places.
    pub(super) fn written(self, stretches: Vec<Stretch>) -> Response {
        let length: usize = stretches.iter().map(|stretch| self.length(stretch)).sum();
        let mut chunks = Chunks { lists: self, stretches: stretches.into_iter(), list: None };
        if length <= CHUNK_BYTES {
            return chunks.next().unwrap_or_default().into_response();
        }
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(length))]);
        (headers, Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)))).into_response()
    }

    fn length(&self, stretch: &Stretch) -> usize {
        match stretch {
            Stretch::Text(text) => text.len(),
            Stretch::List(name) => {
                let places = self.places.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                let bodies: usize = places.iter().map(|at| self.bodies[*at].len()).sum();
                bodies + places.len().saturating_sub(1) + "[]".len()
            }
        }
    }
}

/// The bytes of an answer, as many at a time as are worth sending.
struct Chunks {
    lists: Lists,
    stretches: vec::IntoIter<Stretch>,
    /// What is left of the list that is being written, and whether it has begun.
    list: Option<(vec::IntoIter<usize>, bool)>,
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_BYTES {
            match self.list.as_mut().map(|(places, has_begun)| (places.next(), std::mem::replace(has_begun, true))) {
                Some((Some(at), has_begun)) => {
                    chunk.push(if has_begun { b',' } else { b'[' });
                    chunk.extend_from_slice(&self.lists.bodies[at].read());
                }
                Some((None, has_begun)) => {
                    chunk.extend_from_slice(if has_begun { b"]" } else { b"[]" });
                    self.list = None;
                }
                None => match self.stretches.next() {
                    Some(Stretch::Text(text)) if chunk.is_empty() => chunk = text,
                    Some(Stretch::Text(text)) => chunk.extend_from_slice(&text),
                    Some(Stretch::List(name)) => {
                        let places = self.lists.places.remove(name.as_str()).unwrap_or_default();
                        self.list = Some((places.into_iter(), false));
                    }
                    None => break,
                },
            }
        }
        (!chunk.is_empty()).then(|| chunk.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::body::to_bytes;
    use rollcall_core::description::Stretch;
    use rollcall_core::parcel::{Content, pack};

    use super::Lists;

    #[tokio::test]
    async fn lists_stand_where_they_belong_however_long_they_are() {
        for (count, size) in [(0, 9), (1, 9), (3, 9), (2_000, 900)] {
            let body = |nth: usize| format!(r#"{{"id":{nth},"name":"{}"}}"#, "a".repeat(size));
            let mut bodies: Vec<Content<'static>> = (0..count).map(|nth| body(nth).into_bytes().into()).collect();
            pack(bodies.iter_mut().skip(1));
            let places = BTreeMap::from([("all", (0..count).collect()), ("none", Vec::new())]);
            let lists = Lists::new(bodies, places);
            assert!(lists.has("all") && !lists.has("other"));
            let text = |text: &str| Stretch::Text(text.into());
            let list = |name: &str| Stretch::List(name.to_owned());
            let stretches = vec![text(r#"{"none":"#), list("none"), text(r#","all":"#), list("all"), text("}")];
            let response = lists.written(stretches);
            let announced = response.headers().get("content-length").cloned();
            let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let all: Vec<_> = (0..count).map(body).collect();
            assert_eq!(bytes, format!(r#"{{"none":[],"all":[{}]}}"#, all.join(",")));
            assert!(announced.is_none_or(|announced| announced == bytes.len().to_string().as_str()));
        }
    }
}
