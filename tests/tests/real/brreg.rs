//! The Norwegian register of business entities: a server made from the register's own OpenAPI document.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rabita_tests::real::{Example, Served, System, registries};
use rabita_tests::{NodeServer, eventually};
use reqwest::Response;
use serde_json::{Value, json};

use crate::RABITA;

const QUERY: &str = "/api/brreg/v1/organisations/query";

struct Brreg {
    server: NodeServer,
    example: Example,
}

impl Brreg {
    fn start(data: &Path) -> Self {
        let document = data.join("no-brreg/enhetsregisteret.json");
        let server = NodeServer::start("brreg", &[document.to_str().expect("a path in UTF-8")]);
        Self { server, example: Example::new("no-brreg", &["licences"]) }
    }

    fn url(&self) -> String {
        format!("http://{}/enhetsregisteret/api", self.server.address())
    }

    async fn serve(&self) -> (Served, System) {
        let served = self.example.serve(&self.url()).await;
        let system = self.example.system(&served, "licences", "licence");
        (served, system)
    }

    /// Changes an entity, makes it (`Ny`) or ends it (`Sletting`, `Fjernet`), so that the register's feed tells it.
    async fn change(&self, number: &str, kind: &str, changes: Value) {
        let body = json!({ "number": number, "type": kind, "changes": changes });
        let url = format!("http://{}/__change", self.server.address());
        let answer = reqwest::Client::new().post(url).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// What the register itself answers, without the bus: all that satisfies its own parameters.
    async fn asked(&self, parameters: &str) -> Vec<Value> {
        let mut found = Vec::new();
        for page in 0.. {
            let url = format!("{}/enheter?size=100&page={page}&{parameters}", self.url());
            let answer = reqwest::get(url).await.expect("an answer");
            assert!(answer.status().is_success(), "{answer:?}");
            let answer: Value = answer.json().await.expect("JSON");
            found.extend(answer["_embedded"]["enheter"].as_array().into_iter().flatten().cloned());
            if page + 1 >= answer["page"]["totalPages"].as_u64().expect("a number of pages") {
                break;
            }
        }
        found
    }
}

/// A stream of events.
struct Events {
    answer: Response,
    text: String,
}

impl Events {
    /// The next event: what happened, and its data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = field("event: ").zip(field("data: "));
                self.text = rest.to_owned();
                if let Some((event, data)) = found {
                    let data: Value = serde_json::from_str(&data).expect("JSON");
                    return (event.rsplit('.').next().unwrap_or_default().to_owned(), data["data"].clone());
                }
                continue;
            }
            let chunk = self.answer.chunk().await.expect("a stream that is whole").expect("a stream that goes on");
            self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// The next event of another entity than this.
    async fn of_another_than(&mut self, number: &str) -> (String, Value) {
        loop {
            let next = self.next().await;
            if next.1["key"]["number"] != number {
                return next;
            }
        }
    }
}

/// The record that an entity of the register is, made apart from the mapping. What is not there is left out.
fn record(entity: &Value) -> Value {
    let mut record = json!({});
    let mut put = |path: &[&str], value: &Value| {
        if !value.is_null() {
            path.iter().fold(&mut record, |at, member| &mut at[*member]).clone_from(value);
        }
    };
    put(&["number"], &entity["organisasjonsnummer"]);
    put(&["name"], &entity["navn"]);
    for (ours, theirs) in [
        (&["form"][..], "organisasjonsform"),
        (&["sector"], "institusjonellSektorkode"),
        (&["industry", "first"], "naeringskode1"),
        (&["industry", "second"], "naeringskode2"),
        (&["industry", "third"], "naeringskode3"),
    ] {
        put(&[ours, &["code"]].concat(), &entity[theirs]["kode"]);
        put(&[ours, &["title"]].concat(), &entity[theirs]["beskrivelse"]);
    }
    put(&["employees"], &entity["antallAnsatte"]);
    put(&["registered_on"], &entity["registreringsdatoEnhetsregisteret"]);
    put(&["founded_on"], &entity["stiftelsedato"]);
    let year = entity["sisteInnsendteAarsregnskap"].as_str().map(|year| year.parse::<u32>().expect("a year"));
    put(&["last_accounts"], &json!(year));
    put(&["language"], &json!(if entity["maalform"] == "Nynorsk" { "nn" } else { "nb" }));
    put(&["registers", "vat"], &entity["registrertIMvaregisteret"]);
    put(&["registers", "businesses"], &entity["registrertIForetaksregisteret"]);
    put(&["registers", "foundations"], &entity["registrertIStiftelsesregisteret"]);
    put(&["registers", "voluntary"], &entity["registrertIFrivillighetsregisteret"]);
    put(&["bankrupt"], &entity["konkurs"]);
    put(&["winding_up"], &entity["underAvvikling"]);
    put(&["forced_winding_up"], &entity["underTvangsavviklingEllerTvangsopplosning"]);
    record
}

fn by_number(records: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    records.into_iter().map(|record| (record["number"].as_str().expect("a number").to_owned(), record)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entity_comes_through_pages_and_by_keys_field_by_field() {
    let Some(data) = registries("the Norwegian register of business entities, every entity") else { return };
    let brreg = Brreg::start(&data);
    let (served, system) = brreg.serve().await;
    let expected = by_number(brreg.asked("").await.iter().map(record));
    assert_eq!(expected.len(), 257);

    for limit in [100, 7] {
        let (records, pages) = system.all(QUERY, &json!({ "registered_on": { "from": "1900-01-01" } }), limit).await;
        assert_eq!(pages, 257_usize.div_ceil(limit as usize));
        assert_eq!(records.len(), 257, "each once");
        assert!(by_number(records) == expected, "pages of {limit}");
    }

    let numbers: Vec<&String> = expected.keys().collect();
    let mut read = Vec::new();
    for keys in numbers.chunks(100) {
        let answer = system.post(QUERY, &json!({ "keys": keys })).await.good().json();
        read.extend(answer["records"].as_array().expect("records").iter().cloned());
    }
    assert!(read.iter().eq(expected.values()), "in the order of the keys");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_the_register_finds_by_its_own_parameters() {
    let Some(data) = registries("the Norwegian register of business entities, searches") else { return };
    let brreg = Brreg::start(&data);
    let (served, system) = brreg.serve().await;
    let searches = [
        (json!({ "name": "Nordvik fisk" }), "navn=Nordvik%20fisk"),
        (json!({ "name": "ÅLGÅRD" }), "navn=%C3%85lg%C3%A5rd"),
        (json!({ "form.code": "STI" }), "organisasjonsform=STI"),
        (json!({ "bankrupt": true }), "konkurs=true"),
        (json!({ "employees": { "from": 10, "to": 99 } }), "fraAntallAnsatte=10&tilAntallAnsatte=99"),
        (json!({ "employees": { "from": 390 }, "form.code": "AS" }), "fraAntallAnsatte=390&organisasjonsform=AS"),
        (json!({ "registered_on": { "to": "1999-12-31" } }), "tilRegistreringsdatoEnhetsregisteret=1999-12-31"),
    ];
    for (filters, parameters) in searches {
        let expected = by_number(brreg.asked(parameters).await.iter().map(record));
        assert!(!expected.is_empty() && expected.len() < 257, "{parameters} chooses: {}", expected.len());
        let (records, _) = system.all(QUERY, &filters, 100).await;
        assert_eq!(by_number(records), expected, "{filters}");
    }
    let (none, _) = system.all(QUERY, &json!({ "name": "nobody at all" }), 100).await;
    assert!(none.is_empty(), "an answer without `_embedded` is an empty one");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_is_not_there_or_was_taken_out_is_absent() {
    let Some(data) = registries("the Norwegian register of business entities, absent ones") else { return };
    let brreg = Brreg::start(&data);
    let (served, system) = brreg.serve().await;
    for number in ["100000001", "199999999"] {
        let _ = system.get(&format!("/api/brreg/v1/organisations/{number}")).await.refused(404, "record_absent");
    }
    let answer = system.post(QUERY, &json!({ "keys": ["100000007", "100000001"], "fields": ["number"] })).await.good().json();
    assert_eq!(answer["records"], json!([{ "number": "100000007" }, null]));
    brreg.server.kill();
    let _ = system.get("/api/brreg/v1/organisations/100000014").await.refused(503, "registry_unavailable");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_register_tells_of_changes_becomes_events() {
    const MARK: &str = "100000014";
    let Some(data) = registries("the Norwegian register of business entities, its feed of changes") else { return };
    let brreg = Brreg::start(&data);
    // The register is asked once a minute, which is too seldom for a test.
    let manifest = brreg.example.path().join("registries/brreg.yaml");
    let text = std::fs::read_to_string(&manifest).expect("the manifest");
    assert!(text.contains("every_ms: 60000"), "the manifest says how often");
    std::fs::write(&manifest, text.replace("every_ms: 60000", "every_ms: 100")).expect("a copy can be written");
    let (served, system) = brreg.serve().await;
    let mut events = Events { answer: system.stream("/bus/events").await, text: String::new() };
    // What was changed before the first question is not told.
    let mut employees = 0;
    let seen = async || {
        employees += 1;
        brreg.change(MARK, "Endring", json!({ "antallAnsatte": employees })).await;
        tokio::time::timeout(Duration::from_millis(500), events.next()).await.is_ok()
    };
    eventually("changes are detected", Duration::from_secs(30), seen).await;

    brreg.change("100000084", "Endring", json!({ "navn": "NORDVIK HAVBRUK FLI 12" })).await;
    brreg.change("199999986", "Ny", json!({ "navn": "NYSKAPT AS" })).await;
    let expected = by_number(brreg.asked("").await.iter().map(record));
    for number in ["100000084", "199999986"] {
        let (happened, told) = events.of_another_than(MARK).await;
        assert_eq!((happened.as_str(), &told["key"]), ("changed", &json!({ "number": number })));
        assert_eq!(told["record"], expected[number]);
    }
    for (number, kind) in [("199999986", "Sletting"), ("100000084", "Fjernet")] {
        brreg.change(number, kind, json!({})).await;
        let (happened, told) = events.of_another_than(MARK).await;
        assert_eq!((happened.as_str(), &told["key"]), ("deleted", &json!({ "number": number })));
    }
    drop(events);
    served.stop().await;
}

#[test]
fn the_tests_of_the_manifest_hold_on_the_server() {
    let Some(data) = registries("the Norwegian register of business entities, the manifest's own tests") else { return };
    let brreg = Brreg::start(&data);
    let (good, said) = brreg.example.command(RABITA, &["connector", "test", "--live", "DIR"], &[("BRREG_URL", &brreg.url())]);
    assert!(good && said.contains("5 passed, 0 failed"), "{said}");
}
