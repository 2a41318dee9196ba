//! The admin listener: whether the node lives, how the registries and the journal are, the metrics, and the updates.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use rabita_core::Health;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::exchange::Exchanges;
use super::grants_desk;
use super::hosts::Hosts;
use super::ledger_desk::{self, LedgerDesk};
use super::operators::{self, Operators};
use super::reload::Status;

/// What operators are shown.
#[derive(Clone)]
pub(super) struct Desk {
    pub exchanges: Arc<Exchanges>,
    pub metrics: PrometheusHandle,
    pub operators: Operators,
    /// What became of changes of the configuration.
    pub configuration: Arc<Status>,
    /// The hosts of agencies that dial in.
    pub hosts: Arc<Hosts>,
    /// `None` where the configuration has the ledger off.
    pub ledger: Option<LedgerDesk>,
}

/// The longest that an operator's order may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves operators until dropped.
pub(super) async fn run(socket: TcpListener, desk: Desk) {
    let mut upkeep = tokio::time::interval(Duration::from_secs(5));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = upkeep.tick() => {
                desk.metrics.run_upkeep();
                continue;
            }
        };
        let desk = desk.clone();
        let is_local = stream.local_addr().is_ok_and(|own| is_same_machine(peer, own));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let desk = desk.clone();
                async move { Ok::<_, Infallible>(answer(request, &desk, is_local).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an operator's connection ended early");
            }
        });
    }
}

/// Whoever calls from the loopback, or from the very address that is called, is on this machine.
fn is_same_machine(peer: SocketAddr, own: SocketAddr) -> bool {
    let (peer, own) = (peer.ip().to_canonical(), own.ip().to_canonical());
    peer.is_loopback() || peer == own
}

async fn answer(request: Request<Incoming>, desk: &Desk, is_local: bool) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if below(operators::ROOT) || below(ledger_desk::ROOT) {
        return order(request, desk, is_local).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n");
    }
    match path {
        "/livez" => response(StatusCode::OK, "text/plain", "alive\n"),
        "/readyz" => ready(desk),
        "/metrics" => response(StatusCode::OK, "text/plain; version=0.0.4", desk.metrics.render()),
        _ if below(grants_desk::ROOT) => {
            grants_desk::answer(request.uri(), is_local, &desk.exchanges.bus.access(), Timestamp::now())
        }
        _ => response(StatusCode::NOT_FOUND, "text/plain", "/livez, /readyz, /metrics, /updates, /grants or /ledger\n"),
    }
}

async fn order(request: Request<Incoming>, desk: &Desk, is_local: bool) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, operators::BODY_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return response(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the body is too large, or ended early\n"),
        Err(_) => return response(StatusCode::REQUEST_TIMEOUT, "text/plain", "the body took too long\n"),
    };
    let request = operators::Request { head: &head, body: &body, is_local, now: Timestamp::now() };
    if !head.uri.path().starts_with(ledger_desk::ROOT) {
        return desk.operators.answer(request).await;
    }
    match &desk.ledger {
        Some(ledger) => ledger.answer(request).await,
        None => response(StatusCode::NOT_FOUND, "text/plain", "this node keeps no ledger\n"),
    }
}

/// A node is ready while it takes requests and can answer them with data, which it cannot while its ledger takes none. A
/// registry that is not must not take the node away from callers of others, nor a journal that is not from those who read.
fn ready(desk: &Desk) -> Response<Full<Bytes>> {
    let ledger = desk.ledger.as_ref().map(LedgerDesk::health);
    let is_writable = ledger.as_ref().is_none_or(|health| health["writable"] == true);
    let is_ready = is_writable && !desk.exchanges.stopping.load(Ordering::Acquire);
    let health = desk.exchanges.bus.health();
    let all = health.values().all(|health| *health == Health::Ready);
    let registries: Map<String, Value> = health.iter().map(|(id, health)| (id.to_string(), health.to_json())).collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({ "ready": is_ready, "all_registries_ready": all, "registries": registries });
    if let Some(hosts) = desk.hosts.to_json() {
        body["hosts"] = hosts;
    }
    body["configuration"] = desk.configuration.to_json();
    if let Some(journal) = desk.operators.health() {
        body["journal"] = journal;
    }
    if let Some(health) = ledger {
        body["ledger"] = health;
    }
    response(status, "application/json", format!("{body:#}\n"))
}

fn response(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_this_machine_from_others() {
        let of = |address: &str| -> SocketAddr { address.parse().expect("an address") };
        for (peer, own, expected) in [
            ("127.0.0.1:40000", "127.0.0.1:9090", true),
            ("[::ffff:127.0.0.1]:40000", "[::]:9090", true),
            ("[::1]:40000", "[::1]:9090", true),
            ("10.0.0.7:40000", "10.0.0.7:9090", true),
            ("10.0.0.8:40000", "10.0.0.7:9090", false),
            ("[2001:db8::1]:40000", "[2001:db8::2]:9090", false),
        ] {
            assert_eq!(is_same_machine(of(peer), of(own)), expected, "{peer} to {own}");
        }
    }
}
