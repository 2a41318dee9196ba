//! A connector that does what a test says, and a link to it within the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use rabita_battery::people;
use rabita_sdk::{
    Applied, BinaryStream, Call, Capabilities, Change, Connector, Duplicates, Failure, Legacy, OpenBinary, Page, Promise, Read,
    RegistrySpec, Row, Search,
};
use rabita_wire::{Link, LinkError, LinkOptions, SPOKEN, Served, Versions, dial};
use serde_json::json;
use tokio::io::duplex;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub const PROMISE: Promise = Promise { duplicates: Duplicates::Detected, checks_versions: true };

/// The registry of the battery's people.
pub fn spec() -> RegistrySpec {
    people::registry(json!({}), json!("people"))
}

/// What a scripted connector answers.
#[derive(Clone)]
pub enum Does {
    /// Reads give a row with this family name, changes are done.
    Answers(&'static str),
    Fails(Failure),
    /// Nothing comes of a call until it is dropped.
    Hangs,
    /// A binary value of which the last part never comes: it is told to be longer.
    CutsShort,
}

/// A connector that does what a test says, and counts.
pub struct Scripted {
    does: Does,
    pub asked: AtomicUsize,
    pub dropped: Arc<AtomicUsize>,
    pub begun: Semaphore,
}

impl Scripted {
    pub fn new(does: Does) -> Arc<Self> {
        Arc::new(Self { does, asked: AtomicUsize::new(0), dropped: Arc::default(), begun: Semaphore::new(0) })
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn done<T>(&self, good: impl FnOnce(&'static str) -> T) -> Result<T, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.begun.add_permits(1);
        match &self.does {
            Does::Answers(family) => Ok(good(family)),
            Does::Fails(failure) => Err(failure.clone()),
            Does::Hangs | Does::CutsShort => {
                let _counts = CountsItsEnd(Arc::clone(&self.dropped));
                std::future::pending().await
            }
        }
    }
}

struct CountsItsEnd(Arc<AtomicUsize>);

impl Drop for CountsItsEnd {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connector for Scripted {
    fn capabilities(&self, entity: usize) -> Capabilities {
        PROMISE.of(&spec(), entity)
    }

    async fn probe(&self, _call: &Call) -> Result<(), Failure> {
        self.done(|_| ()).await
    }

    async fn read(&self, ask: Read, _call: &Call) -> Result<Option<Row>, Failure> {
        self.done(|family| Some(Row::from_iter([("pin", ask.key[0].clone()), ("family", family.into())]))).await
    }

    async fn search(&self, _ask: Search, _call: &Call) -> Result<Page, Failure> {
        self.done(|_| Page::default()).await
    }

    async fn apply(&self, _change: Change, _call: &Call) -> Result<Applied, Failure> {
        self.done(|_| Applied::Done).await
    }

    async fn open_binary(&self, _ask: OpenBinary, _call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let parts = match self.does {
            Does::CutsShort => vec![Ok(Bytes::from_static(b"half")), Err(Failure::malformed("the rest is gone"))],
            _ => vec![Ok(Bytes::from_static(b"half")), Ok(Bytes::from_static(b"half"))],
        };
        Ok(Some(BinaryStream { length: Some(8), media_type: Some("image/png".into()), chunks: Box::pin(stream::iter(parts)) }))
    }

    async fn table(&self, _table: usize, _call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        Err(Failure::unsupported("it has no code tables"))
    }

    async fn close(&self) {}
}

/// A link to a connector. The host's side ends when the task is aborted.
pub async fn link(host: &str, connector: Arc<Scripted>) -> (Arc<Link>, JoinHandle<()>) {
    let (link, serving) = meeting(host, connector, SPOKEN, SPOKEN).await;
    (link.unwrap_or_else(|error| panic!("no link: {error}")), serving)
}

/// The same, where each side speaks these versions.
pub async fn meeting(
    host: &str,
    connector: Arc<Scripted>,
    bus: Versions,
    own: Versions,
) -> (Result<Arc<Link>, LinkError>, JoinHandle<()>) {
    let mut served = Served::new(host, "test");
    served.versions = own;
    let served = Arc::new(served.with(spec(), "wire", connector));
    let (stream, side) = duplex(1024 * 1024);
    let serving = tokio::spawn(dial::serve_on(side, served));
    let patience = Duration::from_secs(10);
    let options = LinkOptions { host: host.to_owned(), versions: bus, answer_max: 1024 * 1024, patience };
    let opened = Link::open(stream, options).await.map(|(link, driver)| {
        tokio::spawn(driver);
        link
    });
    (opened, serving)
}
