//! A document written out: references replaced by what they lead to, annotations gone. So equal means equal.

use serde_json::{Map, Value, json};

use super::{KEPT, RULED};
use crate::document::{DEPTH_MAX, LIST, NAMED, ONE, target};

/// The most subschemas of a document that is written out.
const SCHEMAS_MAX: usize = 20_000;

/// The document written out; `None` where it refers to itself, or grows without measure.
pub(super) fn expanded(document: &Value) -> Option<Value> {
    Expansion { document, budget: SCHEMAS_MAX }.schema(document, 0)
}

/// The document without annotations, its references as they are.
pub(super) fn bare(document: &Value) -> Value {
    let mut copy = document.clone();
    crate::document::walk_mut(&mut copy, &mut |schema| {
        schema.retain(|keyword, _| keyword == "$defs" || counts(keyword));
    });
    copy
}

struct Expansion<'a> {
    document: &'a Value,
    budget: usize,
}

impl Expansion<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Option<Value> {
        let Value::Object(members) = schema else { return Some(schema.clone()) };
        self.budget = self.budget.checked_sub(1)?;
        if depth > DEPTH_MAX {
            return None;
        }
        let mut kept = Map::new();
        for (keyword, value) in members.iter().filter(|(keyword, _)| counts(keyword) && *keyword != "$ref") {
            kept.insert(keyword.clone(), self.keyword(keyword, value, depth)?);
        }
        let Some(reference) = members.get("$ref").and_then(Value::as_str) else { return Some(Value::Object(kept)) };
        let referred = self.schema(target(self.document, reference)?, depth + 1)?;
        if kept.is_empty() {
            return Some(referred);
        }
        let mut all = vec![referred];
        all.extend(kept.shift_remove("allOf").as_ref().and_then(Value::as_array).into_iter().flatten().cloned());
        kept.insert("allOf".to_owned(), json!(all));
        Some(Value::Object(kept))
    }

    fn keyword(&mut self, keyword: &str, value: &Value, depth: usize) -> Option<Value> {
        if ONE.contains(&keyword) {
            return self.schema(value, depth + 1);
        }
        match value {
            Value::Array(list) if LIST.contains(&keyword) => {
                list.iter().map(|one| self.schema(one, depth + 1)).collect::<Option<_>>().map(Value::Array)
            }
            Value::Object(named) if NAMED.contains(&keyword) => {
                let mut kept = Map::new();
                for (name, one) in named {
                    kept.insert(name.clone(), self.schema(one, depth + 1)?);
                }
                Some(Value::Object(kept))
            }
            _ => Some(value.clone()),
        }
    }
}

fn counts(keyword: &str) -> bool {
    RULED.contains(&keyword) || KEPT.contains(&keyword)
}
