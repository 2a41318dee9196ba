//! `files` over HTTPS, from nginx. Nothing can be changed there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_model::Operation;
use rabita_sdk::{Ignore, Kind, RegistrySpec};
use rabita_tests::Nginx;
use serde_json::json;

use super::{from, held, is_taken, put, settings};

rabita_battery::battery!(People);

const FILE: &str = "people-1.csv";

const SERVER: &str = "ssl_certificate cert.pem; ssl_certificate_key key.pem; root files;";

/// An agency that publishes one file.
struct People {
    server: Nginx,
    /// nginx tells a file from the one before by its time in whole seconds, and its length.
    time: AtomicU64,
}

fn prepare(directory: &Path) {
    for name in ["files", "changes"] {
        std::fs::create_dir(directory.join(name)).expect("a directory");
    }
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).expect("a certificate");
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).expect("a key");
}

#[async_trait]
impl Subject for People {
    async fn set_up(_need: Need) -> Self {
        let start = || Nginx::start("ssl", SERVER, prepare);
        let server = tokio::task::spawn_blocking(start).await.expect("a server");
        Self { server, time: AtomicU64::new(1_700_000_000) }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_files::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("the server has an address");
        let index = if matches!(target, Target::Nowhere(_)) { "index-of-nowhere" } else { "index" };
        let at = json!({ "url": format!("https://{address}"), "tls": { "ca_file": "cert.pem" } });
        let settings = settings(json!({ "http": { "files": [FILE], "at": at } }), index, 100);
        let mut from = from();
        from.as_object_mut().expect("an object").remove("write");
        let mut spec = people::registry(settings, from);
        spec.directory = self.server.directory().to_path_buf();
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec.entities[0].operations = BTreeSet::from([Operation::Read, Operation::Search]);
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    fn answers_from_copies() -> bool {
        true
    }

    async fn load(&self, people: &[Person]) {
        let directory = self.server.directory();
        let files = directory.join("files");
        let time = self.time.fetch_add(1, Ordering::Relaxed);
        put(&files, ".next", people);
        let next = std::fs::File::options().write(true).open(files.join(".next")).expect("the file");
        next.set_modified(UNIX_EPOCH + Duration::from_secs(time)).expect("a time of its own");
        let length = next.metadata().expect("the file").len();
        std::fs::rename(files.join(".next"), files.join(FILE)).expect("the file");
        is_taken(&directory.join("index"), &format!("{FILE}\tetag:\"{time:x}-{length:x}\"\n")).await;
    }

    async fn people(&self) -> Vec<Person> {
        let directory = self.server.directory();
        held(&directory.join("files"), &directory.join("changes"))
    }

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }
}
