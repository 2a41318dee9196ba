//! Free ports, and what listens on them.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port of the loopback that nothing listens on, and that this process gave to nobody else.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free() -> u16 {
    let mut given = GIVEN.lock().expect("no holder of the lock panics");
    // Held until one is found, so that the system does not offer the same one again.
    let mut refused = Vec::new();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on the loopback");
        let port = listener.local_addr().expect("a listener has an address").port();
        if given.insert(port) {
            return port;
        }
        refused.push(listener);
    }
}

/// This port of the loopback.
#[must_use]
pub const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Asks a plain server for a path, and answers the status; `None` when nothing answers.
#[must_use]
pub fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.get(9..12)?.parse().ok()
}
