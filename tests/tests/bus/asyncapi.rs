//! `/bus/asyncapi.json`: good for public tools, cut to the grants, and true: events are as it says.

use jsonschema::Validator;
use rabita_tests::bus::Authority;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{ALL, Stream, bus, detecting};

#[tokio::test]
async fn describes_the_events_that_are_granted_and_no_other() {
    let names = "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: [name.family], purposes: any }";
    let (_country, _people, bus) = bus(&[ALL, names], "").await;
    let mobile = bus.caller(&Authority::get().mobile);
    let document = mobile.get("/bus/asyncapi.json").await.good().json();
    let channels: Vec<&String> = document["channels"].as_object().expect("channels").keys().collect();
    assert_eq!(channels, ["PeopleV1PersonsStream", "PeopleV1PersonsWebhook"]);
    assert!(document.to_string().contains("family"), "{document:#}");
    assert!(!document.to_string().contains("income"), "{document:#}");
    let auditor = bus.caller(&Authority::get().auditor);
    assert_eq!(auditor.get("/bus/asyncapi.json").await.good().json()["channels"], json!({}));
    assert!(bus.stop().await);
}

/// The schema of a message of the document.
fn payload(document: &Value, message: &str) -> Validator {
    let reference = format!("#/components/messages/{message}/payload");
    let schema = json!({ "$ref": reference, "components": document["components"] });
    let options = jsonschema::draft202012::options().offline().should_validate_formats(true);
    options.build(&schema).expect("a schema that needs nothing else")
}

#[tokio::test(flavor = "multi_thread")]
async fn is_good_for_the_parser_of_its_standard_and_says_how_events_are() {
    let (country, people, bus) = detecting("described").await;
    let portal = bus.portal();
    let document = portal.get("/bus/asyncapi.json").await.good();
    let file = country.path().join("asyncapi.json");
    std::fs::write(&file, &document.body).expect("a scratch file");
    let done = rabita_tests::run_node("asyncapi", &["check.mjs", &file.to_string_lossy()]);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("clean: 2 operations"), "{said}");

    let payload = payload(&document.json(), "DescribedV1Persons");
    let mut stream = Stream::open(&portal, "/bus/events", None).await;
    stream.watched(&people).await;
    let send = async |method: Method, path: &str, key: &'static str, body: Value| {
        let path = format!("/api/described/v1/persons{path}");
        let answer = portal.sent(portal.request(method, &path).header("Idempotency-Key", key).json(&body)).await;
        assert!(answer.status < 300, "{}", answer.text());
    };
    let mut comes = async |happened: &str| {
        let mut told = stream.next().await;
        assert_eq!(told.event, format!("rabita.described.v1.persons.{happened}"));
        let faults: Vec<String> = payload.iter_errors(&told.data).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{happened}: {faults:?}: {:#}", told.data);
        // It is no schema of everything.
        told.data["data"]["record"] = json!({ "name": "Quliyeva" });
        assert!(!payload.is_valid(&told.data), "{happened}");
    };
    send(Method::POST, "", "made", json!({ "pin": "7AAAAAA", "name": { "family": "Yeni" } })).await;
    comes("created").await;
    send(Method::PATCH, "/7AAAAAA", "changed", json!({ "income": 5 })).await;
    comes("updated").await;
    people.run("UPDATE people SET family = 'Quliyeva' WHERE pin = '5ZJBKH7'").await;
    comes("changed").await;
    send(Method::DELETE, "/7AAAAAA", "ended", Value::Null).await;
    comes("deleted").await;
    assert!(bus.stop().await);
}
