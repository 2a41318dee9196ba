//! Whether the client certificate of an open connection still holds.
//!
//! It is verified anew when certificates, authorities or revocation lists were read anew, and when the first of its
//! chain or of the lists is over. A connection lives for days, and what it rests on may not.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::counter;
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use crate::node::evidence;
use crate::node::tls::Loaded;

/// The longest that the clock is not looked at: it may be set, and the machine may sleep.
const GLANCE: Duration = Duration::from_secs(30);

pub(in crate::node) struct Trust {
    chain: Vec<CertificateDer<'static>>,
    /// When the first of the chain is over, in seconds since 1970.
    until: Option<i64>,
    transport: watch::Receiver<Arc<Loaded>>,
}

impl Trust {
    /// Of a connection that was accepted with what the receiver saw last.
    pub fn new(chain: &[CertificateDer<'_>], transport: watch::Receiver<Arc<Loaded>>) -> Self {
        let chain: Vec<_> = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Self { until: evidence::until(&chain), chain, transport }
    }

    /// Whether the certificate holds now. A connection without one has nothing to lose.
    pub fn holds(&self) -> bool {
        if self.chain.is_empty() {
            return true;
        }
        let held = self.transport.borrow().holds(&self.chain);
        if let Err(error) = &held {
            counter!("rabita_connections_distrusted_total").increment(1);
            tracing::info!(%error, "the client certificate of an open connection no longer holds: the connection is closed");
        }
        held.is_ok()
    }

    /// Waits until the certificate no longer holds.
    pub async fn ends(mut self) {
        if self.chain.is_empty() {
            return std::future::pending().await;
        }
        let mut due = self.due(now());
        loop {
            tokio::select! {
                changed = self.transport.changed() => {
                    if changed.is_err() {
                        return std::future::pending().await;
                    }
                    self.transport.mark_unchanged();
                }
                () = tokio::time::sleep(wait(due)) => {
                    if due.is_none_or(|due| now() < due) {
                        continue;
                    }
                }
            }
            if !self.holds() {
                return;
            }
            due = self.due(now());
        }
    }

    /// From which second on the certificate may no longer hold. What is over already and did not matter, does not.
    fn due(&self, now: i64) -> Option<i64> {
        let over = [self.until, self.transport.borrow().lists_until];
        over.into_iter().flatten().map(|until| until.saturating_add(1)).filter(|due| *due > now).min()
    }
}

fn wait(due: Option<i64>) -> Duration {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let due = due.and_then(|due| u64::try_from(due).ok()).map(Duration::from_secs);
    due.map_or(GLANCE, |due| due.saturating_sub(since_1970).min(GLANCE))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
