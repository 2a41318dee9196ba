//! A test's `legacy:` out of rows: the call that is made, and the answer that has them.

use std::fmt::Write as _;

use rabita_sdk::survey::{Foreseen, Question};
use rabita_sdk::{Legacy, Row, Source};
use serde_json::{Map, Value, json};

/// One exchange.
pub(crate) fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    let (call, asked): (&Value, Vec<(&Source, &Legacy)>) = match foreseen.question {
        Question::Read(key) => (foreseen.entity.from.get("read")?, foreseen.entity.key.iter().zip(key).collect()),
        Question::Search(source, value) => (foreseen.entity.from.get("search")?, vec![(source, value)]),
    };
    let mut values = Map::new();
    for (source, value) in asked {
        let element = element_of(&call["request"], source)?;
        let local = element.rsplit(':').next().unwrap_or(&element).to_owned();
        values.insert(local, json!(value.to_text()?));
    }
    let response = match (foreseen.rows, foreseen.question) {
        ([], Question::Read(_)) => json!({ "fault": { "code": "Client", "string": absent(foreseen.settings)? } }),
        (rows, _) => json!({ "body": body(&call["response"], rows)? }),
    };
    Some(json!([{ "request": { "values": values }, "response": response }]))
}

/// The fault by which the service tells that there is no such record.
fn absent(settings: &Map<String, Value>) -> Option<&str> {
    settings.get("faults")?.as_object()?.iter().find(|(_, meaning)| *meaning == "absent").map(|(name, _)| name.as_str())
}

/// The element of a request that takes a source.
fn element_of(template: &Value, source: &Source) -> Option<String> {
    template.as_object()?.iter().find_map(|(name, content)| match content {
        Value::String(text) => {
            let own = text.trim_start_matches('{').trim_end_matches('}').trim_end_matches('?');
            (own == source.as_str()).then(|| name.clone())
        }
        inner => element_of(inner, source),
    })
}

/// The element of the answer with the rows in it.
fn body(response: &Value, rows: &[Row]) -> Option<String> {
    let element = response["element"].as_str()?;
    let path = response["records"].as_str().or_else(|| response["record"].as_str()).unwrap_or_default();
    let prefix = element.split_once(':').map(|(prefix, _)| prefix);
    let mut text = String::new();
    let wrappers: Vec<String> = path.split('.').filter(|name| !name.is_empty()).map(|name| qualified(prefix, name)).collect();
    let (record, around) = match wrappers.split_last() {
        Some((record, around)) => (record.clone(), [&[element.to_owned()][..], around].concat()),
        None => (element.to_owned(), Vec::new()),
    };
    for name in &around {
        let _ = write!(text, "<{name}>");
    }
    for row in rows {
        write_element(&mut text, &record, &Legacy::Group(row.clone()), prefix);
    }
    for name in around.iter().rev() {
        let _ = write!(text, "</{name}>");
    }
    Some(text)
}

fn qualified(prefix: Option<&str>, name: &str) -> String {
    match prefix {
        Some(prefix) if !name.contains(':') => format!("{prefix}:{name}"),
        _ => name.to_owned(),
    }
}

fn write_element(text: &mut String, name: &str, value: &Legacy, prefix: Option<&str>) {
    match value {
        Legacy::Null => {}
        Legacy::List(items) => items.iter().for_each(|item| write_element(text, name, item, prefix)),
        Legacy::Group(row) => {
            let _ = write!(text, "<{name}");
            for (attribute, value) in row.iter().filter_map(|(name, value)| Some((name.strip_prefix('@')?, value))) {
                let _ = write!(text, " {attribute}=\"{}\"", escaped(value));
            }
            text.push('>');
            for (child, value) in row.iter().filter(|(name, _)| !name.starts_with('@')) {
                if child == "#text" {
                    text.push_str(&escaped(value));
                } else {
                    write_element(text, &qualified(prefix, child), value, prefix);
                }
            }
            let _ = write!(text, "</{name}>");
        }
        scalar => {
            let _ = write!(text, "<{name}>{}</{name}>", escaped(scalar));
        }
    }
}

fn escaped(value: &Legacy) -> String {
    let text = value.to_text().unwrap_or_default();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
