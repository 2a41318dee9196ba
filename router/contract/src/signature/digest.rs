//! `Content-Digest` (RFC 9530).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::HeaderValue;
use rabita_model::{Code, Fault, Refusal};
use sfv::{Dictionary, ListEntry, Parser};

use super::CONTENT_DIGEST;

/// A hash that content may be digested with. Others of the registry are insecure, and count for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    const ALL: [(&'static str, Self); 2] = [("sha-256", Self::Sha256), ("sha-512", Self::Sha512)];
}

/// The value of `Content-Digest`, and of `Repr-Digest`: a structured field, in which bytes stand between colons.
#[must_use]
pub fn content_digest(sha256: &[u8; 32]) -> HeaderValue {
    const PREFIX: &[u8; 9] = b"sha-256=:";
    // 32 bytes are 44 characters.
    let mut text = [b':'; PREFIX.len() + 44 + 1];
    text[..PREFIX.len()].copy_from_slice(PREFIX);
    BASE64.encode_slice(sha256, &mut text[PREFIX.len()..PREFIX.len() + 44]).expect("44 characters are the Base64 of 32 bytes");
    HeaderValue::from_bytes(&text).expect("Base64 is a header value")
}

/// Holds `Content-Digest` against the body, of which `hash` gives the digests. Tells whether there was one.
///
/// # Errors
/// `malformed_request` where the header cannot be read, has no digest that counts, or one that is not the body's.
pub fn check_content_digest(headers: &HeaderMap, hash: impl Fn(Hash) -> Vec<u8>) -> Result<bool, Refusal> {
    let mut values = headers.get_all(CONTENT_DIGEST).iter();
    let Some(value) = values.next() else { return Ok(false) };
    let digests: Dictionary = match (Parser::new(value.as_bytes()).parse(), values.next()) {
        (Ok(digests), None) => digests,
        _ => return Err(refused("syntax", "this header is one list of digests: `sha-256=:...:`")),
    };
    let mut is_known = false;
    for (name, known) in Hash::ALL {
        let Some(ListEntry::Item(item)) = digests.get(name) else { continue };
        if item.bare_item.as_byte_sequence() != Some(&hash(known)) {
            return Err(refused("digest", "the body that came has another digest"));
        }
        is_known = true;
    }
    if is_known { Ok(true) } else { Err(refused("algorithm", "the body is digested with `sha-256` or `sha-512`")) }
}

fn refused(code: &'static str, message: &'static str) -> Refusal {
    Refusal::with_faults(Code::MalformedRequest, vec![Fault::parameter("Content-Digest", code, message)]).detail(message)
}
