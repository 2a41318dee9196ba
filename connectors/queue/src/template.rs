//! Requests as the manifest writes them: JSON with placeholders, checked when it is compiled.
//!
//! A text that is nothing but a placeholder becomes the value as it is: a number, a list, null. In a longer text values
//! are put as text. A member whose value is left out is left out itself.

use std::borrow::Cow;

use rabita_sdk::finding::token;
use rabita_sdk::request::{Given, Piece, Scope, Text, Values, WhenNone, Word};
use rabita_sdk::{Failure, Finding, Legacy, Row};
use serde_json::Value;

/// A compiled request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// A number, a truth or null.
    Constant(Legacy),
    Text(Text),
    List(Vec<Template>),
    Group(Vec<(String, Template)>),
}

impl Template {
    /// Compiles a template. `pointer` is where it stands.
    pub(crate) fn compile(template: &Value, scope: &Scope<'_>, pointer: &str, findings: &mut Vec<Finding>) -> Self {
        match template {
            Value::String(text) => Self::Text(compile_text(text, scope, pointer, findings)),
            Value::Array(items) => {
                let each = items.iter().enumerate();
                Self::List(each.map(|(at, item)| Self::compile(item, scope, &format!("{pointer}/{at}"), findings)).collect())
            }
            Value::Object(members) => {
                let mut compiled = Vec::with_capacity(members.len());
                for (name, member) in members {
                    let pointer = format!("{pointer}/{}", token(name));
                    compiled.push((name.clone(), Self::compile(member, scope, &pointer, findings)));
                }
                Self::Group(compiled)
            }
            constant => Self::Constant(serde_json::from_value(constant.clone()).unwrap_or_default()),
        }
    }

    /// Whether a placeholder stands anywhere in it.
    pub(crate) fn has(&self, word: &Word) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Text(text) => text.words().any(|own| own == word),
            Self::List(items) => items.iter().any(|item| item.has(word)),
            Self::Group(members) => members.iter().any(|(_, member)| member.has(word)),
        }
    }

    /// The request's body.
    ///
    /// # Errors
    /// `Refused` when a value can't be written.
    pub(crate) fn body(&self, values: &dyn Values) -> Result<Vec<u8>, Failure> {
        // What is asked is asked, even where nothing is said about it.
        let whole = self.fill(values)?.unwrap_or_else(|| match self {
            Self::Group(_) => Legacy::Group(Row::new()),
            Self::List(_) => Legacy::List(Vec::new()),
            Self::Constant(_) | Self::Text(_) => Legacy::Null,
        });
        serde_json::to_vec(&whole).map_err(|_| Failure::refused("the request can't be written as JSON"))
    }

    /// The value, or `None` where it is left out.
    fn fill(&self, values: &dyn Values) -> Result<Option<Legacy>, Failure> {
        match self {
            Self::Constant(constant) => Ok(Some(constant.clone())),
            Self::Text(text) => fill_text(text, values),
            Self::List(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for item in items {
                    filled.extend(item.fill(values)?);
                }
                Ok((items.is_empty() || !filled.is_empty()).then_some(Legacy::List(filled)))
            }
            Self::Group(members) => {
                let mut filled = Row::with_capacity(members.len());
                for (name, member) in members {
                    if let Some(value) = member.fill(values)? {
                        filled.push(name.as_str(), value);
                    }
                }
                // Of a group whose members were all left out nothing is left: for many services an empty one erases.
                Ok((members.is_empty() || !filled.is_empty()).then_some(Legacy::Group(filled)))
            }
        }
    }
}

/// Compiles a text with placeholders.
pub(crate) fn compile_text(text: &str, scope: &Scope<'_>, pointer: &str, findings: &mut Vec<Finding>) -> Text {
    let text = match Text::parse(text) {
        Ok(text) => text,
        Err(message) => {
            findings.push(Finding::new(pointer, message));
            return Text::default();
        }
    };
    findings.extend(text.words().filter_map(|word| scope.unknown(word, None, pointer)));
    text
}

/// The value of a text, or `None` where it is left out.
///
/// # Errors
/// `Unsupported` when a list or group stands in the middle of a text.
pub(crate) fn fill_text(text: &Text, values: &dyn Values) -> Result<Option<Legacy>, Failure> {
    if let Some((word, when_none)) = text.only() {
        return Ok(match (values.value(word), when_none) {
            (Given::Value(value), _) if !value.is_null() => Some(value.into_owned()),
            (Given::Untouched, _) | (_, WhenNone::LeaveOut) => None,
            (Given::Value(_) | Given::Nothing, WhenNone::Empty | WhenNone::Nil) => Some(Legacy::Null),
        });
    }
    let mut whole = String::new();
    for piece in &text.0 {
        match piece {
            Piece::Literal(literal) => whole.push_str(literal),
            Piece::Value { word, when_none } => match values.value(word) {
                Given::Untouched => return Ok(None),
                Given::Value(value) if !value.is_null() => {
                    let text: Option<Cow<'_, str>> = value.to_text();
                    let kind = value.kind();
                    whole.push_str(&text.ok_or_else(|| Failure::unsupported(format!("{kind} can't stand within a text")))?);
                }
                Given::Value(_) | Given::Nothing if *when_none == WhenNone::LeaveOut => return Ok(None),
                Given::Value(_) | Given::Nothing => {}
            },
        }
    }
    Ok(Some(Legacy::Text(whole)))
}

#[cfg(test)]
mod tests {
    use rabita_sdk::Source;
    use serde_json::json;

    use super::*;

    fn sources() -> Vec<Source> {
        ["pin", "phones", "notes", "age", "a.b"].map(Source::new).into()
    }

    fn filled(template: Value, row: Value) -> String {
        let (sources, mut findings) = (sources(), Vec::new());
        let template = Template::compile(&template, &Scope::of(&sources), "/request", &mut findings);
        assert_eq!(findings, []);
        let row: Row = serde_json::from_value(row).expect("a row");
        String::from_utf8(template.body(&row).expect("a body")).expect("UTF-8")
    }

    #[test]
    fn a_placeholder_alone_keeps_the_kind_of_its_value() {
        let template = json!({ "op": "get", "n": 7, "id": "{pin}", "age": "{age}", "tel": "{phones}", "is": "no {pin}: {age}" });
        let row = json!({ "pin": "A\"1", "age": 41, "phones": [{ "kind": "home" }, { "kind": "work" }] });
        assert_eq!(
            filled(template, row),
            r#"{"op":"get","n":7,"id":"A\"1","age":41,"tel":[{"kind":"home"},{"kind":"work"}],"is":"no A\"1: 41"}"#
        );
    }

    #[test]
    fn what_has_no_value_is_null_or_left_out_as_the_template_says() {
        let template =
            json!({ "pin": "{pin}", "notes": "{notes?}", "in": { "age": "{age?}" }, "list": ["{age?}"], "t": "x{age?}" });
        assert_eq!(filled(template.clone(), json!({})), r#"{"pin":null}"#);
        assert_eq!(filled(template, json!({ "pin": null, "age": 0 })), r#"{"pin":null,"in":{"age":0},"list":[0],"t":"x0"}"#);
        assert_eq!(filled(json!({ "only": "{age?}" }), json!({})), "{}");
        assert_eq!(filled(json!({ "kept": {}, "b": "{a.b}" }), json!({ "a": { "b": true } })), r#"{"kept":{},"b":true}"#);
    }

    #[test]
    fn values_are_data_and_never_placeholders() {
        assert_eq!(
            filled(json!({ "pin": "{pin}", "t": "<{pin}>" }), json!({ "pin": "{age}" })),
            r#"{"pin":"{age}","t":"<{age}>"}"#
        );
        assert_eq!(filled(json!("{{pin}}"), json!({})), r#""{pin}""#);
    }

    #[test]
    fn tells_of_each_placeholder_that_stands_for_nothing() {
        let (sources, mut findings) = (sources(), Vec::new());
        let template = json!({ "a": { "b": ["{pni}", "{$offset}"] }, "c": "{", "d": "{$item}" });
        Template::compile(&template, &Scope::of(&sources), "/request", &mut findings);
        let places: Vec<&str> = findings.iter().map(|finding| finding.pointer.as_str()).collect();
        assert_eq!(places, ["/request/a/b/0", "/request/a/b/1", "/request/c", "/request/d"]);
    }
}
