//! The records of a delimited file as fields, each with the line on which it begins. The crate `csv-core` finds the fields;
//! `csv`, which sits on it, counts a record from the end of the one before, be there a line end or an empty line between.

use std::io::{self, BufRead, BufReader};

use csv_core::{ReadRecordResult, Reader};

use super::super::bounded::RECORD_MAX;
use super::super::{Fault, Input};

/// The text of a file that is none in the encoding declared.
pub const ENCODING: &str = "text in the encoding that the manifest names";

/// Reads records.
pub struct Lines {
    input: BufReader<Input>,
    reader: Reader,
    /// The fields of the record read last, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    width: usize,
}

impl Lines {
    /// The records of a file.
    pub fn new(input: Input, reader: Reader) -> Self {
        Self { input: BufReader::with_capacity(1 << 16, input), reader, bytes: vec![0; 1024], ends: vec![0; 32], width: 0 }
    }

    /// Reads a record; the line on which it begins, from 1 on, or `None` after the last.
    pub fn next(&mut self) -> Result<Option<u64>, Fault> {
        self.width = 0;
        let is_there = self.skip_line_ends();
        let line = self.reader.line();
        let width = is_there.and_then(|is_there| if is_there { self.record() } else { Ok(None) });
        let width = width.map_err(|error| fault(&error, line))?;
        self.width = width.unwrap_or_default();
        Ok(width.map(|_| line))
    }

    /// How many fields the record has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A field of the record.
    pub fn field(&self, place: usize) -> &[u8] {
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[place]]
    }

    /// Passes over the second half of `\r\n`, and over lines that are empty; whether anything comes then.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            match self.input.fill_buf()?.first() {
                Some(b'\n') => self.reader.set_line(self.reader.line() + 1),
                Some(b'\r') => {}
                other => return Ok(other.is_some()),
            }
            self.input.consume(1);
        }
    }

    /// Reads the fields; how many there are.
    fn record(&mut self) -> io::Result<Option<usize>> {
        let (mut taken, mut filled, mut width) = (0, 0, 0);
        loop {
            let piece = self.input.fill_buf()?;
            let (result, read, written, ended) =
                self.reader.read_record(piece, &mut self.bytes[filled..], &mut self.ends[width..]);
            self.input.consume(read);
            (taken, filled, width) = (taken + read, filled + written, width + ended);
            if taken > RECORD_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return Ok(Some(width)),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}

fn fault(error: &io::Error, line: u64) -> Fault {
    match error.kind() {
        io::ErrorKind::InvalidData => Fault::last(line, ENCODING),
        io::ErrorKind::FileTooLarge => Fault::last(line, "a record of 64 MiB at most: perhaps a quote is not closed"),
        kind => Fault::last(line, format!("a file that can be read to its end ({kind})")),
    }
}
