//! `files` on directories that OpenSSH shares by SFTP: drops come from one, changes go to the other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_sdk::{Ignore, Kind, RegistrySpec, SecretRef, SecretText, Secrets};
use rabita_tests::Sshd;
use rabita_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::{empty, from, held, is_taken, outgoing, put, settings};

rabita_battery::battery!(People);

/// The keys that lie in files.
struct Keys;

impl Secrets for Keys {
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String> {
        match secret {
            SecretRef::File(file) => std::fs::read_to_string(&file.file).map(SecretText::new).map_err(|error| error.to_string()),
            SecretRef::Env(_) => Err("the key lies in a file".to_owned()),
        }
    }
}

/// An agency with a server of its own.
struct People {
    // Dropped in this order: the server shares the directory.
    server: Sshd,
    drops: AtomicU32,
    scratch: Scratch,
}

impl People {
    fn directory(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn shared(&self, address: SocketAddr, name: &str) -> Value {
        json!({ "sftp": {
            "host": address.ip().to_string(),
            "port": address.port(),
            "user": self.server.user(),
            "host_key": self.server.host_key(),
            "key": { "file": self.server.user_key() },
            "path": self.directory(name),
        } })
    }
}

#[async_trait]
impl Subject for People {
    async fn set_up(_need: Need) -> Self {
        let server = tokio::task::spawn_blocking(Sshd::start).await.expect("a server");
        let subject = Self { server, drops: AtomicU32::new(0), scratch: Scratch::new("files-sftp") };
        for name in ["drops", "changes"] {
            std::fs::create_dir(subject.directory(name)).expect("a directory");
        }
        subject
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_files::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("the server has an address");
        let index = if matches!(target, Target::Nowhere(_)) { "index-of-nowhere" } else { "index" };
        let mut settings = settings(self.shared(address, "drops"), index, 100);
        settings["outgoing"] = outgoing(self.shared(address, "changes"));
        let mut spec = people::registry(settings, from());
        people::add_changes(&mut spec, json!({ "difference": "drops" }));
        spec.directory = self.scratch.path().to_path_buf();
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec
    }

    fn secrets(&self) -> Box<dyn Secrets> {
        Box::new(Keys)
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
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

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }
}
