//! The admin listener: whether the node lives, how the registries are, and the metrics.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use rabita_core::Health;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::exchange::Exchanges;

/// Serves operators until dropped.
pub(super) async fn run(socket: TcpListener, exchanges: Arc<Exchanges>, metrics: PrometheusHandle) {
    let mut upkeep = tokio::time::interval(Duration::from_secs(5));
    loop {
        let stream = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = upkeep.tick() => {
                metrics.run_upkeep();
                continue;
            }
        };
        let (exchanges, metrics) = (Arc::clone(&exchanges), metrics.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &exchanges, &metrics);
                async move { Ok::<_, Infallible>(response) }
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

fn answer(request: &Request<Incoming>, exchanges: &Exchanges, metrics: &PrometheusHandle) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n");
    }
    match request.uri().path() {
        "/livez" => response(StatusCode::OK, "text/plain", "alive\n"),
        "/readyz" => ready(exchanges),
        "/metrics" => response(StatusCode::OK, "text/plain; version=0.0.4", metrics.render()),
        _ => response(StatusCode::NOT_FOUND, "text/plain", "/livez, /readyz or /metrics\n"),
    }
}

/// A node is ready while it takes requests. A registry that is not must not take the node away from callers of others.
fn ready(exchanges: &Exchanges) -> Response<Full<Bytes>> {
    let stopping = exchanges.stopping.load(Ordering::Acquire);
    let health = exchanges.bus.health();
    let all = health.values().all(|health| *health == Health::Ready);
    let registries: Map<String, Value> = health.iter().map(|(id, health)| (id.to_string(), health.to_json())).collect();
    let status = if stopping { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({ "ready": !stopping, "all_registries_ready": all, "registries": registries });
    response(status, "application/json", format!("{body:#}\n"))
}

fn response(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
