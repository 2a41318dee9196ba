//! What the stand-in was asked, as a test's `expect_legacy:` describes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::protocol::{Attribute, Filter, ModificationKind, Op, Scope};

/// A question that went to the directory. What is asked of its schema is left out.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// `search`, `add`, `modify` or `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// The entry, or where a search begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dn: Option<String>,
    /// Of a search: `base`, `one` or `subtree`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Of a search: which entries it is after, as RFC 4515 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    /// Of a search: the attributes that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Vec<String>>,
    /// Of an entry that is added: the values of each attribute. Bytes that are no text are `{ base64: ... }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<BTreeMap<String, Vec<Value>>>,
    /// Of an entry that is changed: what becomes of each attribute, in the order of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Changed>>,
}

/// What becomes of an attribute.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Changed {
    /// `add`, `delete`, `replace` or `increment`.
    how: String,
    attribute: String,
    values: Vec<Value>,
}

/// The question that a message is; `None` for one that asks for no entry.
pub(super) fn question(op: &Op) -> Option<Question> {
    let about = |operation: &str, dn: &str| Question {
        operation: Some(operation.to_owned()),
        dn: Some(dn.to_owned()),
        ..Question::default()
    };
    Some(match op {
        Op::SearchRequest(request) => Question {
            scope: Some(scope(request.scope).to_owned()),
            filter: Some(text_of(&request.filter)),
            attributes: Some(request.attributes.clone()),
            ..about("search", &request.base)
        },
        Op::AddRequest(entry) => {
            let values = entry.attributes.iter().map(|attribute| (attribute.name.clone(), values(attribute))).collect();
            Question { values: Some(values), ..about("add", &entry.dn) }
        }
        Op::ModifyRequest { dn, modifications } => {
            let changed = modifications.iter().map(|modification| Changed {
                how: how(modification.kind).to_owned(),
                attribute: modification.attribute.name.clone(),
                values: values(&modification.attribute),
            });
            Question { changes: Some(changed.collect()), ..about("modify", dn) }
        }
        Op::DeleteRequest(dn) => about("delete", dn),
        _ => return None,
    })
}

const fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Base => "base",
        Scope::One => "one",
        Scope::Subtree => "subtree",
    }
}

const fn how(kind: ModificationKind) -> &'static str {
    match kind {
        ModificationKind::Add => "add",
        ModificationKind::Delete => "delete",
        ModificationKind::Replace => "replace",
        ModificationKind::Increment => "increment",
    }
}

fn values(attribute: &Attribute) -> Vec<Value> {
    let value = |bytes: &Vec<u8>| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    };
    attribute.values.iter().map(value).collect()
}

/// A filter as RFC 4515 writes it.
fn text_of(filter: &Filter) -> String {
    let all = |sign: char, filters: &[Filter]| format!("({sign}{})", filters.iter().map(text_of).collect::<String>());
    match filter {
        Filter::And(filters) => all('&', filters),
        Filter::Or(filters) => all('|', filters),
        Filter::Not(filter) => format!("(!{})", text_of(filter)),
        Filter::Equal(name, value) => format!("({name}={})", escaped(value)),
        Filter::AtLeast(name, value) => format!("({name}>={})", escaped(value)),
        Filter::AtMost(name, value) => format!("({name}<={})", escaped(value)),
        Filter::Approximate(name, value) => format!("({name}~={})", escaped(value)),
        Filter::Present(name) => format!("({name}=*)"),
        Filter::Substrings(name, pieces) => {
            let piece = |piece: &Option<Vec<u8>>| piece.as_deref().map(escaped).unwrap_or_default();
            let any: String = pieces.any.iter().map(|piece| format!("{}*", escaped(piece))).collect();
            format!("({name}={}*{any}{})", piece(&pieces.initial), piece(&pieces.last))
        }
        Filter::Extensible(own) => {
            let name = own.attribute.as_deref().unwrap_or_default();
            let of_dn = if own.of_dn_too { ":dn" } else { "" };
            let rule = own.rule.as_ref().map(|rule| format!(":{rule}")).unwrap_or_default();
            format!("({name}{of_dn}{rule}:={})", escaped(&own.value))
        }
    }
}

/// What a filter's signs would be taken for, and what is no text, is written as hexadecimal digits.
fn escaped(value: &[u8]) -> String {
    let text = std::str::from_utf8(value);
    let mut written = String::with_capacity(value.len());
    match text {
        Ok(text) => {
            for letter in text.chars() {
                match letter {
                    '*' | '(' | ')' | '\\' | '\0' => write(&mut written, letter as u8),
                    other => written.push(other),
                }
            }
        }
        Err(_) => value.iter().for_each(|byte| write(&mut written, *byte)),
    }
    written
}

fn write(into: &mut String, byte: u8) {
    // Memory takes whatever is written.
    let _taken = write!(into, "\\{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Substrings;

    #[test]
    fn a_filter_is_told_as_the_standard_writes_it() {
        let pieces = Substrings { initial: Some(b"Al".to_vec()), any: vec![b"y".to_vec()], last: None };
        let filter = Filter::And(vec![
            Filter::Equal("objectClass".into(), b"person".to_vec()),
            Filter::Not(Box::new(Filter::Present("gone".into()))),
            Filter::Substrings("sn".into(), pieces),
            Filter::Equal("cn".into(), b"a*(b)\\".to_vec()),
            Filter::AtLeast("mark".into(), vec![0xff, 0x01]),
        ]);
        let told = r"(&(objectClass=person)(!(gone=*))(sn=Al*y*)(cn=a\2a\28b\29\5c)(mark>=\ff\01))";
        assert_eq!(text_of(&filter), told);
    }
}
