//! Bounds: `minimum`, `maxLength` and the like.

use serde_json::{Map, Value};

/// Bounds from above: less is tighter.
const UPPER: &[&str] = &["exclusiveMaximum", "maxItems", "maxLength", "maxProperties", "maximum"];
/// Bounds from below: more is tighter.
const LOWER: &[&str] = &["exclusiveMinimum", "minItems", "minLength", "minProperties", "minimum"];

/// A bound that is another than before.
pub(super) struct Difference {
    pub keyword: &'static str,
    /// Whether it lets through what it did not, or may.
    pub loosened: bool,
}

/// The bounds of two schemas that differ.
pub(super) fn differences(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Difference> {
    let upper = UPPER.iter().map(|keyword| (*keyword, looser_above as fn(f64, f64) -> bool));
    let lower = LOWER.iter().map(|keyword| (*keyword, looser_below as fn(f64, f64) -> bool));
    let mut found: Vec<Difference> = upper
        .chain(lower)
        .filter(|(keyword, _)| differs(old, new, keyword))
        .map(|(keyword, looser)| Difference { keyword, loosened: loosened(old, new, keyword, looser) })
        .collect();
    if differs(old, new, "multipleOf") {
        found.push(Difference { keyword: "multipleOf", loosened: old.contains_key("multipleOf") });
    }
    let unique = |schema: &Map<String, Value>| schema.get("uniqueItems") == Some(&Value::Bool(true));
    if unique(old) != unique(new) {
        found.push(Difference { keyword: "uniqueItems", loosened: unique(old) });
    }
    found
}

fn differs(old: &Map<String, Value>, new: &Map<String, Value>, keyword: &str) -> bool {
    old.get(keyword) != new.get(keyword)
}

fn loosened(old: &Map<String, Value>, new: &Map<String, Value>, keyword: &str, looser: fn(f64, f64) -> bool) -> bool {
    let bound = |schema: &Map<String, Value>| schema.get(keyword).and_then(Value::as_f64);
    match (bound(old), bound(new)) {
        (Some(before), Some(after)) => looser(before, after),
        (before, _) => before.is_some(),
    }
}

fn looser_above(before: f64, after: f64) -> bool {
    after > before
}

fn looser_below(before: f64, after: f64) -> bool {
    after < before
}
