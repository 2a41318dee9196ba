//! Row conditions of grants: which records a caller may see, as an expression that is true or false.
//!
//! A condition sees three variables: `record`, in the contract's terms; `caller`, the attributes of the system that asks;
//! and `today`, as a text such as `"2026-11-24"`. To the functions of [`crate::expression`] come `age(birth, day)`, the
//! years completed on a day, and `date(text)`, which takes nothing but a whole date. A record's date of which only the year
//! or the month is known may be any day of it: such a record is admitted only where the condition holds for the first
//! and for the last of these days.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelInt, CelString};
use cel::objects::{Key, Map};
use cel::{Context, Env, ExecutionError, Program};
use jiff::civil::Date;
use rabita_model::FieldName;
use serde_json::Value;

use crate::Finding;
use crate::expression::{self, Named, Vocabulary};

/// A row condition, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Condition(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    program: Program,
    fields: Vec<FieldName>,
    /// The fields that are taken as dates.
    dates: Vec<FieldName>,
    /// The outermost members of the fields: so much of a record is shown to the expression.
    roots: Vec<String>,
    attributes: Vec<String>,
}

/// Each date of which a part is unknown doubles what there is to evaluate.
const MOST_DATES: usize = 3;

const NO_TRUTH: &str = "the condition is neither true nor false";

const VOCABULARY: Vocabulary<'static> = Vocabulary { variables: &["record", "caller", "today"], dates: &["age", "date"] };

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(text: &str) -> Result<Self, Finding> {
        let (program, Named { paths, dates }) = expression::parse(text, &ENV, VOCABULARY)?;
        let mut fields = Vec::new();
        let mut attributes: Vec<String> = Vec::new();
        for path in &paths {
            match path.as_slice() {
                [variable, attribute, ..] if variable == "caller" => {
                    if !attributes.contains(attribute) {
                        attributes.push(attribute.clone());
                    }
                }
                [variable, members @ ..] if variable == "record" => fields.push(field(members)?),
                [_today] if _today == "today" => {}
                [variable, ..] if variable == "today" => {
                    return Err(Finding::new("", "`today` is a text and has no members"));
                }
                _ => return Err(Finding::new("", "`caller` stands with an attribute: `caller.district`")),
            }
        }
        let of_record = |path: &Vec<String>| path.first().is_some_and(|variable| variable == "record");
        let dates = dates.iter().filter(|path| of_record(path)).map(|path| field(&path[1..])).collect::<Result<Vec<_>, _>>()?;
        if dates.len() > MOST_DATES {
            return Err(Finding::new("", format!("a condition asks for at most {MOST_DATES} dates of a record")));
        }
        let mut roots: Vec<String> = fields.iter().filter_map(|field| field.members().next().map(str::to_owned)).collect();
        roots.sort();
        roots.dedup();
        Ok(Self(Arc::new(Compiled { program, fields, dates, roots, attributes })))
    }

    /// The fields of the record that it looks at.
    #[must_use]
    pub fn fields(&self) -> &[FieldName] {
        &self.0.fields
    }

    /// The attributes of the caller that it looks at.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        &self.0.attributes
    }

    /// Whether it holds for a record. Where a field that it needs is not there, it does not.
    ///
    /// # Errors
    /// Why it cannot be told, without any value. Such a record is not admitted either.
    pub fn admits(&self, record: &Value, caller: &BTreeMap<String, Value>, today: Date) -> Result<bool, String> {
        let Some(members) = record.as_object() else { return Err("the record is no object".to_owned()) };
        let partial: Vec<(&FieldName, [Date; 2])> =
            self.0.dates.iter().filter_map(|date| Some((date, days(date.value_in(members)?.as_str()?)?))).collect();
        if partial.is_empty() {
            return self.holds(members, caller, today);
        }
        let mut assumed: serde_json::Map<String, Value> =
            self.0.roots.iter().filter_map(|root| Some((root.clone(), members.get(root)?.clone()))).collect();
        for reading in 0..1usize << partial.len() {
            for (at, (field, days)) in partial.iter().enumerate() {
                assume(&mut assumed, field, days[reading >> at & 1]);
            }
            if !self.holds(&assumed, caller, today)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tries it on a made-up record whose values are of the right kinds: only what such values can never do is told.
    ///
    /// # Errors
    /// What operator or function does not take values of these kinds, or that the condition has no truth.
    pub fn rehearse(&self, record: &Value, caller: &BTreeMap<String, Value>, today: Date) -> Result<(), String> {
        let Some(members) = record.as_object() else { return Ok(()) };
        match self.evaluate(members, caller, today) {
            Ok(cel::Value::Bool(_)) => Ok(()),
            Ok(_) => Err(NO_TRUTH.to_owned()),
            Err(error) if expression::is_of_kinds(&error) => Err(format!("the condition fails: {}", expression::reason(&error))),
            Err(_) => Ok(()),
        }
    }

    fn holds(
        &self,
        record: &serde_json::Map<String, Value>,
        caller: &BTreeMap<String, Value>,
        today: Date,
    ) -> Result<bool, String> {
        match self.evaluate(record, caller, today) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(NO_TRUTH.to_owned()),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(format!("the condition failed: {}", expression::reason(&error))),
        }
    }

    fn evaluate(
        &self,
        record: &serde_json::Map<String, Value>,
        caller: &BTreeMap<String, Value>,
        today: Date,
    ) -> Result<cel::Value, ExecutionError> {
        let Compiled { program, roots, attributes, .. } = &*self.0;
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value("record", map(roots.iter().filter_map(|root| Some((root, record.get(root)?)))));
        context.add_variable_from_value("caller", map(attributes.iter().filter_map(|name| Some((name, caller.get(name)?)))));
        context.add_variable_from_value("today", today.to_string());
        program.execute(&context)
    }
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = expression::env();
    add_functions(&mut env).expect("an expression's environment has none of these functions");
    Arc::new(env)
});

fn add_functions(env: &mut Env) -> Result<(), cel::DeclarationError> {
    cel::add_overload!(env, fn age: (CelString, CelString) -> Result<CelInt>)?;
    cel::add_overload!(env, fn date: (CelString) -> Result<CelString>)
}

/// The years completed on a day. Whoever was born on 29 February completes one on 1 March where there is no such day.
fn age(birth: &CelString<'_>, day: &CelString<'_>) -> Result<CelInt, ExecutionError> {
    let (birth, day) = (whole("age", birth)?, whole("age", day)?);
    let had_birthday = (day.month(), day.day()) >= (birth.month(), birth.day());
    let years = i64::from(day.year()) - i64::from(birth.year()) - i64::from(!had_birthday);
    if years < 0 {
        return Err(ExecutionError::function_error("age", "the day is before the birth"));
    }
    Ok(years.into())
}

fn date(text: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    whole("date", text).map(|date| date.to_string().into())
}

/// A whole date: dates as texts can be compared only where all have the same form.
fn whole(function: &str, text: &CelString<'_>) -> Result<Date, ExecutionError> {
    let text = text.inner();
    let date = if text.len() == "2026-11-24".len() { text.parse().ok() } else { None };
    date.ok_or_else(|| ExecutionError::function_error(function, "takes dates"))
}

/// The first and the last day of a date of which the month or the day is unknown: `1978` or `1978-03`.
fn days(text: &str) -> Option<[Date; 2]> {
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i16>().ok()).flatten();
    match text.len() {
        4 => {
            let year = number(text)?;
            Some([Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?])
        }
        7 => {
            let (year, month) = text.split_once('-')?;
            let first = Date::new(number(year)?, i8::try_from(number(month)?).ok()?, 1).ok()?;
            Some([first, first.last_of_month()])
        }
        _ => None,
    }
}

fn assume(record: &mut serde_json::Map<String, Value>, field: &FieldName, day: Date) {
    let mut members = field.members();
    let mut place = members.next().and_then(|root| record.get_mut(root));
    for member in members {
        place = place.and_then(|place| place.get_mut(member));
    }
    if let Some(place) = place {
        *place = Value::String(day.to_string());
    }
}

fn field(members: &[String]) -> Result<FieldName, Finding> {
    if members.is_empty() {
        return Err(Finding::new("", "`record` stands with a field: `record.district`"));
    }
    FieldName::new(&members.join(".")).map_err(|_| Finding::new("", format!("`{}` is no field's name", members.join("."))))
}

fn map<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> cel::Value {
    let map: HashMap<Key, cel::Value> = members.map(|(name, value)| (Key::from(name.as_str()), to_cel(value))).collect();
    cel::Value::Map(Map { map: Arc::new(map) })
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(truth) => cel::Value::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(members) => map(members.iter()),
    }
}

#[cfg(test)]
mod tests;
