//! What is sent goes where it was checked to go, once, and whatever is answered does no harm.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{Answered, PostError, Poster, Resolver};
use crate::webhook::guard::{Destination, Guard};
use crate::webhook::tls;

/// Longer than anything here takes.
const PLENTY: Duration = Duration::from_secs(30);

/// Shorter than somebody waits who never answers, and longer than a busy machine takes for an answer.
const SHORT: Duration = Duration::from_secs(2);

/// What a subscriber does with a connection.
#[derive(Clone)]
enum Does {
    /// It answers with these bytes, and then with ever more of the last one.
    Answers(&'static str, bool),
    /// It says nothing.
    Waits,
    /// It reads and goes away.
    Leaves,
}

/// Somewhere to send to; each request that arrives can be looked at.
struct Subscriber {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Subscriber {
    async fn at(address: &str, does: Does) -> Self {
        Self::with(TcpListener::bind(address).await.unwrap(), does, None)
    }

    fn with(listener: TcpListener, does: Does, acceptor: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (does, sender) = (does.clone(), sender.clone());
                match acceptor.clone() {
                    Some(acceptor) => tokio::spawn(async move {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            serve(stream, does, sender).await;
                        }
                    }),
                    None => tokio::spawn(serve(stream, does, sender)),
                };
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/hook?of=1", self.address)
    }
}

/// Takes one request.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, does: Does, sender: mpsc::UnboundedSender<String>) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"{}") {
        let mut some = [0; 1_024];
        match stream.read(&mut some).await {
            Ok(0) | Err(_) => return,
            Ok(read) => bytes.extend_from_slice(&some[..read]),
        }
    }
    sender.send(String::from_utf8(bytes).unwrap()).unwrap();
    match does {
        Does::Answers(answer, goes_on) => {
            let last = [*answer.as_bytes().last().unwrap(); 512];
            let mut sent = stream.write_all(answer.as_bytes()).await;
            while goes_on && sent.is_ok() {
                sent = stream.write_all(&last).await;
            }
        }
        Does::Waits => std::future::pending().await,
        Does::Leaves => {}
    }
}

/// Gives one list of addresses after the other, and the last one for ever.
struct Names {
    addresses: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        let last = self.addresses.last().ok_or_else(|| io::Error::other("no such host"))?;
        Ok(self.addresses.get(nth).unwrap_or(last).clone())
    }
}

fn poster(allowed: &[&str], addresses: &[&[&str]]) -> (Poster, Arc<AtomicUsize>) {
    let parsed = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let names = Names { addresses: addresses.iter().map(parsed).collect(), asked: Arc::clone(&asked) };
    let allowed = allowed.iter().map(|text| Destination::try_from((*text).to_owned()).unwrap()).collect();
    let poster = Poster {
        guard: Guard::new(allowed),
        resolver: Box::new(names),
        tls: tls(RootCertStore::empty()).unwrap(),
        response_bytes_max: 16,
    };
    (poster, asked)
}

async fn post(poster: &Poster, url: &str, limit: Duration) -> Result<Answered, PostError> {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_static("7"));
    poster.post(url, headers, Bytes::from_static(b"{}"), limit).await
}

fn answered(status: u16, beginning: &str) -> Answered {
    Answered { status, beginning: beginning.to_owned() }
}

#[tokio::test]
async fn what_is_sent_is_one_plain_request() {
    let taken = Does::Answers("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ntaken", false);
    let mut subscriber = Subscriber::at("127.0.0.1:0", taken).await;
    let (poster, asked) = poster(&["127.0.0.1"], &[]);
    assert_eq!(post(&poster, &subscriber.url(), PLENTY).await, Ok(answered(200, "taken")));
    let request = subscriber.requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", subscriber.address);
    assert_eq!(lines, ["POST /hook?of=1 HTTP/1.1", "content-length: 2", host.as_str(), "webhook-id: 7"]);
    assert_eq!(body, "{}");
    assert_eq!(asked.load(Ordering::Relaxed), 0, "an address is no name");
}

#[tokio::test]
async fn whatever_is_answered_is_an_answer_and_nothing_else_is() {
    let table = [
        (Does::Answers("HTTP/1.1 204 No Content\r\n\r\n", false), Ok(answered(204, ""))),
        (Does::Answers("HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno", false), Ok(answered(500, "no"))),
        (Does::Answers("HTTP/1.1 410 Gone\r\n\r\nuntil the end", false), Ok(answered(410, "until the end"))),
        (Does::Answers("HTTP/1.1 200 OK\r\n\r\nfor everrrrrrrrrr", true), Ok(answered(200, "for everrrrrrrrr"))),
        (Does::Answers("HTTP/1.1 200 OK\r\nx: headsss", true), Err(PostError::Ended)),
        (Does::Answers("SSH-2.0-OpenSSH_9.9\r\n", false), Err(PostError::Ended)),
        (Does::Leaves, Err(PostError::Ended)),
    ];
    for (does, expected) in table {
        let subscriber = Subscriber::at("127.0.0.1:0", does).await;
        let (poster, _) = poster(&["127.0.0.1"], &[]);
        assert_eq!(post(&poster, &subscriber.url(), PLENTY).await, expected);
    }
    let (poster, _) = poster(&["127.0.0.1"], &[]);
    let silent = Subscriber::at("127.0.0.1:0", Does::Waits).await;
    assert_eq!(post(&poster, &silent.url(), SHORT).await, Err(PostError::Late));
    let unfinished = Does::Answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false);
    let unfinished = Subscriber::at("127.0.0.1:0", unfinished).await;
    assert_eq!(post(&poster, &unfinished.url(), SHORT).await, Ok(answered(200, "half")));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(post(&poster, &format!("http://{nobody}/"), PLENTY).await, Err(PostError::Connection));
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let mut inside = Subscriber::at("127.0.0.1:0", Does::Leaves).await;
    let answer = format!("HTTP/1.1 307 Elsewhere\r\nlocation: {}\r\n\r\n", inside.url());
    let outside = Subscriber::at("127.0.0.1:0", Does::Answers(answer.leak(), false)).await;
    let (poster, _) = poster(&["127.0.0.1"], &[]);
    assert_eq!(post(&poster, &outside.url(), PLENTY).await, Ok(answered(307, "")));
    assert!(inside.requests.try_recv().is_err());
}

#[tokio::test]
async fn what_is_not_public_is_never_connected_to_however_it_is_spelled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (poster, _) = poster(&[], &[&["127.0.0.1", "::1", "::ffff:127.0.0.1"]]);
    for host in
        ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost", "0x7f.1", "2130706433", "0"]
    {
        let url = format!("http://{host}:{port}/");
        assert_eq!(post(&poster, &url, PLENTY).await, Err(PostError::NotPublic), "{url}");
    }
    assert!(tokio::time::timeout(SHORT, listener.accept()).await.is_err(), "somebody connected");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_is_not_asked_a_second_time() {
    let taken = Does::Answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false);
    let mut checked = Subscriber::at("127.0.0.1:0", taken.clone()).await;
    let port = checked.address.port();
    let mut inside = Subscriber::at(&format!("127.0.0.2:{port}"), taken).await;
    let (poster, asked) = poster(&["127.0.0.1"], &[&["127.0.0.1"], &["127.0.0.2"]]);
    let url = format!("http://hooks.example:{port}/");
    assert_eq!(post(&poster, &url, PLENTY).await, Ok(answered(200, "")));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(checked.requests.try_recv().is_ok());
    assert_eq!(post(&poster, &url, PLENTY).await, Err(PostError::NotPublic));
    assert!(inside.requests.try_recv().is_err());
}

#[tokio::test]
async fn of_several_addresses_those_that_may_be_are_tried_until_one_takes_it() {
    let taken = Does::Answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false);
    let subscriber = Subscriber::at("127.0.0.3:0", taken).await;
    let (poster, _) = poster(&["127.0.0.2/31"], &[&["127.0.0.1", "127.0.0.2", "127.0.0.3"]]);
    let url = format!("http://hooks.example:{}/", subscriber.address.port());
    assert_eq!(post(&poster, &url, PLENTY).await, Ok(answered(200, "")));
}

#[tokio::test]
async fn what_is_no_address_is_not_looked_up() {
    let (known, asked) = poster(&[], &[]);
    for bad in [
        "",
        "hooks.example/x",
        "/x",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "http:///x",
        "http://user@hooks.example/",
        "http://user:secret@hooks.example/",
        "http://hooks.example:0/",
        "http://hooks.example:99999/",
        "http://hooks.example:x/",
        "http://hooks example/",
    ] {
        assert_eq!(post(&known, bad, PLENTY).await, Err(PostError::Address), "{bad}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(post(&known, "https://hooks.example/", PLENTY).await, Err(PostError::Unknown));
    let (nowhere, _) = poster(&[], &[&[]]);
    assert_eq!(post(&nowhere, "http://hooks.example", PLENTY).await, Err(PostError::Unknown));
}

#[tokio::test]
async fn a_secure_connection_is_one_to_who_it_should_be() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["hooks.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let taken = Does::Answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let subscriber = Subscriber::with(listener, taken, Some(Arc::new(config).into()));
    let port = subscriber.address.port();
    let (mut poster, _) = poster(&["127.0.0.1"], &[&["127.0.0.1"]]);
    let url = |host| format!("https://{host}:{port}/");
    assert_eq!(post(&poster, &url("hooks.example"), PLENTY).await, Err(PostError::Tls), "nobody is trusted");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    poster.tls = tls(roots).unwrap();
    assert_eq!(post(&poster, &url("hooks.example"), PLENTY).await, Ok(answered(200, "")));
    assert_eq!(post(&poster, &url("other.example"), PLENTY).await, Err(PostError::Tls));
    let plain = Subscriber::at("127.0.0.1:0", Does::Leaves).await;
    let url = format!("https://hooks.example:{}/", plain.address.port());
    assert_eq!(post(&poster, &url, SHORT).await, Err(PostError::Late));
}
