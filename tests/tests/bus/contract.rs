//! What callers are given of records.

use rabita_tests::bus::{Country, Manifest, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::register;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const QUERY: &str = "/api/people/v1/persons/query";

#[tokio::test]
async fn a_record_is_the_same_by_its_address_and_by_a_query_for_its_key() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let by_address = bus.portal().get(AYGUN).await.good();
    let by_query = bus.portal().post(QUERY, &json!({ "key": "5ZJBKH7" })).await.good();
    let expected = json!({ "pin": "5ZJBKH7", "name": { "family": "Əliyeva", "given": "Aygün" }, "birth_date": "1978-03-12", "sex": "female", "income": 1250 });
    assert_eq!(by_address.json(), expected);
    assert_eq!(by_query.json(), expected);
    for answer in [by_address, by_query] {
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("server-timing").contains("registry;dur="), "{:?}", answer.headers);
        assert_eq!(answer.header("rabita-exchange").len(), 36);
    }
}

#[tokio::test]
async fn the_dirt_of_an_old_register_stays_in_it() {
    let bus = register::country("").await.start().await;
    let answer = bus.portal().get(&format!("/api/register/v1/persons/{}", register::pin(3))).await.good();
    assert_eq!(
        answer.json(),
        json!({ "pin": "5ZJBK03", "name": { "family": "Əliyeva" }, "birth_date": "1978-03", "sex": "female" })
    );
    let absent = bus.portal().get("/api/register/v1/persons/0000000").await.refused(404, "record_absent");
    assert_eq!(absent.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn several_records_come_in_the_order_of_their_keys_with_null_where_there_is_none() {
    let upstream = Upstream::start().await;
    let people = Country::with_people(upstream.url()).start().await;
    let register = register::country("").await.start().await;
    for (bus, registry, [first, second]) in
        [(people, "people", ["7K2VXA9", "5ZJBKH7"]), (register, "register", ["5ZJBK04", "5ZJBK01"])]
    {
        let path = format!("/api/{registry}/v1/persons");
        let by_url = bus.portal().get(&format!("{path}?key={first}&key=0000000&key={second}&fields=pin")).await.good();
        let body = json!({ "keys": [first, "0000000", second], "fields": ["pin"] });
        let by_body = bus.portal().post(&format!("{path}/query"), &body).await.good();
        let expected = json!({ "records": [{ "pin": first }, null, { "pin": second }] });
        assert_eq!(by_url.json(), expected, "{registry}");
        assert_eq!(by_body.json(), expected, "{registry}");
    }
}

#[tokio::test]
async fn one_key_in_a_list_is_answered_as_a_list() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let answer = bus.portal().get("/api/people/v1/persons?key=5ZJBKH7&fields=pin").await.good();
    assert_eq!(answer.json(), json!({ "records": [{ "pin": "5ZJBKH7" }] }));
}

#[tokio::test]
async fn fields_narrow_the_answer_and_what_the_registry_is_asked_for() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let asked_for = |upstream: &Upstream| -> Vec<String> {
        let mut names: Vec<String> = upstream.last().query["fields"].split(',').map(str::to_owned).collect();
        names.sort();
        names
    };
    let narrow = bus.portal().get(&format!("{AYGUN}?fields=name.family,sex")).await.good();
    assert_eq!(narrow.json(), json!({ "name": { "family": "Əliyeva" }, "sex": "female" }));
    assert_eq!(asked_for(&upstream), ["CINS", "SOYAD"]);
    let whole_part = bus.portal().post(QUERY, &json!({ "key": "5ZJBKH7", "fields": ["name"] })).await.good();
    assert_eq!(whole_part.json(), json!({ "name": { "family": "Əliyeva", "given": "Aygün" } }));
    assert_eq!(asked_for(&upstream), ["AD", "SOYAD"]);
    let search = bus.portal().get("/api/people/v1/persons?sex=female&fields=pin").await.good();
    assert_eq!(search.json()["records"][0], json!({ "pin": "5ZJBKH7" }));
    assert_eq!(asked_for(&upstream), ["FIN"]);
}

#[tokio::test]
async fn a_caller_that_has_the_record_already_is_told_so_without_it() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let portal = bus.portal();
    let tag = portal.get(AYGUN).await.good().header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 16, "{tag}");
    let again = portal.sent(portal.request(Method::GET, AYGUN).header("if-none-match", format!("\"other\", {tag}"))).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), tag);
    let narrow = portal.sent(portal.request(Method::GET, &format!("{AYGUN}?fields=pin")).header("if-none-match", &tag)).await;
    assert_eq!(narrow.status, 200, "another representation has another tag");
}

#[tokio::test]
async fn the_head_of_an_answer_is_that_of_the_whole() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let portal = bus.portal();
    let whole = portal.get(AYGUN).await.good();
    let head = portal.sent(portal.request(Method::HEAD, AYGUN)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-length", "content-type", "etag", "cache-control"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let absent = portal.sent(portal.request(Method::HEAD, "/api/people/v1/persons/0000000")).await;
    assert_eq!((absent.status, absent.body.len()), (404, 0));
}

#[tokio::test]
async fn an_entity_that_wants_no_identifiers_in_urls_takes_them_in_bodies_only() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()).persons("identifiers_in_url: false"));
    let bus = country.start().await;
    let portal = bus.portal();
    for path in [AYGUN, "/api/people/v1/persons?key=5ZJBKH7", "/api/people/v1/persons?name.family=x", &format!("{AYGUN}/photo")] {
        let _ = portal.get(path).await.refused(400, "identifier_in_url");
    }
    let _ = portal.get("/api/people/v1/persons").await.refused(422, "invalid_request");
    assert_eq!(upstream.calls(), 0);
    upstream.set_photo("5ZJBKH7", "a photo");
    assert_eq!(portal.post(QUERY, &json!({ "key": "5ZJBKH7" })).await.good().json()["pin"], "5ZJBKH7");
    assert_eq!(portal.post(QUERY, &json!({ "where": { "sex": "female" } })).await.good().json()["records"][0]["pin"], "5ZJBKH7");
    assert_eq!(portal.post(QUERY, &json!({ "key": "5ZJBKH7", "field": "photo" })).await.good().text(), "a photo");
}

#[tokio::test]
async fn a_composite_key_stands_in_a_url_and_in_a_body() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.grants("people", &["{ system: portal, version: v1, entity: plots, operations: [read], fields: all, purposes: any }"]);
    let bus = country.start().await;
    let portal = bus.portal();
    let plot = |district: &str, number: &str| json!({ "district": district, "number": number, "area": 600 });
    assert_eq!(portal.get("/api/people/v1/plots/10,17").await.good().json(), plot("10", "17"));
    assert_eq!(upstream.last().path, "/plots/10/17");
    // A comma within a value is written %2C, and what means something in a path does not reach the registry as such.
    assert_eq!(portal.get("/api/people/v1/plots/10%2C5,a%2F..%2Fb").await.good().json()["area"], 600);
    assert_eq!(upstream.last().path, "/plots/10%2C5/a%2F..%2Fb");
    let many = portal.post("/api/people/v1/plots/query", &json!({ "keys": [["10", "17"], ["11", "3"]] })).await.good();
    assert_eq!(many.json()["records"], Value::Array(vec![plot("10", "17"), plot("11", "3")]));
    // Dots would climb to another collection of the registry's.
    let calls = upstream.calls();
    let up = portal.post("/api/people/v1/plots/query", &json!({ "key": ["..", ".."] })).await;
    assert_eq!((up.status, upstream.calls()), (422, calls), "{}", up.text());
    let short = portal.get("/api/people/v1/plots/10").await.refused(422, "invalid_request");
    assert_eq!(short.errors(), [("key".to_owned(), "key_parts".to_owned())]);
}
