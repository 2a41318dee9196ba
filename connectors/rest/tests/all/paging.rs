//! Searches: every paging style, with limits that do not fit the registry's pages.

use std::collections::HashMap;

use rabita_sdk::{Connector, Failure};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::raw::{Raw, Reply, ok};
use crate::support::{call, named, numbers, on, open, search};

/// A registry of `count` records that pages in every style, never by more than `cap`.
async fn registry(count: usize, cap: usize) -> Raw {
    Raw::start(move |_, request| {
        let target = request.split(' ').nth(1).expect("a target");
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let asked: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
        assert_eq!(asked.get("status").map(String::as_str), Some("active"), "the constant parameter is always there");
        let size = number("size").unwrap_or(3).min(cap);
        let start = number("page").map(|page| page * size).or(number("offset")).or(number("after")).unwrap_or(0).min(count);
        let end = (start + size).min(count);
        let items: Vec<_> = (start..end).map(|nr| json!({ "nr": nr })).collect();
        let next = (end < count).then_some(end);
        let link = next.map(|next| format!("/u?after={next}&size={size}&status=hacked"));
        let body = json!({ "items": items, "total": count, "pages": count.div_ceil(size), "next": next, "link": link });
        let header = link.map(|link| format!("Link: <{link}>; rel=\"next\"\r\n")).unwrap_or_default();
        Reply::Keep(ok(&format!("Content-Type: application/json\r\n{header}"), body.to_string().as_bytes()))
    })
    .await
}

fn from(paging: &Value) -> Value {
    json!({ "search": { "path": "/u", "fixed": { "status": "active" }, "records": "items", "paging": paging } })
}

/// Pages to the end with limits that take turns.
async fn all(connector: &dyn Connector, limits: &[usize]) -> Vec<i64> {
    let (mut found, mut cursor) = (Vec::new(), None);
    for limit in limits.iter().cycle().take(200) {
        let page = connector.search(search(*limit, cursor), &call()).await.expect("a page");
        assert!(page.rows.len() <= *limit, "never more than was asked for");
        found.extend(numbers(&page.rows));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
    panic!("the search never ends");
}

#[tokio::test]
async fn every_style_gives_every_record_once_whatever_the_limits_are() {
    let styles = [
        json!({ "page": { "param": "page", "size_param": "size", "size_max": 4 } }),
        json!({ "page": { "param": "page", "size_param": "size", "size_max": 4, "total_pages": "pages" } }),
        json!({ "page": { "param": "page" } }),
        json!({ "page": { "param": "page", "size_max": 3 } }),
        json!({ "offset": { "param": "offset", "limit_param": "size", "size_max": 4 } }),
        json!({ "offset": { "param": "offset", "limit_param": "size", "total": "total" } }),
        json!({ "offset": { "param": "offset" } }),
        json!({ "cursor": { "param": "after", "limit_param": "size", "next": "next" } }),
        json!({ "cursor": { "param": "after", "next": "next" } }),
        json!({ "link": { "header": true, "limit_param": "size" } }),
        json!({ "link": { "body": "link" } }),
    ];
    for count in [0, 1, 3, 4, 8, 11] {
        let registry = registry(count, 4).await;
        for style in &styles {
            let connector = open(&registry.url, from(style)).await;
            for limits in [&[1][..], &[2], &[3], &[4], &[100], &[5, 1, 3], &[1, 7, 2]] {
                let found = all(&*connector, limits).await;
                let expected: Vec<i64> = (0..count as i64).collect();
                assert_eq!(found, expected, "{count} records, limits {limits:?}, {style}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_without_paging_is_given_in_parts() {
    let items: Vec<_> = (0..7).map(|nr| json!({ "nr": nr })).collect();
    let fixture = json!([{ "request": { "path": "/u" }, "response": { "json": items } }]);
    let double = on(json!({ "search": { "path": "/u" } }), fixture).await;
    assert_eq!(all(&*double.connector, &[3]).await, [0, 1, 2, 3, 4, 5, 6]);
    let page = double.connector.search(search(7, None), &call()).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (7, None));
}

#[tokio::test]
async fn conditions_become_parameters_and_stay_in_them() {
    let from =
        json!({ "search": { "path": "/u", "filters": { "name": "name" }, "fixed": { "status": "active", "deep": true } } });
    let hostile = "A&status=all#?/../ə \"'%";
    let fixture = json!([{ "request": { "path": "/u", "query": { "name": hostile, "status": "active", "deep": true } },
        "response": { "json": [{ "nr": 1 }] } }]);
    let double = on(from, fixture).await;
    assert_eq!(double.connector.search(named(hostile), &call()).await.unwrap().rows.len(), 1);
    assert_eq!((double.complaints)(), Vec::<String>::new());
    let mut other = named("x");
    other.conditions[0].ignore = vec![rabita_sdk::Ignore::Case];
    assert!(matches!(double.connector.search(other, &call()).await, Err(Failure::Unsupported { .. })));
}

#[tokio::test]
async fn a_missing_list_is_empty_only_where_the_manifest_says_so() {
    let from = |absent: &str| json!({ "search": { "path": "/u", "records": "_embedded.units", "absent_records": absent } });
    for (body, strict, lenient) in [
        (json!({ "page": {} }), false, true),
        (json!({ "_embedded": { "units": null } }), false, true),
        (json!({ "_embedded": { "units": {} } }), false, false),
        (json!({ "_embedded": { "units": [1] } }), false, false),
        (json!({ "_embedded": { "units": [] } }), true, true),
    ] {
        let fixture = json!([{ "request": { "path": "/u" }, "response": { "json": body } }]);
        for (absent, good) in [("malformed", strict), ("empty", lenient)] {
            let outcome = on(from(absent), fixture.clone()).await.connector.search(search(5, None), &call()).await;
            assert_eq!(matches!(&outcome, Ok(page) if page.rows.is_empty()), good, "{absent} {body}");
            assert_eq!(matches!(outcome, Err(Failure::Malformed { .. })), !good, "{absent} {body}");
        }
    }
}

#[tokio::test]
async fn a_registry_that_leads_in_circles_or_away_is_malformed() {
    let served =
        |next: Value| json!([{ "request": { "path": "/u" }, "response": { "json": { "items": [{ "nr": 1 }], "next": next } } }]);
    let cursor = from(&json!({ "cursor": { "param": "after", "next": "next" } }));
    let double = on(cursor.clone(), served(json!("same"))).await;
    let first = double.connector.search(search(1, None), &call()).await.unwrap();
    let second = double.connector.search(search(1, first.next), &call()).await;
    assert!(matches!(second, Err(Failure::Malformed { .. })), "{second:?}");
    let odd = on(cursor, served(json!({ "a": 1 }))).await.connector.search(search(1, None), &call()).await;
    assert!(matches!(odd, Err(Failure::Malformed { .. })), "{odd:?}");
    for link in ["http://evil.invalid/u?after=1", "/admin?after=1", "/u", "http://["] {
        let from = from(&json!({ "link": { "body": "next" } }));
        let outcome = on(from, served(json!(link))).await.connector.search(search(1, None), &call()).await;
        assert!(matches!(outcome, Err(Failure::Malformed { .. })), "{link}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_cursor_that_was_made_up_reaches_no_other_place() {
    let registry = registry(9, 4).await;
    let link = open(&registry.url, from(&json!({ "link": { "header": true } }))).await;
    let page = link.search(search(2, Some("3.0.after=3&status=all&x=/../admin".to_owned())), &call()).await.unwrap();
    assert_eq!(numbers(&page.rows), [3, 4]);
    let page = open(&registry.url, from(&json!({ "page": { "param": "page" } }))).await;
    for bad in ["", "x", "1.0.../admin", "0.0.1", "9999999999.0.1", "1.-1.1"] {
        let outcome = page.search(search(2, Some(bad.to_owned())), &call()).await;
        assert!(matches!(outcome, Err(Failure::Refused { .. })), "{bad}: {outcome:?}");
    }
}

#[tokio::test]
async fn reads_a_table_of_codes_to_its_end() {
    let registry = registry(9, 4).await;
    let mut spec = crate::support::spec(json!({ "url": registry.url }), json!({}));
    spec.tables.push(rabita_sdk::TableSpec {
        name: "codes".to_owned(),
        pointer: "/codes/codes/from".to_owned(),
        from: from(&json!({ "page": { "param": "page", "size_param": "size", "total_pages": "pages" } })),
        columns: vec![rabita_sdk::Source::new("nr"), rabita_sdk::Source::new("gone")],
    });
    struct Nothing;
    impl rabita_sdk::Secrets for Nothing {
        fn resolve(&self, _secret: &rabita_sdk::SecretRef) -> Result<rabita_sdk::SecretText, String> {
            Err("there are none".to_owned())
        }
    }
    let connector = rabita_rest::kind().open(spec, &Nothing).await.unwrap();
    let rows = connector.table(0, &call()).await.unwrap();
    assert_eq!((rows.len(), &rows[8][..]), (9, &[8.into(), rabita_sdk::Legacy::Null][..]));
}
