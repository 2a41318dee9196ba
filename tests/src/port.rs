//! Free ports, and what listens on them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The ports that [`free`] gives. Linux gives those from 32,768 on to whoever asks for any port, connections that go
/// out included: a server that was killed could not be sure to find its own free again.
const FIRST: u16 = 16_000;
const LAST: u16 = 32_767;

/// A port of the loopback that nothing listens on, and that this process gave to nobody else. It stays free while a
/// server that had it is down.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(LAST - FIRST) + 1;
    // Programs that run at the same time begin far from each other.
    let first = std::process::id().wrapping_mul(2_654_435_761);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(given < count, "all ports from {FIRST} to {LAST} are taken");
        let offset = u16::try_from(first.wrapping_add(given) % count).expect("less than the count of ports");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
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
