//! Made-up rows as the entries of a stand-in.

use base64::Engine as _;
use rabita_sdk::survey::Foreseen;
use rabita_sdk::{Legacy, Row};
use serde_json::{Map, Value, json};

use crate::dn::escaped;
use crate::origin::Origin;

/// A test's `legacy:` that holds these rows.
pub(crate) fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    let origin: Origin = serde_json::from_value(foreseen.entity.from.clone()).ok()?;
    let naming = foreseen.entity.key.first()?;
    let mut entries = Vec::with_capacity(foreseen.rows.len());
    for row in foreseen.rows {
        let name = row.find(naming)?.to_text()?.into_owned();
        let classes = origin.create.as_ref().map_or_else(|| json!(origin.class), |create| json!(create.classes));
        let mut entry = Map::new();
        entry.insert("dn".to_owned(), format!("{naming}={},{}", escaped(&name), origin.base).into());
        entry.insert("objectClass".to_owned(), classes);
        entry.extend(attributes(row));
        entries.push(Value::Object(entry));
    }
    Some(Value::Array(entries))
}

/// The directory numbers its changes itself.
fn attributes(row: &Row) -> impl Iterator<Item = (String, Value)> {
    let given = row.iter().filter(|(name, value)| !value.is_null() && !name.eq_ignore_ascii_case("entryCSN"));
    given.map(|(name, value)| (name.to_owned(), json(value)))
}

fn json(value: &Legacy) -> Value {
    match value {
        Legacy::Bytes(bytes) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
        Legacy::List(items) => items.iter().map(json).collect(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}
