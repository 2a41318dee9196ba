//! Distinguished names (RFC 4514): made of values, and asked for the value that names an entry.

use std::fmt::Write as _;

/// A name below a base, with places for values: `uid={uid},ou={unit}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value(String),
}

impl Template {
    /// A template of its text: `{name}` is a place, `{{` and `}}` are braces.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) =
                after.split_once('}').filter(|_| brace == "{").ok_or("a brace has no other: `{{` is one brace")?;
            if name.is_empty() || name.contains('{') {
                return Err("a place for a value is the name of an attribute in braces: `{uid}`");
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Value(name.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// The names of the values.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with values as they are; none where one is missing.
    pub(crate) fn fill(&self, get: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.filled(|name| get(name))
    }

    /// The name with values in their places, each as a value and never as syntax; none where one is missing.
    pub(crate) fn fill_name(&self, get: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.filled(|name| get(name).map(|value| escaped(&value)))
    }

    fn filled(&self, get: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.0.iter().try_fold(String::new(), |mut text, part| {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Value(name) => text.push_str(&get(name)?),
            }
            Some(text)
        })
    }

    /// The attributes of the first relative name: `uid` of `uid={uid},ou=...`.
    pub(crate) fn naming(&self) -> Option<Vec<String>> {
        let sample = self.fill_name(|_| Some("x".to_owned()))?;
        Some(naming(&sample)?.into_iter().map(|(name, _)| name).collect())
    }
}

/// A value as it stands in a name (RFC 4514, section 2.4). Whatever is not a plain character is written in hexadecimal.
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let is_inner_blank = c == ' ' && at > 0 && at + 1 < value.len();
        if c.is_alphanumeric() || is_inner_blank || matches!(c, '-' | '.' | '_' | '@' | ':' | '/') {
            text.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            write!(text, "\\{byte:02X}").expect("memory takes whatever is written to it");
        }
    }
    text
}

/// The attributes and values of a name's first part; none where it is no name.
pub(crate) fn naming(dn: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let mut pairs = Vec::new();
    let mut rest = dn;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, ended_by, after) = value(after)?;
        pairs.push((name.trim().to_owned(), value));
        match ended_by {
            Some('+') => rest = after,
            _ => return Some(pairs),
        }
    }
}

/// Whether two names are of one entry.
pub(crate) fn is_same(name: &str, other: &str) -> bool {
    parts(name) == parts(other)
}

/// The parts of a name, the entry's own first, as directories compare them.
pub(crate) fn parts(dn: &str) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut parts = Vec::new();
    let mut rest = Some(dn);
    while let Some(pairs) = rest.and_then(naming) {
        let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.to_ascii_lowercase(), folded(value))).collect();
        pairs.sort();
        parts.push(pairs);
        rest = rest.and_then(above);
    }
    parts
}

/// Text without case, and without outer and double blanks; other bytes as they are.
pub(crate) fn folded(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Err(_) => value.to_vec(),
        Ok(text) => text.to_lowercase().split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").into_bytes(),
    }
}

/// The name of the entry above; none where there is none.
pub(crate) fn above(dn: &str) -> Option<&str> {
    let mut rest = dn;
    loop {
        let (_, ended_by, after) = value(rest.split_once('=')?.1)?;
        match ended_by {
            Some('+') => rest = after,
            Some(_) => return Some(after.trim_start_matches(' ')),
            None => return None,
        }
    }
}

/// A value up to the character that ends it, that character, and what comes after.
fn value(text: &str) -> Option<(Vec<u8>, Option<char>, &str)> {
    let text = text.trim_start_matches(' ');
    if text.starts_with('#') {
        return None;
    }
    let mut bytes = Vec::new();
    // Blanks at the end are none of the value, unless they are escaped.
    let mut kept = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ',' | ';' | '+' => {
                bytes.truncate(kept);
                return Some((bytes, Some(c), &text[at + 1..]));
            }
            '\\' => {
                let (_, first) = chars.next()?;
                match first.to_digit(16) {
                    Some(high) => {
                        let low = chars.next()?.1.to_digit(16)?;
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    None => bytes.extend(first.encode_utf8(&mut [0; 4]).bytes()),
                }
                kept = bytes.len();
            }
            c => {
                bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    Some((bytes, None, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_cannot_leave_its_place() {
        let template = Template::parse("uid={uid},ou={{x}}").expect("a template");
        let fill = |value: &str| template.fill_name(|_| Some(value.to_owned())).expect("all values");
        assert_eq!(fill("a"), "uid=a,ou={x}");
        assert_eq!(fill("a,ou=b+c=d"), "uid=a\\2Cou\\3Db\\2Bc\\3Dd,ou={x}");
        assert_eq!(fill(" a b "), "uid=\\20a b\\20,ou={x}");
        assert_eq!(fill("Əliyeva"), "uid=Əliyeva,ou={x}");
        assert_eq!(fill("\u{0}\\"), "uid=\\00\\5C,ou={x}");
        assert_eq!(template.names().collect::<Vec<_>>(), ["uid"]);
        assert_eq!(template.naming(), Some(vec!["uid".to_owned()]));
    }

    #[test]
    fn the_naming_values_are_those_of_the_first_part() {
        assert_eq!(
            naming("cn=Əli\\2C jr.+ uid = a\\ ,ou=b"),
            Some(vec![("cn".into(), "Əli, jr.".into()), ("uid".into(), b"a ".to_vec())])
        );
        assert_eq!(naming("cn=\\C6\\8F"), Some(vec![("cn".into(), "Ə".into())]));
        assert_eq!(naming("cn=#04024869,o=x"), None);
        assert_eq!(naming(""), None);
    }

    #[test]
    fn a_template_with_one_brace_is_none() {
        for text in ["uid={uid", "uid=uid}", "uid={}", "uid={a{b}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_value_that_is_written_into_a_name_is_read_out_of_it(value in "\\PC{1,20}|[ -~]{1,20}|[\\x00-\\x20]{1,3}") {
            let name = format!("uid={},ou=x", escaped(&value));
            prop_assert_eq!(naming(&name), Some(vec![("uid".to_owned(), value.into_bytes())]));
        }
    }
}
