//! The laws that a mapping must hold, whatever it is given.

use std::panic::AssertUnwindSafe;

use rabita_model::{Fault, FieldName, Operation};
use rabita_sdk::plan::PlannedEntity;
use serde_json::{Map, Value};

use super::Outcome;

/// Texts of so many characters do not come about by chance in a sentence.
const TELLING: usize = 8;

/// What an operation writes is read again as it was, or refused at the field that it is wrong with.
pub(super) fn round_trip(entity: &PlannedEntity, operation: Operation, fields: &[FieldName], record: &Value) -> Outcome {
    let Value::Object(members) = record else { return Outcome::Refused };
    let mapping = &entity.mapping;
    let Some(encoded) = unharmed(|| mapping.encode(members, operation)) else {
        return Outcome::Broken("the mapping panicked when it wrote the record".to_owned());
    };
    let row = match encoded {
        Ok(row) => row,
        Err(faults) => return rightly(&faults, entity, record),
    };
    let Ok(selection) = mapping.select(fields) else { return Outcome::Refused };
    let Some((back, faults)) = unharmed(|| mapping.decode(&row, &selection)) else {
        return Outcome::Broken("the mapping panicked when it read what it had written".to_owned());
    };
    if let Some(fault) = faults.first() {
        return Outcome::Broken(format!("what was written cannot be read again: {} {}", fault.pointer, fault.code));
    }
    // Two values that mean the same, such as one instant at two offsets, are written the same.
    let means_the_same = || mapping.encode(&back, operation).is_ok_and(|again| again == row);
    let back = Value::Object(back.clone());
    if is_same(&back, record) || means_the_same() {
        return Outcome::Held;
    }
    Outcome::Broken(differing(record, &back))
}

/// Faults that name a field and repeat no value.
pub(super) fn rightly(faults: &[Fault], entity: &PlannedEntity, given: &Value) -> Outcome {
    let names_field = |fault: &Fault| {
        fault.pointer.is_empty()
            || fault.pointer == "/key"
            || entity.mapping.names().any(|name| {
                let own = name.pointer();
                fault.pointer.starts_with(&own) || own.starts_with(&fault.pointer)
            })
    };
    if let Some(fault) = faults.iter().find(|fault| !names_field(fault)) {
        return Outcome::Broken(format!("a fault is at {}, where no field is", fault.pointer));
    }
    match faults.iter().find(|fault| repeats(&fault.message, given)) {
        Some(fault) => Outcome::Broken(format!("the fault at {} repeats the value", fault.pointer)),
        None => Outcome::Refused,
    }
}

/// Whether a sentence holds one of the values that were given.
pub(super) fn repeats(sentence: &str, given: &Value) -> bool {
    match given {
        Value::String(text) => text.chars().count() >= TELLING && sentence.contains(text.as_str()),
        Value::Array(items) => items.iter().any(|item| repeats(sentence, item)),
        Value::Object(members) => members.values().any(|value| repeats(sentence, value)),
        Value::Number(number) => number.to_string().len() >= TELLING && sentence.contains(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}

/// What a function makes, if it does not panic.
pub(super) fn unharmed<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Whether two records are one, where no value and an empty one are none.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            let names = ones.keys().chain(others.keys());
            names.into_iter().all(|name| is_same(member(ones, name), member(others, name)))
        }
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (one, other) => one == other || (is_none(one) && is_none(other)),
    }
}

fn member<'a>(members: &'a Map<String, Value>, name: &str) -> &'a Value {
    members.get(name).unwrap_or(&Value::Null)
}

fn is_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_none),
        _ => false,
    }
}

/// What came back in place of what was given, as far as the two differ.
pub(super) fn differing(given: &Value, back: &Value) -> String {
    let mut lines = Vec::new();
    difference(given, back, "", &mut lines);
    format!("what comes back is not what was given:\n{}", lines.join("\n"))
}

fn difference(given: &Value, back: &Value, pointer: &str, lines: &mut Vec<String>) {
    if let (Value::Object(ones), Value::Object(others)) = (given, back) {
        for name in ones.keys().chain(others.keys().filter(|name| !ones.contains_key(*name))) {
            difference(member(ones, name), member(others, name), &format!("{pointer}/{name}"), lines);
        }
    } else if !is_same(given, back) {
        lines.push(format!("  {pointer}: {given} became {back}"));
    }
}
