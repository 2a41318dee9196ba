//! Requests in.

#[path = "support/wire.rs"]
mod wire;

use rabita_contract::request::{encode_key, filters_to_query};
use rabita_contract::{Asked, Route, parse, wants_body};
use rabita_model::ask::Key;
use rabita_model::{Ask, Code, Comparison, Fault, FieldName, Refusal, Want};
use serde_json::{Value, json};
use wire::{asked, get, head, post};

const ID: &str = "01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e";
const PERSONS: &str = "/api/population/v1/persons";

fn faults(result: Result<Ask, Refusal>) -> Vec<(String, &'static str)> {
    let refusal = result.expect_err("a refusal");
    assert_eq!(refusal.code, Code::InvalidRequest);
    places(&refusal)
}

fn at(place: &str, code: &'static str) -> (String, &'static str) {
    (place.to_owned(), code)
}

fn code(result: Result<Ask, Refusal>) -> Code {
    result.expect_err("a refusal").code
}

#[test]
fn reads_a_record_by_a_composite_key_with_a_comma_in_a_value() {
    let ask = get("/api/land/v1/parcels/a%2Cb,7%2F8,%C9%99?fields=name.family,pin,pin").expect("an ask");
    assert_eq!(ask.target.to_string(), "land/v1/parcels");
    let Want::Read { key } = ask.want else { panic!("{:?}", ask.want) };
    assert_eq!(key, Key(vec![json!("a,b"), json!("7/8"), json!("ə")]));
    let fields: Vec<String> = ask.fields.expect("fields").iter().map(FieldName::to_string).collect();
    assert_eq!(fields, ["name.family", "pin"]);
    assert!(ask.in_url);
    assert_eq!(encode_key(&["a,b", "7/8", "ə"]), "a%2Cb,7%2F8,%C9%99");
}

#[test]
fn reads_a_binary_field() {
    let ask = get(&format!("{PERSONS}/5ZJBKH7/photo")).expect("an ask");
    assert!(matches!(ask.want, Want::Binary { field, .. } if field.as_str() == "photo"));
}

#[test]
fn searches_with_comparisons_and_with_fields_that_bear_the_bus_s_own_names() {
    let ask = get(&format!("{PERSONS}?name.family[prefix]=%C6%8Fl+i&birth_date%5Bfrom%5D=1978&limit=5&limit[equals]=x&cursor=c"));
    let Want::Search { filters, limit, cursor } = ask.expect("an ask").want else { panic!("no search") };
    let found: Vec<(&str, Comparison, &Value)> = filters.iter().map(|f| (f.field.as_str(), f.comparison, &f.value)).collect();
    let expected = [
        ("name.family", Comparison::Prefix, &json!("Əl i")),
        ("birth_date", Comparison::From, &json!("1978")),
        ("limit", Comparison::Equals, &json!("x")),
    ];
    assert_eq!(found, expected);
    assert_eq!((limit, cursor.as_deref()), (Some(5), Some("c")));
    assert_eq!(filters_to_query(&filters), "name.family[prefix]=%C6%8Fl%20i&birth_date[from]=1978&limit[equals]=x");
}

#[test]
fn reads_several_records_by_repeated_keys() {
    let Want::ReadMany { keys } = get(&format!("{PERSONS}?key=A&key=B,C&key=D%2CE")).expect("an ask").want else { panic!() };
    assert_eq!(keys, [Key(vec![json!("A")]), Key(vec![json!("B"), json!("C")]), Key(vec![json!("D,E")])]);
    let refused = faults(get(&format!("{PERSONS}?key=A&limit=1&pin=x&cursor=c")));
    assert_eq!(refused, [at("key", "excludes"), at("key", "excludes"), at("key", "excludes")]);
}

#[test]
fn a_search_without_conditions_has_no_identifier_in_its_url() {
    assert!(!get(&format!("{PERSONS}?limit=1")).expect("an ask").in_url);
    assert!(get(&format!("{PERSONS}?pin=1")).expect("an ask").in_url);
}

#[test]
fn tells_all_that_is_wrong_with_a_url_at_once() {
    let uri = format!("{PERSONS}?birth_date[form]=1&limit=0&limit=2&a=1&a[equals]=2&cursor=&fields=x..y&key=,&na%20me=1&b=%00");
    let head = head("GET", &uri, &[("rabita-purpose", "No Slug"), ("rabita-user", ""), ("rabita-case", &"x".repeat(201))]);
    let expected = [
        at("Rabita-Purpose", "purpose"),
        at("Rabita-User", "header_text"),
        at("Rabita-Case", "header_text"),
        at("birth_date", "unknown_comparison"),
        at("limit", "type"),
        at("limit", "duplicate"),
        at("a[equals]", "duplicate"),
        at("cursor", "empty"),
        at("fields", "field_name"),
        at("key", "empty"),
        at("", "parameter_name"),
        at("b", "character"),
    ];
    let refusal = asked(parse(&head, b"")).expect_err("a refusal");
    assert_eq!(places(&refusal), expected);
    assert!(refusal.faults[3].message.contains("did you mean `from`?"), "{}", refusal.faults[3].message);
}

#[test]
fn takes_nothing_but_fields_beside_a_key_and_nothing_beside_a_binary_field() {
    let refusal = get(&format!("{PERSONS}/A?field=pin&5%20x=1")).expect_err("a refusal");
    assert_eq!(places(&refusal), [at("field", "unexpected_parameter"), at("", "unexpected_parameter")]);
    assert!(refusal.faults[0].message.contains("did you mean `fields`?"), "{}", refusal.faults[0].message);
    assert_eq!(faults(get(&format!("{PERSONS}/A/photo?fields=x"))), [at("fields", "unexpected_parameter")]);
    assert_eq!(faults(get(&format!("{PERSONS}/A,,B"))), [at("key", "empty")]);
}

#[test]
fn tells_malformed_from_invalid() {
    for uri in ["/a%", "/a%4", "/a%zz", "/%ff", "?a=%e", "?a=%ff", "?a", "?%ff=1"] {
        assert_eq!(code(get(&format!("{PERSONS}{uri}"))), Code::MalformedRequest, "{uri}");
    }
}

#[test]
fn a_path_of_another_structure_is_absent() {
    let paths = [
        "/",
        "/api",
        "/api/population/v1",
        "/api/population/v1/persons/",
        "/api/population/v1/persons//",
        "/api/population/v1/persons/A/b/c",
    ];
    let names = [
        "/api/Population/v1/persons",
        "/api/population/v0/persons",
        "/api/population/v1/%2Fa",
        "/bus",
        "/bus/schemas/",
        "/api/population/v1/persons/A/a..b",
    ];
    for path in paths.iter().chain(&names) {
        assert_eq!(code(get(path)), Code::RouteAbsent, "{path}");
    }
}

#[test]
fn a_method_that_a_path_does_not_serve_is_told_what_would_be() {
    for (method, path, allow) in [
        ("PUT", PERSONS.to_owned(), "GET, HEAD, POST"),
        ("POST", format!("{PERSONS}/A"), "GET, HEAD, PUT, PATCH, DELETE"),
        ("OPTIONS", format!("{PERSONS}/query"), "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("OPTIONS", format!("{PERSONS}/change"), "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("DELETE", format!("{PERSONS}/A/photo"), "GET, HEAD, POST"),
        ("POST", format!("{PERSONS}/A/name.family"), "GET, HEAD"),
        ("POST", "/bus/catalogue".to_owned(), "GET, HEAD"),
        ("HEAD", "/bus/events".to_owned(), "GET"),
        ("PUT", "/bus/subscriptions".to_owned(), "GET, HEAD, POST"),
        ("GET", format!("/bus/subscriptions/{ID}/replay"), "POST"),
        ("POST", format!("/bus/subscriptions/{ID}"), "GET, HEAD, DELETE"),
    ] {
        let head = head(method, &path, &[]);
        assert_eq!(parse(&head, b"").expect_err("a refusal").code, Code::MethodNotAllowed, "{method} {path}");
        assert_eq!(Asked::of(&head).allow, allow);
        assert!(!wants_body(&head));
    }
}

#[test]
fn a_record_may_have_query_for_its_key() {
    let Want::Read { key } = get(&format!("{PERSONS}/query")).expect("an ask").want else { panic!() };
    assert_eq!(key, Key(vec![json!("query")]));
    assert!(wants_body(&head("POST", &format!("{PERSONS}/query"), &[])));
    assert!(!wants_body(&head("GET", &format!("{PERSONS}/query"), &[])));
}

#[test]
fn serves_the_bus_s_own_paths() {
    let route = |uri| parse(&head("GET", uri, &[]), b"");
    assert!(matches!(route("/bus/catalogue"), Ok(Route::Catalogue)));
    assert!(matches!(route("/bus/openapi.json"), Ok(Route::OpenApi)));
    assert!(matches!(route("/bus/schemas"), Ok(Route::Schemas(None))));
    assert!(
        matches!(route("/bus/schemas/population/v1/persons"), Ok(Route::Schemas(Some(name))) if name == "population/v1/persons")
    );
    assert_eq!(route("/bus/catalogue?x=1").expect_err("a refusal").code, Code::InvalidRequest);
    assert!(matches!(route("/bus/asyncapi.json"), Ok(Route::AsyncApi)));
}

#[test]
fn a_body_asks_for_a_record_for_several_for_a_search_and_for_a_binary_field() {
    let Want::Read { key } = post(r#"{"key": "A", "fields": ["pin"]}"#).expect("an ask").want else { panic!() };
    assert_eq!(key, Key(vec![json!("A")]));
    let Want::ReadMany { keys } = post(r#"{"keys": ["A", 7, ["b", 8]]}"#).expect("an ask").want else { panic!() };
    assert_eq!(keys, [Key(vec![json!("A")]), Key(vec![json!(7)]), Key(vec![json!("b"), json!(8)])]);
    let ask = post(r#"{"where": {"name.family": "Ə", "birth_date": {"from": "1978", "to": "1980"}}, "limit": 3, "cursor": "c"}"#)
        .expect("an ask");
    assert!(!ask.in_url);
    let Want::Search { filters, limit, cursor } = ask.want else { panic!() };
    assert_eq!((filters.len(), limit, cursor.as_deref()), (3, Some(3), Some("c")));
    let Want::Binary { field, .. } = post(r#"{"key": "A", "field": "photo"}"#).expect("an ask").want else { panic!() };
    assert_eq!(field.as_str(), "photo");
}

#[test]
fn tells_all_that_is_wrong_with_a_body_at_once() {
    let body = r#"{"where": {"a": null, "b": {"form": 1, "to": [1]}, "c d": 1, "e": {}, "f": "\u0000"}, "limit": 0, "cursor": 7,
                   "fields": ["x", 1, "y/"], "field": "photo", "feilds": [], "5Z JB": 1}"#;
    let expected = [
        at("/feilds", "unknown_member"),
        at("", "unknown_member"),
        at("/field", "excludes"),
        at("/limit", "type"),
        at("/cursor", "type"),
        at("/where/a", "type"),
        at("/where/b", "unknown_comparison"),
        at("/where/b/to", "type"),
        at("/where", "field_name"),
        at("/where/e", "empty"),
        at("/where/f", "character"),
        at("/fields/1", "field_name"),
        at("/fields/2", "field_name"),
    ];
    let refusal = post(body).expect_err("a refusal");
    assert_eq!(places(&refusal), expected);
    assert!(refusal.faults[0].message.contains("did you mean `fields`?"));
}

#[test]
fn a_body_has_exactly_one_form() {
    assert_eq!(faults(post("{}")), [at("", "one_of")]);
    assert_eq!(faults(post(r#"{"key": 1, "where": {}}"#)), [at("", "one_of")]);
    assert_eq!(faults(post("[]")), [at("", "type")]);
    assert_eq!(faults(post(r#"{"key": 1, "limit": 1}"#)), [at("/limit", "excludes")]);
    assert_eq!(faults(post(r#"{"key": 1, "field": "a", "fields": ["b"]}"#)), [at("/fields", "excludes")]);
    assert_eq!(faults(post(r#"{"key": {}}"#)), [at("/key", "type")]);
    assert_eq!(faults(post(r#"{"key": [1.5, ""]}"#)), [at("/key/0", "type"), at("/key/1", "empty")]);
    assert_eq!(faults(post(r#"{"keys": []}"#)), [at("/keys", "type")]);
    assert_eq!(faults(post(r#"{"keys": ["a", null]}"#)), [at("/keys/1", "type")]);
    assert_eq!(faults(post(r#"{"key": "a", "fields": []}"#)), [at("/fields", "empty")]);
}

#[test]
fn a_body_that_readers_could_understand_differently_is_malformed_and_none_of_it_is_told() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let bodies = [
        r#"{"key": "SECRET", "key": "B"}"#,
        r#"{"where": {"pin": {"equals": "SECRET", "equals": "B"}}}"#,
        r#"{"key": 12345678901234567890123}"#,
        r#"{"key": "SECRET"} {}"#,
        r#"{"key": "SECRET"#,
        r#"{"key": SECRET}"#,
        "",
        &deep,
    ];
    for body in bodies {
        let refusal = post(body).expect_err("a refusal");
        assert_eq!(refusal.code, Code::MalformedRequest, "{body}");
        let message = &refusal.faults[0].message;
        assert!(message.contains(" line ") && message.contains(" column ") && !message.contains("SECRET"), "{message}");
    }
}

#[test]
fn a_query_takes_json_and_no_parameters_in_its_url() {
    let sent = |uri: &str, media_type: &str| {
        asked(parse(&head("POST", &format!("{PERSONS}/query{uri}"), &[("content-type", media_type)]), br#"{"key":1}"#))
    };
    for good in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"] {
        assert!(sent("", good).is_ok(), "{good}");
    }
    for bad in ["text/plain", "", "application/+json", "application/jsonx", "text/x+json"] {
        assert_eq!(code(sent("", bad)), Code::MediaTypeUnsupported, "{bad}");
    }
    assert_eq!(faults(sent("?pin=A", "application/json")), [at("pin", "unexpected_parameter")]);
    assert_eq!(code(asked(parse(&head("POST", &format!("{PERSONS}/query"), &[]), b"{}"))), Code::MediaTypeUnsupported);
}

#[test]
fn the_most_specific_range_of_accept_decides_and_a_binary_field_takes_any() {
    let sent = |path: &str, accept: &str| asked(parse(&head("GET", &format!("{PERSONS}{path}"), &[("accept", accept)]), b""));
    for good in [
        "*/*",
        "application/*",
        "APPLICATION/json",
        "text/html, application/json;q=0.1",
        "application/json;charset=utf-8",
        "*/*;q=0, application/json",
    ] {
        assert!(sent("/A", good).is_ok(), "{good}");
    }
    for bad in ["text/html", "application/json;q=0, */*", "application/json;q=0.0", "", "application/problem+json"] {
        assert_eq!(code(sent("/A", bad)), Code::NotAcceptable, "{bad}");
    }
    assert!(sent("/A/photo", "image/jpeg").is_ok());
    let schema = parse(&head("GET", "/bus/schemas/a/v1/b", &[("accept", "application/schema+json")]), b"");
    assert!(schema.is_ok());
}

#[test]
fn headers_give_purpose_user_and_case_in_any_script() {
    let headers =
        [("rabita-purpose", "birth-registration"), ("rabita-user", "Əliyeva"), ("rabita-case", "utf-8''%C6%8Fliyeva%20G.")];
    let ask = asked(parse(&head("GET", &format!("{PERSONS}/A"), &headers), b"")).expect("an ask");
    assert_eq!(ask.purpose.expect("a purpose").as_str(), "birth-registration");
    assert_eq!(ask.user.as_deref(), Some("Əliyeva"));
    assert_eq!(ask.case.as_deref(), Some("Əliyeva G."));
    for bad in ["UTF-8''%C6", "UTF-8''%0A", "UTF-8''", "   "] {
        let refused = asked(parse(&head("GET", &format!("{PERSONS}/A"), &[("rabita-user", bad)]), b""));
        assert_eq!(faults(refused), [at("Rabita-User", "header_text")], "{bad}");
    }
    let twice = asked(parse(&head("GET", &format!("{PERSONS}/A"), &[("rabita-user", "a"), ("rabita-user", "b")]), b""));
    assert_eq!(faults(twice), [at("Rabita-User", "duplicate")]);
}

/// Where the faults are and what kind they are of.
fn places(refusal: &Refusal) -> Vec<(String, &'static str)> {
    let place = |fault: &Fault| fault.parameter.clone().unwrap_or_else(|| fault.pointer.clone());
    refusal.faults.iter().map(|fault| (place(fault), fault.code)).collect()
}
