//! Ports that are taken, and at which nobody answers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A port of the loopback at which connections are refused. A port that is merely free may be given to another program
/// before it is tried; this one is held.
#[derive(Debug)]
pub struct SilentPort {
    socket: TcpSocket,
    address: SocketAddr,
}

impl SilentPort {
    /// Takes a free one.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port")
    }

    /// Takes this one, although connections that were open at it may linger.
    ///
    /// # Errors
    /// When another program has it.
    pub(crate) fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where nobody answers.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a manifest takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins to take connections.
    ///
    /// # Errors
    /// When the machine does not let it.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.socket.listen(1024)
    }
}

impl Default for SilentPort {
    fn default() -> Self {
        Self::new()
    }
}
