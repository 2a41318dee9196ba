//! A file that is read as a stream, of which no part takes more memory than a record may.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Input;

/// A quote or a comment that is never closed would take the rest of the file for one value: a record has a longest.
pub struct Bounded {
    input: Input,
    seen: Arc<Seen>,
    /// The last byte of the piece before.
    last: u8,
}

/// What was seen of a file's bytes.
#[derive(Default)]
pub struct Seen {
    /// How many were read since the last record.
    since: AtomicUsize,
    /// The first line ends with `\r\n`.
    has_crlf: AtomicBool,
    has_line: AtomicBool,
}

/// A record has so many bytes at most.
pub const RECORD_MAX: usize = 64 << 20;

impl Seen {
    /// Another record begins.
    pub fn begin(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Whether the first line ends with `\r\n`.
    pub fn has_crlf(&self) -> bool {
        self.has_crlf.load(Ordering::Relaxed)
    }
}

impl Bounded {
    /// Reads on; what is longer than a record may be is an error of the kind `FileTooLarge`.
    pub fn new(input: Input, seen: Arc<Seen>) -> Self {
        Self { input, seen, last: 0 }
    }
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(into)?;
        let piece = &into[..read];
        if !self.seen.has_line.load(Ordering::Relaxed)
            && let Some(end) = piece.iter().position(|byte| *byte == b'\n')
        {
            let before = end.checked_sub(1).map_or(self.last, |place| piece[place]);
            self.seen.has_crlf.store(before == b'\r', Ordering::Relaxed);
            self.seen.has_line.store(true, Ordering::Relaxed);
        }
        self.last = piece.last().copied().unwrap_or(self.last);
        if self.seen.since.fetch_add(read, Ordering::Relaxed) > RECORD_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}
