//! What an administrator is told of grants: by a running bus as by the command, and the same as the caller meets.

use rabita_tests::bus::{Authority, Bus, Country, GRANT_ALL, Manifest, Program, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::LONG;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const MOBILE: &str = "{ system: mobile, version: v1, entity: persons, operations: [read], fields: [pin, name, sex], \
     purposes: [identity-check], rows: 'record.sex == \"female\"', requests_per_second: 50 }";

async fn country() -> (Country, Upstream) {
    let people = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", people.url()).persons("subject: pin"));
    country.grants("people", &[GRANT_ALL, MOBILE]);
    (country, people)
}

/// What the running bus says.
async fn told(bus: &Bus, path: &str, words: &[(&str, &str)]) -> (u16, Value) {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(words).finish();
    let (status, text) = bus.told(&format!("{path}?{query}")).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// What the command says of the directory, as JSON, and whether it is content.
async fn said(country: &Country, arguments: &[&str]) -> (bool, Value) {
    let directory = country.path().to_str().expect("UTF-8");
    let arguments = [&["grants", arguments[0], "--config", directory, "--json"], &arguments[1..]].concat();
    let (status, said) = Program::run(env!("CARGO_BIN_EXE_rabita-under-test"), &arguments).ended().await;
    (status.success(), serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_is_what_the_caller_meets_and_follows_a_change() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let mobile = bus.caller(&Authority::get().mobile);
    let words = [("system", "mobile"), ("path", AYGUN), ("purpose", "identity-check")];
    let (status, explained) = told(&bus, "/grants/explain", &words).await;
    assert_eq!((status, &explained["is_permitted"]), (200, &json!(true)), "{explained}");
    let answer = &explained["answer"];
    assert_eq!(answer["fields"], json!(["pin", "name.family", "name.given", "sex"]));
    assert_eq!(answer["rows"], json!(["record.sex == \"female\""]));
    assert_eq!(answer["requests_per_second"], 50);
    let asked = mobile.request(Method::GET, AYGUN).header("Rabita-Purpose", "identity-check");
    let met = mobile.sent(asked).await.good().json();
    let members: Vec<&String> = met.as_object().expect("a record").keys().collect();
    assert_eq!(members, ["pin", "name", "sex"]);
    let header = ["--header", "Rabita-Purpose: identity-check"];
    let by_command = said(&country, &[&["explain", "--system", "mobile"], &header[..], &["GET", AYGUN]].concat()).await;
    assert_eq!(by_command, (true, explained));

    let (_, refused) = told(&bus, "/grants/explain", &words[..2]).await;
    let met = mobile.get(AYGUN).await;
    assert_eq!((&refused["is_permitted"], &refused["code"]), (&json!(false), &json!(met.code())), "{refused}");
    assert!(met.json()["detail"].as_str().is_some_and(|detail| detail.contains(refused["told"].as_str().expect("a sentence"))));
    assert_eq!(said(&country, &["explain", "--system", "mobile", "GET", AYGUN]).await, (false, refused));

    let body = r#"{"keys": ["5ZJBKH7"], "fields": ["income"]}"#;
    let query = [("system", "mobile"), ("method", "POST"), ("path", "/api/people/v1/persons/query"), ("body", body), words[2]];
    let (_, refused) = told(&bus, "/grants/explain", &query).await;
    assert_eq!((&refused["code"], &refused["faults"][0]["pointer"]), (&json!("field_not_permitted"), &json!("/fields/0")));

    country.grants("people", &[GRANT_ALL]);
    let is_felt = async || told(&bus, "/grants/explain", &words).await.1["code"] == "not_permitted";
    eventually("the desk follows the change", LONG, is_felt).await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_who_can_see_a_field_is_listed_and_nobody_else() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    for (field, systems) in [
        ("people/v1/persons.pin", &["mobile", "portal"][..]),
        ("people/v1/persons.income", &["portal"]),
        ("people/v1/persons.photo", &["portal"]),
        ("people/*/*.sex", &["mobile", "portal"]),
        ("people/v1/persons", &["mobile", "portal"]),
        ("people/v1/plots.area", &[]),
    ] {
        let (status, listed) = told(&bus, "/grants/who", &[("field", field)]).await;
        assert_eq!(status, 200, "{listed}");
        let holders: Vec<&str> = listed["holders"]
            .as_array()
            .expect("holders")
            .iter()
            .map(|holder| holder["system"].as_str().expect("a system"))
            .collect();
        assert_eq!(holders, systems, "{field}");
        assert_eq!(said(&country, &["who", "--field", field]).await, (true, listed));
    }
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_question_that_is_none_is_answered_with_what_is_wrong_about_it() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let asked = [("system", "mobile"), ("path", AYGUN)];
    for (path, words, status, expected) in [
        ("/grants/explain", &asked[..1], 400, "name `system` and `path`"),
        ("/grants/explain", &[("system", "mobil"), asked[1]], 400, "there is no system `mobil`; did you mean `mobile`?"),
        ("/grants/explain", &[asked[0], ("path", "/bus/catalogue")], 400, "name a path below `/api/`"),
        ("/grants/explain", &[asked[0], ("path", "/api/people/v1/person/1")], 400, "there is no `people/v1/person`"),
        ("/grants/explain", &[asked[0], ("path", "/api/people/v1/persons?sex=female&limit=x")], 400, "limit"),
        ("/grants/explain", &[asked[0], ("path", "no path")], 400, "this is no request"),
        ("/grants/who", &[], 400, "name the `field`"),
        ("/grants/who", &[("field", "pin")], 400, "a field is named as in `population/v1/persons.pin`"),
        ("/grants/all", &[], 404, "there is /grants/explain and /grants/who"),
    ] {
        let (got, refused) = told(&bus, path, words).await;
        let why = refused["error"].as_str().unwrap_or_default();
        assert!(got == status && why.contains(expected), "{path} {words:?}: {got} {refused}");
    }
    assert!(bus.stop().await);
}
