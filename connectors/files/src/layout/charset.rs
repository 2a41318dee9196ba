//! Encodings: strict both ways. What is no text of an encoding is a fault, not a replacement character.

use std::io::{self, Read};

use super::page::Page;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_16BE, UTF_16LE};

/// An encoding of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// One that the WHATWG lists.
    Known(&'static Encoding),
    /// One of our own.
    Page(&'static Page),
}

impl Charset {
    /// The encoding of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let known = Encoding::for_label(name.as_bytes()).filter(|known| *known != encoding_rs::REPLACEMENT);
        known.map(Self::Known).or_else(|| Page::named(name).map(Self::Page))
    }

    /// Whether it is EBCDIC: digits, blanks and line ends have other bytes than in ASCII.
    #[must_use]
    pub fn is_ebcdic(self) -> bool {
        matches!(self, Self::Page(page) if page.is_ebcdic)
    }

    /// Whether each character is one byte.
    #[must_use]
    pub fn is_single_byte(self) -> bool {
        match self {
            Self::Known(known) => known.is_single_byte(),
            Self::Page(_) => true,
        }
    }

    /// The text of bytes; `None` when they are none of this encoding.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Known(known) => {
                known.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
            }
            Self::Page(page) => page.decode(bytes),
        }
    }

    /// The bytes of a text; `None` when the encoding lacks a character.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Known(known) if known == UTF_16LE => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Known(known) if known == UTF_16BE => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Self::Known(known) => {
                let (bytes, _, is_lossy) = known.encode(text);
                (!is_lossy).then(|| bytes.into_owned())
            }
            Self::Page(page) => page.encode(text),
        }
    }

    /// What stands before a text of this encoding to say so.
    #[must_use]
    pub fn mark(self) -> &'static [u8] {
        match self {
            Self::Known(known) if known == UTF_16LE => &[0xff, 0xfe],
            Self::Known(known) if known == UTF_16BE => &[0xfe, 0xff],
            Self::Known(_) | Self::Page(_) => &[],
        }
    }

    /// The bytes as UTF-8. A byte order mark at the beginning tells the encoding, and is left out.
    pub fn decoded(self, input: super::Input) -> super::Input {
        match self {
            Self::Known(known) => Box::new(Decoded::new(input, known)),
            Self::Page(page) => Box::new(Paged { input, page, spare: Vec::new(), is_broken: false }),
        }
    }
}

/// Bytes that are decoded while they are read. What is none of the encoding is an error of the kind `InvalidData`; all that
/// stands before it is handed over first, so that a reader knows where it is.
struct Decoded {
    input: super::Input,
    decoder: Decoder,
    raw: Vec<u8>,
    /// What of `raw` is yet to be decoded.
    left: std::ops::Range<usize>,
    is_end: bool,
    /// The decoder has told all that it had.
    is_done: bool,
    /// What comes next is none of the encoding.
    is_broken: bool,
    /// Decoded, and not handed over: the rest of a character that did not fit.
    spare: Vec<u8>,
}

const CHUNK: usize = 64 * 1024;
/// More than any one character takes.
const SMALL: usize = 16;

impl Decoded {
    fn new(input: super::Input, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder();
        let raw = vec![0; CHUNK];
        Self { input, decoder, raw, left: 0..0, is_end: false, is_done: false, is_broken: false, spare: Vec::new() }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.left.is_empty() && !self.is_end {
            let read = self.input.read(&mut self.raw)?;
            self.left = 0..read;
            self.is_end = read == 0;
        }
        Ok(())
    }

    /// Decodes a piece; how much of it there is.
    fn decode(&mut self, into: &mut [u8]) -> usize {
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw[self.left.clone()], into, self.is_end);
        self.left.start += read;
        self.is_broken = matches!(result, DecoderResult::Malformed(..));
        self.is_done = self.is_end && matches!(result, DecoderResult::InputEmpty);
        written
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not in the encoding declared")
}

/// Bytes of a page that are decoded while they are read, as [`Decoded`] does. The line ends of EBCDIC become those of ASCII.
struct Paged {
    input: super::Input,
    page: &'static Page,
    spare: Vec<u8>,
    is_broken: bool,
}

impl Paged {
    fn fill(&mut self) -> io::Result<()> {
        let mut raw = vec![0; CHUNK];
        let read = self.input.read(&mut raw)?;
        let known = raw[..read].iter().take_while(|byte| self.page.has(**byte)).count();
        self.is_broken = known < read;
        let text = self.page.decode(&raw[..known]).unwrap_or_default();
        let text = if self.page.is_ebcdic { text.replace('\u{85}', "\n") } else { text };
        self.spare = text.into_bytes();
        Ok(())
    }
}

impl Read for Paged {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.spare.is_empty() && !self.is_broken {
            self.fill()?;
        }
        if self.spare.is_empty() && self.is_broken {
            return Err(broken());
        }
        let count = self.spare.len().min(into.len());
        into[..count].copy_from_slice(&self.spare[..count]);
        self.spare.drain(..count);
        Ok(count)
    }
}

impl Read for Decoded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.spare.is_empty() {
                let count = self.spare.len().min(into.len());
                into[..count].copy_from_slice(&self.spare[..count]);
                self.spare.drain(..count);
                return Ok(count);
            }
            if self.is_broken {
                return Err(broken());
            }
            if self.is_done {
                return Ok(0);
            }
            self.fill()?;
            let mut small = [0; SMALL];
            let is_small = into.len() < SMALL;
            let written = self.decode(if is_small { &mut small } else { &mut *into });
            if is_small {
                self.spare.extend_from_slice(&small[..written]);
            } else if written > 0 {
                return Ok(written);
            }
        }
    }
}
