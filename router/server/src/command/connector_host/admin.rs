//! What operators of a host are shown: whether it lives, and which nodes of the bus it is connected to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rabita_sdk::Call;
use rabita_wire::{LineStatus, Served};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::machine::new_exchange;

/// The lines, by the address of their node.
pub(super) type Watches = Vec<(String, watch::Receiver<LineStatus>)>;

/// The longest that a registry may take to answer a probe.
const PROBE_MAX: Duration = Duration::from_secs(5);

/// Serves operators until dropped.
pub(super) async fn run(socket: TcpListener, served: Arc<Served>, watches: Watches) {
    let watches = Arc::new(watches);
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (served, watches) = (Arc::clone(&served), Arc::clone(&watches));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (served, watches) = (Arc::clone(&served), Arc::clone(&watches));
                async move { Ok::<_, Infallible>(answer(&request, &served, &watches).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
    }
}

async fn answer(request: &Request<Incoming>, served: &Served, watches: &Watches) -> Response<Full<Bytes>> {
    let (status, body) = match request.uri().path() {
        "/livez" => (StatusCode::OK, "alive\n".to_owned()),
        "/readyz" => ready(served, watches).await,
        _ => (StatusCode::NOT_FOUND, "/livez or /readyz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

/// A host is ready when a node of the bus can ask it. How its registries are is told beside that.
async fn ready(served: &Served, watches: &Watches) -> (StatusCode, String) {
    let buses: Map<String, Value> = watches.iter().map(|(address, status)| (address.clone(), told(&status.borrow()))).collect();
    let is_ready = buses.values().any(|bus| bus["connected"] == true);
    let probes = join_all(served.registries().map(|registry| async {
        let call = Call { exchange: new_exchange(), deadline: Instant::now() + PROBE_MAX, traceparent: None };
        let probed = registry.connector.probe(&call).await;
        let told = match probed {
            Ok(()) => json!({ "ready": true }),
            Err(failure) => json!({ "ready": false, "why": failure.to_string() }),
        };
        (registry.spec.registry.to_string(), told)
    }));
    let registries: Map<String, Value> = probes.await.into_iter().collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": is_ready, "host": served.instance, "buses": buses, "registries": registries });
    (status, format!("{body:#}\n"))
}

fn told(status: &LineStatus) -> Value {
    match status {
        LineStatus::Up(remarks) => json!({ "connected": true, "remarks": remarks }),
        LineStatus::Down(None) => json!({ "connected": false, "why": "not tried yet" }),
        LineStatus::Down(Some(why)) => json!({ "connected": false, "why": why }),
    }
}
