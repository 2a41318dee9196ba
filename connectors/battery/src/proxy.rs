//! A TCP proxy that stands between a connector and its legacy system and disturbs what passes.

mod link;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::SilentPort;

/// What a proxy does to what passes through it. Requests always reach the legacy system, except with
/// [`Fault::Refuse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// Each piece of a reply arrives so much later; all that is held arrives when the fault ends.
    Delay(Duration),
    /// After so many bytes of replies, counted over all connections from when the fault was set, each connection is
    /// reset by what comes next.
    CutAfter(u64),
    /// After so many bytes of replies, counted likewise, everything is noise.
    GarbleAfter(u64),
    /// Nothing listens any more, and the open connections are reset.
    Refuse,
    /// Connections are taken, requests pass, and no reply ever arrives. The connections are reset when the fault
    /// ends.
    BlackHole,
}

/// A running proxy. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    gauges: Arc<Gauges>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to the legacy system at this address, on a free port of the loopback.
    ///
    /// # Errors
    /// When no port can be taken.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), upstream).await
    }

    /// Starts a proxy to the legacy system `upstream` that listens at this address.
    ///
    /// # Errors
    /// When the address can't be taken.
    pub async fn start_at(address: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (state, watched) = watch::channel(State::default());
        let gauges = Arc::new(Gauges::default());
        let task = tokio::spawn(serve(listener, address, upstream, watched, Arc::clone(&gauges)));
        Ok(Self { address, state, gauges, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to disturb in this way, and ends what it did before.
    pub fn set(&self, fault: Fault) {
        self.gauges.replied.store(0, Ordering::SeqCst);
        self.state.send_modify(|state| {
            state.fault = fault;
            state.number += 1;
        });
    }

    /// Resets every open connection.
    pub fn reset_connections(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.gauges.open.load(Ordering::SeqCst)
    }

    /// How many open connections wait for a reply to what was sent last.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.gauges.waiting.load(Ordering::SeqCst)
    }

    /// How many connections there were since the start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.gauges.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    fault: Fault,
    /// Tells a fault from the same one set again.
    number: u64,
    resets: u64,
}

impl Default for State {
    fn default() -> Self {
        Self { fault: Fault::Pass, number: 0, resets: 0 }
    }
}

#[derive(Debug, Default)]
struct Gauges {
    open: AtomicUsize,
    waiting: AtomicUsize,
    accepted: AtomicUsize,
    /// Bytes of replies since the fault was set.
    replied: std::sync::atomic::AtomicU64,
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    upstream: SocketAddr,
    mut watched: watch::Receiver<State>,
    gauges: Arc<Gauges>,
) {
    // The links end with the set, and the set with this task.
    let mut links = JoinSet::new();
    let mut port = Port::Open(listener);
    loop {
        port = port.turned(address, watched.borrow_and_update().fault == Fault::Refuse);
        let Port::Open(open) = &port else {
            if watched.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    gauges.accepted.fetch_add(1, Ordering::SeqCst);
                    links.spawn(link::run(client, upstream, watched.clone(), Arc::clone(&gauges)));
                }
            }
            changed = watched.changed() => if changed.is_err() { return },
            Some(_) = links.join_next() => {}
        }
    }
}

/// The proxy's port, which nobody else gets while it is refusing.
enum Port {
    Open(TcpListener),
    Refusing(SilentPort),
}

impl Port {
    /// # Panics
    /// When the machine does not let the proxy have its own port again.
    fn turned(self, address: SocketAddr, refuse: bool) -> Self {
        match (self, refuse) {
            (Self::Open(listener), true) => {
                drop(listener);
                Self::Refusing(SilentPort::at(address).expect("the proxy's own port"))
            }
            (Self::Refusing(silent), false) => Self::Open(silent.listen().expect("the proxy's own port")),
            (same, _) => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;
    use crate::eventually;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(10);

    /// A server that sends everything back, and a proxy before it.
    async fn echo() -> (Proxy, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = connection.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        (Proxy::start(address).await.expect("a proxy"), server)
    }

    async fn exchange(connection: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        connection.write_all(text).await?;
        let mut answer = vec![0; text.len()];
        connection.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn passes_then_delays_then_passes_again_on_one_connection() {
        let (proxy, _server) = echo().await;
        let mut connection = TcpStream::connect(proxy.address()).await.expect("a connection");
        assert_eq!(exchange(&mut connection, b"one").await.expect("an answer"), b"one");
        proxy.set(Fault::Delay(LONG));
        assert!(timeout(SHORT, exchange(&mut connection, b"two")).await.is_err());
        assert_eq!(proxy.waiting(), 1);
        proxy.set(Fault::Pass);
        let mut held = [0; 3];
        connection.read_exact(&mut held).await.expect("what was held");
        assert_eq!((&held, proxy.waiting(), proxy.open()), (b"two", 0, 1));
        drop(connection);
        eventually("the connection is gone", LONG, async || proxy.open() == 0).await;
    }

    #[tokio::test]
    async fn cuts_and_garbles_from_the_byte_that_was_named() {
        let (proxy, _server) = echo().await;
        let mut connection = TcpStream::connect(proxy.address()).await.expect("a connection");
        proxy.set(Fault::GarbleAfter(4));
        let garbled = exchange(&mut connection, b"abcdefghijklmnop").await.expect("an answer");
        assert_eq!(&garbled[..4], b"abcd");
        assert!(garbled[4..].iter().zip(b"efghijklmnop").filter(|(a, b)| a == b).count() < 3);
        proxy.set(Fault::CutAfter(4));
        connection.write_all(b"abcdefgh").await.expect("a request");
        let mut cut = Vec::new();
        let _ = connection.read_to_end(&mut cut).await;
        assert_eq!(cut, b"abcd");
    }

    #[tokio::test]
    async fn refuses_swallows_and_is_itself_again() {
        let (proxy, _server) = echo().await;
        let mut open = TcpStream::connect(proxy.address()).await.expect("a connection");
        exchange(&mut open, b"one").await.expect("an answer");
        proxy.set(Fault::Refuse);
        eventually("connections are refused", LONG, async || TcpStream::connect(proxy.address()).await.is_err()).await;
        assert!(exchange(&mut open, b"two").await.is_err());
        proxy.set(Fault::BlackHole);
        eventually("connections are taken", LONG, async || TcpStream::connect(proxy.address()).await.is_ok()).await;
        let mut lost = TcpStream::connect(proxy.address()).await.expect("a connection");
        assert!(timeout(SHORT, exchange(&mut lost, b"three")).await.is_err());
        proxy.set(Fault::Pass);
        assert!(timeout(LONG, exchange(&mut lost, b"four")).await.expect("an end").is_err());
        let mut good = TcpStream::connect(proxy.address()).await.expect("a connection");
        assert_eq!(exchange(&mut good, b"five").await.expect("an answer"), b"five");
        good.write_all(b"x").await.expect("a request");
        proxy.reset_connections();
        eventually("the connections are gone", LONG, async || proxy.open() == 0).await;
    }
}
