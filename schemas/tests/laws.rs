//! The laws that narrowing, cutting and comparing must hold, tried on schemas and records drawn at random.

use proptest::prelude::*;
use rabita_model::FieldName;
use rabita_schemas::{Library, RecordSchema, SelectedFields, compare, cut};
use serde_json::{Map, Value, json};

/// Compiling a schema takes a while in a debug build. `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, max_global_rejects: 100_000, ..ProptestConfig::default() }
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn scalar_schema() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "type": "integer", "minimum": 0, "maximum": 3 })),
        Just(json!({ "type": "integer", "minimum": 1 })),
        Just(json!({ "type": ["integer", "null"] })),
        Just(json!({ "type": "number" })),
        Just(json!({ "type": "string" })),
        Just(json!({ "type": "string", "maxLength": 1 })),
        Just(json!({ "type": "string", "enum": ["x", "yy"] })),
        Just(json!({ "enum": ["x", 1] })),
        Just(json!({ "const": "x" })),
        Just(json!({ "type": "array", "items": { "type": "integer" } })),
        Just(
            json!({ "type": "array", "items": { "type": "object", "required": ["a"], "properties": { "a": {} }, "additionalProperties": false } })
        ),
        Just(json!({ "type": "array", "maxItems": 1, "uniqueItems": true })),
        Just(json!({ "anyOf": [{ "type": "null" }, { "type": "string", "maxLength": 2 }] })),
        Just(json!({ "$ref": "#/$defs/pair" })),
        Just(json!({ "$ref": "#/$defs/word" })),
        Just(json!(true)),
    ]
}

fn subset() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(NAMES.to_vec(), 0..=NAMES.len())
}

/// What binds several members at once.
fn joint_rule() -> impl Strategy<Value = Map<String, Value>> {
    let rule = prop_oneof![
        6 => Just(json!({})),
        1 => Just(json!({ "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] })),
        1 => Just(json!({ "oneOf": [{ "required": ["a"] }, { "properties": { "b": { "type": "integer" } }, "required": ["b"] }] })),
        1 => Just(json!({ "dependentRequired": { "a": ["b"] } })),
        1 => Just(json!({ "dependentSchemas": { "a": { "properties": { "b": { "type": "string" } } } } })),
        1 => Just(json!({ "if": { "properties": { "a": { "const": "x" } }, "required": ["a"] }, "then": { "required": ["c"] }, "else": { "properties": { "c": false } } })),
        1 => Just(json!({ "not": { "required": ["a", "b"] } })),
        1 => Just(json!({ "minProperties": 2 })),
        1 => Just(json!({ "allOf": [{ "required": ["a"], "properties": { "a": { "minimum": 1 } } }] })),
        1 => Just(json!({ "allOf": [{ "$ref": "#/$defs/pair" }] })),
        1 => Just(json!({ "enum": [{ "a": "x" }, { "a": "x", "b": 1 }] })),
    ];
    rule.prop_map(|rule| rule.as_object().cloned().unwrap_or_default())
}

fn object_schema(member: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let others = prop_oneof![4 => Just(json!(false)), 1 => Just(json!({ "type": "integer" })), 1 => Just(json!(true))];
    (subset(), proptest::collection::vec(member, 4), subset(), joint_rule(), others).prop_map(
        |(names, schemas, required, rule, others)| {
            let properties: Map<String, Value> =
                names.iter().zip(schemas).map(|(name, schema)| ((*name).to_owned(), schema)).collect();
            let required: Vec<_> = required.into_iter().filter(|name| properties.contains_key(*name)).collect();
            let mut schema =
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": others });
            if let Value::Object(members) = &mut schema {
                members.extend(rule);
            }
            schema
        },
    )
}

fn document() -> impl Strategy<Value = Value> {
    let nullable = object_schema(scalar_schema()).prop_map(|schema| json!({ "oneOf": [{ "type": "null" }, schema] }));
    object_schema(prop_oneof![3 => scalar_schema(), 2 => object_schema(scalar_schema()), 1 => nullable]).prop_map(|mut schema| {
        schema["$defs"] = json!({
            "word": { "type": "string", "pattern": "^[xy]*$" },
            "pair": { "type": "object", "required": ["a"], "properties": { "a": { "type": ["string", "integer"] }, "b": { "type": "integer" } } },
        });
        schema
    })
}

fn record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!("x")),
        Just(json!("yy")),
        Just(json!("xyx")),
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(7)),
        Just(json!(1.5)),
        Just(json!([])),
        Just(json!([1, 1])),
        Just(json!([{ "a": 1 }])),
        Just(json!(true)),
    ];
    let members = |value: BoxedStrategy<Value>| {
        (subset(), proptest::collection::vec(value, 4)).prop_map(|(names, values)| {
            Value::Object(names.into_iter().zip(values).map(|(name, value)| (name.to_owned(), value)).collect())
        })
    };
    let inner = prop_oneof![3 => leaf.clone(), 2 => members(leaf.boxed())];
    members(inner.boxed())
}

/// A record that the schema holds for more often than chance would have it: faults are mended one after the other.
fn mended(schema: &RecordSchema, mut record: Value, fillers: &[Value]) -> Option<Value> {
    for filler in fillers.iter().cycle().take(24) {
        let Some(fault) = schema.faults(&record).into_iter().next() else { return Some(record) };
        let (parent, name) = fault.pointer.rsplit_once('/')?;
        let Value::Object(members) = record.pointer_mut(parent)? else { return None };
        if fault.code == "additionalProperties" || fault.code == "forbidden" {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), filler.clone());
        }
    }
    schema.is_valid(&record).then_some(record)
}

fn fields() -> impl Strategy<Value = Vec<FieldName>> {
    let field = prop_oneof![
        proptest::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        (proptest::sample::select(NAMES.to_vec()), proptest::sample::select(NAMES.to_vec()))
            .prop_map(|(one, other)| format!("{one}.{other}")),
    ];
    proptest::collection::vec(field.prop_map(|name| FieldName::new(&name).expect("it has the form")), 0..5)
}

fn fillers() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(
        record().prop_flat_map(|other| {
            prop_oneof![
                Just(other),
                Just(json!("x")),
                Just(json!(1)),
                Just(json!(null)),
                Just(json!([])),
                Just(json!({})),
                Just(json!({ "a": "x" })),
            ]
        }),
        6,
    )
}

/// Without the members that a closed object of the old schema has no name for.
fn as_an_old_reader_sees(schema: &Value, document: &Value, record: &Value) -> Value {
    let schema =
        schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#'))).unwrap_or(schema);
    let branches: Vec<&Value> = schema["oneOf"].as_array().into_iter().flatten().collect();
    let object = branches.into_iter().find(|branch| branch["type"] == "object").unwrap_or(schema);
    match record {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(name, _)| object["additionalProperties"] != json!(false) || object["properties"].get(*name).is_some())
                .map(|(name, value)| {
                    (name.clone(), as_an_old_reader_sees(object["properties"].get(name).unwrap_or(&Value::Null), document, value))
                })
                .collect(),
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| as_an_old_reader_sees(&object["items"], document, item)).collect())
        }
        other => other.clone(),
    }
}

/// Without the members that the schema has no name for.
fn as_an_old_writer_sends(schema: &Value, document: &Value, record: &Value) -> Value {
    let schema =
        schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#'))).unwrap_or(schema);
    let object = schema["oneOf"].as_array().into_iter().flatten().find(|branch| branch["type"] == "object").unwrap_or(schema);
    match record {
        Value::Object(members) => {
            let others = &object["additionalProperties"];
            let is_named = |name: &str| others.is_object() || object["properties"].get(name).is_some();
            let kept = members.iter().filter(|(name, _)| is_named(name));
            Value::Object(
                kept.map(|(name, value)| {
                    let schema = object["properties"].get(name).unwrap_or(others);
                    (name.clone(), as_an_old_writer_sends(schema, document, value))
                })
                .collect(),
            )
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| as_an_old_writer_sends(&object["items"], document, item)).collect())
        }
        other => other.clone(),
    }
}

fn compiled(document: &Value) -> RecordSchema {
    RecordSchema::compile(document, &Library::default()).unwrap_or_else(|problems| panic!("{document}: {problems:?}"))
}

fn members_of(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            names.push(name.clone());
            members_of(value, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| members_of(item, names)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_a_selection_leaves_of_a_valid_record_satisfies_the_narrowed_and_the_cut_schema(
        document in document(), record in record(), fillers in fillers(), fields in fields(),
    ) {
        let schema = compiled(&document);
        let Some(record) = mended(&schema, record, &fillers) else { return Err(TestCaseError::reject("not to be mended")) };
        let part = SelectedFields::new(&fields).project(&record);
        let narrowed = schema.narrowed(&fields);
        prop_assert!(narrowed.is_valid(&part), "{part}: {:?}", narrowed.faults(&part));
        prop_assert_eq!(narrowed.faults(&part), vec![]);
        let cut = cut(schema.document(), &fields);
        let faults = compiled(&cut).faults(&part);
        prop_assert!(faults.is_empty(), "{part} under {cut}: {faults:?}");
    }

    #[test]
    fn a_narrowed_schema_says_that_a_record_is_valid_when_it_finds_no_fault(document in document(), record in record(), fields in fields()) {
        let schema = compiled(&document);
        let narrowed = schema.narrowed(&fields);
        prop_assert_eq!(narrowed.is_valid(&record), narrowed.faults(&record).is_empty());
        prop_assert_eq!(schema.is_valid(&record), schema.faults(&record).is_empty());
        let all = SelectedFields::all();
        prop_assert_eq!(schema.partial_is_valid(&record, &all), schema.is_valid(&record));
    }

    #[test]
    fn a_projection_holds_nothing_that_was_not_selected(record in record(), fields in fields()) {
        let selected = SelectedFields::new(&fields);
        let part = selected.project(&record);
        for (name, value) in part.as_object().expect("an object") {
            let field = FieldName::new(name).expect("it has the form");
            if selected.covers(&field) {
                prop_assert_eq!(value, &record[name]);
                continue;
            }
            for (inner, value) in value.as_object().expect("only an object is kept in part") {
                prop_assert!(fields.iter().any(|known| known.as_str() == format!("{name}.{inner}")), "{name}.{inner}");
                prop_assert_eq!(value, &record[name][inner]);
            }
        }
    }

    #[test]
    fn a_cut_schema_names_no_property_that_was_not_selected(document in document(), fields in fields()) {
        let cut = cut(compiled(&document).document(), &fields);
        let properties = cut["properties"].as_object().cloned().unwrap_or_default();
        for name in properties.keys() {
            prop_assert!(fields.iter().any(|field| field.members().next() == Some(name)), "{name} in {cut}");
        }
        let roots: Vec<_> = fields.iter().filter_map(|field| field.members().next()).collect();
        if roots.is_empty() {
            let mut names = Vec::new();
            members_of(&cut, &mut names);
            prop_assert!(NAMES.iter().all(|name| !names.iter().any(|known| known == name)), "{cut}");
        }
    }

    #[test]
    fn a_version_that_is_not_breaking_gives_old_readers_nothing_that_they_would_refuse(
        old in document(), new in document(), keeps in any::<[bool; 6]>(), record in record(), fillers in fillers(),
    ) {
        let new = blended(&old, &new, keeps);
        if compare(&old, &new).iter().any(|change| change.breaks_readers) {
            return Err(TestCaseError::reject("breaking"));
        }
        let (before, after) = (compiled(&old), compiled(&new));
        let Some(record) = mended(&after, record, &fillers) else { return Err(TestCaseError::reject("not to be mended")) };
        let seen = as_an_old_reader_sees(&old, &old, &record);
        let faults = before.faults(&seen);
        prop_assert!(faults.is_empty(), "{record} seen as {seen}\nold {old}\nnew {new}: {faults:?}");
    }

    #[test]
    fn a_version_that_does_not_break_writers_refuses_nothing_that_they_sent(
        old in document(), new in document(), keeps in any::<[bool; 6]>(), record in record(), fillers in fillers(),
    ) {
        let new = blended(&old, &new, keeps);
        if compare(&old, &new).iter().any(|change| change.breaks_writers) {
            return Err(TestCaseError::reject("breaking"));
        }
        let (before, after) = (compiled(&old), compiled(&new));
        let Some(record) = mended(&before, record, &fillers) else { return Err(TestCaseError::reject("not to be mended")) };
        let sent = as_an_old_writer_sends(&old, &old, &record);
        if before.is_valid(&sent) {
            let faults = after.faults(&sent);
            prop_assert!(faults.is_empty(), "{record} sent as {sent}\nold {old}\nnew {new}: {faults:?}");
        }
    }

    #[test]
    fn a_version_that_is_the_same_has_no_changes(document in document()) {
        prop_assert_eq!(compare(&document, &document), vec![]);
    }
}

/// The old schema with some parts of the new one, so that compatible pairs come about.
fn blended(old: &Value, new: &Value, keeps: [bool; 6]) -> Value {
    let mut blend = old.clone();
    for (keep, name) in keeps.iter().zip(NAMES) {
        if let (false, Some(schema), Some(properties)) = (keep, new["properties"].get(name), blend["properties"].as_object_mut())
        {
            properties.insert(name.to_owned(), schema.clone());
        }
    }
    if !keeps[4] {
        let names = new["required"].as_array().into_iter().flatten();
        let named: Vec<_> =
            names.filter(|name| blend["properties"].get(name.as_str().unwrap_or_default()).is_some()).cloned().collect();
        blend["required"] = Value::Array(named);
    }
    if !keeps[5] {
        for keyword in
            ["anyOf", "oneOf", "allOf", "if", "then", "else", "not", "dependentRequired", "minProperties", "additionalProperties"]
        {
            if let Some(rule) = new.get(keyword) {
                blend[keyword] = rule.clone();
            }
        }
    }
    blend
}

/// Small schemas that differ from each other by one rule or two.
fn small_schemas() -> Vec<Value> {
    let mut schemas = vec![
        json!(true),
        json!(false),
        json!({}),
        json!({ "type": "string" }),
        json!({ "type": ["string", "null"] }),
        json!({ "type": "integer" }),
        json!({ "type": "number" }),
        json!({ "type": ["integer", "string", "object"] }),
        json!({ "enum": ["x"] }),
        json!({ "enum": ["x", "yy"] }),
        json!({ "enum": ["x", 1, null] }),
        json!({ "const": "x" }),
        json!({ "const": 1 }),
        json!({ "const": "x", "enum": ["x", "yy"] }),
        json!({ "maxLength": 1 }),
        json!({ "maxLength": 2 }),
        json!({ "minLength": 1 }),
        json!({ "minLength": 2 }),
        json!({ "minimum": 0 }),
        json!({ "minimum": 1 }),
        json!({ "exclusiveMinimum": 1 }),
        json!({ "maximum": 1 }),
        json!({ "exclusiveMaximum": 7 }),
        json!({ "multipleOf": 7 }),
        json!({ "pattern": "^x$" }),
        json!({ "pattern": "^y" }),
        json!({ "format": "date" }),
        json!({ "not": { "type": "string" } }),
        json!({ "items": { "type": "integer" } }),
        json!({ "items": { "type": "number" } }),
        json!({ "items": false }),
        json!({ "minItems": 1 }),
        json!({ "maxItems": 1 }),
        json!({ "uniqueItems": true }),
        json!({ "prefixItems": [{ "const": 1 }], "items": false }),
        json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }),
        json!({ "anyOf": [{ "type": "string" }] }),
        json!({ "oneOf": [{ "minimum": 1 }, { "type": "integer" }] }),
        json!({ "allOf": [{ "type": "string" }] }),
        json!({ "minProperties": 2 }),
        json!({ "maxProperties": 1 }),
        json!({ "dependentRequired": { "a": ["b"] } }),
        json!({ "propertyNames": { "enum": ["a"] } }),
        json!({ "anyOf": [{ "properties": { "a": {} }, "required": ["a"], "additionalProperties": false }, { "properties": { "b": {} }, "additionalProperties": false }] }),
    ];
    for others in [json!(true), json!(false), json!({ "type": "string" })] {
        for properties in [
            json!({}),
            json!({ "a": {} }),
            json!({ "a": { "type": "string" } }),
            json!({ "a": { "enum": ["x", 1] }, "b": {} }),
            json!({ "b": { "type": "integer" } }),
        ] {
            for required in [json!([]), json!(["a"]), json!(["a", "b"])] {
                schemas.push(json!({ "properties": properties, "required": required, "additionalProperties": others }));
            }
        }
    }
    let closed = |rule: Value| {
        let mut schema = json!({ "properties": { "a": {} }, "additionalProperties": false });
        schema.as_object_mut().expect("an object").extend(rule.as_object().expect("an object").clone());
        schema
    };
    schemas.extend([
        closed(json!({ "minProperties": 1 })),
        closed(json!({ "maxProperties": 0 })),
        closed(json!({ "not": { "required": ["a"] } })),
        closed(json!({ "dependentRequired": { "a": ["b"] } })),
        closed(json!({ "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] })),
        closed(json!({ "if": { "required": ["b"] }, "then": { "required": ["a"] } })),
    ]);
    schemas
}

fn small_values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!("x"),
        json!("yy"),
        json!(""),
        json!("2024-02-29"),
        json!(-1),
        json!(0),
        json!(1),
        json!(7),
        json!(1.5),
        json!([]),
        json!([1]),
        json!([1, 1]),
        json!([1.5, 2]),
        json!(["x"]),
    ];
    let members = [None, Some(json!("x")), Some(json!(1)), Some(json!(null))];
    for a in &members {
        for b in &members {
            for c in &members[..2] {
                let object: Map<String, Value> = [("a", a), ("b", b), ("c", c)]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
                    .collect();
                values.push(Value::Object(object));
            }
        }
    }
    values
}

#[test]
fn no_pair_of_small_schemas_is_compatible_and_refuses_a_value() {
    let schemas = small_schemas();
    let compiled: Vec<RecordSchema> = schemas.iter().map(compiled).collect();
    let values = small_values();
    let mut tried = 0;
    for (old, before) in schemas.iter().zip(&compiled) {
        for (new, after) in schemas.iter().zip(&compiled) {
            if compare(old, new).iter().any(|change| change.breaks_readers) {
                continue;
            }
            for value in values.iter().filter(|value| after.is_valid(value)) {
                let seen = as_an_old_reader_sees(old, old, value);
                assert!(before.is_valid(&seen), "{value} seen as {seen}\nold {old}\nnew {new}");
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000, "only {tried} values were tried: compare finds almost everything breaking");
}

#[test]
fn no_pair_of_small_schemas_that_writers_survive_refuses_what_they_sent() {
    let schemas = small_schemas();
    let compiled: Vec<RecordSchema> = schemas.iter().map(compiled).collect();
    let values = small_values();
    let mut tried = 0;
    for (old, before) in schemas.iter().zip(&compiled) {
        for (new, after) in schemas.iter().zip(&compiled) {
            if compare(old, new).iter().any(|change| change.breaks_writers) {
                continue;
            }
            for value in &values {
                let sent = as_an_old_writer_sends(old, old, value);
                if before.is_valid(&sent) {
                    assert!(after.is_valid(&sent), "{value} sent as {sent}\nold {old}\nnew {new}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 10_000, "only {tried} values were tried: compare finds almost everything breaking");
}
