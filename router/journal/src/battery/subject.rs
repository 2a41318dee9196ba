//! What an engine brings to the battery.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::Journal;

/// Longer than anything takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A journal of one engine. Methods that can't do what they should panic with a sentence that says what is missing.
#[async_trait]
pub trait Subject: Send + Sync + Sized + 'static {
    /// Prepares an empty journal that no other test sees.
    async fn set_up() -> Self;

    /// Opens it. No other handle is open: it is the first, or the one before was closed.
    async fn open(&self) -> Arc<dyn Journal>;

    /// Opens it on what would be there if the process that holds `running` were killed now. `running` is not closed
    /// before, and not used after.
    async fn crash(&self, running: Arc<dyn Journal>) -> Arc<dyn Journal>;

    /// Closes it and opens it again.
    async fn restart(&self, running: Arc<dyn Journal>) -> Arc<dyn Journal> {
        running.close().await;
        drop(running);
        self.open().await
    }
}

/// What comes soon. So that a test of what never comes fails with a word.
///
/// # Panics
/// When it does not come; `what` says what was waited for.
pub async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, coming).await {
        Ok(came) => came,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}
