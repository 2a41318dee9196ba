//! One connection through the proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{Fault, Gauges, State};

const PIECE_BYTES: usize = 16 * 1024;

/// Passes bytes between a client and the legacy system until one of them ends or a fault resets the connection.
pub(super) async fn run(client: TcpStream, upstream: SocketAddr, watched: watch::Receiver<State>, gauges: Arc<Gauges>) {
    let _open = Counted::new(&gauges);
    let began = *watched.borrow();
    let Ok(legacy) = TcpStream::connect(upstream).await else {
        reset(&client);
        return;
    };
    // Small messages back and forth would otherwise wait for each other's acknowledgement.
    if client.set_nodelay(true).and_then(|()| legacy.set_nodelay(true)).is_err() {
        return;
    }
    let waiting = Waiting::new(Arc::clone(&gauges));
    let (from_client, to_client) = client.into_split();
    let (from_legacy, to_legacy) = legacy.into_split();
    let ended = tokio::select! {
        ended = requests(from_client, to_legacy, &waiting) => ended,
        ended = replies(from_legacy, &to_client, watched.clone(), &gauges, &waiting) => ended,
        () = ruined(watched, began) => End::Reset,
    };
    if ended == End::Reset {
        reset(to_client.as_ref());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, waiting: &Waiting) -> End {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        waiting.set(true);
        if to.write_all(&piece[..length]).await.is_err() {
            // What the legacy system says before it closes must still reach the client: the other direction ends it.
            std::future::pending::<()>().await;
        }
    }
    End::Closed
}

async fn replies(
    mut from: OwnedReadHalf,
    to: &OwnedWriteHalf,
    mut watched: watch::Receiver<State>,
    gauges: &Gauges,
    waiting: &Waiting,
) -> End {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let now = *watched.borrow_and_update();
        let bytes = &mut piece[..length];
        let before = gauges.replied.fetch_add(length as u64, Ordering::SeqCst);
        match now.fault {
            Fault::Pass => {}
            Fault::Delay(time) => {
                // Ends early with the fault.
                let _ = tokio::time::timeout(time, watched.wait_for(|state| state.number != now.number)).await;
            }
            Fault::CutAfter(limit) => {
                let passes = limit.saturating_sub(before).min(length as u64);
                if passes < length as u64 {
                    let passes = usize::try_from(passes).unwrap_or(length);
                    let _ = write_all(to, &bytes[..passes]).await;
                    return End::Closed;
                }
            }
            Fault::GarbleAfter(limit) => garble(bytes, before, limit),
            Fault::Refuse => return End::Reset,
            Fault::BlackHole => continue,
        }
        waiting.set(false);
        if write_all(to, bytes).await.is_err() {
            return End::Closed;
        }
    }
    End::Closed
}

/// Returns when this connection can't go on: it was refused or reset, or replies of it were swallowed.
async fn ruined(mut watched: watch::Receiver<State>, began: State) {
    let mut swallowed = false;
    loop {
        let now = *watched.borrow_and_update();
        let in_hole = now.fault == Fault::BlackHole;
        if now.fault == Fault::Refuse || now.resets != began.resets || (swallowed && !in_hole) {
            return;
        }
        swallowed |= in_hole;
        if watched.changed().await.is_err() {
            return;
        }
    }
}

/// Noise that is the same in each run, and no UTF-8 for long.
fn garble(bytes: &mut [u8], before: u64, limit: u64) {
    for (place, byte) in (before..).zip(bytes) {
        if place >= limit {
            let mixed = (place ^ limit.rotate_left(17)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            *byte = mixed.to_be_bytes()[2] | u8::from(place % 3 == 0) << 7;
        }
    }
}

async fn write_all(to: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn reset(stream: &TcpStream) {
    // Without lingering, closing sends a reset. A socket that is gone already needs none.
    let _ = stream.set_zero_linger();
}

struct Counted<'a>(&'a Gauges);

impl<'a> Counted<'a> {
    fn new(gauges: &'a Gauges) -> Self {
        gauges.open.fetch_add(1, Ordering::SeqCst);
        Self(gauges)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a reply is due on one connection, counted over all.
struct Waiting {
    due: std::sync::atomic::AtomicBool,
    gauges: Arc<Gauges>,
}

impl Waiting {
    const fn new(gauges: Arc<Gauges>) -> Self {
        Self { due: std::sync::atomic::AtomicBool::new(false), gauges }
    }

    fn set(&self, due: bool) {
        match (self.due.swap(due, Ordering::SeqCst), due) {
            (false, true) => self.gauges.waiting.fetch_add(1, Ordering::SeqCst),
            (true, false) => self.gauges.waiting.fetch_sub(1, Ordering::SeqCst),
            _ => return,
        };
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.set(false);
    }
}
