//! The files of a log, as they are.

use std::io;
use std::path::{Path, PathBuf};

use crate::log::batch::{self, Batches};
use crate::log::checkpoint::Checkpoint;
use crate::log::cosignatures::{Cosignatures, Cosigned};
use crate::log::directory::{COSIGNATURES, TILES, TMP};
use crate::log::note::VerifierKey;
use crate::log::tile::Tile;

use super::{CHECKPOINT, Finding, VerifyError, WAL};

/// A log's directory, read only.
#[derive(Debug)]
pub(super) struct Files<'a> {
    directory: &'a Path,
}

/// The files that are there, sorted by where they are.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) tiles: Vec<Tile>,
    /// The bytes of the files on their way.
    pub(super) tmp_bytes: u64,
    pub(super) has_tmp: bool,
    /// What is nowhere in a log.
    pub(super) unknown: Option<String>,
}

impl<'a> Files<'a> {
    pub(super) fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    /// Where something is, relative to the log.
    pub(super) fn place(&self, path: &Path) -> String {
        path.strip_prefix(self.directory).unwrap_or(path).to_string_lossy().into_owned()
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, VerifyError> {
        std::fs::read(self.directory.join(name)).map_err(|error| unreadable(&error).at(name))
    }

    pub(super) fn tile(&self, tile: &Tile) -> Result<Vec<u8>, VerifyError> {
        self.read(&tile.path())
    }

    /// The checkpoint of what is in tiles.
    pub(super) fn checkpoint(&self, key: &VerifierKey) -> Result<Checkpoint, VerifyError> {
        let note = String::from_utf8(self.read(CHECKPOINT)?).map_err(|_| Finding::Changed.at(CHECKPOINT))?;
        Checkpoint::verify_alone(&note, key).map_err(|error| Finding::Checkpoint(error).at(CHECKPOINT))
    }

    pub(super) fn cosigned(&self, key: &VerifierKey) -> Result<Vec<Cosigned>, VerifyError> {
        let cosignatures = Cosignatures::decode(&self.read(COSIGNATURES)?, key);
        cosignatures.map(|cosignatures| cosignatures.list()).ok_or_else(|| Finding::Changed.at(COSIGNATURES))
    }

    /// The files of batches, oldest first.
    pub(super) fn batches(&self) -> Result<Vec<(u64, PathBuf)>, VerifyError> {
        match batch::files(&self.directory.join(WAL)) {
            Ok(files) => Ok(files),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::Other => Err(Finding::Unknown.at(WAL)),
            Err(error) => Err(unreadable(&error).at(WAL)),
        }
    }

    /// The first entry that is in a batch still.
    pub(super) fn oldest_batch(&self) -> Result<Option<u64>, VerifyError> {
        let first = Batches::new(self.batches()?).next();
        match first {
            Ok(first) => Ok(first.and_then(|(_, batch)| batch).map(|batch| batch.first)),
            // It was dropped in this moment: then all before what comes now is in tiles.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&error).at(WAL)),
        }
    }

    /// All files but those of batches.
    pub(super) fn list(&self) -> Result<Listing, VerifyError> {
        let mut listing = Listing::default();
        let mut directories = vec![self.directory.to_owned()];
        while let Some(directory) = directories.pop() {
            let failed = |error: io::Error| unreadable(&error).at(self.place(&directory));
            for file in std::fs::read_dir(&directory).map_err(failed)? {
                let file = file.map_err(failed)?;
                let (kind, path) = (file.file_type().map_err(failed)?, file.path());
                if kind.is_dir() {
                    directories.push(path);
                } else {
                    let length = file.metadata().map_err(failed)?.len();
                    self.sort(&path, kind.is_file(), length, &mut listing);
                }
            }
        }
        Ok(listing)
    }

    fn sort(&self, path: &Path, is_file: bool, length: u64, listing: &mut Listing) {
        let place = self.place(path);
        let is_known = match place.split_once('/') {
            _ if !is_file => false,
            None => [CHECKPOINT, COSIGNATURES].contains(&place.as_str()),
            Some((TILES, _)) => match Tile::parse(&place) {
                Some(tile) => {
                    listing.tiles.push(tile);
                    true
                }
                None => false,
            },
            Some((TMP, _)) => {
                listing.has_tmp = true;
                listing.tmp_bytes += length;
                true
            }
            // What is there in a directory of its own is no file of batches.
            Some((WAL, name)) => !name.contains('/'),
            Some(_) => false,
        };
        if !is_known {
            listing.unknown = Some(place);
        }
    }
}

fn unreadable(error: &io::Error) -> Finding {
    match error.kind() {
        io::ErrorKind::NotFound => Finding::Missing,
        _ => Finding::Unreadable(error.to_string()),
    }
}
