//! Codecs between bytes and text: character encodings, Base64, hexadecimal digits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use super::spec::{CharsetSpec, HexSpec};
use super::text::text_of;
use super::{CodecFault, Step};
use crate::{Finding, Legacy};

/// The encoding of this name.
pub(crate) fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.as_bytes()).filter(|encoding| *encoding != encoding_rs::REPLACEMENT).ok_or_else(|| {
        format!(
            "there is no character encoding `{name}`; names are as windows-1254, iso-8859-5, koi8-r, utf-16le (none of EBCDIC)"
        )
    })
}

pub(super) fn charset(spec: &CharsetSpec) -> Result<Box<dyn Step>, Finding> {
    let actual = encoding(&spec.actual).map_err(|message| Finding::new("/actual", message))?;
    Ok(match &spec.declared {
        None => Box::new(Charset(actual)),
        Some(declared) => {
            Box::new(Misread { actual, declared: encoding(declared).map_err(|message| Finding::new("/declared", message))? })
        }
    })
}

/// Legacy bytes in an encoding, contract text.
struct Charset(&'static Encoding);

impl Step for Charset {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        match legacy {
            Legacy::Bytes(bytes) => read(self.0, &bytes).map(Legacy::Text),
            Legacy::Text(_) => Err(CodecFault::new(
                "wrong_kind",
                "charset takes bytes, this is text already; if it was read in a wrong encoding, say which: `declared`",
            )),
            other => Err(CodecFault::kind("charset", "bytes", &other)),
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        write(self.0, &text_of("charset", contract)?).map(Legacy::Bytes)
    }

    fn keeps_prefix(&self) -> bool {
        self.0.is_single_byte()
    }
}

/// Legacy text that was taken for another encoding than it is in.
struct Misread {
    actual: &'static Encoding,
    declared: &'static Encoding,
}

impl Step for Misread {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let bytes = write(self.declared, &text_of("charset", legacy)?).map_err(|_| undecodable(self.declared))?;
        read(self.actual, &bytes).map(Legacy::Text)
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let bytes = write(self.actual, &text_of("charset", contract)?)?;
        read(self.declared, &bytes).map(Legacy::Text).map_err(|_| unencodable(self.declared))
    }

    fn keeps_prefix(&self) -> bool {
        self.actual.is_single_byte() && self.declared.is_single_byte()
    }
}

fn read(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, CodecFault> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| undecodable(encoding))
}

fn write(encoding: &'static Encoding, text: &str) -> Result<Vec<u8>, CodecFault> {
    // The encoder of encoding_rs writes UTF-8 instead of UTF-16, as browsers have to.
    if encoding == UTF_16LE {
        return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    if encoding == UTF_16BE {
        return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    match encoding.encode(text) {
        (bytes, _, false) => Ok(bytes.into_owned()),
        (_, _, true) => Err(unencodable(encoding)),
    }
}

fn undecodable(encoding: &'static Encoding) -> CodecFault {
    CodecFault::new("undecodable_text", format!("the text is not in {}", encoding.name()))
}

fn unencodable(encoding: &'static Encoding) -> CodecFault {
    CodecFault::unrepresentable(format!("the text has a character that {} has not", encoding.name()))
}

/// Base64: bytes on one side, text on the other, whichever side the registry is on.
pub(super) struct Base64;

impl Step for Base64 {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        match legacy {
            Legacy::Bytes(bytes) => Ok(Legacy::Text(STANDARD.encode(bytes))),
            Legacy::Text(text) => STANDARD
                .decode(text.split_ascii_whitespace().collect::<String>())
                .map(Legacy::Bytes)
                .map_err(|_| CodecFault::new("undecodable_text", "the text is no Base64")),
            other => Err(CodecFault::kind("base64", "bytes or text", &other)),
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        self.decode(contract)
    }
}

/// Hexadecimal digits: bytes on one side, text on the other, whichever side the registry is on.
pub(super) struct Hex {
    upper: bool,
}

impl Hex {
    pub(super) const fn new(spec: &HexSpec) -> Self {
        Self { upper: spec.upper }
    }

    fn write(&self, bytes: &[u8]) -> String {
        let digits = if self.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(digits[usize::from(nibble)])).collect()
    }
}

impl Step for Hex {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        match legacy {
            Legacy::Bytes(bytes) => Ok(Legacy::Text(self.write(&bytes))),
            Legacy::Text(text) => unhex(&text)
                .map(Legacy::Bytes)
                .ok_or_else(|| CodecFault::new("undecodable_text", "the text is not of hexadecimal digits in pairs")),
            other => Err(CodecFault::kind("hex", "bytes or text", &other)),
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        self.decode(contract)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}
