//! Entity tags and `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2).
//!
//! The tag of a record that can be changed has two parts: the digest of what was answered, which `If-None-Match` is for,
//! and the registry's version of the record, sealed, which `If-Match` is for. They are joined by a `-`.

use http::HeaderMap;
use http::header::{HeaderValue, IF_NONE_MATCH};

/// A strong entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(HeaderValue);

impl ETag {
    /// The tag of a representation with this digest: 16 bytes of it are enough to tell versions apart.
    #[must_use]
    pub fn of(digest: &[u8]) -> Self {
        Self::with_version(digest, "")
    }

    /// The tag of a representation with this digest, of a record at this version. The version is sealed text of visible
    /// ASCII characters; a `"` or anything else in it would break the tag, and then it is left out.
    #[must_use]
    pub fn with_version(digest: &[u8], sealed: &str) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Vec::with_capacity(35 + sealed.len());
        text.push(b'"');
        for byte in digest.iter().take(16) {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        if !sealed.is_empty() && sealed.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
            text.push(b'-');
            text.extend_from_slice(sealed.as_bytes());
        }
        text.push(b'"');
        Self(HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("visible ASCII characters are a header value"))
    }

    /// The sealed version in a tag without its quotes, as [`rabita_model::IfMatch::Tag`] has it.
    #[must_use]
    pub fn version(tag: &str) -> Option<&str> {
        tag.split_once('-').map(|(_, sealed)| sealed).filter(|sealed| !sealed.is_empty())
    }

    /// As `ETag` has it.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

/// What the caller has already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IfNoneMatch {
    /// The caller said nothing, or nothing that can be read.
    #[default]
    Absent,
    /// Any representation there is.
    Any,
    /// These, with their quotes and without `W/`: the comparison is the weak one.
    Tags(Vec<Vec<u8>>),
}

impl IfNoneMatch {
    /// Reads the header. Where its list breaks off, what stands before counts.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut tags = Vec::new();
        for value in headers.get_all(IF_NONE_MATCH) {
            let text = value.as_bytes().trim_ascii();
            if text == b"*" {
                return Self::Any;
            }
            read_tags(text, &mut tags);
        }
        if tags.is_empty() { Self::Absent } else { Self::Tags(tags) }
    }

    /// Whether the caller has this already.
    #[must_use]
    pub fn matches(&self, tag: &ETag) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|known| known == tag.0.as_bytes()),
        }
    }
}

fn read_tags(mut text: &[u8], tags: &mut Vec<Vec<u8>>) {
    loop {
        let skipped = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b',')).count();
        text = &text[skipped..];
        let opaque = text.strip_prefix(b"W/").unwrap_or(text);
        let Some(length) = opaque.strip_prefix(b"\"").and_then(|rest| rest.iter().position(|byte| *byte == b'"')) else { return };
        let (tag, rest) = opaque.split_at(length + 2);
        tags.push(tag.to_vec());
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &'static str) -> IfNoneMatch {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static(text));
        IfNoneMatch::of(&headers)
    }

    #[test]
    fn compares_weakly_and_finds_a_tag_anywhere_in_the_list() {
        let tag = ETag::of(&[0xab, 0xcd]);
        for text in ["*", "\"abcd\"", "W/\"abcd\"", "\"x,y\", W/\"abcd\"", " \"z\" ,\"abcd\""] {
            assert!(header(text).matches(&tag), "{text}");
        }
        for text in ["", "abcd", "\"abcd", "\"ABCD\"", "\"x\" \"y\"", "w/\"abcd\""] {
            assert!(!header(text).matches(&tag), "{text}");
        }
    }
}
