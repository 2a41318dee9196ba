//! The embedded engine: a journal in one directory of one node, and nothing else.
//!
//! The store ([`crate::store`]) is the truth; each change is on the disk before its caller hears of it. What is held in
//! memory besides is little, whatever waits: which updates were given out ([`lines`]), who waits for which
//! ([`settling`]), and how many there are ([`counts`]).

use std::sync::Arc;

use async_trait::async_trait;
use rabita_model::{Code, Conclusion, Entry, Event, Progress, RegistryId, SystemId, Update, UpdateId};
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::readers::Readers;
use crate::store::operate::operate;
use crate::store::schema::{self, Durability};
use crate::store::updates::{Draft, Moved};
use crate::store::{acts, claims, events, kept, listing, updates};
use crate::writer::{Writer, closed};
use crate::{Accepted, Acted, Claim, Depth, EventPage, Filter, Journal, JournalError, Kept, Lease, OperatorAct, Page, Position};

mod counts;
pub(crate) mod directory;
mod lines;
mod options;
pub(crate) mod position;
mod room;
pub(crate) mod settling;
mod shared;
pub(crate) mod upkeep;

pub use options::{Clock, Options};

use counts::{Counts, Place};
use directory::Directory;
use lines::Lines;
use room::Room;
use settling::Settling;
use shared::{Parked, Shared, append, held, taken};

/// So many connections read.
const READERS: u32 = 4;
/// So much work waits for the one thread that writes.
const QUEUE: usize = 4_096;

/// A journal in one directory, for one process at a time.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    /// The name of this journal, which its positions bear.
    name: String,
    room: Room,
    ended: CancellationToken,
    // The readers are closed before the writer: the last connection that closes works the log into the file.
    readers: Readers,
    writer: Writer,
}

impl Embedded {
    /// Opens the journal in a directory, and makes both where they are not there.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] where another process has it, or the disk fails; [`JournalError::Corrupt`] where
    /// what is there is no journal that this program can read.
    pub fn open(options: Options) -> Result<Self, JournalError> {
        let directory = Directory::take(&options.directory)?;
        let file = directory.file();
        let connection = schema::open(&file, Durability::Full)?;
        let name = position::name(&connection)?;
        let depths = listing::depths(&connection)?;
        let shared = Arc::new(Shared {
            lines: Lines::default(),
            settling: Settling::default(),
            counts: Counts::new(options.pending_max, &depths),
            news: watch::Sender::new(position::count(events::newest(&connection)?)),
        });
        let readers = Readers::open(&file, READERS)?;
        let writing =
            crate::writer::Options { queue: QUEUE, upkeep: upkeep::upkeep(&directory, &options), every: options.upkeep_every };
        let room = Room::new(&options.directory, options.reserve_bytes);
        let writer = Writer::open(connection, writing, directory)?;
        Ok(Self { shared, name, room, ended: CancellationToken::new(), readers, writer })
    }

    /// Writes, and turns a refusal that left the store as it was into an error.
    async fn write<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnMut(&Connection) -> Result<Result<T, JournalError>, JournalError> + Send + 'static,
        after: impl FnOnce(&T, &Shared) + Send + 'static,
    ) -> Result<T, JournalError> {
        let shared = Arc::clone(&self.shared);
        let after = move |answer: &Result<T, JournalError>| {
            if let Ok(answer) = answer {
                after(answer, &shared);
            }
        };
        self.writer.write(weight, work, after).await?
    }
}

#[async_trait]
impl Journal for Embedded {
    async fn claim(&self, system: &SystemId, idempotency_key: &str) -> Result<Option<Claim>, JournalError> {
        let (system, key) = (system.clone(), idempotency_key.to_owned());
        self.readers.read(move |connection| claims::claim(connection, &system, &key)).await
    }

    async fn accept(&self, update: Update) -> Result<Accepted, JournalError> {
        let draft = Draft::new(update);
        let Some(place) = Place::take(&self.shared) else {
            // A repetition is no burden, so it is answered also when there is no place for more.
            let known = self.claim(&draft.system, &draft.idempotency_key).await?;
            let full = || JournalError::Full(format!("{} updates wait", self.shared.counts.pending()));
            return known.map(|claim| taken(claim, draft.id)).ok_or_else(full);
        };
        let room = self.room.clone();
        let (registry, weight) = (draft.registry.clone(), draft.weight());
        let work = move |connection: &Connection| {
            if let Some(claim) = claims::claim(connection, &draft.system, &draft.idempotency_key)? {
                return Ok(Ok((taken(claim, draft.id), false)));
            }
            if let Err(full) = room.check() {
                return Ok(Err(full));
            }
            claims::put_claim(connection, &draft.system, &draft.idempotency_key, draft.id, &draft.digest)?;
            match updates::put_update(connection, &draft)? {
                Some(_) => Ok(Ok((Accepted::New, true))),
                None => Err(JournalError::Unavailable("two updates have one id".to_owned())),
            }
        };
        let after = move |(_, is_put): &(Accepted, bool), shared: &Shared| {
            if *is_put {
                place.keep();
                shared.lines.wake(&registry);
            }
        };
        self.write(weight, work, after).await.map(|(accepted, _)| accepted)
    }

    async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError> {
        self.readers.read(move |connection| updates::entry(connection, id)).await
    }

    async fn is_waiting(&self, registry: &RegistryId, record: &str) -> Result<bool, JournalError> {
        let (registry, record) = (registry.clone(), record.to_owned());
        self.readers.read(move |connection| updates::is_waiting(connection, &registry, &record)).await
    }

    async fn entries(&self, filter: &Filter) -> Result<Page, JournalError> {
        let filter = filter.clone();
        self.readers.read(move |connection| listing::entries(connection, &filter)).await
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
                () = self.ended.cancelled() => return Err(closed()),
            }
        }
    }

    async fn take(&self, registry: &RegistryId) -> Result<Lease, JournalError> {
        let line = self.shared.lines.of(registry);
        tokio::select! {
            lease = line.next(&self.readers, &self.shared.counts) => lease,
            () = self.ended.cancelled() => Err(closed()),
        }
    }

    async fn progress(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError> {
        let (id, generation) = (lease.entry.update.id, lease.entry.generation);
        let work =
            move |connection: &Connection| Ok(held(updates::set_progress(connection, id, generation, &progress)?).map(|_| ()));
        self.write(0, work, |(), _| {}).await
    }

    async fn conclude(&self, lease: &Lease, conclusion: Conclusion, events: Vec<Event>) -> Result<(), JournalError> {
        let (id, generation) = (lease.entry.update.id, lease.entry.generation);
        let work = move |connection: &Connection| {
            let moved = updates::conclude(connection, id, Some(generation), &conclusion)?;
            if moved != Moved::Done {
                return Ok(held(moved).map(|_| None));
            }
            append(connection, &events).map(|newest| Ok(Some(newest)))
        };
        let after = move |done: &Option<Option<i64>>, shared: &Shared| {
            if let Some(newest) = done {
                shared.counts.ended(1);
                shared.settling.tell(id);
                shared.announce(*newest);
            }
        };
        self.write(0, work, after).await.map(|_| ())
    }

    async fn park(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError> {
        let Entry { update, generation, .. } = &lease.entry;
        let (id, generation, registry, record) = (update.id, *generation, update.target.registry.clone(), update.record.clone());
        let seq = i64::try_from(lease.ticket).unwrap_or(i64::MAX);
        let is_behind = progress.trouble.as_ref().is_some_and(|trouble| trouble.code == Code::UpdateBehind);
        let of = registry.clone();
        let work = move |connection: &Connection| {
            // Whom it was to wait behind may have been sent on its way in between: nobody would ever fetch it then.
            if is_behind && updates::parked_before(connection, &of, &record, seq)?.is_none() {
                let moved = updates::set_progress(connection, id, generation, &progress)?;
                return Ok(held(moved).map(|_| Parked::Again));
            }
            Ok(held(updates::park(connection, id, generation, &progress)?).map(|is_new| match is_new {
                true => Parked::Now,
                false => Parked::Before,
            }))
        };
        let after = move |parked: &Parked, shared: &Shared| match parked {
            Parked::Now => {
                shared.counts.parked(&registry, 1);
                shared.settling.tell(id);
            }
            Parked::Again => shared.lines.of(&registry).again(seq),
            Parked::Before => {}
        };
        self.write(0, work, after).await.map(|_| ())
    }

    async fn act(&self, act: OperatorAct) -> Result<Vec<(UpdateId, Acted)>, JournalError> {
        let shared = Arc::clone(&self.shared);
        let work = move |connection: &Connection| {
            let operated = operate(connection, &act)?;
            // Before the commit: whoever reads an update on its way again must know that it comes this way.
            for sent in &operated.sent {
                shared.lines.of(&sent.registry).expect(sent.seq);
            }
            Ok(Ok(operated))
        };
        let operated = self.write(0, work, |operated, shared| shared.moved(operated)).await?;
        Ok(operated.answers)
    }

    async fn acts(&self, limit: usize) -> Result<Vec<OperatorAct>, JournalError> {
        self.readers.read(move |connection| acts::acts(connection, limit)).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, JournalError> {
        self.readers.read(listing::depths).await
    }

    async fn events(&self, after: Option<&Position>, limit: usize) -> Result<EventPage, JournalError> {
        let after = after.map(|position| position::parse(&self.name, position)).transpose()?;
        let found = self.readers.read(move |connection| position::events(connection, after, limit)).await?;
        let events = found.events.into_iter().map(|(seq, event)| (position::of(&self.name, seq), event)).collect();
        Ok(EventPage { events, has_gap: found.has_gap })
    }

    async fn newest(&self) -> Result<Position, JournalError> {
        Ok(position::of(&self.name, self.readers.read(events::newest).await?))
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    async fn publish(&self, events: Vec<Event>, kept: Vec<Kept>) -> Result<(), JournalError> {
        let room = self.room.clone();
        let work = move |connection: &Connection| {
            // What is kept alone is small, and delivery needs it also when the disk is full.
            if let Err(full) = if events.is_empty() { Ok(()) } else { room.check() } {
                return Ok(Err(full));
            }
            for kept in &kept {
                kept::keep(connection, kept)?;
            }
            append(connection, &events).map(Ok)
        };
        self.write(0, work, |newest, shared| shared.announce(*newest)).await.map(|_| ())
    }

    async fn kept(&self, prefix: &str) -> Result<Vec<(String, Value)>, JournalError> {
        let prefix = prefix.to_owned();
        self.readers.read(move |connection| kept::kept(connection, &prefix)).await
    }

    fn holds(&self, _duty: &str) -> bool {
        !self.ended.is_cancelled()
    }

    fn health(&self) -> Result<(), String> {
        if self.ended.is_cancelled() {
            return Err(closed().to_string());
        }
        let trouble = self.writer.trouble().map_or(Ok(()), Err);
        trouble.and_then(|()| self.room.check()).map_err(|error| error.to_string())
    }

    async fn close(&self) {
        self.ended.cancel();
        self.readers.close().await;
        self.writer.close().await;
    }
}
