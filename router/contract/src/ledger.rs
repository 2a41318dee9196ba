//! Answers about the ledger: the log as C2SP tlog-tiles has it, entries and proofs as JSON.
//!
//! A full tile never changes, so caches keep it for as long as they like; what grows is asked for each time. Entries and
//! tiles hold nobody's data in clear, yet only callers that are known are answered, hence `private`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::answer::whole;
use crate::{Asked, Body, Frame};

/// A SHA-256, in Base64 where it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

/// A signed note, or a key: text that grows old at once.
#[must_use]
pub fn text(text: String, asked: &Asked, frame: &Frame<'_>) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    frame.put(&mut headers);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    whole(StatusCode::OK, headers, text.into(), asked)
}

/// A tile or a bundle. One that is not full may be gone when the full one is there.
#[must_use]
pub fn tile(bytes: Bytes, asked: &Asked, frame: &Frame<'_>) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    frame.put(&mut headers);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    whole(StatusCode::OK, headers, bytes, asked)
}

/// One entry, with the bytes of which its leaf is the hash.
#[must_use]
pub fn entry(index: u64, leaf: Hash, bytes: &[u8]) -> Body {
    #[derive(Serialize)]
    struct Told<'a> {
        index: u64,
        leaf: Hash,
        #[serde(skip_serializing_if = "Option::is_none")]
        entry: Option<&'a RawValue>,
        bytes: String,
    }
    let entry = serde_json::from_slice(bytes).ok();
    Body::json(&Told { index, leaf, entry, bytes: BASE64.encode(bytes) })
}

/// That an entry is in a tree (RFC 9162, 2.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inclusion {
    pub index: u64,
    pub leaf: Hash,
    pub size: u64,
    pub root: Hash,
    pub hashes: Vec<Hash>,
}

/// One proof; with the checkpoint, where it is of its tree.
#[must_use]
pub fn inclusion(proof: &Inclusion, checkpoint: Option<&str>) -> Body {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        proof: &'a Inclusion,
        #[serde(skip_serializing_if = "Option::is_none")]
        checkpoint: Option<&'a str>,
    }
    Body::json(&Told { proof, checkpoint })
}

/// Proofs of all entries of an exchange in the tree of one checkpoint.
#[must_use]
pub fn of_exchange(exchange: &str, proofs: &[Inclusion], checkpoint: &str) -> Body {
    #[derive(Serialize)]
    struct Told<'a> {
        exchange: &'a str,
        proofs: &'a [Inclusion],
        checkpoint: &'a str,
    }
    Body::json(&Told { exchange, proofs, checkpoint })
}

/// That a tree is the beginning of another (RFC 9162, 2.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consistency<'a> {
    pub from: u64,
    pub to: u64,
    pub root: Hash,
    pub hashes: Vec<Hash>,
    /// The checkpoint of `to`, where it is the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<&'a str>,
}

/// What a witness cosigned last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosigned {
    /// The verifier key of the witness.
    pub witness: String,
    /// When, as the witness says.
    pub at: jiff::Timestamp,
    pub size: u64,
    /// The checkpoint with the line of the log and that of the witness.
    pub checkpoint: String,
}

/// What each witness cosigned last, the largest first.
#[must_use]
pub fn cosignatures(cosigned: &[Cosigned]) -> Body {
    #[derive(Serialize)]
    struct Told<'a> {
        cosignatures: &'a [Cosigned],
    }
    Body::json(&Told { cosignatures: cosigned })
}

/// The witnesses whose lines were taken.
#[must_use]
pub fn cosigned(witnesses: &[String]) -> Body {
    #[derive(Serialize)]
    struct Told<'a> {
        accepted: &'a [String],
    }
    Body::json(&Told { accepted: witnesses })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_with_its_bytes_as_they_are() {
        let body = entry(7, Hash([0; 32]), br#"{"v":1,"b":2.50,"a":"x"}"#);
        let leaf = "A".repeat(43);
        let expected = format!(
            r#"{{"index":7,"leaf":"{leaf}=","entry":{{"v":1,"b":2.50,"a":"x"}},"bytes":"eyJ2IjoxLCJiIjoyLjUwLCJhIjoieCJ9"}}"#
        );
        assert_eq!(body.bytes(), &Bytes::from(expected));
    }
}
