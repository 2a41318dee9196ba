//! What is known of a column: how its values are read, compared and written.

use base64::Engine as _;
use rabita_sdk::{Legacy, Row};

use crate::dialect::{Binds, Dialect};
use crate::statement::Param;

/// A column's type as the database describes it.
#[derive(Debug, Clone)]
pub struct Column {
    pub class: Class,
    /// The type's name to cast a parameter to. Only PostgreSQL needs it.
    pub type_name: String,
}

/// The kinds of types that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Bool,
    Int,
    /// A number of bits (`BIT` of MariaDB).
    Bits,
    Float,
    Decimal,
    Text,
    Bytes,
    Date,
    Timestamp,
    /// A point in time, read in UTC.
    Instant,
    Uuid,
    Json,
    Array,
    Composite,
    /// Read and compared by its text.
    Other,
}

impl Column {
    pub fn new(class: Class, type_name: &str) -> Self {
        Self { class, type_name: type_name.to_owned() }
    }

    /// A column that we compute: a length, a count.
    pub fn int() -> Self {
        Self::new(Class::Int, "int8")
    }

    /// A column that we cut from a binary value.
    pub fn bytes() -> Self {
        Self::new(Class::Bytes, "bytea")
    }

    /// Text of our own.
    pub fn text() -> Self {
        Self::new(Class::Text, "text")
    }

    /// A value as it is compared with this column; `None` when no value of the column can be the same.
    pub fn compared(&self, dialect: Dialect, value: &Legacy) -> Option<Param> {
        self.param(dialect, value).filter(|param| *param != Param::Null)
    }

    /// A value as it is written to this column; `None` when it does not fit.
    pub fn written(&self, dialect: Dialect, value: &Legacy) -> Option<Param> {
        self.param(dialect, value)
    }

    fn param(&self, dialect: Dialect, value: &Legacy) -> Option<Param> {
        match (value, self.class) {
            (Legacy::Null, _) => return Some(Param::Null),
            (Legacy::Bytes(bytes), Class::Bytes) => return Some(Param::Bytes(bytes.clone())),
            (Legacy::Bytes(bytes), Class::Other) if dialect.binds() == Binds::AsIs => return Some(Param::Bytes(bytes.clone())),
            (Legacy::Bytes(bytes), Class::Text) => return String::from_utf8(bytes.clone()).ok().map(Param::Text),
            (Legacy::List(items), Class::Array) => return array(items).map(Param::Text),
            (Legacy::List(_) | Legacy::Group(_), Class::Json | Class::Text) => {
                return serde_json::to_string(value).ok().map(Param::Text);
            }
            (Legacy::Bytes(_) | Legacy::List(_) | Legacy::Group(_), _) => return None,
            _ => {}
        }
        match dialect.binds() {
            Binds::AsIs => self.as_is(value),
            Binds::Typed => self.typed(dialect, value),
            Binds::Text => self.typed(dialect, value).map(Param::into_text),
        }
    }

    fn as_is(&self, value: &Legacy) -> Option<Param> {
        Some(match value {
            Legacy::Bool(truth) => Param::Int((*truth).into()),
            Legacy::Int(number) => Param::Int(*number),
            Legacy::Float(number) => Param::Float(*number),
            Legacy::Text(text) if self.class == Class::Bytes => Param::Bytes(text.clone().into_bytes()),
            Legacy::Text(text) => Param::Text(text.clone()),
            Legacy::Null | Legacy::Bytes(_) | Legacy::List(_) | Legacy::Group(_) => return None,
        })
    }

    fn typed(&self, dialect: Dialect, value: &Legacy) -> Option<Param> {
        let text = value.to_text()?;
        Some(match self.class {
            Class::Bool => match value {
                Legacy::Bool(truth) => Param::Text(truth.to_string()),
                Legacy::Int(0) => Param::Text("false".into()),
                Legacy::Int(1) => Param::Text("true".into()),
                _ => Param::Text(truth(&text)?.to_string()),
            },
            Class::Int | Class::Bits => integer(value)?,
            Class::Float => Param::Float(text.parse().ok()?),
            Class::Decimal => is_decimal(&text).then(|| Param::Text(text.into_owned()))?,
            Class::Date | Class::Timestamp => {
                let text = text.strip_suffix('Z').unwrap_or(&text);
                is_time(text).then(|| Param::Text(dialect.time(text.to_owned())))?
            }
            Class::Instant if self.type_name == "timestamp" => {
                let text = text.strip_suffix('Z').unwrap_or(&text);
                is_time(text).then(|| Param::Text(text.to_owned()))?
            }
            Class::Instant => is_time(&text).then(|| Param::Text(dialect.time(text.into_owned())))?,
            Class::Uuid => Param::Text(uuid::Uuid::try_parse(&text).ok()?.to_string()),
            Class::Bytes => Param::Bytes(text.into_owned().into_bytes()),
            // As it is read: a text is a JSON string, not JSON text.
            Class::Json => Param::Text(serde_json::to_string(value).ok()?),
            Class::Text | Class::Array | Class::Composite | Class::Other => Param::Text(text.into_owned()),
        })
    }

    /// What a decoded text of a column of this class means.
    pub fn meaning(&self, text: String) -> Legacy {
        match self.class {
            Class::Int | Class::Bits => text.parse().map_or(Legacy::Text(text), Legacy::Int),
            Class::Float => text.parse().map_or(Legacy::Text(text), Legacy::Float),
            Class::Timestamp => Legacy::Text(text.replacen(' ', "T", 1)),
            Class::Instant => {
                let text = text.replacen(' ', "T", 1);
                Legacy::Text(match text.strip_suffix("+00") {
                    Some(time) => format!("{time}Z"),
                    // MariaDB tells no offset; the session's is zero. `infinity` of PostgreSQL has none.
                    None if text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with("BC") => format!("{text}Z"),
                    None => text,
                })
            }
            Class::Json | Class::Array | Class::Composite => serde_json::from_str(&text).unwrap_or(Legacy::Text(text)),
            _ => Legacy::Text(text),
        }
    }

    /// A value that went through JSON, as the cursor and groups need it.
    pub fn returned(&self, value: Legacy) -> Option<Legacy> {
        match (&value, self.class) {
            (Legacy::List(_) | Legacy::Group(_) | Legacy::Null, _) => None,
            (Legacy::Text(text), Class::Bytes) => base64::engine::general_purpose::STANDARD.decode(text).ok().map(Legacy::Bytes),
            _ => Some(value),
        }
    }
}

/// A value's text, to find the row that answers a key: what a database counts as the same is spelt the same here,
/// apart from collations, padding and the zeros of decimals, where the database itself is asked again.
pub fn canonical(value: &Legacy) -> Option<String> {
    match value {
        Legacy::Bytes(bytes) => Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
        Legacy::Float(number) if number.fract() == 0.0 => Some(format!("{number:.0}")),
        Legacy::Bool(truth) => Some(i64::from(*truth).to_string()),
        Legacy::Text(text) => Some(text.clone()),
        other => other.to_text().map(std::borrow::Cow::into_owned),
    }
}

/// The canonical text of a parameter.
pub fn canonical_param(param: &Param) -> Option<String> {
    match param {
        Param::Null => None,
        Param::Int(number) => Some(number.to_string()),
        Param::Float(number) => canonical(&Legacy::Float(*number)),
        Param::Text(text) => Some(text.clone()),
        Param::Bytes(bytes) => Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

fn integer(value: &Legacy) -> Option<Param> {
    match value {
        Legacy::Bool(truth) => Some(Param::Int((*truth).into())),
        Legacy::Int(number) => Some(Param::Int(*number)),
        // Beyond 2^53 a float no longer names one integer.
        Legacy::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(Param::Text(format!("{number:.0}"))),
        Legacy::Text(text) => {
            if let Ok(number) = text.parse::<i64>() {
                return (!text.starts_with('+')).then_some(Param::Int(number));
            }
            // What only an unsigned 64-bit column holds.
            (!text.starts_with('+') && text.parse::<u64>().is_ok()).then(|| Param::Text(text.clone()))
        }
        _ => None,
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, part].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a text has the characters of a date or a time, beginning with a digit. What is no date for all that is
/// refused by the database.
fn is_time(text: &str) -> bool {
    text.len() >= 8
        && text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b"-:.+ TZ".contains(&b))
}

/// A literal of a PostgreSQL array.
fn array(items: &[Legacy]) -> Option<String> {
    let mut literal = String::from("{");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            literal.push(',');
        }
        match item {
            Legacy::Null => literal.push_str("NULL"),
            Legacy::List(inner) => literal.push_str(&array(inner)?),
            scalar => {
                literal.push('"');
                literal.push_str(&scalar.to_text()?.replace('\\', "\\\\").replace('"', "\\\""));
                literal.push('"');
            }
        }
    }
    literal.push('}');
    Some(literal)
}

/// Marks text in a stand-in that is JSON: SQLite has no type for lists and groups.
pub const JSON_MARK: &str = "\u{1}json:";

/// A text of SQLite, which in a stand-in can be a list or a group.
pub fn marked(text: String) -> Legacy {
    match text.strip_prefix(JSON_MARK) {
        Some(json) => serde_json::from_str(json).unwrap_or(Legacy::Group(Row::new())),
        None => Legacy::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{MySql, Postgres};

    #[test]
    fn a_value_that_a_column_can_not_hold_is_compared_with_nothing() {
        let int = Column::int();
        let dialects: [Dialect; 2] = [&Postgres { numbered: true }, &MySql];
        for dialect in dialects {
            for bad in ["abc", "", "1.5", "+1", " 1", "1;", "99999999999999999999"] {
                assert_eq!(int.compared(dialect, &bad.into()), None, "{bad:?}");
            }
            assert!(int.compared(dialect, &"007".into()).is_some());
            assert_eq!(Column::new(Class::Uuid, "uuid").compared(dialect, &"x".into()), None);
            assert_eq!(Column::new(Class::Decimal, "numeric").compared(dialect, &"1e5".into()), None);
            assert_eq!(Column::new(Class::Date, "date").compared(dialect, &"' or 1=1".into()), None);
            assert_eq!(int.compared(dialect, &Legacy::Null), None);
        }
    }

    #[test]
    fn a_list_becomes_an_array_literal_that_holds_quotes_and_backslashes() {
        let items = [Legacy::from("a\"b\\c,{}"), Legacy::Null, Legacy::Int(7)];
        assert_eq!(array(&items).as_deref(), Some(r#"{"a\"b\\c,{}",NULL,"7"}"#));
    }
}
