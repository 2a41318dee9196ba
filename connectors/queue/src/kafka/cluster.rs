//! The brokers together: where they are, which of them leads what, and a connection to each that is needed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Dialler};
use super::messages::{Map, Node, Partition, Where, code};
use crate::wire::{Address, Patience};

/// What is known of a cluster.
pub(crate) struct Cluster {
    dialler: Arc<Dialler>,
    /// Where to begin.
    bootstrap: Vec<Address>,
    /// The address that is tried first.
    turn: AtomicUsize,
    known: Mutex<Known>,
    /// The connection on which it is asked what there is.
    asking: Slot,
    /// Connections on which requests leave, by broker.
    leaving: Mutex<HashMap<i32, Arc<Slot>>>,
    /// With it all connections end.
    ended: CancellationToken,
}

#[derive(Default)]
struct Known {
    brokers: HashMap<i32, Address>,
    topics: HashMap<String, Arc<[Partition]>>,
}

/// A connection that is made when it is wanted, by one for all who want it.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Made>);

#[derive(Default)]
enum Made {
    #[default]
    Nothing,
    /// Then, and for this reason.
    Failed(Instant, String),
    Connection(Arc<Connection>),
}

impl Slot {
    async fn get(&self, dial: impl Future<Output = Result<Connection, String>>) -> Result<Arc<Connection>, String> {
        let came = Instant::now();
        let mut made = self.0.lock().await;
        match &*made {
            Made::Connection(connection) if !connection.life.ended.is_cancelled() => return Ok(Arc::clone(connection)),
            // An attempt that was under way when the call came is as good as one of its own.
            Made::Failed(when, why) if *when > came => return Err(why.clone()),
            _ => {}
        }
        match dial.await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *made = Made::Connection(Arc::clone(&connection));
                Ok(connection)
            }
            Err(why) => {
                *made = Made::Failed(Instant::now(), why.clone());
                Err(why)
            }
        }
    }
}

impl Cluster {
    pub(crate) fn new(dialler: Arc<Dialler>, bootstrap: Vec<Address>, ended: CancellationToken) -> Self {
        let (turn, known, asking, leaving) = Default::default();
        Self { dialler, bootstrap, turn, known, asking, leaving, ended }
    }

    /// A topic's partitions in their order, as they were found last.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(crate) async fn topic(&self, name: &str) -> Result<Arc<[Partition]>, String> {
        let known = self.known().topics.get(name).cloned();
        match known {
            Some(partitions) => Ok(partitions),
            None => self.look_up(name).await,
        }
    }

    /// A topic's partitions in their order, as they are now.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(crate) async fn look_up(&self, name: &str) -> Result<Arc<[Partition]>, String> {
        let map = self.map(name).await?;
        let mut known = self.known();
        known.topics.remove(name);
        known.brokers = map.brokers.into_iter().filter_map(|node| Some((node.id, address_of(&node)?))).collect();
        self.slots().retain(|broker, _| known.brokers.contains_key(broker));
        let found = map.topics.into_iter().find(|topic| topic.name == name);
        match found.map(|topic| (topic.code, topic.partitions)) {
            Some((code::NONE, mut partitions)) if !partitions.is_empty() => {
                partitions.sort_unstable();
                let partitions: Arc<[Partition]> = partitions.into();
                known.topics.insert(name.to_owned(), Arc::clone(&partitions));
                Ok(partitions)
            }
            None | Some((code::NONE | code::UNKNOWN_TOPIC_OR_PARTITION, _)) => {
                Err(format!("there is no topic `{name}`: correct its name, or have it made"))
            }
            Some((code::TOPIC_AUTHORIZATION_FAILED, _)) => Err(format!("the user may not use the topic `{name}`")),
            Some((code::LEADER_NOT_AVAILABLE, _)) => Err(format!("the topic `{name}` has no leader now")),
            Some((code::INVALID_TOPIC, _)) => Err(format!("`{name}` can't be the name of a topic")),
            Some((other, _)) => Err(format!("the brokers answer with {other} for the topic `{name}`")),
        }
    }

    /// What was found of a topic does not hold any more.
    pub(crate) fn forget(&self, name: &str) {
        self.known().topics.remove(name);
    }

    /// A new connection to a broker.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn dial(&self, broker: i32) -> Result<Connection, String> {
        let address = self.known().brokers.get(&broker).cloned();
        let address = address.ok_or_else(|| "a partition has no leader now".to_owned())?;
        self.dialler.dial(&address, &self.ended).await
    }

    /// The connection on which requests to this broker leave.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn leaving(&self, broker: i32) -> Result<Arc<Connection>, String> {
        let slot = Arc::clone(self.slots().entry(broker).or_default());
        slot.get(self.dial(broker)).await
    }

    async fn map(&self, topic: &str) -> Result<Map, String> {
        // One that broke while nobody looked is found out by asking.
        const ATTEMPTS: usize = 2;
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let connection = self.asking.get(self.dial_any()).await?;
            let mut patience = Patience::with(&connection.life);
            let answer = tokio::time::timeout(self.dialler.timeout, connection.ask(&Where(topic))).await;
            patience.is_over = true;
            match answer {
                Ok(Ok(map)) => return Ok(map),
                Ok(Err(broke)) => why = broke.said().to_owned(),
                Err(_) => {
                    connection.life.ended.cancel();
                    why = "the broker gives no answer".to_owned();
                }
            }
            // Another may know.
            self.turn.fetch_add(1, Ordering::Relaxed);
        }
        Err(why)
    }

    /// A connection to the first broker that lets it.
    async fn dial_any(&self) -> Result<Connection, String> {
        let mut addresses = self.bootstrap.clone();
        addresses.extend(self.known().brokers.values().cloned());
        let first = self.turn.load(Ordering::Relaxed) % addresses.len().max(1);
        addresses.rotate_left(first);
        let mut why = "there is no address".to_owned();
        for address in &addresses {
            match self.dialler.dial(address, &self.ended).await {
                Ok(connection) => return Ok(connection),
                Err(failed) => why = failed,
            }
        }
        Err(why)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<i32, Arc<Slot>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A broker tells any text for its host: only what is a host is taken for one.
fn address_of(node: &Node) -> Option<Address> {
    let host = if node.host.contains(':') { format!("[{}]", node.host) } else { node.host.clone() };
    Address::parse(&format!("{host}:{}", node.port), None)
}
