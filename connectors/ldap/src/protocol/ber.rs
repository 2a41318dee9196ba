//! Pieces of BER as LDAP uses it (RFC 4511, section 5.1), made and taken apart.

use lber::common::TagClass;
use lber::structure::{PL, StructureTag};

/// Why a piece of a message is none. Names the piece, and never its content.
pub(crate) type Wrong = &'static str;

const BOOLEAN: u64 = 1;
const INTEGER: u64 = 2;
const OCTET_STRING: u64 = 4;
const ENUMERATED: u64 = 10;
const SEQUENCE: u64 = 16;
const SET: u64 = 17;

pub(super) fn primitive(class: TagClass, id: u64, bytes: impl Into<Vec<u8>>) -> StructureTag {
    StructureTag { class, id, payload: PL::P(bytes.into()) }
}

pub(super) fn constructed(class: TagClass, id: u64, parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class, id, payload: PL::C(parts) }
}

pub(super) fn sequence(parts: Vec<StructureTag>) -> StructureTag {
    constructed(TagClass::Universal, SEQUENCE, parts)
}

pub(super) fn set(parts: Vec<StructureTag>) -> StructureTag {
    constructed(TagClass::Universal, SET, parts)
}

pub(super) fn octets(bytes: impl Into<Vec<u8>>) -> StructureTag {
    primitive(TagClass::Universal, OCTET_STRING, bytes)
}

pub(super) fn boolean(truth: bool) -> StructureTag {
    primitive(TagClass::Universal, BOOLEAN, [if truth { 0xff } else { 0 }])
}

pub(super) fn integer(number: i32) -> StructureTag {
    primitive(TagClass::Universal, INTEGER, number_bytes(number))
}

pub(super) fn enumerated(number: i32) -> StructureTag {
    primitive(TagClass::Universal, ENUMERATED, number_bytes(number))
}

/// The shortest two's complement, as BER demands.
fn number_bytes(number: i32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let mut from = 0;
    while from < 3 && bytes[from] == sign && (bytes[from + 1] & 0x80) == (sign & 0x80) {
        from += 1;
    }
    bytes[from..].to_vec()
}

/// The number in a few bytes.
pub(super) fn number(bytes: &[u8]) -> Result<i32, Wrong> {
    const WRONG: Wrong = "a number";
    if bytes.is_empty() || bytes.len() > 8 {
        return Err(WRONG);
    }
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    let number = bytes.iter().fold(sign, |number: i64, byte| number << 8 | i64::from(*byte));
    i32::try_from(number).map_err(|_| WRONG)
}

/// The parts of a constructed piece, taken one after the other.
pub(super) struct Parts {
    parts: std::vec::IntoIter<StructureTag>,
    what: Wrong,
}

impl Parts {
    /// The parts of a piece; `what` names it when one is missing.
    pub(super) fn of(tag: StructureTag, what: Wrong) -> Result<Self, Wrong> {
        match tag.payload {
            PL::C(parts) => Ok(Self { parts: parts.into_iter(), what }),
            PL::P(_) => Err(what),
        }
    }

    pub(super) fn next(&mut self) -> Result<StructureTag, Wrong> {
        self.parts.next().ok_or(self.what)
    }

    pub(super) fn next_if(&mut self, class: TagClass, id: u64) -> Option<StructureTag> {
        let is_next = self.parts.as_slice().first().is_some_and(|tag| tag.class == class && tag.id == id);
        if is_next { self.parts.next() } else { None }
    }

    pub(super) fn octets(&mut self) -> Result<Vec<u8>, Wrong> {
        bytes(self.next()?, self.what)
    }

    pub(super) fn text(&mut self) -> Result<String, Wrong> {
        text(self.octets()?, self.what)
    }

    pub(super) fn number(&mut self) -> Result<i32, Wrong> {
        number(&self.octets()?)
    }

    pub(super) fn boolean_if(&mut self) -> Option<bool> {
        let tag = self.next_if(TagClass::Universal, BOOLEAN)?;
        bytes(tag, self.what).ok().map(|bytes| bytes.iter().any(|byte| *byte != 0))
    }

    pub(super) fn rest(self) -> std::vec::IntoIter<StructureTag> {
        self.parts
    }
}

pub(super) fn bytes(tag: StructureTag, what: Wrong) -> Result<Vec<u8>, Wrong> {
    match tag.payload {
        PL::P(bytes) => Ok(bytes),
        PL::C(_) => Err(what),
    }
}

pub(super) fn text(bytes: Vec<u8>, what: Wrong) -> Result<String, Wrong> {
    String::from_utf8(bytes).map_err(|_| what)
}
