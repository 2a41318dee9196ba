//! Tables of keys, from the JSON Schema of a document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A page about one schema.
pub(super) fn page(title: &str, text: &str, schema: &Value) -> String {
    format!("# {title}\n\n{text}\n\n{}", tables(schema))
}

/// The keys of a schema, and after them those of each part that it refers to.
pub(super) fn tables(schema: &Value) -> String {
    let empty = Map::new();
    let parts = schema["$defs"].as_object().unwrap_or(&empty);
    let mut text = described(schema, "this", parts);
    let mut seen = BTreeSet::new();
    let mut waiting = references(schema);
    while !waiting.is_empty() {
        let name = waiting.remove(0);
        let Some(part) = parts.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
        let _ = write!(text, "\n### {name}\n\n{}", described(part, &name, parts));
        waiting.extend(references(part));
    }
    text
}

/// One part of a schema with all that it refers to.
pub(super) fn reachable(parts: &Map<String, Value>, name: &str) -> String {
    let mut schema = parts.get(name).cloned().unwrap_or_default();
    schema["$defs"] = Value::Object(parts.clone());
    tables(&schema)
}

fn described(schema: &Value, name: &str, parts: &Map<String, Value>) -> String {
    let mut text = String::new();
    if let Some(description) = schema["description"].as_str() {
        let _ = writeln!(text, "{description}\n");
    }
    if let Some(values) = values(schema) {
        text.push_str("| value | what it means |\n|---|---|\n");
        values.iter().for_each(|(value, meaning)| row(&mut text, &[format!("`{value}`"), meaning.clone()]));
        return text;
    }
    let rows = rows(schema, parts);
    if rows.is_empty() {
        let _ = writeln!(text, "{} is {}.", if name == "this" { "It" } else { "This" }, form(schema));
    } else {
        text.push_str("| key | what it takes | default | what it is |\n|---|---|---|---|\n");
        rows.iter().for_each(|cells| row(&mut text, cells));
    }
    text
}

fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// The words that a schema takes, where it takes nothing else.
fn values(schema: &Value) -> Option<Vec<(String, String)>> {
    let meaning = |schema: &Value| schema["description"].as_str().unwrap_or_default().to_owned();
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().map(|word| (shown(word), String::new())).collect());
    }
    let branches = schema["oneOf"].as_array()?;
    let word = |branch: &Value| branch.get("const").map(|word| vec![(shown(word), meaning(branch))]);
    let several = |branch: &Value| {
        let words = branch["enum"].as_array()?;
        Some(words.iter().map(|word| (shown(word), meaning(branch))).collect())
    };
    let told: Option<Vec<Vec<_>>> = branches.iter().map(|branch| word(branch).or_else(|| several(branch))).collect();
    Some(told?.into_iter().flatten().collect())
}

/// The keys of a map, and of each form that it may have.
fn rows(schema: &Value, parts: &Map<String, Value>) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let default = match value.get("default") {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            None | Some(Value::Null) => "none".to_owned(),
            // The defaults of a part stand in its own table.
            Some(Value::Object(members)) if !members.is_empty() => "its own".to_owned(),
            Some(default) => format!("`{}`", shown(default)),
        };
        rows.push([format!("`{key}`"), form(value), default, meaning(value, parts)]);
    }
    for branch in branches(schema) {
        let own = rows_of(branch, parts);
        if own.is_empty() {
            let meaning = branch["description"].as_str().unwrap_or_default();
            let words = branch.get("const").into_iter().chain(branch["enum"].as_array().into_iter().flatten());
            rows.extend(
                words.map(|word| [format!("`{}`", shown(word)), "the word alone".to_owned(), String::new(), meaning.to_owned()]),
            );
        }
        rows.extend(own);
    }
    rows
}

/// What is said of a key; where nothing is, what is said of the part that it takes.
fn meaning(value: &Value, parts: &Map<String, Value>) -> String {
    let referred = std::iter::once(value).chain(branches(value)).find_map(reference).and_then(|name| parts.get(name));
    let told = value["description"].as_str().or_else(|| referred?["description"].as_str());
    told.unwrap_or_default().to_owned()
}

/// The forms of which a value has one, or all.
fn branches(schema: &Value) -> Vec<&Value> {
    let lists = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    lists.chain(["then", "else"].into_iter().filter_map(|word| schema.get(word))).collect()
}

/// The keys of one form; what is said of the form is said of its only key.
fn rows_of(branch: &Value, parts: &Map<String, Value>) -> Vec<[String; 4]> {
    let mut own = rows(branch, parts);
    if let ([only], Some(meaning)) = (&mut own[..], branch["description"].as_str())
        && only[3].is_empty()
    {
        meaning.clone_into(&mut only[3]);
    }
    own
}

/// What a value has to be, in words.
fn form(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(word) = schema.get("const") {
        return format!("`{}`", shown(word));
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", shown(word))).collect::<Vec<_>>().join(", ");
    }
    let forms: Vec<String> = branches(schema).into_iter().filter(|branch| branch["type"] != "null").map(form).collect();
    if !forms.is_empty() {
        return forms.join(" or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
        _ => Vec::new(),
    };
    let named = |one: &&str| match *one {
        "array" => format!("a list: {}", form(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => format!("a map: {}", form(&schema["additionalProperties"])),
        "object" => "a map".to_owned(),
        "string" => "text".to_owned(),
        "integer" | "number" => bounds(schema, one),
        "boolean" => "`true` or `false`".to_owned(),
        other => other.to_owned(),
    };
    if types.is_empty() { "any value".to_owned() } else { types.iter().map(named).collect::<Vec<_>>().join(" or ") }
}

fn bounds(schema: &Value, word: &str) -> String {
    let word = if word == "integer" { "a whole number" } else { "a number" };
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("{word}, {least} to {most}"),
        (Some(least), None) if least.as_f64() != Some(0.0) => format!("{word}, {least} or more"),
        (None, Some(most)) => format!("{word}, {most} or less"),
        _ => word.to_owned(),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The parts that a schema refers to, in the order in which they stand.
fn references(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, &mut found);
    found
}

fn collect(schema: &Value, found: &mut Vec<String>) {
    if let Some(name) = reference(schema) {
        found.push(name.to_owned());
    }
    match schema {
        Value::Object(members) => {
            members.iter().filter(|(name, _)| *name != "$defs").for_each(|(_, value)| collect(value, found))
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::tables;

    #[test]
    fn keys_stand_with_what_they_take_and_each_part_once() {
        let schema = json!({
            "type": "object",
            "required": ["mode"],
            "properties": {
                "mode": { "$ref": "#/$defs/Mode", "description": "How." },
                "most": { "type": "integer", "minimum": 1, "default": 5, "description": "The most." },
                "other": { "$ref": "#/$defs/Mode" },
            },
            "$defs": { "Mode": { "description": "A mode.", "oneOf": [{ "const": "fast", "description": "Quick." }] } },
        });
        let told = tables(&schema);
        assert!(told.contains("| `mode` | [Mode](#mode) | required | How. |\n"), "{told}");
        assert!(told.contains("| `most` | a whole number, 1 or more | `5` | The most. |\n"), "{told}");
        assert_eq!(told.matches("### Mode").count(), 1);
        assert!(told.contains("| `fast` | Quick. |\n"), "{told}");
    }
}
