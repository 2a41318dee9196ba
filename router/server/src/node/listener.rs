//! A listener: connections in, as many as there are places.

pub(super) mod connection;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use metrics::{counter, gauge};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::exchange::Exchanges;
use super::tls::Transport;
use connection::Connection;

/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 256;

pub(super) struct Listener {
    pub socket: TcpListener,
    pub transport: Arc<Transport>,
    pub connections: Arc<Semaphore>,
    pub exchanges: Arc<Exchanges>,
    pub head_timeout: Duration,
}

impl Listener {
    /// Serves until told to stop, then finishes what is under way, however long it takes.
    pub async fn run(self, mut stops: watch::Receiver<bool>) {
        let http = Arc::new(self.http());
        let open = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: accepting at once again would spin.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = super::stopped(&mut stops) => break,
            };
            let Ok(place) = Arc::clone(&self.connections).try_acquire_owned() else {
                counter!("rabita_connections_refused_total").increment(1);
                continue;
            };
            let connection = Connection {
                transport: self.transport.watch(),
                http: Arc::clone(&http),
                exchanges: Arc::clone(&self.exchanges),
                head_timeout: self.head_timeout,
                stops: stops.clone(),
            };
            open.spawn(async move {
                let open = gauge!("rabita_connections");
                open.increment(1.0);
                connection.serve(stream).await;
                open.decrement(1.0);
                drop(place);
            });
        }
        drop(self.socket);
        open.close();
        open.wait().await;
    }

    fn http(&self) -> auto::Builder<TokioExecutor> {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(self.head_timeout);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        http
    }
}
