//! `files` on a directory. There is no server to be slow or killed; the directory of drops can be away.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Stall, Subject, Target, people};
use rabita_sdk::{Ignore, Kind, RegistrySpec};
use rabita_tests::scratch::Scratch;
use serde_json::json;

use super::{empty, from, held, is_taken, outgoing, put, settings};

rabita_battery::battery!(People);

/// An agency with a directory of drops and one of changes.
struct People {
    drops: AtomicU32,
    scratch: Scratch,
}

impl People {
    fn directory(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

#[async_trait]
impl Subject for People {
    async fn set_up(_need: Need) -> Self {
        let subject = Self { drops: AtomicU32::new(0), scratch: Scratch::new("files") };
        for name in ["drops", "changes", "noise"] {
            std::fs::create_dir(subject.directory(name)).expect("a directory");
        }
        let noise: Vec<u8> = (0..64 * 1024_u32).map(|place| place.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        std::fs::write(subject.directory("noise").join("people-0001.csv"), noise).expect("a file of noise");
        subject
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_files::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let (source, index) = match target {
            Target::Nowhere(_) => ("nowhere", "index-of-nowhere"),
            Target::Noise => ("noise", "index-of-noise"),
            Target::System | Target::Proxy(_) => ("drops", "index"),
        };
        let mut settings = settings(json!({ "directory": source }), index, 20);
        settings["outgoing"] = outgoing(json!({ "directory": "changes" }));
        let mut spec = people::registry(settings, from());
        people::add_changes(&mut spec, json!({ "difference": "drops" }));
        spec.directory = self.scratch.path().to_path_buf();
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        None
    }

    fn answers_from_copies() -> bool {
        true
    }

    async fn load(&self, people: &[Person]) {
        let name = format!("people-{:04}.csv", self.drops.fetch_add(1, Ordering::Relaxed));
        put(&self.directory("drops"), &name, people);
        empty(&self.directory("changes"));
        is_taken(&self.directory("index"), &format!("{name}\t")).await;
    }

    async fn people(&self) -> Vec<Person> {
        held(&self.directory("drops"), &self.directory("changes"))
    }

    /// As when the disk of the directory goes away.
    async fn stop(&self) {
        std::fs::rename(self.directory("drops"), self.directory("away")).expect("the directory");
    }

    async fn start(&self) {
        std::fs::rename(self.directory("away"), self.directory("drops")).expect("the directory");
    }

    async fn hold(&self) -> Stall {
        self.stop().await;
        Box::new(Away { from: self.directory("away"), to: self.directory("drops") })
    }
}

/// A directory that comes back when this is dropped.
struct Away {
    from: PathBuf,
    to: PathBuf,
}

impl Drop for Away {
    fn drop(&mut self) {
        std::fs::rename(&self.from, &self.to).expect("the directory");
    }
}
