//! The serving side dials out: a line to one bus node, made again whenever it breaks.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::convert::plain;
use crate::link::{PING_EVERY, PING_PATIENCE, WINDOW};
use crate::message::Welcome;
use crate::served::{AnswerBody, Served, json_response};

/// What both sides name the protocol on a dialled connection (RFC 7301): it is HTTP/2 with the roles turned round, so
/// neither side may take it for `h2`.
pub const ALPN: &[u8] = b"rabita-wire";

/// The first pause after a line broke, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// The longest that connecting, and then the TLS handshake, may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A line to one bus node.
pub struct Line {
    /// `host:port`.
    pub address: String,
    /// Whose certificate the node must show.
    pub server_name: ServerName<'static>,
    pub tls: Arc<ClientConfig>,
    pub served: Arc<Served>,
    /// The longest that what is under way may take when the line is closed in good order.
    pub drain: Duration,
    pub status: watch::Sender<LineStatus>,
}

/// How a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineStatus {
    /// Not connected; why not, where it was tried.
    Down(Option<String>),
    /// The node knows what is served; what it does not use of that, and why.
    Up(Vec<String>),
}

/// Why a line ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("no connection to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("the node at {address} is not trusted, or does not trust this host: {source}")]
    Tls { address: String, source: io::Error },
    #[error("what listens at {address} is no listener for hosts: it does not speak `rabita-wire`")]
    Protocol { address: String },
    #[error("the node at {address} does not take this host: {why}")]
    Unwelcome { address: String, why: String },
    #[error("the line to {address} broke: {why}")]
    Broken { address: String, why: String },
}

impl Line {
    /// Keeps the line until told to stop, then finishes what is under way.
    pub async fn run(self, stops: CancellationToken) {
        let (first, longest) = PAUSES;
        let pauses =
            ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_jitter().without_max_times();
        let mut pause = pauses.build();
        loop {
            let was_welcome = AtomicBool::new(false);
            let ended = tokio::select! {
                ended = self.once(&stops, &was_welcome) => ended,
                () = self.not_yet(&stops) => return,
            };
            let Err(ended) = ended else { return };
            if was_welcome.load(Ordering::Acquire) {
                pause = pauses.build();
            }
            let wait = pause.next().unwrap_or(longest);
            self.is_down(&ended, wait);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stops.cancelled() => return,
            }
        }
    }

    /// Waits to be told to stop where nothing is under way that would have to be finished.
    async fn not_yet(&self, stops: &CancellationToken) {
        stops.cancelled().await;
        if matches!(*self.status.borrow(), LineStatus::Up(_)) {
            std::future::pending::<()>().await;
        }
    }

    /// One connection, from its beginning to its end. Told to stop, it ends well.
    async fn once(&self, stops: &CancellationToken, was_welcome: &AtomicBool) -> Result<(), Ended> {
        let address = || self.address.clone();
        let connect = |source| Ended::Connect { address: address(), source };
        let late = |_| connect(io::ErrorKind::TimedOut.into());
        let stream =
            tokio::time::timeout(CONNECT_MAX, TcpStream::connect(&self.address)).await.map_err(late)?.map_err(connect)?;
        // Without this a small answer waits for the node's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let tls = |source| Ended::Tls { address: address(), source };
        let late = |_| tls(io::ErrorKind::TimedOut.into());
        let shake = TlsConnector::from(Arc::clone(&self.tls)).connect(self.server_name.clone(), stream);
        let stream = tokio::time::timeout(CONNECT_MAX, shake).await.map_err(late)?.map_err(tls)?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(Ended::Protocol { address: address() });
        }
        self.serve(stream, stops, was_welcome).await
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        stops: &CancellationToken,
        was_welcome: &AtomicBool,
    ) -> Result<(), Ended> {
        let (welcomes, mut welcomed) = watch::channel(None);
        let service = service_fn(move |request| {
            let (served, welcomes) = (Arc::clone(&self.served), welcomes.clone());
            async move { Ok::<_, Infallible>(answer(request, &served, &welcomes).await) }
        });
        let mut connection = pin!(serving().serve_connection(TokioIo::new(stream), service));
        let mut unwelcome = None;
        loop {
            tokio::select! {
                over = connection.as_mut() => {
                    let why = over.err().map_or_else(|| "the node closed it".to_owned(), |error| error.to_string());
                    let address = self.address.clone();
                    return Err(match unwelcome {
                        Some(why) => Ended::Unwelcome { address, why },
                        // Before it said anything: TLS 1.3 lets a client learn only now that its certificate was refused.
                        None => Ended::Broken { address, why },
                    });
                }
                Ok(()) = welcomed.changed() => {
                    let welcome: Option<Welcome> = welcomed.borrow_and_update().clone();
                    let Some(welcome) = welcome else { continue };
                    if welcome.accepted {
                        was_welcome.store(true, Ordering::Release);
                        self.is_up(welcome.remarks);
                    } else {
                        unwelcome = Some(welcome.remarks.iter().map(|text| plain(text)).collect::<Vec<_>>().join("; "));
                    }
                }
                () = stops.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    if tokio::time::timeout(self.drain, connection).await.is_err() {
                        tracing::warn!(bus = self.address, "not everything was finished in time");
                    }
                    return Ok(());
                }
            }
        }
    }

    fn is_up(&self, remarks: Vec<String>) {
        let remarks: Vec<String> = remarks.iter().map(|text| plain(text)).collect();
        tracing::info!(bus = self.address, "connected to the bus");
        for remark in &remarks {
            tracing::warn!(bus = self.address, remark, "the bus does not use all that is served here");
        }
        self.status.send_replace(LineStatus::Up(remarks));
    }

    /// The same trouble again is told once: a bus can be away for days.
    fn is_down(&self, ended: &Ended, wait: Duration) {
        let why = ended.to_string();
        let now = LineStatus::Down(Some(why.clone()));
        if *self.status.borrow() != now {
            let again_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(bus = self.address, why, again_in_ms, "not connected to the bus; it is tried again until it works");
        }
        self.status.send_replace(now);
    }
}

/// The serving side of HTTP/2 on a connection that was dialled.
fn serving() -> http2::Builder<TokioExecutor> {
    const STREAMS_MAX: u32 = 1024;
    const RESETS_MAX: usize = 100_000;
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(Some(PING_EVERY))
        .keep_alive_timeout(PING_PATIENCE)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 4)
        .max_concurrent_streams(STREAMS_MAX)
        // Calls that nobody waits for any more are reset, many at once where a caller of the bus leaves. Against strangers
        // that is a defence (CVE-2023-44487), and there are none here: both sides have shown their certificates.
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(None);
    http
}

async fn answer(request: Request<Incoming>, served: &Served, welcomes: &watch::Sender<Option<Welcome>>) -> Response<AnswerBody> {
    const WELCOME_MAX: usize = 64 * 1024;
    if request.uri().path() != "/welcome" {
        return served.answer(request).await;
    }
    let body = Limited::new(request.into_body(), WELCOME_MAX).collect().await.map(http_body_util::Collected::to_bytes);
    match body.map(|body| serde_json::from_slice(&body)) {
        Ok(Ok(welcome)) => {
            welcomes.send_replace(Some(welcome));
            json_response(StatusCode::OK, b"{}".to_vec())
        }
        _ => json_response(StatusCode::BAD_REQUEST, b"{}".to_vec()),
    }
}

/// Serves one connection that is there already, until it ends: for tests, and for transports that others dial.
pub async fn serve_on(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, served: Arc<Served>) {
    let (welcomes, _) = watch::channel(None);
    let service = service_fn(move |request| {
        let (served, welcomes) = (Arc::clone(&served), welcomes.clone());
        async move { Ok::<_, Infallible>(answer(request, &served, &welcomes).await) }
    });
    let _ = serving().serve_connection(TokioIo::new(stream), service).await;
}
