//! Records made up from a schema.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy, Union};
use serde_json::{Map, Number, Value, json};

mod texts;

/// How deep schemas are followed; what lies deeper is null.
const DEPTH_MAX: usize = 12;
/// How many items a list has more than it must.
const ITEMS_MORE: usize = 3;
/// How often a member is there that may be left out.
const THERE: f64 = 0.7;

/// Values of a self-contained document. Most satisfy it; rules over several members at once are not followed.
pub(super) fn of(document: &Value) -> BoxedStrategy<Value> {
    Maker { document }.values(document, 0)
}

struct Maker<'a> {
    document: &'a Value,
}

impl Maker<'_> {
    fn values(&self, schema: &Value, depth: usize) -> BoxedStrategy<Value> {
        let Value::Object(members) = schema else { return texts::any().prop_map(Value::from).boxed() };
        if depth > DEPTH_MAX {
            return Just(Value::Null).boxed();
        }
        if let Some(whole) = self.gathered(members) {
            return self.values(&Value::Object(whole), depth + 1);
        }
        if let Some(constant) = members.get("const") {
            return Just(constant.clone()).boxed();
        }
        if let Some(Value::Array(values)) = members.get("enum")
            && !values.is_empty()
        {
            return select(values.clone()).boxed();
        }
        for keyword in ["oneOf", "anyOf"] {
            let branches = members.get(keyword).and_then(Value::as_array).into_iter().flatten();
            let branches: Vec<_> = branches
                .map(|branch| {
                    let mut rest = members.clone();
                    rest.shift_remove(keyword);
                    merge(&mut rest, branch);
                    self.values(&Value::Object(rest), depth + 1)
                })
                .collect();
            if !branches.is_empty() {
                return Union::new(branches).boxed();
            }
        }
        let types = types(members);
        Union::new(types.into_iter().map(|one| self.of_type(one, members, depth))).boxed()
    }

    /// The schema with what it refers to and what all of it must satisfy put into it; `None` where it is plain already.
    fn gathered(&self, members: &Map<String, Value>) -> Option<Map<String, Value>> {
        let reference = members.get("$ref").and_then(Value::as_str);
        let all = members.get("allOf").and_then(Value::as_array);
        if reference.is_none() && all.is_none() {
            return None;
        }
        let mut whole = members.clone();
        whole.shift_remove("$ref");
        whole.shift_remove("allOf");
        if let Some(target) = reference.and_then(|reference| self.document.pointer(reference.trim_start_matches('#'))) {
            merge(&mut whole, target);
        }
        all.into_iter().flatten().for_each(|one| merge(&mut whole, one));
        Some(whole)
    }

    fn of_type(&self, one: &str, members: &Map<String, Value>, depth: usize) -> BoxedStrategy<Value> {
        match one {
            "null" => Just(Value::Null).boxed(),
            "boolean" => proptest::bool::ANY.prop_map(Value::Bool).boxed(),
            "integer" => integers(members),
            "number" => numbers(members),
            "array" => self.list(members, depth),
            "object" => self.object(members, depth),
            _ => texts::of(members).prop_map(Value::String).boxed(),
        }
    }

    fn list(&self, members: &Map<String, Value>, depth: usize) -> BoxedStrategy<Value> {
        let items = members.get("items").map_or_else(|| json!({ "type": "string" }), Clone::clone);
        let least = bound(members, "minItems").unwrap_or(0);
        let most = bound(members, "maxItems").unwrap_or(least + ITEMS_MORE).min(least + ITEMS_MORE).max(least);
        let is_set = members.get("uniqueItems") == Some(&Value::Bool(true));
        let items = vec(self.values(&items, depth + 1), least..=most);
        items
            .prop_map(move |mut items| {
                if is_set {
                    let mut seen = Vec::new();
                    items.retain(|item| {
                        !seen.contains(item) && {
                            seen.push(item.clone());
                            true
                        }
                    });
                }
                Value::Array(items)
            })
            .boxed()
    }

    fn object(&self, members: &Map<String, Value>, depth: usize) -> BoxedStrategy<Value> {
        let required: Vec<&str> =
            members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = members.get("properties").and_then(Value::as_object).into_iter().flatten();
        let strategies: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
            .map(|(name, schema)| {
                let own = name.clone();
                let named = self.values(schema, depth + 1).prop_map(move |value| (own.clone(), value));
                if required.contains(&name.as_str()) { named.prop_map(Some).boxed() } else { weighted(THERE, named).boxed() }
            })
            .collect();
        strategies.prop_map(|members| Value::Object(members.into_iter().flatten().collect())).boxed()
    }
}

/// Puts the keywords of one schema into another; properties and requirements are joined.
fn merge(into: &mut Map<String, Value>, more: &Value) {
    for (keyword, value) in more.as_object().into_iter().flatten() {
        match (keyword.as_str(), into.get_mut(keyword), value) {
            ("properties", Some(Value::Object(known)), Value::Object(value)) => known.extend(value.clone()),
            ("required", Some(Value::Array(known)), Value::Array(value)) => known.extend(value.clone()),
            ("$defs" | "definitions", ..) => {}
            _ => {
                into.insert(keyword.clone(), value.clone());
            }
        }
    }
}

/// The types that a schema allows, as far as it says or lets guess.
fn types(members: &Map<String, Value>) -> Vec<&str> {
    match members.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) if !several.is_empty() => several.iter().filter_map(Value::as_str).collect(),
        _ if members.contains_key("properties") => vec!["object"],
        _ if members.contains_key("items") => vec!["array"],
        _ if members.contains_key("minimum") || members.contains_key("maximum") => vec!["integer"],
        _ => vec!["string"],
    }
}

fn bound(members: &Map<String, Value>, keyword: &str) -> Option<usize> {
    members.get(keyword).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
}

/// Whole numbers within the bounds, the bounds themselves more often than chance has it.
fn integers(members: &Map<String, Value>) -> BoxedStrategy<Value> {
    let whole = |keyword: &str| members.get(keyword).and_then(Value::as_i64);
    let least = whole("minimum").or(whole("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = whole("maximum").or(whole("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    let (least, most) = match (least, most) {
        (Some(least), Some(most)) => (least, most.max(least)),
        (Some(least), None) => (least, least.saturating_add(1_000_000)),
        (None, Some(most)) => (most.saturating_sub(1_000_000), most),
        (None, None) => (-1_000_000, 1_000_000),
    };
    let step = whole("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let within = Union::new_weighted(vec![(4, (least..=most).boxed()), (1, select(vec![least, most]).boxed())]);
    within.prop_map(move |number| json!(number - number.rem_euclid(step))).boxed()
}

/// Numbers with two decimals within the bounds.
fn numbers(members: &Map<String, Value>) -> BoxedStrategy<Value> {
    let bound = |keyword: &str| members.get(keyword).and_then(Value::as_f64);
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|bound| bound + 0.01)).unwrap_or(-1_000_000.0);
    let most = bound("maximum").or(bound("exclusiveMaximum").map(|bound| bound - 0.01)).unwrap_or(least + 1_000_000.0).max(least);
    (least..=most)
        .prop_map(|number| {
            let rounded = (number * 100.0).round() / 100.0;
            Number::from_f64(rounded).map_or(Value::Null, Value::Number)
        })
        .boxed()
}
