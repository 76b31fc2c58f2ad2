//! Turns an address and a body into one HTTP request, and what was answered to it.
//!
//! The name is resolved here, once; what the [`Guard`] lets through of what it leads to is connected to, and nothing else:
//! no second look-up, no proxy from the environment, no connection that is used again. Redirects are not followed: where
//! they lead to was not chosen by who subscribed, and a subscriber that has moved says so by changing its subscription.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::guard::Guard;

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Finds the addresses that a name leads to.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All of them, in the order in which they are to be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Sends to addresses that others chose.
pub struct Poster {
    /// What may be sent to.
    pub guard: Guard,
    /// Finds addresses.
    pub resolver: Box<dyn Resolver>,
    /// Makes `https` what it is.
    pub tls: TlsConnector,
    /// Bytes of an answer that are read.
    pub response_bytes_max: usize,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The beginning of the body.
    pub beginning: String,
}

/// Why nothing was answered. The texts are for whoever subscribed: they tell nothing of what this server can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It cannot be an address.
    #[error("the address is not one that can be sent to: `http://…` or `https://…`, without credentials")]
    Address,
    /// The name leads nowhere.
    #[error("the host of the address is not known")]
    Unknown,
    /// It leads to where nothing may be sent.
    #[error("the address leads to a host that is not public")]
    NotPublic,
    /// Nobody is there.
    #[error("no connection could be made")]
    Connection,
    /// Whoever is there is not who it should be, or speaks something else.
    #[error("no secure connection could be made")]
    Tls,
    /// It ended before there was an answer.
    #[error("the connection ended before there was an answer")]
    Ended,
    /// It took too long.
    #[error("there was no answer in time")]
    Late,
}

/// An address, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    is_secure: bool,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    authority: String,
    /// Path and query.
    path: String,
}

/// Something that bytes go both ways on.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Poster {
    /// Sends `body` to `url` and waits for the answer, all within `limit`.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Answered, PostError> {
        let until = Instant::now() + limit;
        let target = Target::parse(url).ok_or(PostError::Address)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.path.parse().map_err(|_| PostError::Address)?;
        *request.headers_mut() = headers;
        let host = target.authority.parse().map_err(|_| PostError::Address)?;
        request.headers_mut().insert(header::HOST, host);
        // Whatever drives the connection ends with this.
        let mut driving = JoinSet::new();
        let head = timeout_at(until, self.exchange(&target, request, limit, &mut driving)).await;
        let response = head.map_err(|_| PostError::Late)??;
        let status = response.status().as_u16();
        let mut beginning = Vec::new();
        // The status says it all: a body that never ends does not undo it.
        _ = timeout_at(until, self.read(response.into_body(), &mut beginning)).await;
        beginning.truncate(self.response_bytes_max);
        Ok(Answered { status, beginning: String::from_utf8_lossy(&beginning).into_owned() })
    }

    async fn exchange(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        limit: Duration,
        driving: &mut JoinSet<()>,
    ) -> Result<Response<Incoming>, PostError> {
        let stream = self.connect(target, limit).await?;
        let stream: Box<dyn Stream> = if target.is_secure {
            let name = ServerName::try_from(target.host.clone()).map_err(|_| PostError::Address)?;
            Box::new(self.tls.connect(name, stream).await.map_err(|_| PostError::Tls)?)
        } else {
            Box::new(stream)
        };
        let mut client = http1::Builder::new();
        client.max_buf_size(HEAD_BYTES_MAX);
        let (mut sender, connection) =
            client.handshake(TokioIo::new(stream)).await.map_err(|_| PostError::Connection)?;
        driving.spawn(async {
            _ = connection.await; // why it ended is what the request was answered
        });
        sender.send_request(request).await.map_err(|_| PostError::Ended)
    }

    /// A connection to the first address that is let through and that takes it.
    async fn connect(&self, target: &Target, limit: Duration) -> Result<TcpStream, PostError> {
        let found = match target.host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.resolver.resolve(&target.host).await.map_err(|_| PostError::Unknown)?,
        };
        if found.is_empty() {
            return Err(PostError::Unknown);
        }
        let allowed: Vec<_> =
            found.into_iter().filter(|address| self.guard.lets_through(&target.host, *address)).collect();
        let each = limit / u32::try_from(allowed.len().max(1)).unwrap_or(u32::MAX);
        let mut problem = PostError::NotPublic;
        for address in allowed {
            match timeout(each, TcpStream::connect(SocketAddr::new(address, target.port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) => problem = PostError::Connection,
                Err(_) => problem = PostError::Late,
            }
        }
        Err(problem)
    }

    async fn read(&self, mut body: Incoming, beginning: &mut Vec<u8>) {
        while beginning.len() < self.response_bytes_max
            && let Some(Ok(frame)) = body.frame().await
        {
            beginning.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        }
    }
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_secure = match uri.scheme()? {
            scheme if *scheme == Scheme::HTTPS => true,
            scheme if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port(authority, is_secure)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        (!host.is_empty()).then(|| Self { is_secure, host, port, authority: authority.to_string(), path })
    }
}

/// The port; none, where what stands in its place is not one.
fn port(authority: &Authority, is_secure: bool) -> Option<u16> {
    let rest = authority.as_str().strip_prefix(authority.host())?;
    match rest {
        "" | ":" => Some(if is_secure { 443 } else { 80 }),
        _ => authority.port_u16().filter(|port| *port > 0),
    }
}
