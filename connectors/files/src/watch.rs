//! Watches the source: takes a drop when it is whole, has it indexed, and brings it into force or refuses it.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{OptionalExtension, params};

use crate::from::Take;
use crate::index::{Building, Built, build};
use crate::report::{Report, slug};
use crate::shared::{Doubt, Phase, Shared};
use crate::source::{Away, Candidate};
use crate::state;
use crate::swap::{INDEX, Ready, swap, sweep};

/// Watches until the connector is no longer needed.
pub async fn watch(shared: Arc<Shared>) {
    let mut watching = Watching { shared, lock: None, seen: HashMap::new(), broken_off: HashMap::new() };
    watching.begin().await;
    let poll = Duration::from_millis(watching.shared.arrival.poll_ms);
    while !watching.shared.is_over() {
        let is_waiting = watching.round().await;
        let settle = Duration::from_millis(watching.shared.arrival.settle_ms.max(10));
        let pause = if is_waiting { poll.min(settle) } else { poll };
        let _ = tokio::time::timeout(pause, watching.shared.poke.notified()).await;
    }
}

struct Watching {
    shared: Arc<Shared>,
    /// Held by the one process that makes the indexes in this directory.
    lock: Option<File>,
    /// What was seen of each plan, and since when.
    seen: HashMap<usize, (String, Instant)>,
    /// The drop of each plan that a defect of the bus keeps from being read: it would at the next look too.
    broken_off: HashMap<usize, String>,
}

/// What became of a look.
enum Looked {
    /// Nothing new.
    Same,
    /// Something new that is not whole yet.
    Waiting,
    /// A drop was accepted.
    Accepted,
}

impl Watching {
    /// What was in force before a restart serves at once, whatever the source does.
    async fn begin(&self) {
        for place in 0..self.shared.plans.len() {
            if self.current(place).await.is_ok_and(|current| current.is_some()) {
                self.shared.tell(place, Phase::Served { doubt: None });
            }
        }
    }

    /// Looks once at all; whether something is not whole yet.
    async fn round(&mut self) -> bool {
        if !self.owns() {
            self.follow().await;
            return false;
        }
        let mut is_waiting = false;
        let mut is_swept = true;
        for place in 0..self.shared.plans.len() {
            match self.look(place).await {
                Ok(Looked::Same) => {}
                Ok(Looked::Waiting) => is_waiting = true,
                Ok(Looked::Accepted) => is_swept = false,
                Err(away) => self.tell_trouble(place, Doubt::Away(away)).await,
            }
        }
        if !is_swept {
            self.sweep().await;
        }
        if let Some(outbox) = &self.shared.outbox
            && outbox.is_due()
        {
            // What fails is noted, told by `probe`, and tried again.
            let _ = outbox.flush(Arc::clone(&self.shared)).await;
        }
        is_waiting
    }

    /// Whether this process makes the indexes: the first to ask does, as long as it runs.
    fn owns(&mut self) -> bool {
        if self.lock.is_none() {
            let file = File::options().create(true).truncate(false).write(true).open(self.shared.directory.join("lock"));
            self.lock = file.ok().filter(|file| file.try_lock().is_ok());
        }
        self.lock.is_some()
    }

    /// Another process makes the indexes: what it has accepted is served here too.
    async fn follow(&self) {
        for place in 0..self.shared.plans.len() {
            if self.current(place).await.is_ok_and(|current| current.is_some()) {
                self.shared.tell(place, Phase::Served { doubt: None });
            } else {
                let why = "another process has the index's directory, and it has accepted no drop for this manifest";
                self.shared.tell(place, Phase::Nothing(why.to_owned()));
            }
        }
    }

    async fn look(&mut self, place: usize) -> Result<Looked, Away> {
        let shared = Arc::clone(&self.shared);
        let plan = &shared.plans[place];
        let current = self.current(place).await?;
        let marker = shared.arrival.marker.as_deref();
        let suffix = marker.map(|marker| marker.split_once("{name}").unwrap_or(("", marker)));
        let wants = |name: &str| plan.matches(name) || suffix.is_some_and(|(a, z)| name.starts_with(a) && name.ends_with(z));
        let listed = shared.origin.list(&wants).await?;
        let chosen = chosen(&listed, |name| plan.matches(name), plan.take, marker);
        if chosen.is_empty() {
            let is_unfinished = listed.iter().any(|file| plan.matches(&file.name));
            let why = if is_unfinished { "has no marker beside it yet" } else { "is there" };
            let why = format!("{} file named `{}` {why}", if is_unfinished { "a" } else { "no" }, plan.files);
            let phase = match current {
                // Drops are often taken away once they were read.
                Some(_) => Phase::Served { doubt: None },
                None => Phase::Nothing(why),
            };
            shared.tell(place, phase);
            return Ok(if is_unfinished { Looked::Waiting } else { Looked::Same });
        }
        let identity = identity(&chosen);
        if current.as_ref().is_some_and(|current| current.identity == identity) {
            shared.tell(place, Phase::Served { doubt: None });
            return Ok(Looked::Same);
        }
        if let Some(told) = self.refused(place, &identity).await? {
            self.tell_trouble(place, Doubt::Refused(told)).await;
            return Ok(Looked::Same);
        }
        if self.broken_off.get(&place) == Some(&identity) {
            return Err(UNREADABLE.to_owned());
        }
        if !self.is_settled(place, &identity) {
            return Ok(Looked::Waiting);
        }
        self.take(place, &chosen, identity, current.map(|current| current.rows)).await
    }

    /// Whether a drop has stayed as it is for long enough.
    fn is_settled(&mut self, place: usize, identity: &str) -> bool {
        let settle = Duration::from_millis(self.shared.arrival.settle_ms);
        let seen = self.seen.entry(place).or_insert_with(|| (identity.to_owned(), Instant::now()));
        if seen.0 != identity {
            *seen = (identity.to_owned(), Instant::now());
        }
        seen.1.elapsed() >= settle
    }

    async fn take(&mut self, place: usize, chosen: &[Candidate], identity: String, rows: Option<u64>) -> Result<Looked, Away> {
        let shared = &Arc::clone(&self.shared);
        let plan = &shared.plans[place];
        let staging = shared.directory.join("staging");
        let mut files = Vec::with_capacity(chosen.len());
        for file in chosen {
            files.push((file.name.clone(), shared.origin.fetch(file, &staging).await?));
        }
        let name = format!("{}-{}{INDEX}", slug(&plan.name), uuid::Uuid::now_v7().simple());
        let kept = 100 - u64::from(shared.arrival.shrink_max_percent);
        let least = rows.map_or(0, |rows| (rows * kept).div_ceil(100));
        let began = Instant::now();
        let built = {
            let (shared, name, files) = (Arc::clone(shared), name.clone(), files.clone());
            blocking(move || {
                let plan = &shared.plans[place];
                let target = shared.directory.join(name);
                build(&Building { plan, files: &files, target: &target, is_over: &shared.is_over, least })
            })
            .await
        };
        if matches!(built, Err(Stopped::BrokenOff)) {
            tracing::error!(registry = shared.registry, entity = plan.name, "{UNREADABLE}");
            let _ = tokio::fs::remove_file(shared.directory.join(&name)).await;
            clear(&files, &staging).await;
            self.broken_off.insert(place, identity);
            return Err(UNREADABLE.to_owned());
        }
        let built = built??;
        if !self.is_same(place, &identity).await? {
            // It was written to while it was read: what was read is of no drop.
            let _ = tokio::fs::remove_file(shared.directory.join(&name)).await;
            return Ok(Looked::Waiting);
        }
        clear(&files, &staging).await;
        match built {
            Built::Over => Ok(Looked::Same),
            Built::Bad(faults, found) => {
                let names = chosen.iter().map(|file| file.name.as_str()).collect();
                let report = Report::new(&shared.registry, &plan.name, names, &faults, found);
                self.refuse(place, &identity, &report).await?;
                Ok(Looked::Same)
            }
            Built::Whole(rows) => {
                let ready = Ready { file: name, identity, rows };
                let swapping = Arc::clone(shared);
                let swapped = blocking(move || swap(&swapping, place, &ready)).await?;
                let given_up = swapped.map_err(|error| format!("the index can't be brought into force: {error}"))?;
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(registry = shared.registry, entity = plan.name, rows, took_ms, given_up, "drop accepted");
                if given_up > 0 {
                    tracing::warn!(registry = shared.registry, entity = plan.name, given_up, "changes that no drop showed");
                }
                shared.tell(place, Phase::Served { doubt: None });
                Ok(Looked::Accepted)
            }
        }
    }

    async fn is_same(&self, place: usize, identity: &str) -> Result<bool, Away> {
        let plan = &self.shared.plans[place];
        let listed = self.shared.origin.list(&|name: &str| plan.matches(name)).await?;
        // The names that were taken, as they are now; newer ones are the next drop's business.
        let taken: Vec<&str> = identity.lines().filter_map(|line| line.split_once('\t')).map(|(name, _)| name).collect();
        let now: Vec<Candidate> = listed.into_iter().filter(|file| taken.contains(&file.name.as_str())).collect();
        Ok(self::identity(&sorted(now)) == identity)
    }

    async fn refuse(&self, place: usize, identity: &str, report: &Report<'_>) -> Result<(), Away> {
        let told = report.sentence();
        if let Err(error) = report.write(&self.shared.reports) {
            let why = error.kind().to_string();
            tracing::warn!(registry = self.shared.registry, why, "the report of a refused drop can't be written");
        }
        let (shared, identity, noted) = (Arc::clone(&self.shared), identity.to_owned(), told.clone());
        blocking(move || {
            let plan = &shared.plans[place];
            let sql = "INSERT OR REPLACE INTO refused (entity, fingerprint, identity, told) VALUES (?, ?, ?, ?)";
            shared.readers.state().connect()?.execute(sql, params![plan.name, plan.fingerprint, identity, noted])
        })
        .await?
        .map_err(|error| format!("the index's state can't be written: {error}"))?;
        self.tell_trouble(place, Doubt::Refused(told)).await;
        Ok(())
    }

    async fn tell_trouble(&self, place: usize, doubt: Doubt) {
        let is_served = self.current(place).await.is_ok_and(|current| current.is_some());
        let phase = match (is_served, doubt) {
            (true, doubt) => Phase::Served { doubt: Some(doubt) },
            (false, Doubt::Away(why) | Doubt::Refused(why)) => Phase::Nothing(why),
        };
        self.shared.tell(place, phase);
    }

    async fn current(&self, place: usize) -> Result<Option<state::Current>, Away> {
        let shared = Arc::clone(&self.shared);
        let found = blocking(move || {
            let found = state::current(&shared.readers.state().connect()?, &shared.plans[place])?;
            // Somebody may have taken the index away.
            Ok::<_, rusqlite::Error>(found.filter(|current| shared.directory.join(&current.file).is_file()))
        });
        found.await?.map_err(|error| format!("the index's state can't be read: {error}"))
    }

    async fn refused(&self, place: usize, identity: &str) -> Result<Option<String>, Away> {
        let (shared, identity) = (Arc::clone(&self.shared), identity.to_owned());
        let found = blocking(move || {
            let plan = &shared.plans[place];
            let sql = "SELECT told FROM refused WHERE entity = ? AND fingerprint = ? AND identity = ?";
            let state = shared.readers.state().connect()?;
            state.query_row(sql, params![plan.name, plan.fingerprint, identity], |row| row.get(0)).optional()
        });
        found.await?.map_err(|error| format!("the index's state can't be read: {error}"))
    }

    async fn sweep(&self) {
        let shared = Arc::clone(&self.shared);
        if let Ok(Err(why)) = blocking(move || sweep(&shared)).await {
            tracing::warn!(registry = self.shared.registry, why, "old indexes can't be removed");
        }
    }
}

/// The files that are the drop, each whole as its marker says.
fn chosen(listed: &[Candidate], matches: impl Fn(&str) -> bool, take: Take, marker: Option<&str>) -> Vec<Candidate> {
    let is_marked = |file: &&Candidate| {
        marker.is_none_or(|marker| {
            let wanted = marker.replace("{name}", &file.name);
            listed.iter().any(|other| other.name == wanted)
        })
    };
    let found = listed.iter().filter(|file| matches(&file.name)).filter(is_marked).cloned();
    match take {
        Take::LastName => found.max_by(|a, b| a.name.cmp(&b.name)).into_iter().collect(),
        Take::Newest => found.max_by(|a, b| (a.age, &a.name).cmp(&(b.age, &b.name))).into_iter().collect(),
        Take::All => sorted(found.collect()),
    }
}

fn sorted(mut files: Vec<Candidate>) -> Vec<Candidate> {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// What tells a drop from another: names and stamps of its files.
fn identity(files: &[Candidate]) -> String {
    files.iter().map(|file| format!("{}\t{}\n", file.name, file.stamp)).collect()
}

/// Removes what was fetched.
async fn clear(files: &[(String, PathBuf)], staging: &std::path::Path) {
    for (_, path) in files.iter().filter(|(_, path)| path.starts_with(staging)) {
        // What stays is overwritten by the next drop.
        let _ = tokio::fs::remove_file(path).await;
    }
}

/// Why what blocks came to no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It panicked.
    BrokenOff,
    /// The node is stopping.
    Stopping,
}

impl From<Stopped> for Away {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::BrokenOff => "the work on the files broke off: this is a defect of the bus".to_owned(),
            Stopped::Stopping => "the node is stopping".to_owned(),
        }
    }
}

/// Runs what blocks.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| if error.is_panic() { Stopped::BrokenOff } else { Stopped::Stopping })
}

const UNREADABLE: &str = "the drop could not be read: this is a defect of the bus";

#[cfg(test)]
mod tests;
