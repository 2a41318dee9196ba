//! What the bus says of itself: to each system what it may call, and no more.

use rabita_tests::bus::{Authority, Bus, Country, Upstream};
use serde_json::{Value, json};

async fn country(upstream: &Upstream) -> Country {
    let country = Country::with_people(upstream.url());
    country.grants(
        "people",
        &[
            "{ system: portal, version: v1, entity: persons, operations: [read, search], fields: all, purposes: any }",
            "{ system: portal, version: v1, entity: plots, operations: [read], fields: all, purposes: any }",
            "{ system: mobile, version: v1, entity: persons, operations: [read], fields: [pin, name.family], purposes: [identity-check] }",
        ],
    );
    country
}

async fn told(bus: &Bus, system: &str, path: &str) -> Value {
    let authority = Authority::get();
    let identity = match system {
        "portal" => &authority.portal,
        "mobile" => &authority.mobile,
        _ => &authority.auditor,
    };
    bus.caller(identity).get(path).await.good().json()
}

#[tokio::test]
async fn the_catalogue_shows_each_system_what_it_may_call_and_no_more() {
    let upstream = Upstream::start().await;
    let bus = country(&upstream).await.start().await;
    let portal = told(&bus, "portal", "/bus/catalogue").await;
    let entities = |catalogue: &Value| -> Vec<String> {
        catalogue["entities"]
            .as_array()
            .expect("entities")
            .iter()
            .map(|entry| entry["entity"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(entities(&portal), ["persons", "plots"]);
    let mobile = told(&bus, "mobile", "/bus/catalogue").await;
    assert_eq!(mobile["system"], "mobile");
    assert_eq!(entities(&mobile), ["persons"]);
    let entry = &mobile["entities"][0];
    assert_eq!(entry["operations"], json!(["read"]));
    assert_eq!(entry["fields"], json!(["pin", "name.family"]));
    assert_eq!(entry["purposes"], json!(["identity-check"]));
    for hidden in ["income", "birth_date", "given", "photo", "plots", "GELIR", "SOYAD"] {
        assert!(!mobile.to_string().contains(hidden), "the catalogue shows {hidden}");
    }
    assert_eq!(entities(&told(&bus, "auditor", "/bus/catalogue").await), Vec::<String>::new());
}

#[tokio::test]
async fn schemas_are_cut_to_what_the_caller_may_see() {
    let upstream = Upstream::start().await;
    let bus = country(&upstream).await.start().await;
    let list = told(&bus, "mobile", "/bus/schemas").await;
    let addresses: Vec<&str> =
        list["schemas"].as_array().expect("schemas").iter().filter_map(|one| one["href"].as_str()).collect();
    assert_eq!(addresses, ["/bus/schemas/people/v1/persons"]);
    let members =
        |schema: &Value| -> Vec<String> { schema["properties"].as_object().expect("members").keys().cloned().collect() };
    let portal = told(&bus, "portal", addresses[0]).await;
    assert_eq!(members(&portal), ["pin", "name", "birth_date", "sex", "income"]);
    let mobile = told(&bus, "mobile", addresses[0]).await;
    assert_eq!(members(&mobile), ["pin", "name"]);
    assert_eq!(members(&mobile["properties"]["name"]), ["family"]);
    let answer = bus.portal().get(addresses[0]).await.good();
    assert_eq!(answer.header("content-type"), "application/schema+json");
    for (identity, path) in
        [(&Authority::get().mobile, "/bus/schemas/people/v1/plots"), (&Authority::get().auditor, addresses[0])]
    {
        let _ = bus.caller(identity).get(path).await.refused(404, "route_absent");
    }
}

#[tokio::test]
async fn the_openapi_document_describes_exactly_what_the_caller_may_call() {
    let upstream = Upstream::start().await;
    let bus = country(&upstream).await.start().await;
    let document = told(&bus, "mobile", "/bus/openapi.json").await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let paths: Vec<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let of_registries: Vec<&&str> = paths.iter().filter(|path| path.starts_with("/api/")).collect();
    assert!(
        !of_registries.is_empty() && of_registries.iter().all(|path| path.starts_with("/api/people/v1/persons")),
        "{paths:?}"
    );
    for hidden in ["income", "birth_date", "photo", "plots"] {
        assert!(!document.to_string().contains(hidden), "the document shows {hidden}");
    }
    let portal = told(&bus, "portal", "/bus/openapi.json").await.to_string();
    for shown in ["income", "birth_date", "photo", "/api/people/v1/plots"] {
        assert!(portal.contains(shown), "the document lacks {shown}");
    }
}

#[tokio::test]
async fn a_grant_that_has_ended_is_in_no_catalogue() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.grants(
        "people",
        &["{ system: portal, version: v1, entity: persons, operations: [read], fields: all, purposes: any, until: 2024-12-31 }"],
    );
    let bus = country.start().await;
    assert_eq!(told(&bus, "portal", "/bus/catalogue").await["entities"], json!([]));
    let _ = bus.portal().get("/api/people/v1/persons/5ZJBKH7").await.refused(403, "grant_expired");
}

/// A public validator, a public linter and a public generator of clients, whose client is type-checked.
#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_is_valid_and_makes_a_client_that_type_checks() {
    let upstream = Upstream::start().await;
    let bus = country(&upstream).await.start().await;
    let scratch = rabita_tests::scratch::Scratch::new("openapi");
    for system in ["portal", "mobile"] {
        let file = scratch.path().join(format!("{system}.json"));
        std::fs::write(&file, told(&bus, system, "/bus/openapi.json").await.to_string()).expect("a scratch file");
        let done = rabita_tests::run_node("openapi", &["check.mjs", &file.to_string_lossy()]);
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && said.contains("clean: "), "{system}: {said}");
    }
}
