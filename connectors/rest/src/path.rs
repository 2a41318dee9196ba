//! Paths with places for a key, and query parameters.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rabita_sdk::{Failure, Legacy, Source};

/// Everything but what RFC 3986 leaves unreserved is encoded, so that a value can't leave its segment or parameter.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path that the key's values fill.
#[derive(Debug, Clone)]
pub struct Path(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Fixed(String),
    /// The place of a source in the key.
    Key(usize),
}

/// What is wrong with a path in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadPath {
    /// In a sentence.
    Form(&'static str),
    /// It has a place for something that is not in the key.
    Stranger(String),
}

impl Path {
    /// Takes a path apart.
    ///
    /// # Errors
    /// When it is not one.
    pub fn new(text: &str, key: &[Source]) -> Result<Self, BadPath> {
        if !text.starts_with('/') {
            return Err(BadPath::Form("a path begins with `/`; it is relative to the connector's `url`"));
        }
        if text.contains('#') || text.chars().any(|letter| letter.is_control() || letter == '\\' || letter == ' ') {
            return Err(BadPath::Form("a path holds no `#`, `\\`, blank or control character"));
        }
        let whole = text.split('?').next().unwrap_or_default();
        if whole.split('/').any(is_dots) {
            return Err(BadPath::Form("a path holds no `.` or `..` segment"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(BadPath::Form("a `{` is not closed"))?;
            let place = key.iter().position(|source| source.as_str() == name);
            parts.push(Part::Fixed(before.to_owned()));
            parts.push(Part::Key(place.ok_or_else(|| BadPath::Stranger(name.to_owned()))?));
            rest = after;
        }
        parts.push(Part::Fixed(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The places of the key's sources that the path holds.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|part| match part {
            Part::Key(place) => Some(*place),
            Part::Fixed(_) => None,
        })
    }

    /// The path with the key's values, each within its segment.
    ///
    /// # Errors
    /// `Refused` when a value can't be a segment: no address means that record.
    pub fn fill(&self, key: &[Legacy]) -> Result<String, Failure> {
        let mut filled = String::with_capacity(64);
        for part in &self.0 {
            match part {
                Part::Fixed(text) => filled.push_str(text),
                Part::Key(place) => {
                    let value = key.get(*place).and_then(Legacy::to_text);
                    // An empty one would mean the collection.
                    let value = value.filter(|value| !value.is_empty()).ok_or_else(unfit)?;
                    push_encoded(&mut filled, &value);
                }
            }
        }
        // Dots would climb to another collection, and they do so encoded as well.
        let whole = filled.split('?').next().unwrap_or_default();
        if whole.split('/').any(is_dots) {
            return Err(unfit());
        }
        Ok(filled)
    }
}

/// Query parameters, encoded as they are added.
#[derive(Debug, Clone, Default)]
pub struct Query(String);

impl Query {
    /// Adds a parameter.
    pub fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        push_encoded(&mut self.0, name);
        self.0.push('=');
        push_encoded(&mut self.0, value);
    }

    /// Adds the parameters to a path.
    pub fn append_to(&self, path: &mut String) {
        if !self.0.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&self.0);
        }
    }
}

fn unfit() -> Failure {
    Failure::refused("a value of the key can't be part of an address")
}

fn push_encoded(to: &mut String, text: &str) {
    // Writing to a text can't fail.
    let _written = write!(to, "{}", utf8_percent_encode(text, &RESERVED));
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..") || ["%2e", "%2e%2e", ".%2e", "%2e."].iter().any(|dots| segment.eq_ignore_ascii_case(dots))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::new(text, &[Source::new("nr"), Source::new("part")]).expect("a path")
    }

    #[test]
    fn a_value_stays_within_its_segment() {
        let filled = |value: &str| path("/x/{nr}/photo").fill(&[value.into(), Legacy::Null]);
        assert_eq!(filled("a/../b?c#d%\"\\ə").expect("filled"), "/x/a%2F..%2Fb%3Fc%23d%25%22%5C%C9%99/photo");
        for hostile in ["", ".", ".."] {
            assert!(matches!(filled(hostile), Err(Failure::Refused { .. })), "{hostile:?}");
        }
        assert!(matches!(path("/x/{part}").fill(&["1".into(), Legacy::Null]), Err(Failure::Refused { .. })));
        assert_eq!(path("/x/{nr}.{part}").fill(&[1.into(), 2.into()]).expect("filled"), "/x/1.2");
    }

    #[test]
    fn says_what_is_wrong_with_a_path() {
        let key = [Source::new("nr")];
        assert_eq!(Path::new("/x/{nummer}", &key).expect_err("wrong"), BadPath::Stranger("nummer".to_owned()));
        for wrong in ["x/{nr}", "/x/{nr", "/a/../b", "/a b", "/a#b", "/a\\b", "/%2E%2e/b"] {
            assert!(matches!(Path::new(wrong, &key), Err(BadPath::Form(_))), "{wrong}");
        }
    }
}
