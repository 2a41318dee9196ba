//! What holds for every request.

#[path = "support/wire.rs"]
mod wire;

use http::Uri;
use proptest::collection::vec;
use proptest::prelude::*;
use rabita_contract::request::{encode_key, filters_to_query};
use rabita_contract::{Asked, TraceParent, parse, wants_body};
use rabita_model::ask::Key;
use rabita_model::{Code, Comparison, FieldName, Filter, Want};
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

proptest! {
    #[test]
    fn any_uri_and_body_are_parsed_or_refused_with_a_client_s_fault(
        start in "(|/api/population/v1/persons|/api/population/v1/persons/query|/bus/schemas)",
        path in "(/(api|bus|population|v1|persons|query|catalogue|schemas|[a-zA-Z0-9%.,_~-]{0,6})){0,5}",
        query in "([a-z.\\[\\]%+]{0,12}=?[a-zA-Z0-9%,+]{0,9}&?){0,4}",
        post in any::<bool>(),
        body in any::<Vec<u8>>(),
    ) {
        let uri = format!("{start}{path}?{query}");
        prop_assume!(uri.parse::<Uri>().is_ok() && uri.starts_with('/'));
        let head = head(if post { "POST" } else { "GET" }, &uri, &[("content-type", "application/json")]);
        let _ = (wants_body(&head), Asked::of(&head));
        if let Err(refusal) = parse(&head, &body) {
            let expected = [Code::InvalidRequest, Code::MalformedRequest, Code::RouteAbsent, Code::MethodNotAllowed];
            prop_assert!(expected.contains(&refusal.code), "{}", refusal.code);
            prop_assert_eq!(refusal.code == Code::InvalidRequest, !refusal.faults.is_empty() && refusal.code != Code::MalformedRequest);
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
    fn any_text_is_a_traceparent_or_none(text in any::<String>(), trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled in any::<bool>()) {
        let _ = TraceParent::parse(&text);
        let root = TraceParent::root(trace, span, sampled);
        prop_assert_eq!(TraceParent::parse(&root.to_string()), Some(root));
    }
}
