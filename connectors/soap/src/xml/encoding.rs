//! Bytes of a document as text, whatever its encoding.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::reader::Unreadable;

/// How far into a document its declaration can reach.
const DECLARATION_MAX_BYTES: usize = 256;

/// The text of a document. A byte order mark is obeyed first, then the charset of the transport, then the document's
/// declaration (RFC 7303, section 3); without any of them it is UTF-8.
///
/// # Errors
/// When the encoding is unknown, or the bytes are not of it.
pub(crate) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, Unreadable> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return in_encoding(encoding, &bytes[mark..]);
    }
    let encoding = match charset {
        Some(label) => Encoding::for_label(label.as_bytes()).ok_or(Unreadable::UnknownEncoding)?,
        None => declared(bytes)?,
    };
    in_encoding(encoding, bytes)
}

fn in_encoding<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Result<Cow<'a, str>, Unreadable> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or(Unreadable::NotInEncoding(encoding.name()))
}

fn declared(bytes: &[u8]) -> Result<&'static Encoding, Unreadable> {
    match bytes {
        [b'<', 0, ..] => return Ok(UTF_16LE),
        [0, b'<', ..] => return Ok(UTF_16BE),
        _ => {}
    }
    let Some(label) = declared_label(bytes) else { return Ok(UTF_8) };
    let encoding = Encoding::for_label(label).ok_or(Unreadable::UnknownEncoding)?;
    // A declaration that could be read byte by byte is not in UTF-16, whatever it says: such documents come from
    // systems that wrote the declaration before they chose the encoding, and are in UTF-8.
    Ok(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

fn declared_label(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(DECLARATION_MAX_BYTES)];
    let start = head.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let head = head[start..].strip_prefix(b"<?xml")?;
    let head = &head[..head.windows(2).position(|pair| pair == b"?>")?];
    let at = head.windows(8).position(|word| word == b"encoding")?;
    let rest = head[at + 8..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, rest) = rest.split_first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    rest.iter().position(|byte| byte == quote).map(|end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_declaration_says() {
        let bytes = b"<?xml version='1.0' encoding = \"windows-1254\"?><a>\xdd\xfe</a>";
        assert!(decode(bytes, None).expect("text").ends_with("<a>İş</a>"));
    }

    #[test]
    fn lets_a_byte_order_mark_speak_before_the_transport_and_the_transport_before_the_declaration() {
        let marked = b"\xef\xbb\xbf<?xml version='1.0' encoding='iso-8859-1'?><a>\xc6\x8f</a>";
        assert!(decode(marked, Some("windows-1251")).expect("text").ends_with("<a>Ə</a>"));
        let labelled = b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xc6\x8f</a>";
        assert!(decode(labelled, Some("utf-8")).expect("text").ends_with("<a>Ə</a>"));
    }

    #[test]
    fn reads_utf_16_with_and_without_a_mark() {
        let text = "<a>Ə</a>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}<a>Ə</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&little, None).expect("text"), text);
        assert_eq!(decode(&big, None).expect("text"), text);
    }

    #[test]
    fn believes_bytes_rather_than_a_declaration_of_utf_16_that_could_not_be_read_if_it_were_true() {
        let bytes = "<?xml version='1.0' encoding='utf-16'?><a>Ə</a>".as_bytes();
        assert!(decode(bytes, None).expect("text").ends_with("<a>Ə</a>"));
    }

    #[test]
    fn refuses_bytes_that_are_not_of_the_encoding() {
        assert_eq!(decode(b"<a>\xff\xfe\xff</a>", None), Err(Unreadable::NotInEncoding("UTF-8")));
        assert_eq!(decode(b"<?xml version='1.0' encoding='klingon'?><a/>", None), Err(Unreadable::UnknownEncoding));
    }
}
