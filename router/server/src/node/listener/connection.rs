//! One connection: its TLS, HTTP/1.1 or 2, and its client certificate, for as long as that holds.

pub(in crate::node) mod trust;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use metrics::counter;
use rustls::{CertificateError, HandshakeKind};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::node::exchange::Exchanges;
use crate::node::tls::Loaded;
use crate::node::{evidence, stopped};
use trust::Trust;

/// What is under way when a client certificate ceases to hold has this long.
const PARTING: Duration = Duration::from_millis(500);

pub(super) struct Connection {
    pub transport: watch::Receiver<Arc<Loaded>>,
    pub http: Arc<auto::Builder<TokioExecutor>>,
    pub exchanges: Arc<Exchanges>,
    pub head_timeout: Duration,
    pub stops: watch::Receiver<bool>,
}

impl Connection {
    pub async fn serve(mut self, stream: TcpStream) {
        // Without this a small answer waits for the caller's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let shaken = shake_hands(stream, &mut self.transport, self.head_timeout, &mut self.stops).await;
        let Some(stream) = shaken else { return };
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = chain.first().map(|certificate| Arc::new(evidence::of(certificate)));
        let trust = Trust::new(chain, self.transport);
        // A session that is taken up again brings the certificate of its first handshake, which nobody verified since.
        if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) && !trust.holds() {
            return;
        }
        let is_lost = Arc::new(AtomicBool::new(false));
        let (exchanges, lost) = (self.exchanges, Arc::clone(&is_lost));
        let service = service_fn(move |request| {
            let certificate = certificate.clone().filter(|_| !lost.load(Ordering::Acquire));
            let exchanges = Arc::clone(&exchanges);
            async move { Ok::<_, Infallible>(exchanges.answer(request, certificate).await) }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let mut trust_ends = pin!(trust.ends());
        let mut is_stopping = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = stopped(&mut self.stops), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = trust_ends.as_mut() => {
                    is_lost.store(true, Ordering::Release);
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(PARTING, connection).await;
                    return;
                }
            }
        }
    }
}

/// The TLS handshake, within its time and while the node runs. Why one failed is counted.
pub(in crate::node) async fn shake_hands(
    stream: TcpStream,
    transport: &mut watch::Receiver<Arc<Loaded>>,
    head_timeout: Duration,
    stops: &mut watch::Receiver<bool>,
) -> Option<TlsStream<TcpStream>> {
    let acceptor = TlsAcceptor::from(Arc::clone(&transport.borrow_and_update().server));
    let handshake = tokio::time::timeout(head_timeout, acceptor.accept(stream));
    let handshake = tokio::select! {
        handshake = handshake => handshake,
        // Nothing is under way before the first request: a silent connection must not hold up the end.
        () = stopped(stops) => return None,
    };
    let reason = match handshake {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            reason(&error)
        }
        Err(_) => "too_slow",
    };
    counter!("rabita_handshakes_failed_total", "reason" => reason).increment(1);
    None
}

/// Why a handshake failed, in one word for metrics.
fn reason(error: &std::io::Error) -> &'static str {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else { return "broken_off" };
    match error {
        rustls::Error::NoCertificatesPresented => "certificate_missing",
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate_expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "certificate_early",
            CertificateError::Revoked => "certificate_revoked",
            CertificateError::UnknownIssuer => "authority_unknown",
            CertificateError::UnknownRevocationStatus => "revocations_missing",
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
                "revocations_expired"
            }
            _ => "certificate_invalid",
        },
        _ => "tls",
    }
}
