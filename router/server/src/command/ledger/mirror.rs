//! A copy of a remote log, fetched tile by tile, in the form in which a log lies in a directory.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use rabita_ledger::log::tile::{Kind, Tile, WIDTH, fulls, partials};
use rabita_ledger::log::verify::Finding;
use rabita_ledger::log::{Checkpoint, VerifierKey};
use uuid::Uuid;

use super::remote::Remote;
use crate::command::Failed;

/// Requests under way at a time.
const AT_ONCE: usize = 16;
const HASH: usize = 32;

/// The directory of a copy; one that was not asked for goes with the value.
pub(super) struct Mirror {
    directory: PathBuf,
    is_passing: bool,
}

impl Mirror {
    /// A copy that is kept, where a directory is given.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self, Failed> {
        let (directory, is_passing) = match directory {
            Some(directory) => (directory.to_owned(), false),
            None => (std::env::temp_dir().join(format!("rabita-log-{}", Uuid::now_v7())), true),
        };
        std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Self { directory, is_passing })
    }

    /// Brings the copy up to the newest checkpoint. What is there already and never changes is not fetched again; it is
    /// verified all the same.
    pub(super) async fn fetch(&self, remote: &Remote, key: &VerifierKey) -> Result<Checkpoint, Failed> {
        let checkpoint = remote.checkpoint(key).await?;
        self.drop_partials()?;
        let tiles = fulls(0, checkpoint.size).filter(|tile| !self.directory.join(tile.path()).exists());
        let tiles = tiles.chain(partials(checkpoint.size));
        let fetched = futures_util::stream::iter(tiles).map(|tile| self.fetch_tile(remote, tile)).buffer_unordered(AT_ONCE);
        fetched.try_collect::<()>().await?;
        self.write(Path::new("checkpoint"), checkpoint.note.as_bytes())?;
        Ok(checkpoint)
    }

    /// A tile of the copy, as it is verified.
    pub(super) fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Finding> {
        std::fs::read(self.directory.join(tile.path())).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Finding::Missing,
            _ => Finding::Unreadable(error.to_string()),
        })
    }

    async fn fetch_tile(&self, remote: &Remote, tile: Tile) -> Result<(), Failed> {
        let bytes = match remote.get(&tile.path()).await? {
            Some(bytes) => bytes,
            // The log may have grown meanwhile and dropped what was a part then.
            None if tile.width < WIDTH => {
                let full = remote.must_get(&Tile { width: WIDTH, ..tile }.path()).await?;
                beginning(&full, tile).ok_or_else(|| format!("{remote}/{}: the full one is too short", tile.path()))?
            }
            None => return Err(format!("{remote}/{} is not there, though the checkpoint covers it", tile.path()).into()),
        };
        self.write(Path::new(&tile.path()), &bytes)
    }

    /// Parts of tiles are of one checkpoint alone.
    fn drop_partials(&self) -> Result<(), Failed> {
        let mut directories = vec![self.directory.join("tile")];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = std::fs::read_dir(&directory) else { continue };
            for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
                if path.extension().is_some_and(|extension| extension == "p") {
                    std::fs::remove_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                } else {
                    directories.push(path);
                }
            }
        }
        Ok(())
    }

    /// A copy that breaks off leaves no half of a file under its name.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failed> {
        let file = self.directory.join(path);
        let parent = file.parent().unwrap_or(&self.directory);
        let half = self.directory.with_extension(format!("{}.half", Uuid::now_v7()));
        let wrote = std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&half, bytes))
            .and_then(|()| std::fs::rename(&half, &file));
        wrote.map_err(|error| format!("{}: {error}", file.display()).into())
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if self.is_passing {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// So much of a full tile as its part had.
fn beginning(full: &Bytes, tile: Tile) -> Option<Bytes> {
    let width = usize::from(tile.width);
    let end = match tile.kind {
        Kind::Hashes(_) => width * HASH,
        // An entry stands behind its length, of two bytes.
        Kind::Entries => (0..width).try_fold(0_usize, |at, _| {
            let length = full.get(at..at + 2)?;
            Some(at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])))
        })?,
    };
    (end <= full.len()).then(|| full.slice(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_the_beginning_of_what_is_full() {
        let hashes = Bytes::from(vec![7; 256 * HASH]);
        let part = |kind, width| Tile { kind, n: 0, width };
        assert_eq!(beginning(&hashes, part(Kind::Hashes(1), 3)), Some(hashes.slice(..96)));
        let entries = Bytes::from_static(b"\0\x01a\0\0\0\x02bc");
        assert_eq!(beginning(&entries, part(Kind::Entries, 2)), Some(entries.slice(..5)));
        assert_eq!(beginning(&entries, part(Kind::Entries, 4)), None);
        assert_eq!(beginning(&entries.slice(..8), part(Kind::Entries, 3)), None);
    }
}
