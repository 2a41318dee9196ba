//! Values of attributes as legacy values, and the reverse.

use rabita_sdk::{Failure, Legacy, Source};

use crate::dn;
use crate::protocol::Entry;
use crate::schema::{Schema, Syntax};

/// The source that is an entry's own name rather than one of its attributes.
pub(crate) const DN: &str = "dn";

/// How the values of a source are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) source: Source,
    /// The name by which the directory answers.
    name: String,
    syntax: Syntax,
    /// Whether one value is a list too.
    is_list: bool,
}

impl Reader {
    pub(crate) fn new(source: &Source, schema: &Schema, is_binary: bool, is_list: bool) -> Self {
        let name = schema.answered(source.as_str());
        let told = schema.attribute(source.as_str()).map_or(Syntax::Text, |attribute| attribute.syntax);
        let is_binary = is_binary || name.split(';').skip(1).any(|option| option.eq_ignore_ascii_case("binary"));
        Self { source: source.clone(), name, syntax: if is_binary { Syntax::Bytes } else { told }, is_list }
    }

    /// All values, as they came.
    pub(crate) fn raw<'a>(&self, entry: &'a Entry) -> Result<&'a [Vec<u8>], Failure> {
        let values = entry.values(&self.name);
        // Active Directory gives long lists in parts, each under a name of its own.
        let is_part = |name: &str| {
            let rest = name
                .get(self.name.len()..)
                .filter(|_| name.get(..self.name.len()).is_some_and(|own| own.eq_ignore_ascii_case(&self.name)));
            rest.is_some_and(|rest| rest.to_ascii_lowercase().starts_with(";range="))
        };
        if values.is_empty() && entry.attributes.iter().any(|attribute| is_part(&attribute.name)) {
            return Err(Failure::malformed(format!("the directory gives the values of {} in parts", self.source)));
        }
        Ok(values)
    }

    /// The value; several are a list.
    pub(crate) fn value(&self, entry: &Entry) -> Result<Legacy, Failure> {
        if self.source.as_str() == DN {
            return Ok(Legacy::Text(entry.dn.clone()));
        }
        match self.raw(entry)? {
            [] => Ok(Legacy::Null),
            [one] if !self.is_list => self.one(one),
            _ => self.list(entry),
        }
    }

    /// All values as a list, be they none.
    pub(crate) fn list(&self, entry: &Entry) -> Result<Legacy, Failure> {
        self.raw(entry)?.iter().map(|value| self.one(value)).collect::<Result<_, _>>().map(Legacy::List)
    }

    /// The value that a key has: of several the one that names the entry.
    pub(crate) fn key<'a>(&self, entry: &'a Entry) -> Result<&'a [u8], Failure> {
        let values = self.raw(entry)?;
        match values {
            [] => Err(Failure::malformed(format!("an entry comes without {}, a part of its key", self.source))),
            [one] => Ok(one),
            several => {
                let naming = dn::naming(&entry.dn).unwrap_or_default();
                let named = naming.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.name)).map(|(_, value)| value);
                several.iter().find(|value| Some(*value) == named).map(Vec::as_slice).ok_or_else(|| {
                    Failure::malformed(format!(
                        "{}, a part of the key, has several values, and none names the entry",
                        self.source
                    ))
                })
            }
        }
    }

    /// The value that these bytes are.
    pub(crate) fn one(&self, value: &[u8]) -> Result<Legacy, Failure> {
        if self.syntax == Syntax::Bytes {
            return Ok(Legacy::Bytes(value.to_vec()));
        }
        let Ok(text) = std::str::from_utf8(value) else {
            return Err(Failure::malformed(format!("{} is no text in UTF-8: name it in `binary`, if it is bytes", self.source)));
        };
        Ok(match (self.syntax, text) {
            (Syntax::Boolean, "TRUE") => Legacy::Bool(true),
            (Syntax::Boolean, "FALSE") => Legacy::Bool(false),
            // A number that is written otherwise than numbers are would not be the same afterwards.
            (Syntax::Integer, text) => match text.parse::<i64>() {
                Ok(number) if number.to_string() == text => Legacy::Int(number),
                _ => Legacy::Text(text.to_owned()),
            },
            _ => Legacy::Text(text.to_owned()),
        })
    }
}

/// A value as the directory takes it; none for null, and for what no attribute can hold.
pub(crate) fn bytes(value: &Legacy) -> Option<Vec<u8>> {
    match value {
        Legacy::Bytes(bytes) => Some(bytes.clone()),
        Legacy::Bool(truth) => Some(if *truth { b"TRUE".to_vec() } else { b"FALSE".to_vec() }),
        other => other.to_text().map(|text| text.into_owned().into_bytes()),
    }
}

/// The values that a change writes: none for null, each of a list.
///
/// # Errors
/// When one is none that an attribute can hold.
pub(crate) fn written(source: &Source, value: &Legacy) -> Result<Vec<Vec<u8>>, Failure> {
    let unfit = |value: &Legacy| Failure::refused(format!("the value for {source} ({}) fits no attribute", value.kind()));
    match value {
        Legacy::Null => Ok(Vec::new()),
        Legacy::List(items) => items.iter().map(|item| bytes(item).ok_or_else(|| unfit(item))).collect(),
        one => bytes(one).map(|bytes| vec![bytes]).ok_or_else(|| unfit(one)),
    }
}
