//! Takes updates on.
//!
//! First the system's claim to its idempotency key is written, and the view waited for: the first claim in the log
//! holds, whichever node wrote it. Only who holds it writes the update. When a node ends between the two, whoever
//! repeats the same submission finishes it, under the id of the first, and is answered as for a known one.

use rabita_model::{RegistryId, Update};
use rdkafka::producer::FutureRecord;

use crate::kafka::client::{DELIVERY, unavailable};
use crate::kafka::held::Part;
use crate::kafka::message::{Claimed, Record};
use crate::kafka::topics::{Topic, Topics};
use crate::kafka::{PATIENCE, Shared};
use crate::store::updates::{self, json};
use crate::{Accepted, Claim, JournalError};

impl Shared {
    /// As [`crate::Journal::accept`].
    pub(super) async fn accept(&self, update: Update) -> Result<Accepted, JournalError> {
        let topics = self.topics()?;
        let topic = self.topic_of(topics, &update.target.registry)?;
        let held = match self.known(&update).await? {
            Some(claim) => claim,
            None => self.win(topics, &update).await?,
        };
        if held.id == update.id {
            self.refuse_overflow()?;
            self.write_update(topic, &update).await?;
            return Ok(Accepted::New);
        }
        if held.digest == update.digest && !self.is_there(topic, &update.record, &held).await? {
            self.refuse_overflow()?;
            self.write_update(topic, &Update { id: held.id, ..update }).await?;
        }
        Ok(Accepted::Known(held))
    }

    /// The topic of a registry's updates.
    pub(super) fn topic_of<'a>(&self, topics: &'a Topics, registry: &RegistryId) -> Result<&'a Topic, JournalError> {
        let unknown = || JournalError::Unavailable(format!("it was opened without the registry {registry}"));
        topics.updates.get(registry).ok_or_else(unknown)
    }

    async fn known(&self, update: &Update) -> Result<Option<Claim>, JournalError> {
        let (system, key) = (update.system.clone(), update.idempotency_key.clone());
        self.readers.read(move |connection| crate::store::claims::claim(connection, &system, &key)).await
    }

    /// Claims the key, and answers whose it is.
    async fn win(&self, topics: &Topics, update: &Update) -> Result<Claim, JournalError> {
        self.refuse_overflow()?;
        let claimed = Claimed {
            system: update.system.clone(),
            idempotency_key: update.idempotency_key.clone(),
            id: update.id,
            digest: update.digest.clone(),
        };
        let end = self.write(&Record::claimed(topics, &claimed)).await?;
        self.positions.reach(&[end], PATIENCE).await?;
        let held = self.known(update).await?;
        held.ok_or_else(|| JournalError::Unavailable("a claim was not kept".to_owned()))
    }

    /// Whether the update of a claim was written.
    async fn is_there(&self, topic: &Topic, record: &str, claim: &Claim) -> Result<bool, JournalError> {
        let id = claim.id;
        let question = move |connection: &rusqlite::Connection| updates::standing(connection, id);
        if self.readers.read(question).await?.is_some() {
            return Ok(true);
        }
        let part: Part = (topic.name.clone(), topic.partition(record));
        self.current(|end| *end == part).await?;
        Ok(self.readers.read(question).await?.is_some())
    }

    async fn write_update(&self, topic: &Topic, update: &Update) -> Result<(), JournalError> {
        let (partition, key) = (topic.partition(&update.record), update.record.clone());
        let record = Record { topic: topic.name.clone(), partition, key, body: Some(json(update)), headers: Vec::new() };
        self.write(&record).await.map(|_| ())
    }

    /// Writes one message by itself. It is durable when this answers; the offset after it.
    async fn write(&self, record: &Record) -> Result<(Part, i64), JournalError> {
        let message = FutureRecord::to(&record.topic).partition(record.partition).key(&record.key);
        let message = match &record.body {
            Some(body) => message.payload(body),
            None => message,
        };
        let producer = self.producer()?;
        let delivery = producer.send(message, DELIVERY).await.map_err(|(error, _)| unavailable(&error))?;
        Ok(((record.topic.clone(), delivery.partition), delivery.offset + 1))
    }
}
