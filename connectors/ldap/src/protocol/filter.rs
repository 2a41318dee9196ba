//! Filters: which entries a search is after (RFC 4511, section 4.5.1.7), and their text in a manifest (RFC 4515).
//!
//! A filter with a value of a request is never made from text: the value goes into its own piece of the message.

use lber::common::TagClass::Context;
use lber::structure::StructureTag;

use super::ber::{self, Parts, Wrong, constructed, octets, primitive, sequence};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    Substrings(String, Substrings),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    Approximate(String, Vec<u8>),
    Extensible(Extensible),
}

/// Pieces that a value has, in this order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Substrings {
    pub(crate) initial: Option<Vec<u8>>,
    pub(crate) any: Vec<Vec<u8>>,
    pub(crate) last: Option<Vec<u8>>,
}

/// A comparison by a rule of one's own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extensible {
    pub(crate) rule: Option<String>,
    pub(crate) attribute: Option<String>,
    pub(crate) value: Vec<u8>,
    pub(crate) of_dn_too: bool,
}

/// Filters within filters.
const DEPTH_MAX: usize = 32;

pub(super) fn encode(filter: &Filter) -> StructureTag {
    let pair = |id, name: &str, value: &[u8]| constructed(Context, id, vec![octets(name), octets(value)]);
    match filter {
        Filter::And(all) => constructed(Context, 0, all.iter().map(encode).collect()),
        Filter::Or(any) => constructed(Context, 1, any.iter().map(encode).collect()),
        Filter::Not(not) => constructed(Context, 2, vec![encode(not)]),
        Filter::Equal(name, value) => pair(3, name, value),
        Filter::Substrings(name, pieces) => {
            let mut parts = Vec::new();
            parts.extend(pieces.initial.as_deref().map(|piece| primitive(Context, 0, piece)));
            parts.extend(pieces.any.iter().map(|piece| primitive(Context, 1, piece.as_slice())));
            parts.extend(pieces.last.as_deref().map(|piece| primitive(Context, 2, piece)));
            constructed(Context, 4, vec![octets(name.as_str()), sequence(parts)])
        }
        Filter::AtLeast(name, value) => pair(5, name, value),
        Filter::AtMost(name, value) => pair(6, name, value),
        Filter::Present(name) => primitive(Context, 7, name.as_str()),
        Filter::Approximate(name, value) => pair(8, name, value),
        Filter::Extensible(own) => {
            let mut parts = Vec::new();
            parts.extend(own.rule.as_deref().map(|rule| primitive(Context, 1, rule)));
            parts.extend(own.attribute.as_deref().map(|name| primitive(Context, 2, name)));
            parts.push(primitive(Context, 3, own.value.as_slice()));
            if own.of_dn_too {
                parts.push(primitive(Context, 4, [0xff]));
            }
            constructed(Context, 9, parts)
        }
    }
}

pub(super) fn decode(tag: StructureTag, depth: usize) -> Result<Filter, Wrong> {
    const WHAT: Wrong = "a filter";
    if tag.class != Context || depth > DEPTH_MAX {
        return Err(WHAT);
    }
    let several = |tag| Parts::of(tag, WHAT)?.rest().map(|part| decode(part, depth + 1)).collect::<Result<Vec<_>, _>>();
    let pair = |tag| -> Result<(String, Vec<u8>), Wrong> {
        let mut parts = Parts::of(tag, WHAT)?;
        Ok((parts.text()?, parts.octets()?))
    };
    Ok(match tag.id {
        0 => Filter::And(several(tag)?),
        1 => Filter::Or(several(tag)?),
        2 => Filter::Not(Box::new(decode(Parts::of(tag, WHAT)?.next()?, depth + 1)?)),
        3 => pair(tag).map(|(name, value)| Filter::Equal(name, value))?,
        4 => {
            let mut parts = Parts::of(tag, WHAT)?;
            Filter::Substrings(parts.text()?, substrings(parts.next()?)?)
        }
        5 => pair(tag).map(|(name, value)| Filter::AtLeast(name, value))?,
        6 => pair(tag).map(|(name, value)| Filter::AtMost(name, value))?,
        7 => Filter::Present(ber::text(ber::bytes(tag, WHAT)?, WHAT)?),
        8 => pair(tag).map(|(name, value)| Filter::Approximate(name, value))?,
        9 => Filter::Extensible(extensible(tag)?),
        _ => return Err(WHAT),
    })
}

fn substrings(tag: StructureTag) -> Result<Substrings, Wrong> {
    const WHAT: Wrong = "a filter by substrings";
    let mut pieces = Substrings::default();
    for part in Parts::of(tag, WHAT)?.rest() {
        let id = part.id;
        let piece = ber::bytes(part, WHAT)?;
        match id {
            0 => pieces.initial = Some(piece),
            1 => pieces.any.push(piece),
            2 => pieces.last = Some(piece),
            _ => return Err(WHAT),
        }
    }
    Ok(pieces)
}

fn extensible(tag: StructureTag) -> Result<Extensible, Wrong> {
    const WHAT: Wrong = "a filter by a rule";
    let mut own = Extensible { rule: None, attribute: None, value: Vec::new(), of_dn_too: false };
    for part in Parts::of(tag, WHAT)?.rest() {
        let id = part.id;
        let bytes = ber::bytes(part, WHAT)?;
        match id {
            1 => own.rule = Some(ber::text(bytes, WHAT)?),
            2 => own.attribute = Some(ber::text(bytes, WHAT)?),
            3 => own.value = bytes,
            4 => own.of_dn_too = bytes != [0],
            _ => return Err(WHAT),
        }
    }
    Ok(own)
}

/// A filter as a manifest writes it: `(&(employeeType=active)(!(title=*)))`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Filter, String> {
    let mut parser = Parser { rest: text.trim() };
    let filter = parser.filter(0)?;
    if parser.rest.is_empty() { Ok(filter) } else { Err("something stands after the filter's last bracket".to_owned()) }
}

/// Makes a comparison of a name and a value.
type Compare = fn(String, Vec<u8>) -> Filter;

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn filter(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEPTH_MAX {
            return Err("the filter is nested too deeply".to_owned());
        }
        self.take('(')?;
        let filter = match self.rest.chars().next() {
            Some('&') => Filter::And(self.several(depth)?),
            Some('|') => Filter::Or(self.several(depth)?),
            Some('!') => {
                self.rest = &self.rest[1..];
                Filter::Not(Box::new(self.filter(depth + 1)?))
            }
            _ => self.item()?,
        };
        self.take(')')?;
        Ok(filter)
    }

    fn take(&mut self, bracket: char) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(bracket).ok_or_else(|| format!("a filter's `{bracket}` is missing"))?;
        Ok(())
    }

    fn several(&mut self, depth: usize) -> Result<Vec<Filter>, String> {
        self.rest = &self.rest[1..];
        let mut filters = Vec::new();
        while self.rest.starts_with('(') {
            filters.push(self.filter(depth + 1)?);
        }
        if filters.is_empty() { Err("`&` and `|` stand before filters in brackets".to_owned()) } else { Ok(filters) }
    }

    fn item(&mut self) -> Result<Filter, String> {
        let end = self.rest.find([')', '(']).unwrap_or(self.rest.len());
        let (item, rest) = self.rest.split_at(end);
        self.rest = rest;
        let (left, value) = item.split_once('=').ok_or_else(|| "a comparison is `attribute=value`".to_owned())?;
        if let Some(left) = left.strip_suffix(':') {
            return by_rule(left, value);
        }
        let (name, compare): (&str, Compare) = match left.chars().last() {
            Some('>') => (&left[..left.len() - 1], Filter::AtLeast),
            Some('<') => (&left[..left.len() - 1], Filter::AtMost),
            Some('~') => (&left[..left.len() - 1], Filter::Approximate),
            _ => (left, Filter::Equal),
        };
        let name = described(name)?;
        if value == "*" {
            return Ok(Filter::Present(name));
        }
        if value.contains('*') {
            return by_substrings(name, value);
        }
        Ok(compare(name, unescaped(value)?))
    }
}

fn by_rule(left: &str, value: &str) -> Result<Filter, String> {
    let mut own = Extensible { rule: None, attribute: None, value: unescaped(value)?, of_dn_too: false };
    for (at, part) in left.split(':').enumerate() {
        match part {
            "" if at == 0 => {}
            "dn" if at > 0 => own.of_dn_too = true,
            name if at == 0 => own.attribute = Some(described(name)?),
            rule => own.rule = Some(described(rule)?),
        }
    }
    Ok(Filter::Extensible(own))
}

fn by_substrings(name: String, value: &str) -> Result<Filter, String> {
    let pieces = value.split('*').map(unescaped).collect::<Result<Vec<_>, _>>()?;
    let last = pieces.len() - 1;
    let mut substrings = Substrings::default();
    for (at, piece) in pieces.into_iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
        match at {
            0 => substrings.initial = Some(piece),
            at if at == last => substrings.last = Some(piece),
            _ => substrings.any.push(piece),
        }
    }
    Ok(Filter::Substrings(name, substrings))
}

/// An attribute description: a name or an OID, and options.
fn described(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_');
    if name.is_empty() || !name.chars().all(fits) {
        return Err("the name of an attribute has letters, digits, `-`, `.` and `;`".to_owned());
    }
    Ok(name.to_owned())
}

/// A value, its `\28` made bytes.
fn unescaped(value: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or_default()),
            _ => return Err("a backslash stands before two hexadecimal digits: `\\28` is `(`".to_owned()),
        }
    }
    Ok(bytes)
}
