//! XML both ways: into legacy values, and out of a request's template.

mod encoding;
mod reader;
mod writer;

pub(crate) use encoding::decode;
pub(crate) use reader::{Names, Unreadable, read};
pub(crate) use writer::{Unwritable, Xml};

/// The namespace of `xsi:nil` and its like.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Whether XML 1.0 can carry a character at all (section 2.2); escaping does not help the others.
pub(crate) const fn is_carried(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Whether a word is a name without a colon, as elements, attributes and prefixes have (Namespaces in XML, section 3).
pub(crate) fn is_ncname(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && chars.all(|c| c == '_' || c == '-' || c == '.' || c == '\u{b7}' || c.is_alphanumeric())
}
