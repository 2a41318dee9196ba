//! A test's `legacy:` as entries, and what they say of their attributes.

use base64::Engine as _;
use serde_json::Value;

use crate::protocol::{Attribute, Entry};

/// What every directory has (RFC 4512 and OpenLDAP's numbers of changes).
const STANDARD: [&str; 2] = [
    "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
    "( 1.3.6.1.4.1.4203.666.1.7 NAME 'entryCSN' EQUALITY CSNMatch ORDERING CSNOrderingMatch SYNTAX 1.3.6.1.4.1.4203.666.11.2.1 SINGLE-VALUE )",
];

/// The entries of a fixture, and a schema that fits them.
pub(super) fn entries(fixture: &Value) -> Result<(Vec<Entry>, Vec<String>), String> {
    let all = fixture.as_array().ok_or("`legacy` is a list of entries")?;
    let mut entries = Vec::with_capacity(all.len());
    let mut kinds: Vec<(String, &'static str)> = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let number = at + 1;
        let members = one.as_object().ok_or_else(|| format!("entry {number} of `legacy` is no object"))?;
        let dn = members.get("dn").and_then(Value::as_str).ok_or_else(|| format!("entry {number} of `legacy` has no `dn`"))?;
        if !members.keys().any(|name| name.eq_ignore_ascii_case("objectClass")) {
            return Err(format!("entry {number} of `legacy` has no objectClass, so it is of no entity"));
        }
        let mut attributes = Vec::with_capacity(members.len());
        for (name, value) in members.iter().filter(|(name, _)| *name != "dn") {
            let given = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let mut values = Vec::with_capacity(given.len());
            for one in given.iter().filter(|one| !one.is_null()) {
                let (bytes, kind) = bytes(one).map_err(|wrong| format!("entry {number} of `legacy`, {name}: {wrong}"))?;
                note(&mut kinds, name, kind);
                values.push(bytes);
            }
            if !values.is_empty() {
                attributes.push(Attribute { name: name.clone(), values });
            }
        }
        entries.push(Entry { dn: dn.to_owned(), attributes });
    }
    let own = kinds.iter().enumerate().map(|(at, (name, kind))| format!("( 1.3.9999.{} NAME '{name}' {kind} )", at + 1));
    Ok((entries, STANDARD.into_iter().map(str::to_owned).chain(own).collect()))
}

const TEXT: &str = "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch ORDERING caseIgnoreOrderingMatch \
                    SYNTAX 1.3.6.1.4.1.1466.115.121.1.15";
const INTEGER: &str = "EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27";
const BOOLEAN: &str = "EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7";
const BYTES: &str = "EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40";

/// An attribute holds what its values have in common: text, where they differ.
fn note(kinds: &mut Vec<(String, &'static str)>, name: &str, kind: &'static str) {
    let name = name.split(';').next().unwrap_or(name);
    if STANDARD.iter().any(|standard| standard.to_ascii_lowercase().contains(&format!("'{}'", name.to_ascii_lowercase()))) {
        return;
    }
    match kinds.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
        None => kinds.push((name.to_owned(), kind)),
        Some((_, own)) if *own != kind => *own = TEXT,
        Some(_) => {}
    }
}

fn bytes(value: &Value) -> Result<(Vec<u8>, &'static str), String> {
    let decoded = |kind: &str, text: &str| -> Result<Vec<u8>, String> {
        match kind {
            "base64" => base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| "the base64 can't be read".to_owned()),
            _ => unhex(text).ok_or_else(|| "the hex can't be read".to_owned()),
        }
    };
    Ok(match value {
        Value::String(text) => (text.clone().into_bytes(), TEXT),
        Value::Bool(truth) => (if *truth { b"TRUE".to_vec() } else { b"FALSE".to_vec() }, BOOLEAN),
        Value::Number(number) => (number.to_string().into_bytes(), if number.is_f64() { TEXT } else { INTEGER }),
        Value::Object(members) if members.len() == 1 => match members.iter().next() {
            Some((kind, Value::String(text))) if matches!(kind.as_str(), "base64" | "hex") => (decoded(kind, text)?, BYTES),
            _ => return Err("an attribute has texts, numbers, booleans, { base64: ... } and { hex: ... }".to_owned()),
        },
        _ => return Err("an attribute has texts, numbers, booleans, { base64: ... } and { hex: ... }".to_owned()),
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
