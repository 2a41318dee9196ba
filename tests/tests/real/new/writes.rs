//! Changes that `connector new --writes` drafted, sent to a node that serves the draft.

use rabita_tests::Postgres;
use rabita_tests::bus::Program;
use reqwest::{Certificate, Identity};
use serde_json::{Value, json};

use super::{Place, read};
use crate::RABITA;

/// Serves a draft at free ports, with a grant of changes too, which nobody but a person gives.
async fn serve(place: &Place, registry: &str) -> (Program, String, reqwest::Client) {
    let file = |name: &str| place.path().join(name);
    let node = place.text("rabita.yaml").replace("127.0.0.1:8443", "127.0.0.1:0") + "admin: { address: \"127.0.0.1:0\" }\n";
    std::fs::write(file("rabita.yaml"), node).expect("the node's file");
    let grants = format!("grants/{registry}.yaml");
    let granted = place.text(&grants).replace("operations: [read", "operations: [create, replace, update, delete, read");
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

    let (_program, base, client) = serve(&place, "depot").await;
    let change = async |body: Value| {
        let request = client.post(format!("{base}/item/change")).header("rabita-purpose", "trial");
        let answer = request.header("idempotency-key", body["operation"].as_str().expect("a word")).json(&body).send().await;
        let answer = answer.expect("an answer");
        let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
        assert!(matches!(status, 200 | 201), "{body}: {status} {text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON")["state"], "applied", "{body}: {text}");
    };
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
