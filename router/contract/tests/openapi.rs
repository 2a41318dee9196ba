//! The documents that describe the contract.

#[path = "support/golden.rs"]
mod golden;
#[path = "support/sample.rs"]
mod sample;

use std::collections::BTreeSet;

use rabita_contract::{asyncapi, catalogue, openapi};
use rabita_model::catalogue::{Catalogue, Transparency};
use serde_json::Value;

#[test]
fn describes_exactly_what_the_system_may_call() {
    let document = openapi::openapi(&sample::catalogue(), "0.1.0");
    golden::holds("openapi.json", &document);
    let paths: Vec<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let expected = [
        "/api/population/v1/persons",
        "/api/population/v1/persons/{pin}",
        "/api/population/v1/persons/{pin}/photo",
        "/api/population/v1/persons/query",
        "/api/population/v1/persons/{pin}/restore",
        "/api/population/v1/persons/{pin}/revoke",
        "/api/population/v1/persons/change",
        "/api/land/v1/parcels/{district},{number}",
        "/api/land/v1/parcels/query",
        "/api/business/v1/companies",
        "/api/business/v1/companies/{id}",
        "/api/business/v1/companies/query",
        "/api/business/v1/companies/change",
        "/api/health/v1/patients",
        "/api/health/v1/patients/change",
        "/bus/catalogue",
        "/bus/keys",
        "/bus/openapi.json",
        "/bus/asyncapi.json",
        "/bus/schemas",
        "/bus/schemas/{registry}/{version}/{entity}",
        "/bus/updates",
        "/bus/updates/{id}",
        "/bus/events",
        "/bus/subscriptions",
        "/bus/subscriptions/{id}",
        "/bus/subscriptions/{id}/dead",
        "/bus/subscriptions/{id}/replay",
        "/bus/ledger/checkpoint",
        "/bus/ledger/key",
        "/bus/ledger/tile/{level}/{n}",
        "/bus/ledger/tile/entries/{n}",
        "/bus/ledger/entries/{index}",
        "/bus/ledger/proof",
        "/bus/ledger/consistency",
        "/bus/ledger/cosignatures",
        "/bus/statistics",
        "/bus/subjects/accesses",
        "/bus/datatracker/v2/findUsage",
        "/bus/datatracker/v2/usagePeriod",
        "/bus/datatracker/v2/heartbeat",
        "/bus/agencies/{agency}/accesses",
    ];
    let methods =
        |path: &str| -> Vec<&str> { document["paths"][path].as_object().expect("a path").keys().map(String::as_str).collect() };
    assert_eq!(methods("/api/population/v1/persons/{pin}"), ["get", "patch"]);
    assert_eq!(methods("/api/business/v1/companies/{id}"), ["get", "put", "delete"]);
    assert_eq!(methods("/api/health/v1/patients"), ["post"]);
    assert_eq!(paths, expected);
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let whole = sample::catalogue();
    let some = |range: std::ops::Range<usize>| Catalogue { entities: whole.entities[range].to_vec(), ..whole.clone() };
    for catalogue in [some(0..0), some(0..1), some(1..2), some(3..4), whole.clone()] {
        complete(&openapi::openapi(&catalogue, "0.1.0"));
    }
}

#[test]
fn a_patch_may_leave_everything_out_and_a_whole_record_its_key() {
    let document = openapi::openapi(&sample::catalogue(), "0.1.0");
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["PopulationV1PersonsPatch"].get("required"), None);
    assert_eq!(schemas["PopulationV1PersonsPatchAddress"]["required"], serde_json::json!(["city"]), "a list is whole");
    assert_eq!(schemas["PopulationV1PersonsPatchNamePatch"].get("required"), None);
    assert_eq!(schemas["BusinessV1CompaniesWhole"]["required"], serde_json::json!([]));
    let created = &document["paths"]["/api/business/v1/companies"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(created["schema"]["$ref"], "#/components/schemas/BusinessV1Companies");
}

#[test]
fn the_events_of_each_followed_entity_are_described_as_stream_and_webhook() {
    let document = asyncapi::asyncapi(&sample::catalogue(), "0.1.0");
    golden::holds("asyncapi.json", &document);
    let channels: Vec<&str> = document["channels"].as_object().expect("channels").keys().map(String::as_str).collect();
    assert_eq!(channels, ["PopulationV1PersonsStream", "PopulationV1PersonsWebhook"]);
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
}

fn complete(document: &Value) {
    let mut references = BTreeSet::new();
    collect(document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (kind, components) in document["components"].as_object().expect("components") {
        for name in components.as_object().expect("components of a kind").keys().filter(|_| kind != "securitySchemes") {
            assert!(references.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is used nowhere");
        }
    }
}

#[test]
fn operations_have_names_of_their_own_even_where_names_look_alike() {
    let mut twice = sample::catalogue();
    let mut alike = twice.entities[0].clone();
    alike.registry = "popu-lation".to_owned().try_into().expect("a registry");
    twice.entities.push(alike.clone());
    alike.registry = "popu--lation".to_owned().try_into().expect("a registry");
    twice.entities.push(alike);
    let document = openapi::openapi(&twice, "0.1.0");
    let mut ids = BTreeSet::new();
    for operation in
        document["paths"].as_object().expect("paths").values().flat_map(|item| item.as_object().expect("methods").values())
    {
        let id = operation["operationId"].as_str().expect("an operationId").to_owned();
        assert!(ids.insert(id.clone()), "{id} stands twice");
    }
    assert!(ids.contains("readPopulationV1Persons"));
}

#[test]
fn a_system_without_grants_sees_the_bus_alone() {
    let empty = Catalogue { entities: Vec::new(), ..sample::catalogue() };
    let document = openapi::openapi(&empty, "0.1.0");
    assert!(document["paths"].as_object().expect("paths").keys().all(|path| path.starts_with("/bus/")));
}

#[test]
fn a_system_that_may_not_ask_who_used_data_is_not_told_how() {
    let without = Catalogue { transparency: Transparency::default(), ..sample::catalogue() };
    let document = openapi::openapi(&without, "0.1.0");
    let paths = document["paths"].as_object().expect("paths");
    for hidden in ["/bus/subjects", "/bus/datatracker", "/bus/agencies"] {
        assert!(!paths.keys().any(|path| path.starts_with(hidden)), "{hidden}");
    }
    assert!(paths.contains_key("/bus/statistics"));
    let told = catalogue::catalogue(&without);
    assert_eq!((told.get("transparency"), told["links"].get("accesses")), (None, None));
    complete(&document);
}

#[test]
fn the_catalogue_links_to_what_there_is() {
    golden::holds("catalogue.json", &catalogue::catalogue(&sample::catalogue()));
    golden::holds("schemas.json", &catalogue::schemas(&sample::catalogue()));
}

#[test]
fn a_schema_is_found_by_its_address_and_by_its_name_only_where_that_means_one_document() {
    let mut sample = sample::catalogue();
    let whole = Value::clone(&sample.entities[0].document);
    assert_eq!(catalogue::schema(&sample, "population/v1/persons"), Some(&whole));
    assert_eq!(catalogue::schema(&sample, "person/v1"), Some(&whole));
    assert_eq!(catalogue::schema(&sample, "person/v2"), None);
    sample.entities[1].schema = "person/v1".into();
    assert_eq!(catalogue::schema(&sample, "person/v1"), None);
    assert_eq!(catalogue::schema(&sample, "population/v1/persons"), Some(&whole));
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
