//! The Dutch population register: its official database of fictitious persons, in PostgreSQL.
//!
//! What the bus answers is compared with `persons.sql`, which makes the same records by joins and words of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use rabita_tests::Postgres;
use rabita_tests::real::{Example, Served, System, registries, say};
use serde_json::{Value, json};

use crate::RABITA;

const QUERY: &str = "/api/brp/v1/persons/query";
const PERSONS: usize = 1205;
/// The current own row of a person.
const OWN: &str = "persoon_type = 'P' and stapel_nr = 0 and volg_nr = 0";

struct Brp {
    server: Postgres,
    example: Example,
}

impl Brp {
    fn start(data: &Path) -> Self {
        let server = Postgres::start();
        server.run("create database brp");
        server.load("brp", &data.join("nl-brp/brp.sql"));
        Self { server, example: Example::new("nl-brp", &["counter"]) }
    }

    fn url(&self) -> String {
        Postgres::url(self.server.address(), "brp")
    }

    async fn serve(&self, purpose: &'static str) -> (Served, System) {
        let served = self.example.serve_ready(&self.url()).await;
        let system = self.example.system(&served, "counter", purpose);
        (served, system)
    }

    fn count(&self, condition: &str) -> usize {
        let told = self.server.run_in("brp", &format!("select count(*) from lo3_pl_persoon where {OWN} and {condition}"));
        told.trim().parse().expect("a count")
    }

    /// The persons by their numbers, as PostgreSQL tells them.
    fn persons(&self) -> BTreeMap<String, Value> {
        let told = self.server.run_in("brp", include_str!("persons.sql"));
        let persons = told.lines().map(|line| {
            let mut person: Value = serde_json::from_str(line).expect("JSON");
            leave_out_what_is_empty(&mut person);
            person
        });
        by_number(persons)
    }
}

fn leave_out_what_is_empty(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(leave_out_what_is_empty);
        members.retain(|_, member| !member.is_null() && member.as_object().is_none_or(|object| !object.is_empty()));
    }
    if let Value::Array(items) = value {
        items.iter_mut().for_each(leave_out_what_is_empty);
    }
}

fn by_number(persons: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    persons.into_iter().map(|person| (person["a_number"].as_str().expect("a number").to_owned(), person)).collect()
}

fn compare(got: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) {
    assert_eq!(got.len(), expected.len());
    for (number, person) in expected {
        assert_eq!(got.get(number), Some(person), "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_persons_come_by_pages_and_by_keys_field_by_field_as_the_database_has_them() {
    let Some(data) = registries("the Dutch population register, all persons") else { return };
    let brp = Brp::start(&data);
    let expected = brp.persons();
    assert_eq!(expected.len(), PERSONS);
    let has = |pointer: &str| expected.values().filter(|person| person.pointer(pointer).is_some()).count();
    // What is compared is there to be compared.
    assert_eq!((has("/name/family"), has("/nationalities/0/name"), has("/death/date")), (1205, 916, 40));
    assert_eq!(
        (has("/residence/municipality"), has("/residence/abroad/country"), has("/registration/suspended")),
        (1184, 95, 133)
    );
    let partial = expected.values().filter(|person| person["birth"]["date"].as_str().is_some_and(|date| date.len() < 10)).count();
    assert_eq!(partial, 12);
    let never =
        expected.values().filter(|person| person["birth"]["date"].is_null() && person["birth"]["date_recorded"] != "00000000");
    assert_eq!(never.filter(|person| person["birth"]["date_recorded"].is_string()).count(), 2, "born on a day that never was");

    let (served, system) = brp.serve("registration").await;
    for limit in [500, 100] {
        let began = Instant::now();
        let (records, pages) = system.all(QUERY, &json!({ "name.family_plain": { "prefix": "" } }), limit).await;
        say(&format!("nl-brp: {} persons on {pages} pages in {} ms", records.len(), began.elapsed().as_millis()));
        assert_eq!((records.len(), pages), (PERSONS, PERSONS.div_ceil(limit as usize)), "each once");
        compare(&by_number(records), &expected);
    }

    let began = Instant::now();
    let numbers: Vec<&String> = expected.keys().collect();
    let mut read = Vec::new();
    for keys in numbers.chunks(100) {
        let answer = system.post(QUERY, &json!({ "keys": keys })).await.good().json();
        read.extend(answer["records"].as_array().expect("records").iter().cloned());
    }
    say(&format!("nl-brp: {} persons by keys, 100 at once, in {} ms", read.len(), began.elapsed().as_millis()));
    assert!(read.iter().map(|person| &person["a_number"]).eq(numbers.iter().copied()), "in the order of the keys");
    compare(&by_number(read), &expected);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_by_name_or_by_day_of_birth_finds_as_many_as_the_database() {
    let Some(data) = registries("the Dutch population register, searches") else { return };
    let brp = Brp::start(&data);
    let (served, system) = brp.serve("registration").await;
    let searches = [
        (json!({ "name.family_plain": { "prefix": "kIER" } }), "upper(left(geslachts_naam, 4)) = 'KIER'"),
        (json!({ "name.family_plain": { "prefix": "M" } }), "geslachts_naam ~* '^m'"),
        (json!({ "name.family_plain": "janssen" }), "upper(geslachts_naam) = 'JANSSEN'"),
        (json!({ "name.family_plain": { "prefix": "%" } }), "starts_with(geslachts_naam, '%')"),
        (json!({ "name.family_plain": { "prefix": "_" } }), "starts_with(geslachts_naam, '_')"),
        (json!({ "birth.date": { "from": "1970-01-01", "to": "1979-12-31" } }), "geboorte_datum between 19700101 and 19791231"),
        (json!({ "birth.date": { "from": "2000-02-29" } }), "geboorte_datum >= 20000229"),
        (json!({ "birth.date": { "to": "1930-06-15" } }), "geboorte_datum <= 19300615 and geboorte_datum > 0"),
        (json!({ "birth.date": "1978-03" }), "geboorte_datum = 19780300"),
        (
            json!({ "birth.date": { "from": "1960-01-01" }, "name.family_plain": { "prefix": "b" } }),
            "geboorte_datum >= 19600101 and geslachts_naam ilike 'b%'",
        ),
        (json!({ "bsn": "999970653" }), "burger_service_nr = 999970653"),
    ];
    for (filters, condition) in searches {
        let expected = brp.count(condition);
        assert!(expected > 0 || condition.contains("starts_with"), "{condition} finds somebody");
        let (records, _) = system.all(QUERY, &filters, 7).await;
        assert_eq!(by_number(records.clone()).len(), expected, "{filters}");
        assert_eq!(records.len(), expected, "each once: {filters}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_opens_only_the_fields_of_its_grant_and_no_identifier_stands_in_a_url() {
    let Some(data) = registries("the Dutch population register, grants") else { return };
    let brp = Brp::start(&data);
    let (served, system) = brp.serve("civil-status").await;
    let person = system.post(QUERY, &json!({ "key": "6796826796" })).await.good().json();
    assert_eq!(person["birth"], json!({ "date": "1978-03" }));
    let members: Vec<&String> = person.as_object().expect("a record").keys().collect();
    assert_eq!(members, ["a_number", "name", "birth"]);
    let _ = system.post(QUERY, &json!({ "key": "6796826796", "fields": ["bsn"] })).await.refused(403, "field_not_permitted");
    let _ = system.post(QUERY, &json!({ "where": { "bsn": "999970653" } })).await.refused(403, "purpose_not_permitted");

    let registration = brp.example.system(&served, "counter", "registration");
    let refused = registration.get("/api/brp/v1/persons/6796826796").await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    let _ = registration.post(QUERY, &json!({ "key": "9999999999" })).await.refused(404, "record_absent");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_birth_that_never_was_is_left_out_and_the_answer_is_marked() {
    let Some(data) = registries("the Dutch population register, days that never were") else { return };
    let brp = Brp::start(&data);
    let (served, system) = brp.serve("registration").await;
    let never =
        brp.server.run_in("brp", &format!("select a_nr from lo3_pl_persoon where {OWN} and geboorte_datum % 10000 = 230"));
    assert_eq!(never.lines().count(), 2);
    for number in never.lines() {
        let answer = system.post(QUERY, &json!({ "key": number, "fields": ["birth"] })).await.good();
        assert_eq!(answer.header("rabita-observed"), "1");
        let birth = &answer.json()["birth"];
        assert!(
            birth.get("date").is_none() && birth["date_recorded"].as_str().is_some_and(|date| date.ends_with("0230")),
            "{birth}"
        );
    }
    let answer = system.post(QUERY, &json!({ "key": "6796826796", "fields": ["birth"] })).await.good();
    assert_eq!(answer.header("rabita-observed"), "");
    served.stop().await;
}

#[test]
fn the_tests_of_the_manifest_hold_on_the_database() {
    let Some(data) = registries("the Dutch population register, the manifest's own tests") else { return };
    let brp = Brp::start(&data);
    let (good, said) = brp.example.command(RABITA, &["connector", "test", "--live", "DIR"], &[("BRP_URL", &brp.url())]);
    assert!(good && said.contains("3 passed, 0 failed"), "{said}");
}
