//! A running node follows its configuration: a change is checked whole, recorded in the ledger, and in force within a second;
//! or it is refused, with everything that is wrong told once, and what was in force stays so.
//!
//! What can change without a restart is in the hands of [`Part`]s: each prepares first and changes nothing, and only when
//! all are ready and the ledger has the change are they swapped. Settings that a node takes at its start are named in one
//! line, and wait for the next one.

mod files;
mod parts;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rabita_config::{CountedFile, Country, Loaded};
use rabita_core::Clock as _;
use rabita_ledger::Ledger;
use rabita_ledger::entry::{ConfigurationFact, Fact, FileDigest};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::stopped;
use crate::kinds;
use crate::machine::WallClock;
use files::Files;

pub(super) use status::Status;

/// Something in a node that takes another configuration while it runs.
pub(super) trait Part: Send + Sync {
    /// Reads and checks all that it needs, changes nothing, and answers what puts it in force. May block.
    ///
    /// # Errors
    /// Why this configuration cannot be in force.
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String>;
}

/// Puts a prepared configuration in force. It has nothing left that could fail.
pub(super) type Swap = Box<dyn FnOnce() + Send>;

/// Follows the configuration directory.
pub(super) struct Watch {
    directory: PathBuf,
    in_force: Vec<CountedFile>,
    /// What a node takes at its start, as it was then.
    fixed: Vec<(&'static str, Value)>,
    ledger: Option<Arc<Ledger>>,
    parts: Arc<[Box<dyn Part>]>,
    status: Arc<Status>,
    /// Whether the ledger alone stands in the way of a change: it heals by itself, and no file tells of it.
    is_owed: bool,
}

/// A change that was not taken.
enum Refused {
    /// The configuration is wrong: one text for each finding.
    Findings(Vec<String>),
    /// It is right by itself, and cannot be put in force here.
    Unfit(String),
    /// It could be, but the ledger does not take it.
    Unrecorded(String),
}

/// Why the configuration that a node starts with is not in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("the configuration cannot be recorded in the ledger: {0}")]
    Ledger(String),
}

/// Files are mostly written in several steps: a change counts when it has been quiet for so long,
const QUIET: Duration = Duration::from_millis(100);
/// or after so long at the latest.
const UNQUIET_MAX: Duration = Duration::from_millis(500);
/// So often is it read again when it changes while it is read; the next poll tries anew.
const READ_AGAIN_MAX: usize = 5;
/// Not every file system tells of its changes.
const POLL: Duration = Duration::from_secs(2);

impl Watch {
    /// Records the configuration that a node starts with.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub(super) async fn open(
        country: &Country,
        ledger: Option<Arc<Ledger>>,
        parts: Vec<Box<dyn Part>>,
    ) -> Result<Self, ReloadError> {
        let watch = Self {
            directory: country.directory.clone(),
            in_force: country.files.clone(),
            fixed: fixed(country),
            ledger,
            parts: parts.into(),
            status: Arc::new(Status::new(Timestamp::now())),
            is_owed: false,
        };
        watch.record(&watch.in_force, changed(&[], &watch.in_force)).await.map_err(ReloadError::Ledger)?;
        Ok(watch)
    }

    /// What operators are shown.
    pub(super) fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Follows the directory until the node stops. A hang-up signal has it look at once.
    pub(super) async fn run(mut self, mut stops: watch::Receiver<bool>) {
        let mut files = Files::watch(&self.directory, &self.in_force);
        let mut hangups = signal(SignalKind::hangup()).ok();
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A file that only the refused configuration names has no stamp: an event then is reason enough to look again. So is
        // it when the files changed for as long as they were read.
        // And when they changed since they were read for the start, which takes its time.
        let mut may_be_mended = !files.are_as_read(&self.in_force);
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => drop(hangups.recv().await),
                    None => std::future::pending().await,
                }
            };
            let is_certain = tokio::select! {
                () = stopped(&mut stops) => return,
                () = hangup => true,
                () = files.changed() => {
                    may_be_mended |= self.status.is_refused();
                    false
                }
                _ = poll.tick() => std::mem::take(&mut may_be_mended) || self.is_owed,
            };
            if !is_certain && !files.differ(&self.in_force) {
                continue;
            }
            let began = Instant::now();
            while began.elapsed() < UNQUIET_MAX && timeout(QUIET, files.changed()).await.is_ok() {}
            // Files are read one after the other: what changed meanwhile could be of two configurations.
            for _ in 0..READ_AGAIN_MAX {
                files.note(&self.in_force);
                let loaded = self.load().await;
                may_be_mended = files.differ(&self.in_force);
                if !may_be_mended {
                    self.attempt(loaded, began).await;
                    break;
                }
            }
            files.rewatch(&self.in_force);
        }
    }

    async fn load(&self) -> Loaded {
        let directory = self.directory.clone();
        let load = move || rabita_config::load(&directory, &kinds::all(), WallClock.today());
        tokio::task::spawn_blocking(load).await.expect("loading a configuration does not panic")
    }

    /// Puts what was loaded in force, or refuses it.
    async fn attempt(&mut self, loaded: Loaded, began: Instant) {
        let considered = self.consider(loaded).await;
        self.is_owed = matches!(considered, Err(Refused::Unrecorded(_)));
        match considered {
            Ok(None) => self.status.is_in_force(),
            Ok(Some((changed, waits))) => {
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(changed = changed.join(" "), took_ms, "another configuration is in force");
                if !waits.is_empty() {
                    tracing::warn!(settings = waits.join(" "), "these settings take effect at the next start of the node");
                }
                self.status.accepted(Timestamp::now(), waits);
            }
            Err(refused) => self.refuse(refused),
        }
    }

    async fn consider(&mut self, loaded: Loaded) -> Result<Option<(Vec<String>, Vec<String>)>, Refused> {
        let Some(country) = loaded.country else {
            return Err(Refused::Findings(loaded.report.findings.iter().map(status::line).collect()));
        };
        let country = Arc::new(country);
        let changed = changed(&self.in_force, &country.files);
        if changed.is_empty() {
            return Ok(None);
        }
        let (parts, of) = (Arc::clone(&self.parts), Arc::clone(&country));
        let prepare = move || parts.iter().map(|part| part.prepare(&of)).collect::<Result<Vec<Swap>, String>>();
        let prepared = tokio::task::spawn_blocking(prepare).await.expect("preparing a configuration does not panic");
        let swaps = prepared.map_err(Refused::Unfit)?;
        // Before it is in force: nobody is given anything by a grant of which the ledger does not know.
        let recorded = self.record(&country.files, changed.clone()).await;
        recorded.map_err(|error| Refused::Unrecorded(format!("the change cannot be recorded in the ledger: {error}")))?;
        for swap in swaps {
            swap();
        }
        let now = fixed(&country);
        let waits = self.fixed.iter().zip(&now).filter(|(before, now)| before.1 != now.1).map(|(_, now)| now.0.to_owned());
        self.in_force.clone_from(&country.files);
        Ok(Some((changed, waits.collect())))
    }

    async fn record(&self, files: &[CountedFile], changed: Vec<String>) -> Result<(), String> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let open = files.iter().filter(|file| !file.is_secret);
        let digest = |file: &CountedFile| FileDigest { file: shown(file), sha256: hex(&file.sha256) };
        let fact = ConfigurationFact { at: Timestamp::now(), files: open.map(digest).collect(), changed };
        ledger.record(Fact::Configuration(fact)).await.map(drop).map_err(|error| error.to_string())
    }

    fn refuse(&self, refused: Refused) {
        let findings = match refused {
            Refused::Findings(findings) => findings,
            Refused::Unfit(why) | Refused::Unrecorded(why) => vec![why],
        };
        // The same again was told before: somebody still works on it.
        if !self.status.refused(Timestamp::now(), &findings) {
            return;
        }
        for finding in &findings {
            tracing::error!(finding, "the changed configuration is wrong");
        }
        tracing::error!(findings = findings.len(), "the changed configuration is refused: what was in force stays in force");
    }
}

/// The settings that a node takes at its start.
fn fixed(country: &Country) -> Vec<(&'static str, Value)> {
    let node = &country.node;
    let json = |value: serde_json::Result<Value>| value.expect("a setting is JSON");
    vec![
        ("admin", json(serde_json::to_value(&node.admin))),
        ("limits", json(serde_json::to_value(&node.limits))),
        ("telemetry", json(serde_json::to_value(&node.telemetry))),
        ("journal", json(serde_json::to_value(&node.journal))),
        ("webhooks", json(serde_json::to_value(&node.webhooks))),
        ("ledger", json(serde_json::to_value(&node.ledger))),
        ("hosts", json!(node.hosts.as_ref().map(|hosts| (hosts.address, hosts.answer_max_bytes)))),
        ("cursor_secret", json!(node.cursor_secret)),
    ]
}

/// The files of which one has what the other has not.
fn changed(before: &[CountedFile], now: &[CountedFile]) -> Vec<String> {
    let added = now.iter().filter(|file| !before.contains(file));
    let gone = before.iter().filter(|file| !now.iter().any(|other| other.file == file.file));
    let mut changed: Vec<String> = added.chain(gone).map(shown).collect();
    changed.sort();
    changed
}

fn shown(file: &CountedFile) -> String {
    file.file.display().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
