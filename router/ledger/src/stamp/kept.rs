//! The directory of stamps: beside each stamped checkpoint, `{size}.checkpoint`, its stamp, `{size}.tsr`.
//!
//! `{size}` has twenty digits. The answer of the authority is kept whole, as other programs verify it:
//! `openssl ts -verify -data {size}.checkpoint -in {size}.tsr -CAfile CA.pem`.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const DIGITS: usize = 20;

/// A stamped checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// So many entries the log had.
    pub size: u64,
    /// The signed note that is stamped.
    pub note: PathBuf,
    /// The answer of the authority.
    pub stamp: PathBuf,
}

impl Kept {
    fn new(directory: &Path, size: u64) -> Self {
        let name = |end| directory.join(format!("{size:0DIGITS$}.{end}"));
        Self { size, note: name("checkpoint"), stamp: name("tsr") }
    }
}

/// All that a directory has, the smallest first. Where there is none, there is nothing in it.
///
/// # Errors
/// When it cannot be read, or holds a file that is none of a stamp.
pub fn all(directory: &Path) -> io::Result<Vec<Kept>> {
    let listed = match std::fs::read_dir(directory) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for file in listed {
        let file = file?.file_name();
        let name = file.to_string_lossy();
        match name.split_once('.') {
            // What was not finished, or was finished but for the stamp, when the node ended.
            Some((_, "checkpoint" | "checkpoint.new" | "tsr.new")) => {}
            Some((size, "tsr")) if size.len() == DIGITS && size.bytes().all(|digit| digit.is_ascii_digit()) => {
                found.push(Kept::new(directory, size.parse().map_err(io::Error::other)?));
            }
            _ => return Err(io::Error::other(format!("`{name}` is no file of a stamp"))),
        }
    }
    found.sort();
    Ok(found)
}

/// Keeps a stamped checkpoint, durably: the stamp last, so that there is none without its note.
///
/// # Errors
/// When it cannot be written.
pub fn keep(directory: &Path, size: u64, note: &[u8], stamp: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let kept = Kept::new(directory, size);
    for (file, bytes) in [(&kept.note, note), (&kept.stamp, stamp)] {
        let half = file.with_added_extension("new");
        let mut new = File::create(&half)?;
        new.write_all(bytes)?;
        new.sync_all()?;
        std::fs::rename(&half, file)?;
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
