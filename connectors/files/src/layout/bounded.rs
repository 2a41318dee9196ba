//! A file that is read as a stream, of which no part takes more memory than a record may.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Input;

/// A comment that is never closed would take the rest of the file for one value: a record has a longest.
pub struct Bounded {
    input: Input,
    seen: Arc<Seen>,
}

/// How many of a file's bytes were read since the last record.
#[derive(Default)]
pub struct Seen(AtomicUsize);

/// A record has so many bytes at most.
pub const RECORD_MAX: usize = 64 << 20;

impl Seen {
    /// Another record begins.
    pub fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Bounded {
    /// Reads on; what is longer than a record may be is an error of the kind `FileTooLarge`.
    pub fn new(input: Input, seen: Arc<Seen>) -> Self {
        Self { input, seen }
    }
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(into)?;
        if self.seen.0.fetch_add(read, Ordering::Relaxed) > RECORD_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}
