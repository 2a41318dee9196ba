//! The scratch directory: what is written into it, and what may be thrown away.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;

use crate::error::DemoError;

/// Marks a directory as one that the demo made, so that it may make it anew.
const MARK: &str = ".rabita-demo";

/// Makes the directory empty. One that holds something the demo did not make is left as it is, and so is one that a
/// demo holds: as long as the file that this gives is open.
pub(crate) fn make_anew(directory: &Path) -> Result<File, DemoError> {
    let failed = |source| DemoError::File { path: directory.to_owned(), source };
    let is_empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(source) => return Err(failed(source)),
    };
    let mark = directory.join(MARK);
    if !is_empty {
        if !mark.exists() {
            return Err(DemoError::DirectoryTaken(directory.to_owned()));
        }
        let _held = hold(&mark, directory)?;
        fs::remove_dir_all(directory).map_err(failed)?;
    }
    make_directory(directory)?;
    write(&mark, b"Made by `rabita demo`, which makes it anew at each start, unless told to --keep it.\n")?;
    hold(&mark, directory)
}

/// Takes a directory that the demo made as it is. What this gives holds it, as that of [`make_anew`] does.
pub(crate) fn keep(directory: &Path) -> Result<File, DemoError> {
    let mark = directory.join(MARK);
    if !mark.exists() {
        return Err(DemoError::NothingToKeep(directory.to_owned()));
    }
    hold(&mark, directory)
}

/// Locks the mark. The system lets go of it however the process ends.
fn hold(mark: &Path, directory: &Path) -> Result<File, DemoError> {
    let failed = |source| DemoError::File { path: mark.to_owned(), source };
    let file = File::open(mark).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DemoError::DirectoryInUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

pub(crate) fn make_directory(directory: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(directory).map_err(|source| DemoError::File { path: directory.to_owned(), source })
}

pub(crate) fn read(path: &Path) -> Result<String, DemoError> {
    fs::read_to_string(path).map_err(|source| DemoError::File { path: path.to_owned(), source })
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), DemoError> {
    fs::write(path, content).map_err(|source| DemoError::File { path: path.to_owned(), source })
}

/// Writes a file that only its owner reads: it is made so, rather than written in the open and closed afterwards.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> Result<(), DemoError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(content));
    written.map_err(|source| DemoError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_away_what_the_demo_made_and_nothing_else() {
        let scratch = tempfile::tempdir().expect("a directory");
        let own = scratch.path().join("own");
        let held = make_anew(&own).expect("a new directory");
        write(&own.join("old"), b"").expect("a file");
        assert!(matches!(make_anew(&own), Err(DemoError::DirectoryInUse(_))));
        assert!(own.join("old").exists());
        drop(held);
        drop(keep(&own).expect("the directory as it is"));
        assert!(own.join("old").exists());
        make_anew(&own).expect("the directory anew");
        assert!(!own.join("old").exists());

        let other = scratch.path().join("other");
        make_directory(&other).expect("a directory");
        write(&other.join("thesis.txt"), b"").expect("a file");
        assert!(matches!(make_anew(&other), Err(DemoError::DirectoryTaken(_))));
        assert!(matches!(keep(&other), Err(DemoError::NothingToKeep(_))));
        assert!(other.join("thesis.txt").exists());
    }
}
