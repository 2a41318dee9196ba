//! A listener: connections in, each with TLS, HTTP/1.1 or 2, and the evidence of its client certificate.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use metrics::{counter, gauge};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::evidence;
use super::exchange::Exchanges;

/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 256;

pub(super) struct Listener {
    pub socket: TcpListener,
    pub tls: Arc<ServerConfig>,
    pub connections: Arc<Semaphore>,
    pub exchanges: Arc<Exchanges>,
    pub head_timeout: Duration,
}

impl Listener {
    /// Serves until told to stop, then finishes what is under way, however long it takes.
    pub async fn run(self, mut stops: watch::Receiver<bool>) {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls));
        let http = Arc::new(self.http());
        let graceful = Arc::new(GracefulShutdown::new());
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
                acceptor: acceptor.clone(),
                http: Arc::clone(&http),
                exchanges: Arc::clone(&self.exchanges),
                head_timeout: self.head_timeout,
                stops: stops.clone(),
                watcher: graceful.watcher(),
            };
            tokio::spawn(async move {
                let open = gauge!("rabita_connections");
                open.increment(1.0);
                connection.serve(stream).await;
                open.decrement(1.0);
                drop(place);
            });
        }
        drop(self.socket);
        if let Some(graceful) = Arc::into_inner(graceful) {
            graceful.shutdown().await;
        }
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

struct Connection {
    acceptor: TlsAcceptor,
    http: Arc<auto::Builder<TokioExecutor>>,
    exchanges: Arc<Exchanges>,
    head_timeout: Duration,
    stops: watch::Receiver<bool>,
    watcher: hyper_util::server::graceful::Watcher,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        // Without this a small answer waits for the caller's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(self.head_timeout, self.acceptor.accept(stream));
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            // Nothing is under way before the first request: a silent connection must not hold up the end.
            () = super::stopped(&mut self.stops) => return,
        };
        let stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                counter!("rabita_handshakes_failed_total").increment(1);
                tracing::debug!(%error, "a TLS handshake failed");
                return;
            }
            Err(_) => {
                counter!("rabita_handshakes_failed_total").increment(1);
                return;
            }
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let evidence = certificate.map(|certificate| Arc::new(evidence::of(certificate)));
        let exchanges = self.exchanges;
        let service = service_fn(move |request| {
            let (exchanges, evidence) = (Arc::clone(&exchanges), evidence.clone());
            async move { Ok::<_, Infallible>(exchanges.answer(request, evidence).await) }
        });
        let served = self.watcher.watch(self.http.serve_connection(TokioIo::new(stream), service).into_owned());
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
