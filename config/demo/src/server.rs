//! The legacy servers: where they listen, how they stop, and how they are closed for a while.
//!
//! A register is closed while there is a file of its name in the directory `closed/`: it answers 503 to everybody.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::DemoError;

/// A place to listen that is taken already, so that the configuration can name it before anything is served.
pub(crate) struct Place {
    registry: &'static str,
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Place {
    /// Takes a port of the loopback interface; port 0 takes a free one.
    pub(crate) async fn take(registry: &'static str, port: u16) -> Result<Self, DemoError> {
        let wanted = SocketAddr::from(([127, 0, 0, 1], port));
        let failed = |source| DemoError::Listen { registry, address: wanted.to_string(), source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { registry, listener, address })
    }
}

/// The running legacy servers. They end when this is dropped; [`Self::stop`] lets them end what is under way.
pub struct Servers {
    running: JoinSet<std::io::Result<()>>,
    stop: watch::Sender<bool>,
}

impl Servers {
    pub(crate) fn start(places: Vec<(Place, Router)>, closed: &Path) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        for (place, router) in places {
            let router = router.layer(middleware::from_fn_with_state(closed.join(place.registry), unless_closed));
            let mut stopped = stopped.clone();
            let ended = async move {
                // An error means that the sender is gone, which is as good as its word.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            running.spawn(async move { axum::serve(place.listener, router).with_graceful_shutdown(ended).await });
        }
        Self { running, stop }
    }

    /// Stops taking connections and waits for the exchanges under way.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

/// After so many seconds it is worth asking again.
const CLOSED_SECONDS: &str = "1";

async fn unless_closed(State(mark): State<PathBuf>, request: Request, next: Next) -> Response {
    if mark.exists() {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, CLOSED_SECONDS)], "texniki fasilə").into_response();
    }
    next.run(request).await
}
