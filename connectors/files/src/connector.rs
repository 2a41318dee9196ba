//! The connector: what becomes of each call.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rabita_model::Operation;
use rabita_sdk::{
    Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Duplicates, Failure, Ignore, Legacy,
    OpenBinary, Page, Read, Row, Search,
};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::index::{Found, Query, Table, digest, key_bytes};
use crate::plan::{Picked, Plan};
use crate::reading::Trouble;
use crate::shared::{Doubt, Phase, Shared};
use crate::watch::{Stopped, blocking};

/// A registry that comes as files.
pub struct Files {
    pub(crate) shared: Arc<Shared>,
    /// The number of entities; the plans after them are code tables.
    pub(crate) entities: usize,
    pub(crate) turns: Semaphore,
    pub(crate) watch: AbortHandle,
    /// The directory of a stand-in, which goes with it.
    pub(crate) double: Option<tempfile::TempDir>,
}

impl Drop for Files {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.watch.abort();
    }
}

#[async_trait]
impl Connector for Files {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let plan = self.shared.plans.get(entity).filter(|_| entity < self.entities);
        let is_changed = self.shared.changing(entity).is_ok();
        let can = |operation: &Operation| match operation {
            Operation::Read | Operation::Search => true,
            Operation::Create | Operation::Replace | Operation::Update | Operation::Delete => is_changed,
            Operation::Subscribe => plan.is_some_and(|plan| plan.has_changes),
            Operation::Act => false,
        };
        let operations: BTreeSet<Operation> =
            plan.map(|plan| plan.operations.iter().copied().filter(can).collect()).unwrap_or_default();
        Capabilities {
            operations,
            reads_many_at_once: true,
            projects: true,
            ignores: vec![Ignore::Case, Ignore::OuterSpaces],
            streams_binary: true,
            checks_versions: is_changed && plan.is_some_and(|plan| plan.version.is_some()),
            duplicates: if is_changed { Duplicates::Detected } else { Duplicates::Applied },
        }
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        for place in 0..self.shared.plans.len() {
            match in_time(call, async { Ok(self.shared.known(place).await) }).await? {
                // A test gives a stand-in the files that it needs.
                Phase::Nothing(_) if self.double.is_some() => {}
                Phase::Nothing(why) | Phase::Served { doubt: Some(Doubt::Away(why)) } => return Err(Failure::unavailable(why)),
                Phase::Served { doubt: Some(Doubt::Refused(why)) } => return Err(Failure::malformed(why)),
                Phase::Starting | Phase::Served { doubt: None } => {}
            }
        }
        let listed = in_time(call, async { Ok(self.shared.origin.list(&|_| false).await) }).await?;
        listed.map_err(Failure::unavailable)?;
        match self.shared.outbox.as_ref().and_then(crate::outbox::Outbox::trouble) {
            Some(why) => Err(Failure::unavailable(why)),
            None => Ok(()),
        }
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        Ok(self.read_many(vec![ask], call).await?.pop().flatten())
    }

    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let Some(first) = asks.first() else { return Ok(Vec::new()) };
        let entity = first.entity;
        self.serves(entity, Operation::Read)?;
        self.run(entity, call, move |shared, deadline| {
            let plan = shared.plan(entity)?;
            let picked = plan.pick(&asks[0].wanted);
            let places: Vec<usize> = picked.iter().map(|one| one.place).collect();
            shared.view(entity, deadline, |view| {
                let read = |ask: &Read| -> Result<Option<Row>, Trouble> {
                    // What is no text is the key of no record.
                    let Some(key) = key_bytes(&ask.key) else { return Ok(None) };
                    Ok(view.one(&key, &places)?.map(|found| plan.row(&picked, found.values)))
                };
                asks.iter().map(read).collect()
            })
        })
        .await
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let entity = ask.entity;
        self.serves(entity, Operation::Search)?;
        self.run(entity, call, move |shared, deadline| search(shared, &ask, deadline)).await
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        let entity = change.entity;
        self.serves(entity, change.kind.operation())?;
        let outbox = self.shared.changing(entity)?.outbox;
        if change.expected_version.is_some() && self.shared.plan(entity)?.version.is_none() {
            return Err(Failure::unsupported("changes of this entity do not depend on a version"));
        }
        in_time(call, async { outbox.ready(&self.shared).await.map_err(Failure::unavailable) }).await?;
        let applied = self.run(entity, call, move |shared, deadline| shared.change(entity, &change, deadline)).await?;
        if applied == Applied::Done && outbox.is_immediate() {
            // The change is made, and its file is written sooner or later. Whoever sends it again is told when it is.
            in_time(call, async { outbox.flush(Arc::clone(&self.shared)).await.map_err(|detail| Failure::Unknown { detail }) })
                .await?;
        }
        Ok(applied)
    }

    async fn forgo(&self, entity: usize, id: Uuid, call: &Call) -> Result<bool, Failure> {
        self.shared.changing(entity)?;
        self.run(entity, call, move |shared, deadline| shared.forgo(entity, id, deadline)).await
    }

    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        let entity = ask.entity;
        self.serves(entity, Operation::Subscribe)?;
        self.run(entity, call, move |shared, deadline| shared.changes(entity, &ask, deadline)).await
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let entity = ask.entity;
        let value = self.run(entity, call, move |shared, deadline| binary(shared, &ask, deadline)).await?;
        Ok(value.map(|bytes| {
            let length = Some(bytes.len() as u64);
            let pieces: Vec<Result<Bytes, Failure>> = pieces(bytes).map(Ok).collect();
            BinaryStream { length, media_type: None, chunks: Box::pin(futures_util::stream::iter(pieces)) }
        }))
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let place = self.entities + table;
        if self.shared.plans.len() <= place {
            return Err(Failure::unsupported("there is no such table"));
        }
        if self.double.is_some() && matches!(self.shared.known(place).await, Phase::Nothing(_)) {
            return Ok(Vec::new());
        }
        self.run(place, call, move |shared, deadline| {
            let plan = shared.plan(place)?;
            let places: Vec<usize> = (0..plan.kept.columns.len()).collect();
            let found = shared.view(place, deadline, |view| view.some(|_| Ok(Query::default()), &places, TABLE_MAX + 1))?;
            if found.len() > TABLE_MAX {
                return Err(Failure::malformed(format!("the table of codes has more than {TABLE_MAX} rows")));
            }
            Ok(found.into_iter().map(|found| found.values).collect())
        })
        .await
    }

    async fn close(&self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.watch.abort();
        self.shared.readers.close();
    }
}

/// The most rows of a table of codes.
const TABLE_MAX: usize = 200_000;

/// A binary value is handed over in pieces of this size.
const PIECE: usize = 256 * 1024;

impl Files {
    fn serves(&self, entity: usize, operation: Operation) -> Result<(), Failure> {
        if self.capabilities(entity).operations.contains(&operation) {
            return Ok(());
        }
        Err(Failure::unsupported(format!("this entity has no `{operation}`")))
    }

    /// Runs what blocks, in its turn and until the deadline, once there is something to answer from.
    async fn run<T: Send + 'static>(
        &self,
        place: usize,
        call: &Call,
        work: impl FnOnce(&Shared, Instant) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (deadline, shared) = (call.deadline, Arc::clone(&self.shared));
        in_time(call, async {
            shared.known(place).await;
            let _turn = self.turns.acquire().await.map_err(|_| Failure::unavailable("the connector is closed"))?;
            let working = Arc::clone(&shared);
            blocking(move || work(&working, deadline)).await.map_err(|stopped| {
                if stopped == Stopped::BrokenOff {
                    tracing::error!(registry = shared.registry, "a call broke off: this is a defect of the bus");
                }
                Failure::unavailable(stopped)
            })?
        })
        .await
    }
}

/// What is done until the deadline.
async fn in_time<T>(call: &Call, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::timed_out("the deadline passed");
    if call.remaining().is_zero() {
        return Err(late());
    }
    tokio::time::timeout(call.remaining(), work).await.unwrap_or_else(|_| Err(late()))
}

fn search(shared: &Shared, ask: &Search, deadline: Instant) -> Result<Page, Failure> {
    let plan = shared.plan(ask.entity)?;
    let after = ask.cursor.as_deref().map(|cursor| place_of(plan, cursor)).transpose()?;
    let picked: Vec<Picked> = plan.pick(&ask.wanted);
    let places: Vec<usize> = picked.iter().map(|one| one.place).collect();
    let limit = ask.limit.max(1);
    let query = |table: &Table| {
        let mut query = Query::new(plan, table, &ask.conditions)?;
        if let Some(after) = &after {
            query.after(after.clone());
        }
        Ok(query)
    };
    let mut found = shared.view(ask.entity, deadline, |view| view.some(query, &places, limit.saturating_add(1)))?;
    let next = (found.len() > limit).then(|| found.truncate(limit)).and(found.last()).map(|last| cursor(plan, last));
    Ok(Page { rows: found.into_iter().map(|found| plan.row(&picked, found.values)).collect(), next })
}

/// The opaque place after a record: its key, with a check that it was given by this entity.
fn cursor(plan: &Plan, last: &Found) -> String {
    format!("{}.{:016x}", URL_SAFE_NO_PAD.encode(&last.key), check(plan, &last.key))
}

fn place_of(plan: &Plan, cursor: &str) -> Result<Vec<u8>, Failure> {
    let parts = cursor.split_once('.').and_then(|(key, told)| {
        let key = URL_SAFE_NO_PAD.decode(key).ok()?;
        (u64::from_str_radix(told, 16).ok()? == check(plan, &key)).then_some(key)
    });
    parts.ok_or_else(|| Failure::refused("the cursor is none of this search's"))
}

fn check(plan: &Plan, key: &[u8]) -> u64 {
    use rusqlite::types::Value;
    digest(&[Value::Text(plan.name.clone()), Value::Blob(key.to_vec())]).cast_unsigned()
}

fn binary(shared: &Shared, ask: &OpenBinary, deadline: Instant) -> Result<Option<Vec<u8>>, Failure> {
    let plan = shared.plan(ask.entity)?;
    let place = plan.kept.columns.iter().position(|own| *own == ask.source);
    let place = place.ok_or_else(|| Failure::unsupported("there is no such binary value"))?;
    let Some(key) = key_bytes(&ask.key) else { return Ok(None) };
    let found = shared.view(ask.entity, deadline, |view| Ok(view.one(&key, &[place])?))?;
    match found.and_then(|found| found.values.into_iter().next()) {
        None | Some(Legacy::Null) => Ok(None),
        Some(Legacy::Bytes(bytes)) => Ok(Some(bytes)),
        Some(Legacy::Text(text)) => Ok(Some(text.into_bytes())),
        Some(_) => Err(Failure::malformed("the binary value is neither bytes nor text")),
    }
}

fn pieces(bytes: Vec<u8>) -> impl Iterator<Item = Bytes> {
    let mut left = Bytes::from(bytes);
    std::iter::from_fn(move || (!left.is_empty()).then(|| left.split_to(PIECE.min(left.len()))))
}
