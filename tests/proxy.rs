//! Stands between a server and its database: passes on what they say, or keeps it to itself, or hangs up.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// What becomes of what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It is passed on.
    Passing,
    /// It is kept until it is passed on: nobody hangs up, nobody answers.
    Silent,
    /// Whoever calls is hung up on.
    Cut,
}

/// A line to a database.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    target: SocketAddr,
    mode: Mutex<Mode>,
    changed: Condvar,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A line to where a URL leads, and the URL that leads through it.
    pub fn to(url: &str) -> (Self, String) {
        let start = url.find('@').expect("the URL names a user") + 1;
        let end = start + url[start..].find('/').expect("the URL names a database");
        let target =
            url[start..end].to_socket_addrs().expect("the URL names a port").next().expect("it has an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let (mode, streams) = (Mutex::new(Mode::Passing), Mutex::default());
        let line = Arc::new(Line { target, mode, changed: Condvar::new(), streams });
        let accepting = Arc::clone(&line);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                drop(accepting.connect(stream)); // who calls sees for itself
            }
        });
        (Self { address, line }, format!("{}{address}{}", &url[..start], &url[end..]))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes everything on, also what was kept.
    pub fn pass(&self) {
        self.line.become_mode(Mode::Passing);
    }

    /// Says nothing any more.
    pub fn say_nothing(&self) {
        self.line.become_mode(Mode::Silent);
    }

    /// Hangs up on everybody.
    pub fn cut(&self) {
        self.line.become_mode(Mode::Cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Line {
    fn become_mode(&self, mode: Mode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        self.changed.notify_all();
        if mode == Mode::Cut {
            for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }

    /// Waits until something may be passed on; false where it never will be.
    fn may_pass(&self) -> bool {
        let mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = self.changed.wait_while(mode, |mode| *mode == Mode::Silent);
        *mode.unwrap_or_else(PoisonError::into_inner) == Mode::Passing
    }

    fn connect(self: &Arc<Self>, near: TcpStream) -> io::Result<()> {
        if *self.mode.lock().unwrap_or_else(PoisonError::into_inner) == Mode::Cut {
            return Ok(());
        }
        let far = TcpStream::connect(self.target)?;
        for stream in [&near, &far] {
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        }
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            let line = Arc::clone(self);
            thread::spawn(move || line.pump(from, to));
        }
        Ok(())
    }

    /// Passes on what one says to the other, until either hangs up.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !self.may_pass() || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }
}
