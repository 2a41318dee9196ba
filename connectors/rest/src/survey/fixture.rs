//! A test's `legacy:` out of rows: the request that is made, and the answer that has them.

use rabita_sdk::survey::{Foreseen, Question};
use rabita_sdk::{Legacy, Row};
use serde_json::{Map, Value, json};

use crate::from::{FilterParams, From, OffsetPaging, PagePaging, Paging, SearchAt};

/// One exchange.
pub(crate) fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    let from: From = serde_json::from_value(foreseen.entity.from.clone()).ok()?;
    let exchange = match foreseen.question {
        Question::Read(key) => read(foreseen, &from, key)?,
        Question::Search(source, value) => {
            let search = from.search.as_ref()?;
            let parameter = match search.filters.get(source)? {
                FilterParams::Equals(name) => name.clone(),
                FilterParams::Each(each) => each.equals.clone()?,
            };
            let records: Vec<Value> = foreseen.rows.iter().map(record).collect();
            let mut query = Map::new();
            query.insert(parameter, json!(value.to_text()?));
            json!({
                "request": { "method": "GET", "path": search.path, "query": query },
                "response": { "json": page(search, records) },
            })
        }
    };
    Some(json!([exchange]))
}

fn read(foreseen: &Foreseen<'_>, from: &From, key: &[Legacy]) -> Option<Value> {
    let read = from.read.as_ref()?;
    let mut path = read.path.clone();
    for (source, value) in foreseen.entity.key.iter().zip(key) {
        let text = value.to_text()?;
        // What would have to be escaped is left to tests that people write.
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
            return None;
        }
        path = path.replace(&format!("{{{source}}}"), &text);
    }
    let response = match foreseen.rows.first() {
        Some(row) => json!({ "json": at(&read.record, record(row)) }),
        None => json!({ "status": 404 }),
    };
    Some(json!({ "request": { "method": "GET", "path": path }, "response": response }))
}

/// The answer of a search: its only page, which says that it is.
fn page(search: &SearchAt, records: Vec<Value>) -> Value {
    let count = match &search.paging {
        Paging::Page(PagePaging { total_pages: Some(path), .. }) => Some(at(path, json!(1))),
        Paging::Offset(OffsetPaging { total: Some(path), .. }) => Some(at(path, json!(records.len()))),
        _ => None,
    };
    let mut answer = at(&search.records, Value::Array(records));
    if let (Value::Object(answer), Some(Value::Object(count))) = (&mut answer, count) {
        for (name, value) in count {
            answer.entry(name).or_insert(value);
        }
    }
    answer
}

fn record(row: &Row) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

/// A value at a dotted path.
fn at(path: &str, value: Value) -> Value {
    path.split('.').filter(|member| !member.is_empty()).rev().fold(value, |inner, member| json!({ member: inner }))
}
