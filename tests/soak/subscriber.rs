//! Somebody who subscribed to everything, and now and then does not take what is sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use fastrand::Rng;

/// One of so many is not taken.
const REFUSED: u8 = 16;

/// Something that arrived.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// Where: the path.
    pub(super) path: String,
    /// Which it is.
    pub(super) id: String,
    /// Whether it was taken.
    pub(super) was_taken: bool,
}

/// A subscriber that listens until it is asked what it heard.
pub(super) struct Subscriber {
    address: SocketAddr,
    desk: Arc<Desk>,
}

struct Desk {
    rng: Mutex<Rng>,
    notices: Mutex<Vec<Notice>>,
    is_closed: AtomicBool,
}

impl Subscriber {
    /// Listens on an address of its own.
    pub(super) fn new(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let address = listener.local_addr().expect("it listens");
        let (rng, is_closed) = (Mutex::new(Rng::with_seed(seed)), AtomicBool::new(false));
        let desk = Arc::new(Desk { rng, notices: Mutex::default(), is_closed });
        let heard = Arc::clone(&desk);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if heard.is_closed.load(Ordering::Acquire) {
                    return;
                }
                let desk = Arc::clone(&heard);
                thread::spawn(move || desk.serve(stream));
            }
        });
        Self { address, desk }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens no longer; all that arrived, in its order.
    pub(super) fn close(self) -> Vec<Notice> {
        self.desk.is_closed.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address)); // wakes it up once more
        self.desk.notices.lock().expect("nobody panics with this lock").clone()
    }
}

impl Desk {
    fn serve(&self, mut stream: TcpStream) {
        // Whoever sends may be killed in the middle of it.
        let Some((path, id)) = read(&stream) else { return };
        let was_taken = self.rng.lock().expect("nobody panics with this lock").u8(..REFUSED) > 0;
        let notice = Notice { path, id, was_taken };
        self.notices.lock().expect("nobody panics with this lock").push(notice);
        let status = if was_taken { "204 No Content" } else { "500 No" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        drop(stream.write_all(answer.as_bytes()));
    }
}

/// The path and the id of a request, if it arrives whole.
fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => _ = headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((path, headers.remove("webhook-id")?))
}
