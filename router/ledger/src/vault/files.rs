//! The files of the vault: `{agency}/{period}.key` and `{agency}/{period}.destroyed`, for one user alone.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::LedgerError;
use crate::hold::{private_directory, sync};
use crate::period::KeyName;
use crate::seal::{KEY_BYTES, Keys, secret};
use crate::vault::Tombstone;

const KEY: &str = "key";
const DESTROYED: &str = "destroyed";
/// What was being written when the process ended. It never had its name, so it was never used.
const UNFINISHED: &str = "new";

pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn open(directory: PathBuf) -> Result<Self, LedgerError> {
        private_directory(&directory).map_err(|error| fault(&directory, &error))?;
        let files = Self { directory };
        for unfinished in files.with_extension(UNFINISHED)? {
            let path = files.path(&unfinished, UNFINISHED);
            std::fs::remove_file(&path).map_err(|error| fault(&path, &error))?;
        }
        Ok(files)
    }

    pub(super) fn keys(&self) -> Result<Vec<KeyName>, LedgerError> {
        self.with_extension(KEY)
    }

    pub(super) fn tombstones(&self) -> Result<Vec<(KeyName, Tombstone)>, LedgerError> {
        let read = |name: KeyName| {
            let path = self.path(&name, DESTROYED);
            let text = std::fs::read(&path).map_err(|error| fault(&path, &error))?;
            let tombstone = serde_json::from_slice(&text);
            tombstone
                .map(|tombstone| (name, tombstone))
                .map_err(|_| LedgerError::Vault(format!("{}: no tombstone", path.display())))
        };
        self.with_extension(DESTROYED)?.into_iter().map(read).collect()
    }

    /// Makes a key, durable when this returns.
    pub(super) fn make(&self, name: &KeyName) -> Result<Keys, LedgerError> {
        let secret = secret()?;
        let mut text = Zeroizing::new([0; KEY_BYTES * 2]);
        for (byte, digits) in secret.iter().zip(text.chunks_exact_mut(2)) {
            digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        self.put(name, KEY, &*text)?;
        Ok(Keys::new(&secret))
    }

    pub(super) fn read(&self, name: &KeyName) -> Result<Keys, LedgerError> {
        let path = self.path(name, KEY);
        let text = Zeroizing::new(std::fs::read(&path).map_err(|error| fault(&path, &error))?);
        let digits = text.trim_ascii_end();
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        let no_key = || LedgerError::Vault(format!("{}: a key is 64 hexadecimal digits", path.display()));
        if digits.len() != KEY_BYTES * 2 {
            return Err(no_key());
        }
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (value(pair[0]).ok_or_else(no_key)?, value(pair[1]).ok_or_else(no_key)?);
            *byte = high << 4 | low;
        }
        Ok(Keys::new(&secret))
    }

    /// Writes that a key is destroyed, before it is.
    pub(super) fn bury(&self, name: &KeyName, tombstone: &Tombstone) -> Result<(), LedgerError> {
        let text = serde_json::to_vec(tombstone).expect("a time and a text are always JSON");
        self.put(name, DESTROYED, &text)
    }

    /// Overwrites and removes a key, where it is there.
    pub(super) fn erase(&self, name: &KeyName) -> Result<(), LedgerError> {
        let path = self.path(name, KEY);
        let erased = || -> io::Result<()> {
            let mut file = match OpenOptions::new().write(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            file.write_all(&[b'0'; KEY_BYTES * 2])?;
            file.sync_all()?;
            std::fs::remove_file(&path)?;
            sync(&self.folder(name))
        };
        erased().map_err(|error| fault(&path, &error))
    }

    /// Puts a whole file in its place; a file that is there already is never replaced.
    fn put(&self, name: &KeyName, extension: &str, content: &[u8]) -> Result<(), LedgerError> {
        let (folder, path, unfinished) = (self.folder(name), self.path(name, extension), self.path(name, UNFINISHED));
        let written = || -> io::Result<()> {
            private_directory(&folder)?;
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
            file.write_all(content)?;
            file.sync_all()?;
            // A link, unlike a change of name, fails where the name is taken.
            std::fs::hard_link(&unfinished, &path)?;
            std::fs::remove_file(&unfinished)?;
            sync(&folder)
        };
        written().map_err(|error| fault(&path, &error))
    }

    fn folder(&self, name: &KeyName) -> PathBuf {
        self.directory.join(name.keeper.to_string())
    }

    fn path(&self, name: &KeyName, extension: &str) -> PathBuf {
        self.folder(name).join(format!("{}.{extension}", name.stretch))
    }

    fn with_extension(&self, extension: &str) -> Result<Vec<KeyName>, LedgerError> {
        let listed = || -> io::Result<Vec<KeyName>> {
            let mut names = Vec::new();
            for folder in std::fs::read_dir(&self.directory)? {
                let folder = folder?;
                if !folder.file_type()?.is_dir() {
                    continue;
                }
                for file in std::fs::read_dir(folder.path())? {
                    let path = file?.path();
                    if path.extension() != Some(OsStr::new(extension)) {
                        continue;
                    }
                    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
                    let keeper = folder.file_name();
                    names.extend(keeper.to_str().and_then(|keeper| KeyName::from_parts(keeper, stem)));
                }
            }
            Ok(names)
        };
        listed().map_err(|error| fault(&self.directory, &error))
    }
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn fault(path: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Vault(format!("{}: {error}", path.display()))
}
