//! How one record of a file is told from the next.

use std::io::{BufRead, BufReader, Read};

use super::charset::Charset;
use super::{Fault, Input};
use crate::from::Framing;

/// Records as bytes, one after the other.
pub struct Frames {
    input: BufReader<Input>,
    framing: Framing,
    /// The bytes that end a line: EBCDIC has two, NEL and LF.
    ends: [u8; 2],
    /// The number of the record read last: its line, where records are lines.
    number: u64,
}

/// A line that is longer is no record.
const LINE_MAX: u64 = 1_000_000;

impl Frames {
    /// The records of a file. Lines of an encoding whose line ends are not those of ASCII are handed over in UTF-8.
    pub fn new(input: Input, framing: Framing, charset: Charset) -> Self {
        let input = if framing == Framing::Lines && !charset.is_single_byte() { charset.decoded(input) } else { input };
        let ends = if charset.is_ebcdic() { [0x15, 0x25] } else { [b'\n'; 2] };
        Self { input: BufReader::with_capacity(1 << 16, input), framing, ends, number: 0 }
    }

    /// The next record, put into `record`; its number, or `None` after the last.
    pub fn next(&mut self, record: &mut Vec<u8>) -> Result<Option<u64>, Fault> {
        record.clear();
        self.number += 1;
        let number = self.number;
        let broken = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Fault::last(number, "a whole record, and the file ends within it"),
            std::io::ErrorKind::InvalidData => Fault::last(number, "text in the encoding that the manifest names"),
            kind => Fault::last(number, format!("a file that can be read to its end ({kind})")),
        };
        let is_there = match self.framing {
            Framing::Lines => self.line(record).map_err(broken)?,
            Framing::Bytes(count) => self.exactly(count, record).map_err(broken)?,
            Framing::Rdw => {
                if self.exactly(4, record).map_err(broken)? {
                    let length = usize::from(u16::from_be_bytes([record[0], record[1]]));
                    if length < 4 || record[2..4] != [0, 0] {
                        return Err(Fault::last(number, "a record that begins with its length (RDW): two bytes, then zeros"));
                    }
                    record.clear();
                    if !self.exactly(length - 4, record).map_err(broken)? {
                        return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    true
                } else {
                    false
                }
            }
        };
        if record.len() as u64 > LINE_MAX {
            return Err(Fault::last(number, "a line end: this line is longer than any record"));
        }
        Ok(is_there.then_some(number))
    }

    fn line(&mut self, record: &mut Vec<u8>) -> std::io::Result<bool> {
        let mut is_there = false;
        loop {
            let read = self.input.fill_buf()?;
            if read.is_empty() || record.len() as u64 > LINE_MAX {
                break;
            }
            is_there = true;
            let end = read.iter().position(|byte| self.ends.contains(byte));
            let taken = end.unwrap_or(read.len());
            record.extend_from_slice(&read[..taken]);
            self.input.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                break;
            }
        }
        // A carriage return has the same byte in ASCII and EBCDIC.
        if record.last() == Some(&b'\r') {
            record.pop();
        }
        // The end-of-file character of MS-DOS, which old programs leave behind the last line.
        Ok(is_there && record.as_slice() != [0x1a])
    }

    /// So many bytes; false where there is none at all.
    fn exactly(&mut self, count: usize, record: &mut Vec<u8>) -> std::io::Result<bool> {
        let read = (&mut self.input).take(count as u64).read_to_end(record)?;
        match read {
            0 if count > 0 => Ok(false),
            read if read < count => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(true),
        }
    }
}
