//! One connection and its thread. A driver blocks in every call, so nothing of it runs on the threads of the bus.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use odbc_api::{Connection, ConnectionOptions, environment};
use rabita_relational::dialect::Dialect;
use rabita_relational::fault::AnyFault;
use rabita_sdk::Failure;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::fault::{OdbcFault, unreachable, unusable};
use crate::settings::Word;
use crate::value;

/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

/// How a database is reached, and what is asked of each connection.
pub(crate) struct Target {
    /// The connection string, with secrets.
    pub(crate) connection: String,
    /// How the database writes SQL, where the manifest says so.
    pub(crate) dialect: Option<Word>,
    pub(crate) setup: Vec<String>,
    pub(crate) connect_timeout: Duration,
    /// The longest that a statement may take.
    pub(crate) statement_timeout: Duration,
    pub(crate) read_only: bool,
}

/// A connection as its thread has it.
pub(crate) struct Attached {
    pub(crate) connection: Connection<'static>,
    pub(crate) dialect: Dialect,
    /// After so many seconds a driver stops a statement, where the database does not do it by itself.
    pub(crate) stops_after: Option<usize>,
    /// Whether each statement is prepared by itself, also one that needs it not. MariaDB's driver (seen in 3.1.15) that is
    /// told to do both at once reads the columns of an answer that was cut before they came, and breaks the process.
    pub(crate) prepares_all: bool,
}

impl Attached {
    /// A fault out of an error, with what the driver knows of the connection after it.
    pub(crate) fn fault(&self, error: odbc_api::Error) -> AnyFault {
        OdbcFault::of(error, self.dialect, self.connection.is_dead().unwrap_or(false))
    }
}

type Job = Box<dyn FnOnce(&Attached) + Send>;

/// A connection, as the bus has it. When it is dropped its thread ends with the statement that is under way, if one is,
/// and closes the connection.
pub(crate) struct Worker {
    jobs: Sender<Job>,
    pub(crate) dialect: Dialect,
    pub(crate) opened: Instant,
    pub(crate) used: Instant,
}

impl Worker {
    /// Opens a connection on a thread of its own. The slot is held for as long as the thread lives.
    pub(crate) async fn open(target: Arc<Target>, slot: OwnedSemaphorePermit) -> Result<Self, Failure> {
        let (ready, opened) = oneshot::channel();
        let (jobs, waiting) = mpsc::channel::<Job>();
        let started = std::thread::Builder::new().name("rabita-odbc".into()).spawn(move || {
            let _slot = slot;
            let attached = match attach(&target) {
                Ok(attached) => attached,
                Err(failure) => return drop(ready.send(Err(failure))),
            };
            if ready.send(Ok(attached.dialect)).is_ok() {
                while let Ok(job) = waiting.recv_timeout(IDLE) {
                    job(&attached);
                }
            }
        });
        started.map_err(|_| Failure::unavailable("no thread for another connection"))?;
        let broke = |_| Failure::unavailable("the ODBC driver broke off while it connected");
        let dialect = opened.await.map_err(broke)??;
        let now = Instant::now();
        Ok(Self { jobs, dialect, opened: now, used: now })
    }

    /// Has something done on the connection, and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Attached) -> Result<T, AnyFault> + Send + 'static,
    ) -> Result<T, AnyFault> {
        let (answer, answered) = oneshot::channel();
        self.send(move |attached| drop(answer.send(work(attached))))?;
        answered.await.map_err(|_| OdbcFault::gone(self.dialect) as AnyFault)?
    }

    /// Has something done on the connection, which answers in its own way.
    pub(crate) fn send(&self, work: impl FnOnce(&Attached) + Send + 'static) -> Result<(), AnyFault> {
        self.jobs.send(Box::new(work)).map_err(|_| OdbcFault::gone(self.dialect) as AnyFault)
    }
}

fn attach(target: &Target) -> Result<Attached, Failure> {
    let environment = environment().map_err(unreachable)?;
    let options = ConnectionOptions { login_timeout_sec: Some(seconds(target.connect_timeout)), packet_size: None };
    let connection = environment.connect_with_connection_string(&target.connection, options).map_err(unreachable)?;
    let word =
        target.dialect.unwrap_or_else(|| Word::of_database(&connection.database_management_system_name().unwrap_or_default()));
    let dialect = word.dialect();
    let stops_after =
        (!dialect.stops_statements()).then(|| usize::try_from(seconds(target.statement_timeout)).unwrap_or(usize::MAX));
    let attached = Attached { connection, dialect, stops_after, prepares_all: word == Word::Mariadb };
    for step in dialect.setup(target.statement_timeout, target.read_only) {
        let done = match (value::run(&attached, &step.sql), step.or) {
            (Err(_), Some(other)) => value::run(&attached, &other),
            (done, _) => done,
        };
        done.map_err(|fault| unusable(&fault))?;
    }
    for sql in &target.setup {
        value::run(&attached, sql).map_err(|fault| unusable(&fault))?;
    }
    Ok(attached)
}

/// Whole seconds, which is what drivers know; never fewer than asked.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}
