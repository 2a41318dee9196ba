//! Changes on their way into files: noted in the state with the change itself, written afterwards, in their order, and
//! again until it succeeds. Written again, a file has the same name and the same bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::settings::Outgoing;
use crate::shared::Shared;
use crate::source::Away;
use crate::watch::blocking;

/// A place where files of changes go.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Whether files can be put there now.
    ///
    /// # Errors
    /// When it does not answer.
    async fn ready(&self) -> Result<(), Away>;

    /// Puts a file there: under another name first, so that nobody finds half of it.
    ///
    /// # Errors
    /// When it does not answer; then it is open whether the file is there.
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Away>;
}

/// What waits to be written, and where it goes.
pub struct Outbox {
    destination: Box<dyn Destination>,
    batch: Option<Duration>,
    pub given_up_after_drops: u32,
    pub keep_days: u32,
    /// One writes at a time, so that the files come in their order.
    flushing: tokio::sync::Mutex<()>,
    flushed_at: Mutex<Instant>,
    /// Why the last try failed.
    trouble: Mutex<Option<Away>>,
}

/// A file that is to be written.
struct File {
    name: String,
    bytes: Vec<u8>,
    last: i64,
    entity: String,
}

impl Outbox {
    /// An outbox that delivers to this place.
    #[must_use]
    pub fn new(settings: &Outgoing, destination: Box<dyn Destination>) -> Self {
        Self {
            destination,
            batch: settings.batch_ms.map(Duration::from_millis),
            given_up_after_drops: settings.given_up_after_drops,
            keep_days: settings.keep_days,
            flushing: tokio::sync::Mutex::default(),
            flushed_at: Mutex::new(Instant::now()),
            trouble: Mutex::default(),
        }
    }

    /// Notes a change, within the transaction that makes it.
    ///
    /// # Errors
    /// As SQLite tells.
    pub fn put(&self, state: &Connection, entity: &str, id: Uuid, at: Timestamp, body: &[u8]) -> rusqlite::Result<()> {
        let mut statement = state.prepare_cached("INSERT INTO outbox (entity, id, at, body) VALUES (?, ?, ?, ?)")?;
        statement.execute(params![entity, id.to_string(), at.to_string(), body]).map(drop)
    }

    /// Whether changes can be taken: what was taken before is written, or the place for it answers.
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self, shared: &Arc<Shared>) -> Result<(), Away> {
        if self.batch.is_none() && self.trouble().is_some() {
            return self.flush(Arc::clone(shared)).await;
        }
        match self.trouble() {
            Some(why) => Err(why),
            None => self.destination.ready().await,
        }
    }

    /// Why changes that were taken are not written, if they are not.
    #[must_use]
    pub fn trouble(&self) -> Option<Away> {
        self.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Whether each change is written at once.
    #[must_use]
    pub const fn is_immediate(&self) -> bool {
        self.batch.is_none()
    }

    /// Whether it is time to write what has gathered, or to try again.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let since = self.flushed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner).elapsed();
        self.batch.is_none_or(|batch| since >= batch)
    }

    /// Writes all that waits. What fails is noted, and waits on.
    ///
    /// # Errors
    /// Why not all is written.
    pub async fn flush(&self, shared: Arc<Shared>) -> Result<(), Away> {
        let _one = self.flushing.lock().await;
        let done = self.deliver(shared.clone()).await;
        *self.flushed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
        if let Err(why) = &done {
            tracing::warn!(registry = shared.registry, why, "changes wait to be written");
        }
        *self.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = done.clone().err();
        done
    }

    async fn deliver(&self, shared: Arc<Shared>) -> Result<(), Away> {
        let is_batch = self.batch.is_some();
        let told = |error: rusqlite::Error| format!("the index's state can't be read: {error}");
        let taking = Arc::clone(&shared);
        let files = blocking(move || taken(&taking, is_batch)).await?.map_err(told)?;
        for file in files {
            self.destination.put(&file.name, &file.bytes).await?;
            let shared = Arc::clone(&shared);
            let written = move || {
                let sql = "DELETE FROM outbox WHERE entity = ? AND number <= ? AND file = ?";
                let state = shared.readers.state().connect()?;
                state.busy_timeout(BUSY)?;
                state.execute(sql, params![file.entity, file.last, file.name])
            };
            blocking(written).await?.map_err(told)?;
        }
        Ok(())
    }
}

const BUSY: Duration = Duration::from_secs(10);

/// The files that are to be written, in the order of their changes. A file's name is noted before it is written, so that
/// what comes later never gets into it.
fn taken(shared: &Shared, is_batch: bool) -> rusqlite::Result<Vec<File>> {
    let mut state = shared.readers.state().connect()?;
    state.busy_timeout(BUSY)?;
    let transaction = state.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    type Row = (i64, String, String, String, Vec<u8>, Option<String>);
    let rows: Vec<Row> = transaction
        .prepare("SELECT number, entity, id, at, body, file FROM outbox ORDER BY number")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))?
        .collect::<Result<_, _>>()?;
    let mut files: Vec<File> = Vec::new();
    for (number, entity, id, at, body, file) in rows {
        let Some(place) = shared.plans.iter().position(|plan| plan.name == entity) else { continue };
        // The manifest may have lost the entity's `write` since; what waits then waits for its return.
        let Ok(changing) = shared.changing(place) else { continue };
        let name = file.clone().unwrap_or_else(|| {
            let open = files.iter().rev().find(|file| file.entity == entity).filter(|_| is_batch);
            open.map_or_else(|| named(&changing.write.name, number, &id, &at), |open| open.name.clone())
        });
        if file.is_none() {
            transaction.execute("UPDATE outbox SET file = ? WHERE number = ?", params![name, number])?;
        }
        match files.iter_mut().find(|file| file.name == name && file.entity == entity) {
            Some(open) => {
                open.bytes.extend(body);
                open.last = number;
            }
            None => files.push(File { bytes: [changing.head(), body].concat(), name, last: number, entity }),
        }
    }
    transaction.commit()?;
    Ok(files)
}

/// The name of a file of changes.
fn named(template: &str, number: i64, id: &str, at: &str) -> String {
    let time: Option<Timestamp> = at.parse().ok();
    let form = |form: &str| time.map(|time| time.strftime(form).to_string()).unwrap_or_default();
    template
        .replace("{number}", &format!("{number:08}"))
        .replace("{date}", &form("%Y%m%d"))
        .replace("{time}", &form("%H%M%S"))
        .replace("{id}", id)
}

/// A directory of this machine.
pub struct Directory(pub PathBuf);

#[async_trait]
impl Destination for Directory {
    async fn ready(&self) -> Result<(), Away> {
        let told = tokio::fs::metadata(&self.0).await;
        match told {
            Ok(told) if told.is_dir() => Ok(()),
            Ok(_) => Err(format!("{} is no directory", self.0.display())),
            Err(error) => Err(format!("the directory {} can't be used: {}", self.0.display(), error.kind())),
        }
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Away> {
        let away = |error: std::io::Error| format!("no file can be put into {}: {}", self.0.display(), error.kind());
        let (path, new) = (self.0.join(name), self.0.join(format!(".{name}.part")));
        let bytes = bytes.to_vec();
        let directory = self.0.clone();
        let written = move || {
            use std::io::Write as _;
            let mut file = std::fs::File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            // The name too is on disk before the change counts as written.
            std::fs::File::open(&directory)?.sync_all()
        };
        blocking(written).await?.map_err(away)
    }
}
