//! Whole messages on a stream, each bounded in length, depth and number of pieces before it is taken apart.

use bytes::{Buf as _, BytesMut};
use lber::structure::StructureTag;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Message, decode, encode};

/// Pieces within pieces: an entry needs five, a filter of a manifest some more.
const DEPTH_MAX: usize = 64;

/// Each piece takes memory beyond its bytes.
const PIECES_MAX: usize = 1_000_000;

/// Why a stream gives no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The other side ended the connection.
    Ended,
    Io(std::io::ErrorKind),
    /// A message is longer than the bound.
    TooLong,
    /// The bytes are no message; the piece that is none.
    NoMessage(&'static str),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Ended,
            kind => Self::Io(kind),
        }
    }
}

/// A stream of messages. A read that is dropped loses nothing.
pub(crate) struct Frames<S> {
    stream: S,
    buffer: BytesMut,
    message_max: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Messages on a stream, none longer than so many bytes.
    pub(crate) fn new(stream: S, message_max: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), message_max }
    }

    /// The stream, where nothing was read beyond the last message.
    pub(crate) fn into_stream(self) -> Option<S> {
        self.buffer.is_empty().then_some(self.stream)
    }

    /// The next message, with its length in bytes.
    pub(crate) async fn next(&mut self) -> Result<(Message, usize), Broken> {
        loop {
            if let Some(length) = self.whole()? {
                let tag = parse(&self.buffer[..length]).ok_or(Broken::NoMessage("pieces within bounds"))?;
                self.buffer.advance(length);
                return Ok((decode::message(tag).map_err(Broken::NoMessage)?, length));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Broken::Ended);
            }
        }
    }

    /// Sends bytes of [`encoded`].
    pub(crate) async fn send(&mut self, message: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(message).await?;
        Ok(self.stream.flush().await?)
    }

    /// The length of the message that the buffer begins with, once it is whole.
    fn whole(&mut self) -> Result<Option<usize>, Broken> {
        const SEQUENCE: u8 = 0x30;
        match self.buffer.first() {
            None => return Ok(None),
            Some(&SEQUENCE) => {}
            Some(_) => return Err(Broken::NoMessage("the beginning of a message")),
        }
        let Some((content, header)) = length(&self.buffer[1..]).map_err(|()| Broken::NoMessage("the length of a message"))?
        else {
            return Ok(None);
        };
        let whole = content.saturating_add(header + 1);
        if whole > self.message_max {
            return Err(Broken::TooLong);
        }
        if self.buffer.len() < whole {
            self.buffer.reserve(whole - self.buffer.len());
            return Ok(None);
        }
        Ok(Some(whole))
    }
}

/// A message as bytes.
pub(crate) fn encoded(message: &Message) -> BytesMut {
    let mut buffer = BytesMut::new();
    encode::message(message, &mut buffer);
    buffer
}

/// Takes bytes apart that are one whole piece. `None` where they are none, or it is too deep or has too many parts: the
/// parser below would go down as deep as they say.
pub(super) fn parse(bytes: &[u8]) -> Option<StructureTag> {
    is_bounded(bytes).then(|| lber::parse::parse_tag(bytes).ok()).flatten().and_then(|(rest, tag)| rest.is_empty().then_some(tag))
}

fn is_bounded(bytes: &[u8]) -> bool {
    const CONSTRUCTED: u8 = 0x20;
    const LONG_TAG: u8 = 0x1f;
    let mut ends: Vec<usize> = vec![bytes.len()];
    let (mut at, mut pieces) = (0, 0);
    while let Some(end) = ends.last().copied() {
        if at == end {
            ends.pop();
            continue;
        }
        let Some(tag) = bytes.get(at).filter(|tag| **tag & LONG_TAG != LONG_TAG) else { return false };
        let Ok(Some((content, header))) = length(&bytes[at + 1..end]) else { return false };
        let begin = at + 1 + header;
        pieces += 1;
        if content > end - begin || pieces > PIECES_MAX {
            return false;
        }
        if tag & CONSTRUCTED == 0 {
            at = begin + content;
        } else {
            ends.push(begin + content);
            at = begin;
        }
        if ends.len() > DEPTH_MAX {
            return false;
        }
    }
    true
}

/// A length and how many bytes say it; none while there are too few. LDAP has no indefinite lengths.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, ()> {
    let Some(first) = bytes.first().copied() else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((first.into(), 1)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(());
    }
    let Some(said) = bytes.get(1..=count) else { return Ok(None) };
    Ok(Some((said.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), count + 1)))
}
