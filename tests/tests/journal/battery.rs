//! The behaviour that every engine shows.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rabita_journal::Journal;
use rabita_journal::battery::Subject;
use rabita_tests::scratch::Scratch;

use crate::{BROKER, open, options, prefix};

/// A bus of its own on the broker of all tests.
struct Bus {
    prefix: String,
    scratch: Scratch,
    /// How many nodes there were.
    nodes: AtomicUsize,
}

impl Bus {
    async fn node(&self, number: usize) -> Arc<dyn Journal> {
        let directory: PathBuf = self.scratch.path().join(number.to_string());
        let mut options = options(&BROKER.servers(), &self.prefix, &directory);
        // The battery counts on the order among records too, which only one partition has.
        options.partitions = 1;
        Arc::new(open(options).await)
    }
}

#[async_trait]
impl Subject for Bus {
    async fn set_up() -> Self {
        Self { prefix: prefix(), scratch: Scratch::new("journal"), nodes: AtomicUsize::new(0) }
    }

    async fn open(&self) -> Arc<dyn Journal> {
        self.node(self.nodes.load(Ordering::Relaxed)).await
    }

    /// Nothing of the node is left but what is in the topics; another comes in its place. Processes that are really
    /// killed are in [`crate::nodes`].
    async fn crash(&self, running: Arc<dyn Journal>) -> Arc<dyn Journal> {
        drop(running);
        self.node(self.nodes.fetch_add(1, Ordering::Relaxed) + 1).await
    }
}

rabita_journal::battery!(Bus);
