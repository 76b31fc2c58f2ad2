//! An address that moves: whoever connects to it is led to where it points at that moment, as a proxy, a name server or
//! an address that moves from machine to machine would do it.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

/// A port on this machine that leads to another one.
#[derive(Debug)]
pub struct Address {
    port: u16,
    target: Arc<AtomicU16>,
}

impl Address {
    /// Leads to the port `target` for now.
    pub fn to(target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let target = Arc::new(AtomicU16::new(target));
        let current = Arc::clone(&target);
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                // Where nobody answers, the caller is hung up on.
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, current.load(Ordering::Acquire))) {
                    lead(caller, server);
                }
            }
        });
        Ok(Self { port, target })
    }

    /// The port that does not change.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whoever connects from now on is led to the port `target`.
    pub fn moves_to(&self, target: u16) {
        self.target.store(target, Ordering::Release);
    }
}

/// Hands on what each says to the other, until one of them has nothing more to say.
fn lead(caller: TcpStream, server: TcpStream) {
    for (from, to) in [(caller.try_clone(), server.try_clone()), (Ok(server), Ok(caller))] {
        let (Ok(mut from), Ok(mut to)) = (from, to) else { return };
        thread::spawn(move || {
            to.set_nodelay(true).ok();
            io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Both).ok();
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::Address;

    #[test]
    fn who_connects_after_a_move_is_led_elsewhere_and_who_was_there_is_hung_up_on() {
        let [first, second] = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let address = Address::to(first.local_addr().unwrap().port()).unwrap();
        let call = || TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).unwrap();
        let (mut early, (mut answering, _)) = (call(), first.accept().unwrap());
        answering.write_all(b"first").unwrap();
        let mut heard = [0; 5];
        early.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"first");
        address.moves_to(second.local_addr().unwrap().port());
        drop((answering, first));
        assert_eq!(early.read(&mut heard).unwrap_or(0), 0);
        let (mut late, (mut answering, _)) = (call(), second.accept().unwrap());
        late.write_all(b"hello").unwrap();
        answering.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }
}
