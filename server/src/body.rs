//! Turns a request's body, as it streams in, into a [`Payload`]: decoded, digested, and never larger than it may be.
//!
//! A body that cannot be taken is still read to its end for a while, and thrown away: a sender that is cut off in the
//! middle of its upload reads a broken connection where it should read why.
//!
//! To take a further encoding: an arm in [`Coding`] and one in [`Decoder`].

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt as _;
use rollcall_core::limits::Limits;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};
use zstd::zstd_safe::DParameter;

/// The encodings that are taken, for the `Accept-Encoding` of a refusal.
pub const ENCODINGS: &str = "gzip, zstd";

/// Largest window of a zstd body, as a power of two: what RFC 8878 asks every decoder to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bytes that are made room for at a time, and before they arrive, whatever the sender promises.
const ROOM_BYTES_MAX: u64 = 8 << 20;

/// How a body is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Plain,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
    /// In a way that we cannot undo.
    Other(String),
}

/// A body that was read.
#[derive(Debug)]
pub struct Payload {
    /// The decoded bytes; those that were sent if decoding failed; `None` if there were too many to keep.
    pub bytes: Option<Arc<[u8]>>,
    /// The encoding that `bytes` are still in.
    pub content_encoding: Option<String>,
    /// SHA-256 of `bytes`, or of what was read.
    pub sha256: [u8; 32],
    /// How many bytes there are, or were read.
    pub size: u64,
    /// Why it cannot be taken, if so.
    pub flaw: Option<Flaw>,
}

/// Why a body cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// More than `body_bytes_max` or `body_wire_bytes_max`.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// More came out of it than `body_expansion_max` allows.
    #[error("the compressed body expands to more than {0} times its size")]
    Bomb(u64),
    /// It is not what its content encoding says.
    #[error("the body is not valid in its content encoding")]
    Corrupt,
    /// It did not arrive within `body_read_seconds_max`.
    #[error("the body did not arrive within {0} seconds")]
    Slow(u64),
    /// The connection broke.
    #[error("the body ended before its announced length")]
    Broken,
}

impl Payload {
    /// No body at all.
    pub fn empty() -> Self {
        Self { bytes: None, content_encoding: None, sha256: Sha256::digest([]).into(), size: 0, flaw: None }
    }
}

impl Coding {
    /// What the headers say.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut codings = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != "identity");
        match (codings.next(), codings.next()) {
            (None, _) => Self::Plain,
            (Some(coding), None) => match coding.as_str() {
                "gzip" | "x-gzip" => Self::Gzip,
                "zstd" => Self::Zstd,
                _ => Self::Other(coding),
            },
            (Some(first), Some(second)) => Self::Other(format!("{first}, {second}")),
        }
    }

    /// Its name, where there is one.
    fn name(&self) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip".to_owned()),
            Self::Zstd => Some("zstd".to_owned()),
            Self::Other(name) => Some(name.clone()),
        }
    }
}

/// Reads a whole body. A refused one is read on, for at most `body_drain_seconds_max`, and not kept.
pub async fn read(body: Body, headers: &HeaderMap, limits: &Limits) -> Payload {
    let coding = Coding::of(headers);
    let announced = announced(headers);
    let mut reading = Reading::new(coding, announced, limits);
    if announced.is_some_and(|length| length > limits.body_wire_bytes_max) {
        reading.flaw = Some(Flaw::TooLarge(limits.body_wire_bytes_max));
        if headers.contains_key(EXPECT) {
            return reading.finish(); // the sender waits for our answer before it sends anything
        }
    }
    reading.take(body, limits).await;
    reading.finish()
}

/// Reads a body that is refused already, so that its sender can read the answer; keeps it only if it is small.
pub async fn read_refused(body: Body, headers: &HeaderMap, limits: &Limits) -> Payload {
    read_small(body, headers, limits).await
}

/// Reads a body that only says what is asked for: of such, nothing large is taken.
pub async fn read_small(body: Body, headers: &HeaderMap, limits: &Limits) -> Payload {
    let small = Limits {
        body_bytes_max: limits.rejected_body_bytes_max,
        body_wire_bytes_max: limits.rejected_body_bytes_max,
        body_read_seconds_max: limits.body_drain_seconds_max,
        ..limits.clone()
    };
    read(body, headers, &small).await
}

/// The announced length.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that is being read.
struct Reading {
    coding: Coding,
    /// What is made of the bytes; `None` where they cannot be decoded.
    decoder: Option<Decoder>,
    /// The bytes as sent, for one that turns out not to be decodable.
    raw: Vec<u8>,
    raw_max: u64,
    /// How many bytes were sent, and their digest.
    size: u64,
    sha: Sha256,
    flaw: Option<Flaw>,
    bytes_max: u64,
    wire_max: u64,
    expansion_max: u64,
}

impl Reading {
    fn new(coding: Coding, announced: Option<u64>, limits: &Limits) -> Self {
        let room = announced.unwrap_or_default().min(ROOM_BYTES_MAX).min(limits.body_bytes_max);
        Self {
            decoder: Decoder::new(&coding, usize::try_from(room).unwrap_or_default()),
            coding,
            raw: Vec::new(),
            raw_max: limits.rejected_body_bytes_max,
            size: 0,
            sha: Sha256::new(),
            flaw: None,
            bytes_max: limits.body_bytes_max,
            wire_max: limits.body_wire_bytes_max,
            expansion_max: limits.body_expansion_max,
        }
    }

    /// Takes all there is, until the body or the time ends.
    async fn take(&mut self, mut body: Body, limits: &Limits) {
        let start = Instant::now();
        let mut deadline = start + Duration::from_secs(limits.body_read_seconds_max);
        let mut draining = false;
        loop {
            if self.flaw.is_some() && !draining {
                draining = true;
                deadline = Instant::now() + Duration::from_secs(limits.body_drain_seconds_max);
            }
            match timeout_at(deadline, body.frame()).await {
                Err(_) => {
                    self.flaw.get_or_insert(Flaw::Slow(limits.body_read_seconds_max));
                    return;
                }
                Ok(None) => return,
                Ok(Some(Err(_))) => {
                    self.flaw.get_or_insert(Flaw::Broken);
                    return;
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.chunk(&chunk);
                    }
                }
            }
        }
    }

    /// Takes one piece.
    fn chunk(&mut self, chunk: &Bytes) {
        self.size += chunk.len() as u64;
        if self.size > self.wire_max {
            self.flaw.get_or_insert(Flaw::TooLarge(self.wire_max));
        }
        if matches!(self.flaw, Some(flaw) if flaw != Flaw::Corrupt) {
            return;
        }
        if self.coding != Coding::Plain {
            self.sha.update(chunk);
            if (self.raw.len() + chunk.len()) as u64 <= self.raw_max {
                self.raw.extend_from_slice(chunk);
            }
        }
        if self.flaw.is_some() {
            return;
        }
        let Some(decoder) = &mut self.decoder else { return };
        let expanded_max = match self.coding {
            Coding::Plain => u64::MAX,
            _ => self.size.saturating_mul(self.expansion_max),
        };
        decoder.sink().max = self.bytes_max.min(expanded_max);
        let written = decoder.write(chunk);
        if decoder.sink().full {
            let bomb = expanded_max < self.bytes_max;
            self.flaw = Some(if bomb { Flaw::Bomb(self.expansion_max) } else { Flaw::TooLarge(self.bytes_max) });
        } else if written.is_err() {
            self.flaw = Some(Flaw::Corrupt);
        }
    }

    /// Says what was read.
    fn finish(mut self) -> Payload {
        let decoded = self.decoder.take().map(Decoder::finish);
        let decodable = decoded.is_some();
        match (self.flaw, decoded) {
            (flaw, Some(Ok(sink))) if flaw.is_none() || self.coding == Coding::Plain => Payload {
                size: if flaw.is_none() { sink.size } else { self.size },
                sha256: sink.sha.clone().finalize().into(),
                bytes: flaw.is_none().then(|| sink.joined()),
                content_encoding: None,
                flaw,
            },
            (None | Some(Flaw::Corrupt), _) => {
                let whole = self.raw.len() as u64 == self.size;
                self.sent(whole, decodable.then_some(Flaw::Corrupt))
            }
            (Some(flaw), _) => self.sent(false, Some(flaw)),
        }
    }

    /// What was read, as it was sent; its bytes only if it is `whole`.
    fn sent(self, whole: bool, flaw: Option<Flaw>) -> Payload {
        Payload {
            bytes: whole.then(|| self.raw.into()),
            content_encoding: self.coding.name(),
            sha256: self.sha.finalize().into(),
            size: self.size,
            flaw,
        }
    }
}

/// Undoes an encoding, piece by piece.
enum Decoder {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

impl Decoder {
    fn new(coding: &Coding, room: usize) -> Option<Self> {
        let sink = Sink {
            full_pieces: Vec::new(),
            bytes: Vec::with_capacity(room),
            size: 0,
            sha: Sha256::new(),
            max: 0,
            full: false,
        };
        match coding {
            Coding::Plain => Some(Self::Plain(sink)),
            Coding::Gzip => Some(Self::Gzip(Box::new(MultiGzDecoder::new(sink)))),
            Coding::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new().ok()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).ok()?;
                Some(Self::Zstd(Box::new(zstd::stream::write::Decoder::with_decoder(sink, decoder))))
            }
            Coding::Other(_) => None,
        }
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk).and_then(|()| decoder.flush()),
            Self::Zstd(decoder) => decoder.write_all(chunk).and_then(|()| decoder.flush()),
        }
    }

    /// What came out; an error if the end is missing.
    fn finish(self) -> io::Result<Sink> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

/// Where decoded bytes end up.
struct Sink {
    /// What came first, in pieces: nothing that is large is ever moved to where there is more room.
    full_pieces: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    /// How many bytes there are in all.
    size: u64,
    sha: Sha256,
    /// So many bytes may end up here.
    max: u64,
    /// There were more.
    full: bool,
}

impl Sink {
    /// All of it. Of many pieces each is given back as soon as it was copied, so that nothing is there twice.
    fn joined(mut self) -> Arc<[u8]> {
        if self.full_pieces.is_empty() {
            return self.bytes.into();
        }
        let length = self.full_pieces.iter().map(Vec::len).sum::<usize>() + self.bytes.len();
        self.full_pieces.push(self.bytes);
        let mut bytes = self.full_pieces.into_iter().flatten();
        // As many as a range has are put where they stay at once; of those that are counted on the way, a list comes first.
        (0..length).map(|_| bytes.next().unwrap_or_default()).collect()
    }
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.size + piece.len() as u64 > self.max {
            self.full = true;
            return Err(io::Error::other("full"));
        }
        self.size += piece.len() as u64;
        if (self.bytes.len() + piece.len()) as u64 > ROOM_BYTES_MAX {
            let room = usize::try_from(ROOM_BYTES_MAX).unwrap_or_default().max(piece.len());
            self.full_pieces.push(std::mem::replace(&mut self.bytes, Vec::with_capacity(room)));
        }
        self.bytes.extend_from_slice(piece);
        self.sha.update(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::body::{Body, Bytes};
    use axum::http::{HeaderMap, HeaderValue};
    use futures_util::stream;
    use rollcall_core::limits::Limits;
    use sha2::{Digest as _, Sha256};

    use super::{Flaw, Payload, read};

    const TEXT: &[u8] = br#"{"rooms":[{"id":1,"name":"the one with the map"},{"id":2,"name":"the other"}]}"#;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn limits() -> Limits {
        Limits { body_bytes_max: 10_000, body_wire_bytes_max: 10_000, body_expansion_max: 50, ..Limits::default() }
    }

    async fn read_pieces(bytes: &[u8], encoding: Option<&'static str>, piece: usize) -> Payload {
        let pieces: Vec<_> =
            bytes.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert("content-encoding", HeaderValue::from_static(encoding));
        }
        read(Body::from_stream(stream::iter(pieces)), &headers, &limits()).await
    }

    #[tokio::test]
    async fn every_coding_and_cut_gives_the_same_payload() {
        for (bytes, encoding) in [
            (TEXT.to_vec(), None),
            (TEXT.to_vec(), Some("identity")),
            (gzip(TEXT), Some("gzip")),
            (zstd(TEXT), Some("ZSTD")),
            ([gzip(&TEXT[..9]), gzip(&TEXT[9..])].concat(), Some("x-gzip")),
        ] {
            for piece in [1, 7, 10_000] {
                let payload = read_pieces(&bytes, encoding, piece).await;
                assert_eq!(payload.flaw, None, "{encoding:?} in pieces of {piece}");
                assert_eq!(payload.bytes.as_deref(), Some(TEXT));
                assert_eq!(payload.sha256, <[u8; 32]>::from(Sha256::digest(TEXT)));
                assert_eq!(payload.size, TEXT.len() as u64);
                assert_eq!(payload.content_encoding, None);
            }
        }
    }

    #[tokio::test]
    async fn what_comes_in_many_pieces_is_as_it_was_sent() {
        let bytes: Vec<u8> = (0..9_000_000_u32).map(|nth| u8::try_from(nth % 251).unwrap()).collect();
        let pieces = bytes.chunks(300_007).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)));
        let pieces: Vec<_> = pieces.collect();
        let payload = read(Body::from_stream(stream::iter(pieces)), &HeaderMap::new(), &Limits::default()).await;
        assert_eq!((payload.flaw, payload.size), (None, bytes.len() as u64));
        assert!(payload.bytes.as_deref() == Some(bytes.as_slice()));
        assert_eq!(payload.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[tokio::test]
    async fn bombs_and_giants_are_refused_and_not_kept() {
        let zeros = vec![0; 9_000];
        for (bytes, encoding, expected) in [
            (vec![b' '; 10_001], None, Flaw::TooLarge(10_000)),
            (gzip(&zeros), Some("gzip"), Flaw::Bomb(50)),
            (zstd(&zeros), Some("zstd"), Flaw::Bomb(50)),
        ] {
            for piece in [10, 100_000] {
                let payload = read_pieces(&bytes, encoding, piece).await;
                assert_eq!(payload.flaw, Some(expected), "{encoding:?} in pieces of {piece}");
                assert_eq!(payload.bytes, None);
                assert_eq!(payload.size, bytes.len() as u64, "read to its end");
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_be_decoded_is_kept_as_it_came() {
        let mut wrong = gzip(TEXT);
        wrong[20] ^= 0xff;
        for (bytes, encoding) in [
            (wrong, "gzip"),
            (gzip(TEXT)[..30].to_vec(), "gzip"),
            (zstd(TEXT)[..30].to_vec(), "zstd"),
            (TEXT.to_vec(), "gzip"),
            (TEXT.to_vec(), "zstd"),
            (Vec::new(), "gzip"),
        ] {
            let payload = read_pieces(&bytes, Some(encoding), 8).await;
            assert_eq!(payload.flaw, Some(Flaw::Corrupt), "{encoding} of {} bytes", bytes.len());
            assert_eq!(payload.bytes.as_deref(), Some(bytes.as_slice()));
            assert_eq!(payload.content_encoding.as_deref(), Some(encoding));
            assert_eq!(payload.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
        }
    }

    #[tokio::test]
    async fn unknown_encodings_are_kept_undecoded() {
        for encoding in ["br", "gzip, zstd"] {
            let payload = read_pieces(TEXT, Some(encoding), 8).await;
            assert_eq!(payload.content_encoding.as_deref(), Some(encoding));
            assert_eq!(payload.bytes.as_deref(), Some(TEXT));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_stops_is_not_waited_for() {
        let endless = stream::pending::<Result<Bytes, std::io::Error>>();
        let payload = read(Body::from_stream(endless), &HeaderMap::new(), &limits()).await;
        assert_eq!(payload.flaw, Some(Flaw::Slow(120)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_announced_giant_is_refused_before_it_is_sent() {
        let mut headers = HeaderMap::new();
        headers.insert("content-length", HeaderValue::from_static("200000000"));
        headers.insert("expect", HeaderValue::from_static("100-continue"));
        let endless = stream::pending::<Result<Bytes, std::io::Error>>();
        let payload = read(Body::from_stream(endless), &headers, &limits()).await;
        assert_eq!(payload.flaw, Some(Flaw::TooLarge(10_000)));
    }
}
