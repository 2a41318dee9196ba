//! HTTP/2 frame by frame, as no honest client would write it (RFC 9113; header blocks as RFC 7541, without compression).

use std::net::SocketAddr;

use tokio::time::timeout;

use super::raw::{PATIENCE, Raw};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What came of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// An answer; whether its status is 200.
    Answered { is_ok: bool },
    /// The stream was reset, or the connection given up.
    Refused,
}

/// A portal's connection.
pub struct Http2(Raw);

impl Http2 {
    pub async fn open(address: SocketAddr) -> Self {
        let mut raw = Raw::open(address, "h2").await;
        raw.write(PREFACE).await;
        raw.write(&frame(SETTINGS, 0, 0, &[])).await;
        Self(raw)
    }

    /// Writes frames; tells whether the other side still took them.
    pub async fn write(&mut self, frames: &[u8]) -> bool {
        timeout(PATIENCE, self.0.write(frames)).await.unwrap_or(false)
    }

    /// What comes of a stream.
    pub async fn ending(&mut self, stream: u32) -> Ending {
        while let Some((kind, of, payload)) = self.next().await {
            match kind {
                // 0x88 is `:status: 200` of the static table; a change of the dynamic table's size may stand before it.
                HEADERS if of == stream => {
                    let block = payload.iter().skip_while(|byte| **byte & 0xe0 == 0x20);
                    return Ending::Answered { is_ok: block.copied().next() == Some(0x88) };
                }
                RST_STREAM if of == stream => return Ending::Refused,
                GOAWAY => return Ending::Refused,
                _ => {}
            }
        }
        Ending::Refused
    }

    /// The next frame; `None` where the connection ended.
    pub async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let head = self.0.exactly(9).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some((head[3], stream, self.0.exactly(length).await?))
    }
}

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block: literals that no table remembers.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// A text with its length: a prefix of seven bits (RFC 7541, 5.1).
fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length = text.len();
    if length < 127 {
        bytes.push(u8::try_from(length).expect("less than 127"));
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push(u8::try_from(length % 128).expect("less than 128") | 0x80);
            length /= 128;
        }
        bytes.push(u8::try_from(length).expect("less than 128"));
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The headers of a read.
pub const READ: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/api/people/v1/persons/5ZJBKH7")];

/// The same with these in the place of those of the same name, or behind them.
pub fn read_with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers: Vec<(&str, &str)> = READ.to_vec();
    headers.extend_from_slice(more);
    headers
}

/// A request without a body, as one frame.
pub fn request(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(headers))
}
