//! Free ports.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{LazyLock, Mutex};

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
