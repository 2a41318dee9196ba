//! Writes YAML for people: short things on one line, long ones below each other, and comments at their places.

use std::collections::HashMap;
use std::fmt::Write as _;

use rabita_sdk::finding::token;
use serde_json::{Map, Value};

/// Comments by the JSON Pointer of what they stand above.
pub type Comments = HashMap<String, Vec<String>>;

/// A line is so wide at most, where it can be broken.
const WIDTH: usize = 120;

/// A document, which is a map.
#[must_use]
pub fn document(members: &Map<String, Value>, comments: &Comments) -> String {
    let mut writer = Writer { text: String::new(), comments };
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 && matches!(value, Value::Object(_) | Value::Array(_)) {
            writer.text.push('\n');
        }
        let pointer = format!("/{}", token(name));
        writer.comment(&pointer, 0);
        writer.member(name, value, &pointer, 0);
    }
    writer.text
}

struct Writer<'a> {
    text: String,
    comments: &'a Comments,
}

impl Writer<'_> {
    fn comment(&mut self, pointer: &str, indent: usize) {
        for line in self.comments.get(pointer).into_iter().flatten() {
            for line in wrapped(line, WIDTH.saturating_sub(indent + 2)) {
                let _ = writeln!(self.text, "{:indent$}# {line}", "");
            }
        }
    }

    fn member(&mut self, name: &str, value: &Value, pointer: &str, indent: usize) {
        let name = scalar_text(name);
        let _ = write!(self.text, "{:indent$}{name}:", "");
        self.value(value, pointer, indent, indent + name.chars().count() + 2);
    }

    /// What follows a name and its colon, or a dash.
    fn value(&mut self, value: &Value, pointer: &str, indent: usize, column: usize) {
        if self.is_short(value, pointer, column) {
            let _ = writeln!(self.text, " {}", flow(value));
            return;
        }
        match value {
            Value::Object(members) => {
                self.text.push('\n');
                for (name, value) in members {
                    let pointer = format!("{pointer}/{}", token(name));
                    self.comment(&pointer, indent + 2);
                    self.member(name, value, &pointer, indent + 2);
                }
            }
            Value::Array(items) => {
                self.text.push('\n');
                self.items(items, pointer, indent + 2);
            }
            scalar => {
                let _ = writeln!(self.text, " {}", flow(scalar));
            }
        }
    }

    fn items(&mut self, items: &[Value], pointer: &str, indent: usize) {
        for (at, item) in items.iter().enumerate() {
            let pointer = format!("{pointer}/{at}");
            self.comment(&pointer, indent);
            match item {
                Value::Object(members) if !self.is_short(item, &pointer, indent + 2) => {
                    for (place, (name, value)) in members.iter().enumerate() {
                        let pointer = format!("{pointer}/{}", token(name));
                        self.comment(&pointer, indent + 2);
                        let start = self.text.len();
                        self.member(name, value, &pointer, indent + 2);
                        if place == 0 {
                            self.text.replace_range(start + indent..start + indent + 1, "-");
                        }
                    }
                }
                _ => {
                    let _ = write!(self.text, "{:indent$}-", "");
                    self.value(item, &pointer, indent, indent + 2);
                }
            }
        }
    }

    /// Whether a value fits on its line, and nothing has to be said within it.
    fn is_short(&self, value: &Value, pointer: &str, column: usize) -> bool {
        let (Value::Object(_) | Value::Array(_)) = value else { return true };
        let within = |at: &String| at.strip_prefix(pointer).is_some_and(|rest| rest.starts_with('/'));
        let is_listing = matches!(value, Value::Object(members) if members.len() > 1)
            && LISTINGS.iter().any(|name| pointer.ends_with(name))
            || pointer.matches('/').count() <= 1 && value.as_object().is_some_and(|members| members.len() > 3);
        !is_listing && column + flow(value).chars().count() <= WIDTH && !self.comments.keys().any(within)
    }
}

/// Members that people read line by line.
const LISTINGS: [&str; 3] = ["/fields", "/codes", "/contract"];

/// A value on one line.
#[must_use]
pub fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => scalar_text(text),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", scalar_text(name), flow(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

/// A text, in quotes wherever it could be read as anything else.
fn scalar_text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 12] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"];
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | ' ' | '+');
    let is_day = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    let begins = text.chars().next().is_some_and(|first| first.is_alphabetic() || first == '/' || first == '_');
    (begins || is_day) && text.chars().all(plain) && !text.ends_with(' ') && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A text in double quotes. What JSON escapes YAML reads the same; what YAML counts as unprintable is escaped too.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,12}",
            "[ -~]{0,8}",
            Just("NO".to_owned()),
            Just("0123".into()),
            Just("1e5".into()),
            Just("~".into()),
            Just("2024-01-02".into())
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("\\PC{1,40}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_as_it_was(value in value()) {
            let members: Map<String, Value> = [("a".to_owned(), value.clone()), ("b c".to_owned(), json!({ "d": value }))].into_iter().collect();
            let comments = Comments::from([("/a".to_owned(), vec!["unsure: why\nnot".to_owned()])]);
            let text = document(&members, &comments);
            let options = serde_saphyr::options! { strict_booleans: true };
            let read: Value = serde_saphyr::from_str_with_options(&text, options).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(read, Value::Object(members), "{}", text);
        }
    }

    #[test]
    fn a_comment_stands_above_its_line_and_makes_room_for_itself() {
        let Value::Object(members) = json!({ "contract": { "v1": { "fields": { "a": { "from": "A" }, "b": "B" } } } }) else {
            return;
        };
        let comments = Comments::from([("/contract/v1/fields/b".to_owned(), vec!["unsure: 3 of 7".to_owned()])]);
        let expected = "contract:\n  v1:\n    fields:\n      a: { from: A }\n      # unsure: 3 of 7\n      b: B\n";
        assert_eq!(document(&members, &comments), expected);
    }
}
