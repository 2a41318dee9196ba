//! The calls of the journal, each made of the steps that the engine shares ([`super::shared`]).

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use rabita_model::{Conclusion, Entry, Event, Progress, RegistryId, SystemId, Update, UpdateId};
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::watch;

use crate::embedded::position;
use crate::kafka::held::Part;
use crate::kafka::message::{Outcome, Record};
use crate::kafka::{AGAIN, Kafka};
use crate::store::{acts, claims, events, kept, listing, updates};
use crate::writer::closed;
use crate::{Accepted, Acted, Claim, Depth, EventPage, Filter, Journal, JournalError, Kept, Lease, OperatorAct, Page, Position};

#[async_trait]
impl Journal for Kafka {
    async fn claim(&self, system: &SystemId, idempotency_key: &str) -> Result<Option<Claim>, JournalError> {
        let (of, key) = (system.clone(), idempotency_key.to_owned());
        let question = move |connection: &Connection| claims::claim(connection, &of, &key);
        if let Some(claim) = self.shared.readers.read(question.clone()).await? {
            return Ok(Some(claim));
        }
        let topics = self.shared.topics()?;
        self.shared.current(|(topic, _)| *topic == topics.claims.name).await?;
        self.shared.readers.read(question).await
    }

    async fn accept(&self, update: Update) -> Result<Accepted, JournalError> {
        let accepted = self.shared.accept(update).await?;
        if accepted == Accepted::New {
            self.shared.pending.fetch_add(1, Ordering::Relaxed);
        }
        Ok(accepted)
    }

    async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError> {
        self.shared.entry(id).await
    }

    async fn is_waiting(&self, registry: &RegistryId, record: &str) -> Result<bool, JournalError> {
        let topic = self.shared.topic_of(self.shared.topics()?, registry)?;
        let part: Part = (topic.name.clone(), topic.partition(record));
        self.shared.current(|end| *end == part).await?;
        let (registry, record) = (registry.clone(), record.to_owned());
        self.shared.readers.read(move |connection| updates::is_waiting(connection, &registry, &record)).await
    }

    async fn entries(&self, filter: &Filter) -> Result<Page, JournalError> {
        self.shared.refresh().await;
        let filter = filter.clone();
        self.shared.readers.read(move |connection| listing::entries(connection, &filter)).await
    }

    async fn settled(&self, id: UpdateId) -> Result<Entry, JournalError> {
        let waiting = self.shared.settling.wait(id);
        loop {
            // From here on nothing is missed, so what is read now need not be newer.
            let news = waiting.news();
            if let Some(entry) = self.entry(id).await?.filter(|entry| entry.is_parked || entry.conclusion.is_some()) {
                return Ok(entry);
            }
            tokio::select! {
                () = news => {}
                () = self.shared.ended.cancelled() => return Err(closed()),
            }
        }
    }

    async fn take(&self, registry: &RegistryId) -> Result<Lease, JournalError> {
        let shared = &self.shared;
        let line = shared.lines.of(registry);
        let next = async {
            let topic = loop {
                match shared.topics() {
                    Ok(topics) => break shared.topic_of(topics, registry)?,
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            };
            line.next(registry, topic, &shared.held, &shared.readers).await
        };
        tokio::select! {
            lease = next => lease,
            () = shared.ended.cancelled() => Err(closed()),
        }
    }

    async fn progress(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError> {
        let entry = self.shared.standing(lease).await?;
        if entry.is_parked || entry.conclusion.is_some() {
            return Err(JournalError::Lost);
        }
        let (id, generation) = (lease.entry.update.id, lease.entry.generation);
        let outcome = Outcome::Progress { id, generation, progress };
        let records = vec![Record::outcome(self.shared.topics()?, id, &outcome)];
        self.shared.write_as_holder(lease, records).await
    }

    async fn conclude(&self, lease: &Lease, conclusion: Conclusion, events: Vec<Event>) -> Result<(), JournalError> {
        let entry = self.shared.standing(lease).await?;
        if let Some(before) = &entry.conclusion {
            return if *before == conclusion { Ok(()) } else { Err(JournalError::Lost) };
        }
        if entry.is_parked {
            return Err(JournalError::Lost);
        }
        let topics = self.shared.topics()?;
        let mut records = vec![Record::concluded(topics, entry, conclusion)];
        records.extend(events.iter().map(|event| Record::event(topics, event)));
        self.shared.write_as_holder(lease, records).await
    }

    async fn park(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError> {
        let mut entry = self.shared.standing(lease).await?;
        if entry.is_parked && entry.progress == progress {
            return Ok(());
        }
        if entry.is_parked || entry.conclusion.is_some() {
            return Err(JournalError::Lost);
        }
        entry.is_parked = true;
        entry.progress = progress;
        let records = vec![Record::parked(self.shared.topics()?, entry)];
        self.shared.write_as_holder(lease, records).await
    }

    async fn act(&self, act: OperatorAct) -> Result<Vec<(UpdateId, Acted)>, JournalError> {
        self.shared.act(act).await
    }

    async fn acts(&self, limit: usize) -> Result<Vec<OperatorAct>, JournalError> {
        self.shared.refresh().await;
        self.shared.readers.read(move |connection| acts::acts(connection, limit)).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, JournalError> {
        self.shared.refresh().await;
        self.shared.readers.read(listing::depths).await
    }

    async fn events(&self, after: Option<&Position>, limit: usize) -> Result<EventPage, JournalError> {
        let name = &self.shared.ground()?.name;
        let after = after.map(|position| position::parse(name, position)).transpose()?;
        let found = match self.read_events(after, limit).await {
            // The position may be newer than the view, and there may be more than it has.
            Ok(found) if !found.events.is_empty() => found,
            Ok(_) | Err(JournalError::PositionInvalid) => {
                self.shared.current_events().await?;
                self.read_events(after, limit).await?
            }
            Err(error) => return Err(error),
        };
        let events = found.events.into_iter().map(|(seq, event)| (position::of(name, seq), event)).collect();
        Ok(EventPage { events, has_gap: found.has_gap })
    }

    async fn newest(&self) -> Result<Position, JournalError> {
        let name = &self.shared.ground()?.name;
        self.shared.current_events().await?;
        Ok(position::of(name, self.shared.readers.read(events::newest).await?))
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    async fn publish(&self, events: Vec<Event>, kept: Vec<Kept>) -> Result<(), JournalError> {
        self.shared.health.check()?;
        let topics = self.shared.topics()?;
        let records = events.iter().map(|event| Record::event(topics, event));
        let records: Vec<Record> = records.chain(kept.iter().map(|kept| Record::kept(topics, kept))).collect();
        self.shared.order(records, None).await
    }

    async fn kept(&self, prefix: &str) -> Result<Vec<(String, Value)>, JournalError> {
        let topics = self.shared.topics()?;
        self.shared.current(|(topic, _)| *topic == topics.kept.name).await?;
        let prefix = prefix.to_owned();
        self.shared.readers.read(move |connection| kept::kept(connection, &prefix)).await
    }

    fn holds(&self, duty: &str) -> bool {
        let Ok(topics) = self.shared.topics() else { return false };
        self.shared.held.has(&(topics.duties.name.clone(), topics.duties.partition(duty)))
    }

    fn health(&self) -> Result<(), String> {
        let ended = if self.shared.ended.is_cancelled() { Err(closed()) } else { Ok(()) };
        let trouble = || self.shared.writer.trouble().map_or(Ok(()), Err);
        ended.and_then(|()| self.shared.health.check()).and_then(|()| trouble()).map_err(|error| error.to_string())
    }

    async fn close(&self) {
        self.shared.ended.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has told on its own.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        self.shared.readers.close().await;
        self.shared.writer.close().await;
    }
}

impl Kafka {
    async fn read_events(&self, after: Option<i64>, limit: usize) -> Result<position::Found, JournalError> {
        self.shared.readers.read(move |connection| position::events(connection, after, limit)).await
    }
}
