//! Changes that `connector new --writes` drafted, sent to a node that serves the draft.

use rabita_tests::bus::Program;
use rabita_tests::{NodeServer, Openldap, Postgres};
use reqwest::{Certificate, Identity};
use serde_json::{Value, json};

use super::{Place, directories, read};
use crate::RABITA;

/// Serves a draft at free ports, with a grant of these changes too, which nobody but a person gives.
async fn serve(place: &Place, registry: &str, changes: &str) -> (Program, String, reqwest::Client) {
    let file = |name: &str| place.path().join(name);
    let node = place.text("rabita.yaml").replace("127.0.0.1:8443", "127.0.0.1:0") + "admin: { address: \"127.0.0.1:0\" }\n";
    std::fs::write(file("rabita.yaml"), node).expect("the node's file");
    let grants = format!("grants/{registry}.yaml");
    let granted = place.text(&grants).replace("operations: [read", &format!("operations: [{changes}, read"));
    std::fs::write(file(&grants), granted).expect("the grants");
    place.good(&["check", "--strict", "INTO"], &[]);
    let program = Program::serve(RABITA, &place.path());
    let port = program.addresses().await[0].port();
    let pem = [std::fs::read(file("tls/shop.pem")), std::fs::read(file("tls/shop.key"))];
    let pem = pem.map(|read| read.expect("a certificate was made")).concat();
    let authority = std::fs::read(file("tls/ca.pem")).expect("a certificate was made");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([Certificate::from_pem(&authority).expect("a certificate")])
        .identity(Identity::from_pem(&pem).expect("a certificate and its key"));
    (program, format!("https://localhost:{port}/api/{registry}/v1"), client.build().expect("a client"))
}

/// Sends a change, which has to be applied.
async fn change(client: &reqwest::Client, entity: &str, body: Value) {
    let request = client.post(format!("{entity}/change")).header("rabita-purpose", "trial");
    let answer = request.header("idempotency-key", body["operation"].as_str().expect("a word")).json(&body).send().await;
    let answer = answer.expect("an answer");
    let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
    assert!(matches!(status, 200 | 201), "{body}: {status} {text}");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON")["state"], "applied", "{body}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_drafted_for_a_database_and_reach_it() {
    let server = Postgres::shared();
    server.run("create database depot");
    server.run_in(
        "depot",
        "create table item (id int primary key, name varchar(20) not null, price numeric(8,2));
         insert into item select n, 'Item ' || n, n * 1.25 from generate_series(1, 30) n",
    );
    let url = Postgres::url(server.address(), "depot");
    let place = Place::new();
    let words = ["connector", "new", "--yes", "--from", &url, "--registry", "depot", "--agency", "trade", "--grant", "shop"];
    place.good(&[&words[..], &["--writes", "--set", "read_only=false", "--live", "--into", "INTO"]].concat(), &[]);
    place.holds("depot", &[]);
    let manifest = read(&place.manifest("depot"));
    let operations = &manifest["contract"]["v1"]["item"]["operations"];
    assert_eq!(operations["create"], json!({ "fields": ["id", "name", "price"] }));
    assert_eq!(operations["update"], json!({ "fields": ["name", "price"] }));
    assert_eq!(operations["delete"], json!({}));

    let (_program, base, client) = serve(&place, "depot", "create, replace, update, delete").await;
    let change = async |body: Value| change(&client, &format!("{base}/item"), body).await;
    let there = || {
        server.run_in("depot", "select name || ' ' || coalesce(price::text, 'free') from item where id = 31").trim().to_owned()
    };
    change(json!({ "operation": "create", "record": { "id": 31, "name": "Chair", "price": "7.50" } })).await;
    assert_eq!(there(), "Chair 7.50");
    change(json!({ "operation": "update", "key": 31, "patch": { "price": "8.00" } })).await;
    assert_eq!(there(), "Chair 8.00");
    change(json!({ "operation": "replace", "key": 31, "record": { "id": 31, "name": "Stool" } })).await;
    assert_eq!(there(), "Stool free");
    change(json!({ "operation": "delete", "key": 31 })).await;
    assert_eq!(there(), "");
    assert_eq!(server.run_in("depot", "select count(*) from item").trim(), "30", "nothing else was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_drafted_for_an_api_by_its_own_document_and_reach_it() {
    let server = NodeServer::start("rest", &[]);
    let from = format!("http://{}/openapi.json", server.address());
    let place = Place::new();
    let words = ["connector", "new", "--yes", "--from", &from, "--registry", "people", "--agency", "interior", "--grant", "shop"];
    place.good(&[&words[..], &["--writes", "--live", "--into", "INTO"]].concat(), &[]);
    place.holds("people", &[]);
    let manifest = read(&place.manifest("people"));
    assert_eq!(manifest["connector"]["idempotency_header"], "Idempotency-Key");
    let entity = &manifest["contract"]["v1"]["people"];
    assert_eq!(
        entity["from"]["update"],
        json!({ "path": "/people/{pin}", "method": "PATCH", "media_type": "application/merge-patch+json" })
    );
    assert_eq!(entity["operations"]["search"]["by"]["family"], json!(["equals", "prefix"]));
    assert_eq!(entity["operations"]["create"], json!({ "fields": ["pin", "family", "given", "born", "notes"] }));
    assert_eq!(entity["operations"]["replace"], json!({ "fields": ["family", "given", "born", "notes"] }));

    let (_program, base, client) = serve(&place, "people", "create, replace, update, delete").await;
    let direct = reqwest::Client::builder().no_proxy().build().expect("a client");
    let there = async || {
        let answer = direct.get(format!("http://{}/__people", server.address())).send().await.expect("an answer");
        answer.json::<Value>().await.expect("JSON")["people"].clone()
    };
    let change = async |body: Value| change(&client, &format!("{base}/people"), body).await;
    let leyla = json!({ "pin": "5ZJBKH7", "family": "Əliyeva", "given": "Leyla", "born": "1978-03-01", "notes": "new" });
    change(json!({ "operation": "create", "record": leyla })).await;
    assert_eq!(there().await[0]["family"], "Əliyeva");
    change(json!({ "operation": "update", "key": "5ZJBKH7", "patch": { "family": "Quliyeva" } })).await;
    assert_eq!((&there().await[0]["family"], &there().await[0]["notes"]), (&json!("Quliyeva"), &json!("new")));

    // A change that depends on a version is done to that version alone.
    let read = client.get(format!("{base}/people/5ZJBKH7")).header("rabita-purpose", "trial").send().await.expect("an answer");
    let tag = read.headers()["etag"].to_str().expect("a tag").to_owned();
    for (given, status) in [("Nigar", 200), ("Leyla", 412)] {
        let request = client.patch(format!("{base}/people/5ZJBKH7")).header("rabita-purpose", "trial").header("if-match", &tag);
        let answer = request.header("idempotency-key", given).json(&json!({ "given": given })).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{:?}", answer.text().await);
    }
    assert_eq!(there().await[0]["given"], "Nigar");

    let whole = json!({ "pin": "5ZJBKH7", "family": "Rzayeva", "given": "Leyla", "born": "1978-03-01" });
    change(json!({ "operation": "replace", "key": "5ZJBKH7", "record": whole })).await;
    assert_eq!((&there().await[0]["family"], &there().await[0]["notes"]), (&json!("Rzayeva"), &Value::Null));
    change(json!({ "operation": "delete", "key": "5ZJBKH7" })).await;
    assert_eq!(there().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_drafted_for_a_directory_and_reach_it() {
    let (place, branch) = directories::drafted("changed", &["--writes"]);
    let (_program, base, client) = serve(&place, "officials", "create, update, delete").await;
    let change = async |body: Value| change(&client, &format!("{base}/official"), body).await;
    let there = |name: &str| -> Vec<String> {
        let entries = Openldap::shared().entries(&branch, "official");
        let own = entries.into_iter().find(|entry| entry.contains(&("uid".to_owned(), b"aygun".to_vec()))).unwrap_or_default();
        let values = own.into_iter().filter(|(own, _)| own == name);
        values.map(|(_, value)| String::from_utf8(value).expect("UTF-8")).collect()
    };
    let official = json!({ "uid": "aygun", "cn": "Aygün Əliyeva", "sn": "Əliyeva", "mail": ["a@interior.example", "b@interior.example"],
        "serving": true, "hired": "2026-12-01T08:00:00Z" });
    change(json!({ "operation": "create", "record": official })).await;
    assert_eq!((there("sn"), there("serving")), (vec!["Əliyeva".to_owned()], vec!["TRUE".to_owned()]));
    assert_eq!((there("mail").len(), there("hired")), (2, vec!["20261201080000Z".to_owned()]));
    change(json!({ "operation": "update", "key": "aygun", "patch": { "mail": ["c@interior.example"], "hired": null } })).await;
    assert_eq!((there("mail"), there("hired")), (vec!["c@interior.example".to_owned()], Vec::new()));
    change(json!({ "operation": "delete", "key": "aygun" })).await;
    assert_eq!(there("uid"), Vec::<String>::new());
}
