//! Notices that files of a configuration change: by the system's events, and by their stamps where there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rabita_config::CountedFile;
use tokio::sync::mpsc;

/// The files of a configuration, and the folders that more could come into.
pub(super) struct Files {
    directory: PathBuf,
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
    /// Told of an event; it says no more than that there was one.
    events: mpsc::Receiver<()>,
    watcher: Option<RecommendedWatcher>,
}

/// What tells one content of a file from another without reading it.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// The folders in which a new file is part of the configuration.
const FOLDERS: [&str; 5] = ["", "registries", "systems", "grants", "schemas"];

impl Files {
    pub(super) fn watch(directory: &Path, files: &[CountedFile]) -> Self {
        // One place is enough: whoever looks sees all that happened until then.
        let (told, events) = mpsc::channel(1);
        let tell = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = told.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(tell);
        let watcher =
            watcher.inspect_err(|error| tracing::warn!(%error, "files are looked at, since their events cannot be had"));
        let mut own = Self { directory: directory.to_owned(), stamps: BTreeMap::new(), events, watcher: watcher.ok() };
        own.rewatch(files);
        own.note(files);
        own
    }

    /// Waits for an event.
    pub(super) async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether files are others, or there are more or fewer, than was noted.
    pub(super) fn differ(&self, files: &[CountedFile]) -> bool {
        self.stamps_of(files) != self.stamps
    }

    /// Whether all is as it was read, by its content: a change of before anybody watched has no event and no other stamp.
    pub(super) fn are_as_read(&self, files: &[CountedFile]) -> bool {
        let known: BTreeSet<PathBuf> = files.iter().map(|file| self.directory.join(&file.file)).collect();
        let is_as_read = |file: &CountedFile| {
            let bytes = std::fs::read(self.directory.join(&file.file));
            bytes.is_ok_and(|bytes| digest(&SHA256, &bytes).as_ref() == file.sha256)
        };
        files.iter().all(is_as_read) && self.stamps.keys().all(|path| known.contains(path))
    }

    /// Notes how the files are now, before they are read: what changes after that is seen again.
    pub(super) fn note(&mut self, files: &[CountedFile]) {
        self.stamps = self.stamps_of(files);
    }

    fn stamps_of(&self, files: &[CountedFile]) -> BTreeMap<PathBuf, Option<Stamp>> {
        let paths = files.iter().map(|file| self.directory.join(&file.file));
        let mut stamps: BTreeMap<PathBuf, Option<Stamp>> = paths.map(|path| (path.clone(), stamp(&path))).collect();
        for folder in self.folders() {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let documents = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
            stamps.extend(documents.map(|path| (path.clone(), stamp(&path))));
        }
        stamps
    }

    /// Asks for the events of all folders that files are in. A folder that was made anew is another one to the system.
    pub(super) fn rewatch(&mut self, files: &[CountedFile]) {
        let mut folders = self.folders();
        folders.extend(files.iter().filter_map(|file| self.directory.join(&file.file).parent().map(Path::to_owned)));
        let Some(watcher) = &mut self.watcher else { return };
        for folder in folders {
            // One that is not there is seen when it comes, by the folder that it comes into.
            let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
        }
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders: BTreeSet<PathBuf> = FOLDERS.iter().map(|folder| self.directory.join(folder)).collect();
        let agencies = std::fs::read_dir(self.directory.join("grants")).into_iter().flatten().flatten();
        folders.extend(agencies.map(|entry| entry.path()).filter(|path| path.is_dir()));
        folders
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: about.modified().ok(), length: about.len(), inode: about.ino() })
}
