//! The embedded engine passes the battery, and what is special about it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rabita_journal::battery::Subject;
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Journal};
use tempfile::TempDir;

#[path = "embedded/directory.rs"]
mod directory;
#[path = "embedded/durable.rs"]
mod durable;
#[path = "embedded/kill.rs"]
mod kill;
#[path = "embedded/retention.rs"]
mod retention;
#[path = "embedded/room.rs"]
mod room;
#[path = "embedded/torn.rs"]
mod torn;

/// A journal in a scratch directory.
struct Scratch {
    scratch: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self { scratch: tempfile::tempdir().expect("a scratch directory") }
    }

    fn directory(&self) -> PathBuf {
        self.scratch.path().join("journal")
    }

    fn options(&self) -> Options {
        Options::new(self.directory(), Arc::new(Timestamp::now))
    }

    fn embedded(&self) -> Embedded {
        Embedded::open(self.options()).expect("opens")
    }
}

/// Copies what a process that is killed now would leave. The log comes last: what it holds of the file is not gone.
fn copy_as_it_is(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for name in ["journal.db", "journal.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).expect("a copy");
        }
    }
}

#[async_trait]
impl Subject for Scratch {
    async fn set_up() -> Self {
        Self::new()
    }

    async fn open(&self) -> Arc<dyn Journal> {
        Arc::new(self.embedded())
    }

    async fn crash(&self, running: Arc<dyn Journal>) -> Arc<dyn Journal> {
        let kept = self.scratch.path().join("as_it_was");
        copy_as_it_is(&self.directory(), &kept);
        running.close().await;
        std::fs::remove_dir_all(self.directory()).expect("it was there");
        std::fs::rename(&kept, self.directory()).expect("the copy takes its place");
        self.open().await
    }
}

rabita_journal::battery!(Scratch);
