//! The brokers together: where they are, which of them leads what, and a connection to each that is needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::{Connection, Dialler};
use super::messages::{Map, Partition, Where, code};
use crate::wire::Address;

/// What is known of a cluster.
pub(crate) struct Cluster {
    dialler: Arc<Dialler>,
    /// Where to begin.
    bootstrap: Vec<Address>,
    known: Mutex<Known>,
    /// The connection on which it is asked what there is.
    asking: Slot,
    /// Connections on which requests leave, by broker.
    leaving: Mutex<HashMap<i32, Arc<Slot>>>,
}

/// A connection that is made when it is wanted, by one for all who want it.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Option<Arc<Connection>>>);

impl Slot {
    async fn get(&self, dial: impl Future<Output = Result<Connection, String>>) -> Result<Arc<Connection>, String> {
        let mut slot = self.0.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.life.ended.is_cancelled()) {
            return Ok(Arc::clone(connection));
        }
        Ok(Arc::clone(slot.insert(Arc::new(dial.await?))))
    }
}

#[derive(Default)]
struct Known {
    brokers: HashMap<i32, Address>,
    topics: HashMap<String, Arc<[Partition]>>,
}

impl Cluster {
    pub(crate) fn new(dialler: Arc<Dialler>, bootstrap: Vec<Address>) -> Self {
        let (known, asking, leaving) = Default::default();
        Self { dialler, bootstrap, known, asking, leaving }
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
        known.brokers.extend(map.brokers.into_iter().filter_map(|node| {
            let port = u16::try_from(node.port).ok()?;
            Some((node.id, Address { host: node.host, port }))
        }));
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
        self.dialler.dial(&address).await
    }

    /// The connection on which requests to this broker leave.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn leaving(&self, broker: i32) -> Result<Arc<Connection>, String> {
        let slot = Arc::clone(self.leaving.lock().unwrap_or_else(PoisonError::into_inner).entry(broker).or_default());
        slot.get(self.dial(broker)).await
    }

    async fn map(&self, topic: &str) -> Result<Map, String> {
        // One that broke while nobody looked is found out by asking.
        const ATTEMPTS: usize = 2;
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let connection = self.asking.get(self.dial_any()).await?;
            match connection.ask(&Where(topic)).await {
                Ok(map) => return Ok(map),
                Err(broke) => why = broke.said().to_owned(),
            }
        }
        Err(why)
    }

    /// A connection to the first broker that lets it.
    async fn dial_any(&self) -> Result<Connection, String> {
        let known: Vec<Address> = self.known().brokers.values().cloned().collect();
        let mut why = "there is no address".to_owned();
        for address in self.bootstrap.iter().chain(&known) {
            match self.dialler.dial(address).await {
                Ok(connection) => return Ok(connection),
                Err(failed) => why = failed,
            }
        }
        Err(why)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
