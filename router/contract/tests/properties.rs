//! What holds for every request.

#[path = "support/wire.rs"]
mod wire;

use http::Uri;
use proptest::collection::vec;
use proptest::prelude::*;
use rabita_contract::event::EventView;
use rabita_contract::request::{encode_key, filters_to_query};
use rabita_contract::{Asked, Route, TraceParent, parse, wants_body};
use rabita_model::ask::Key;
use rabita_model::{ActionName, Change, Code, Comparison, Event, FieldName, Filter, Happened, Operation, Want};
use serde_json::{Value, json};
use wire::{get, head, post};

/// Text without the one character that no registry means.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

fn filters() -> impl Strategy<Value = Vec<Filter>> {
    let name = prop_oneof!["[a-z_]{1,8}(\\.[A-Za-z0-9-]{1,8}){0,2}", Just("limit".to_owned()), Just("key".to_owned())];
    let filter = (name, prop::sample::select(Comparison::ALL.to_vec()), text());
    vec(filter, 0..6).prop_map(|filters| {
        let mut unique: Vec<Filter> = Vec::new();
        for (name, comparison, text) in filters {
            let field = FieldName::new(&name).expect("a field");
            if !unique.iter().any(|known| known.field == field && known.comparison == comparison) {
                unique.push(Filter { field, comparison, value: Value::String(text) });
            }
        }
        unique
    })
}

fn found(ask: Result<rabita_model::Ask, rabita_model::Refusal>) -> Want {
    ask.expect("an ask").want
}

/// JSON without whole numbers that can't be held exactly.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The paths of all that is told in a value. A group or a list of which nothing is shown tells nothing.
fn leaves(path: &str, value: &Value, told: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
                leaves(&path, value, told);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(path, item, told)),
        Value::Object(_) | Value::Null => {}
        _ => told.push(path.to_owned()),
    }
}

proptest! {
    #[test]
    fn any_uri_and_body_are_parsed_or_refused_with_a_client_s_fault(
        start in "(|/api/population/v1/persons|/api/population/v1/persons/(query|change)|/bus/(schemas|updates|events|subscriptions))",
        path in "(/(api|bus|population|v1|persons|query|change|catalogue|schemas|updates|[a-zA-Z0-9%.,_~-]{0,6})){0,5}",
        query in "([a-z.\\[\\]%+]{0,12}=?[a-zA-Z0-9%,+]{0,9}&?){0,4}",
        method in "(GET|POST|PUT|PATCH|DELETE)",
        body in any::<Vec<u8>>(),
        key in "[ -~]{0,9}",
        tag in "(\\*|\"a\"|[ -~]{0,5})",
    ) {
        let uri = format!("{start}{path}?{query}");
        prop_assume!(uri.parse::<Uri>().is_ok() && uri.starts_with('/'));
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str()), ("if-match", tag.as_str())];
        let head = head(&method, &uri, &headers);
        let _ = (wants_body(&head), Asked::of(&head));
        if let Err(refusal) = parse(&head, &body) {
            let without_faults = [Code::RouteAbsent, Code::MethodNotAllowed];
            let with_faults = [Code::InvalidRequest, Code::MalformedRequest, Code::IdempotencyKeyMissing];
            let expected: &[Code] = if refusal.faults.is_empty() { &without_faults } else { &with_faults };
            prop_assert!(expected.contains(&refusal.code), "{}", refusal.code);
        }
    }

    #[test]
    fn any_json_in_a_body_is_parsed_or_refused(
        mode in "(key|keys|where|field|fields|limit|cursor|[a-z/~ ]{0,4})",
        other in "(fields|limit|cursor|field)",
        value in prop_oneof![
            any::<i64>().prop_map(|number| json!(number)),
            any::<String>().prop_map(|text| json!(text)),
            vec(any::<Option<bool>>(), 0..3).prop_map(|list| json!(list)),
            ("[a-z.]{0,5}", "(equals|from|x)", any::<String>()).prop_map(|(field, word, text)| json!({ field: { word: text } })),
        ],
    ) {
        if let Err(refusal) = post(&json!({ mode: value.clone(), other: value }).to_string()) {
            prop_assert_eq!(refusal.code, Code::InvalidRequest);
            prop_assert!(!refusal.faults.is_empty());
        }
    }

    #[test]
    fn filters_in_a_query_string_are_read_back_the_same(filters in filters()) {
        let uri = format!("/api/population/v1/persons?{}", filters_to_query(&filters));
        let Want::Search { filters: read, .. } = found(get(&uri)) else { panic!("no search") };
        prop_assert_eq!(read, filters);
    }

    #[test]
    fn filters_in_a_body_are_read_back_the_same(filters in filters()) {
        let mut conditions = json!({});
        for filter in &filters {
            conditions[filter.field.as_str()][filter.comparison.as_str()] = filter.value.clone();
        }
        let Want::Search { filters: mut read, .. } = found(post(&json!({ "where": conditions }).to_string())) else { panic!("no search") };
        let mut filters = filters;
        let order = |filter: &Filter| (filter.field.clone(), filter.comparison);
        filters.sort_by_key(order);
        read.sort_by_key(order);
        prop_assert_eq!(read, filters);
    }

    #[test]
    fn keys_in_a_path_and_in_a_query_string_are_read_back_the_same(values in vec(text().prop_filter("a value", |text| !text.is_empty()), 1..4)) {
        let encoded = encode_key(&values.iter().map(String::as_str).collect::<Vec<_>>());
        let key = Key(values.into_iter().map(Value::String).collect());
        // A dot segment is resolved by clients before it is sent: no such key stands in a path of its own.
        let Want::Read { key: read } = found(get(&format!("/api/population/v1/persons/{encoded}"))) else { panic!("no read") };
        prop_assert_eq!(&read, &key);
        let Want::ReadMany { keys } = found(get(&format!("/api/population/v1/persons?key={encoded}"))) else { panic!("no read") };
        prop_assert_eq!(keys, [key]);
    }

    #[test]
    fn a_change_in_a_body_is_read_back_the_same(
        word in prop::sample::select(Operation::ALL.into_iter().filter(|operation| operation.is_change()).collect::<Vec<_>>()),
        key in vec(prop_oneof![any::<i64>().prop_map(|number| json!(number)), "[^\0]{1,9}".prop_map(|text| json!(text))], 1..3),
        fields in prop::collection::btree_map("[a-z]{1,5}", values(), 1..4),
    ) {
        let (key, fields) = (Key(key), fields.into_iter().collect::<serde_json::Map<String, Value>>());
        let action = ActionName::new("revoke").expect("an action");
        let change = match word {
            Operation::Create => Change::Create { record: fields },
            Operation::Replace => Change::Replace { key, record: fields },
            Operation::Update => Change::Update { key, patch: fields },
            Operation::Delete => Change::Delete { key },
            _ => Change::Act { key, action, input: fields },
        };
        let body = serde_json::to_vec(&change).expect("JSON");
        let head = head("POST", "/api/population/v1/persons/change", &[("content-type", "application/json"), ("idempotency-key", "k")]);
        let Ok(Route::Entity(ask)) = parse(&head, &body) else { panic!("no change") };
        let Want::Change(submission) = ask.want else { panic!("no change") };
        prop_assert_eq!(submission.change, change);
    }

    #[test]
    fn an_event_tells_nothing_that_is_not_granted(
        record in prop::collection::btree_map("[a-c]", values(), 0..4),
        changed in vec("[a-c](\\.[a-c]){0,2}", 0..4),
        granted in vec("[a-c](\\.[a-c]){0,2}", 0..4),
    ) {
        let fields = |names: Vec<String>| names.iter().map(|name| FieldName::new(name).expect("a field")).collect::<Vec<_>>();
        let (changed, granted) = (fields(changed), fields(granted));
        let event = Event {
            id: "01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e".parse().expect("an id"),
            target: serde_json::from_value(json!({ "registry": "a", "version": "v1", "entity": "b" })).expect("a target"),
            happened: Happened::Updated,
            at: "2027-03-01T09:00:00Z".parse().expect("a time"),
            key: record.clone().into_iter().collect(),
            changed,
            record: record.into_iter().collect(),
            update: None,
            traceparent: None,
        };
        let Some(shown) = rabita_contract::event::event(&event, &EventView { fields: &granted, is_own: false }) else { return Ok(()) };
        let mut told: Vec<String> = shown["data"]["changed"].as_array().expect("a list").iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        leaves("", &shown["data"]["record"], &mut told);
        leaves("", shown["data"].get("key").unwrap_or(&Value::Null), &mut told);
        for name in told {
            let field = FieldName::new(&name).expect("a field");
            prop_assert!(granted.iter().any(|grant| grant.covers(&field)), "{}", field);
        }
    }

    #[test]
    fn any_text_is_a_traceparent_or_none(text in any::<String>(), trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled in any::<bool>()) {
        let _ = TraceParent::parse(&text);
        let root = TraceParent::root(trace, span, sampled);
        prop_assert_eq!(TraceParent::parse(&root.to_string()), Some(root));
    }
}
