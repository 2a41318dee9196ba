//! Consents from outside: looked up in a registry that is plugged in by a manifest, and withdrawn there by the person.

use std::time::Instant;

use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::json;

use super::lines;
use super::people::{LONG, People};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const ELCIN: &str = "/api/people/v1/persons/4WTR2PX";

const PEOPLE: &str = "{ system: portal, version: v1, entity: persons, operations: [read, update], fields: all, \
     purposes: [audit, identity-check], consent: required }";

const CONSENTS: &str = "
consents:
  registry: consents
  version: v1
  entity: consents
  subject: person
  grantee: given_to
  purpose: purpose
  about: registry
  until: ends_on
  status: { field: status, equals: given }
";

const MANIFEST: &str = r#"
registry: consents
agency: interior
title: Consents
connector: { kind: sql, url: "sqlite:people.sqlite" }
contract:
  v1:
    consents:
      schema:
        title: Consent
        type: object
        additionalProperties: false
        required: [id, person, given_to, purpose, registry, status]
        properties:
          id: { title: Reference, type: string }
          person: { title: Who consented, type: string }
          given_to: { title: Who may use it, type: string }
          purpose: { title: For what, type: string }
          registry: { title: Of which registry, type: string }
          ends_on: { title: Last day, type: string, format: date }
          status: { title: Status, enum: [given, withdrawn] }
      key: id
      subject: person
      from: { table: consents }
      fields: { id: id, person: person, given_to: given_to, purpose: purpose, registry: registry, ends_on: ends_on, status: status }
      operations: { read: {} }
"#;

const TABLE: &str = "
CREATE TABLE consents (id TEXT PRIMARY KEY NOT NULL, person TEXT NOT NULL, given_to TEXT NOT NULL, purpose TEXT NOT NULL,
    registry TEXT NOT NULL, ends_on TEXT, status TEXT NOT NULL);
INSERT INTO consents VALUES ('C-AYGUN', '5ZJBKH7', 'portal', 'audit', 'people', NULL, 'given');
INSERT INTO consents VALUES ('C-AGENCY', '5ZJBKH7', 'asan', 'audit', 'people', '2999-12-31', 'given');
INSERT INTO consents VALUES ('C-MOBILE', '5ZJBKH7', 'mobile', 'audit', 'people', NULL, 'given');
INSERT INTO consents VALUES ('C-OTHER-PURPOSE', '5ZJBKH7', 'portal', 'identity-check', 'people', NULL, 'given');
INSERT INTO consents VALUES ('C-OTHER-REGISTRY', '5ZJBKH7', 'portal', 'audit', 'land', NULL, 'given');
INSERT INTO consents VALUES ('C-OVER', '5ZJBKH7', 'portal', 'audit', 'people', '2020-01-01', 'given');
INSERT INTO consents VALUES ('C-WITHDRAWN', '5ZJBKH7', 'portal', 'audit', 'people', NULL, 'withdrawn');
";

async fn scene() -> (Country, People, Bus) {
    let country = Country::new();
    country.node(CONSENTS);
    country.file("transparency.yaml", "subjects: [{ system: auditor, purposes: [audit] }]\nauditors: [auditor]\n");
    let people = People::settle(&country, &[PEOPLE]).await;
    people.run(TABLE).await;
    country.file("registries/consents.yaml", MANIFEST);
    let bus = country.start().await;
    (country, people, bus)
}

async fn read(caller: &Caller, path: &str, purpose: &str, consent: &str) -> Answer {
    let request = caller.request(Method::GET, path).header("Rabita-Purpose", purpose);
    caller.sent(request.header("Rabita-Consent", consent)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_opens_what_it_says_to_whom_it_says_and_nothing_else() {
    let (_country, _people, bus) = scene().await;
    let portal = bus.portal();
    for consent in ["C-AYGUN", "C-AGENCY"] {
        assert_eq!(read(&portal, AYGUN, "audit", consent).await.good().json()["name"]["given"], "Aygün", "{consent}");
    }
    let unsaid = portal.sent(portal.request(Method::GET, AYGUN).header("Rabita-Purpose", "audit")).await;
    let _ = unsaid.refused(403, "consent_missing");
    for consent in ["C-MOBILE", "C-OTHER-PURPOSE", "C-OTHER-REGISTRY", "C-OVER", "C-WITHDRAWN", "C-NONE", "' OR 1=1 --"] {
        let refused = read(&portal, AYGUN, "audit", consent).await.refused(403, "consent_invalid");
        assert!(!refused.text().contains(consent) && !refused.text().contains("Aygün"), "{}", refused.text());
    }
    let _ = read(&portal, AYGUN, "identity-check", "C-AYGUN").await.refused(403, "consent_invalid");
    // A record of another person, and one that is not there, answer the same.
    let other = read(&portal, ELCIN, "audit", "C-AYGUN").await.refused(403, "consent_invalid");
    let absent = read(&portal, "/api/people/v1/persons/9ZZZZZZ", "audit", "C-AYGUN").await.refused(403, "consent_invalid");
    assert_eq!(other.json()["detail"], absent.json()["detail"]);
    let patch = |path: &str, key: &str| {
        let request = portal.request(Method::PATCH, path).header("Rabita-Purpose", "audit").header("Idempotency-Key", key);
        request.header("Rabita-Consent", "C-AYGUN").json(&json!({ "income": 901 }))
    };
    let _ = portal.sent(patch(AYGUN, "hers")).await.good();
    let _ = portal.sent(patch(ELCIN, "his")).await.refused(403, "consent_invalid");
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_the_person_withdraws_is_felt_within_seconds_and_every_use_of_it_is_in_their_list() {
    let (_country, people, bus) = scene().await;
    let (portal, auditor) = (bus.portal(), bus.caller(&Authority::get().auditor));
    let used = read(&portal, AYGUN, "audit", "C-AYGUN").await.good();
    let newest =
        |lines: &[serde_json::Value]| lines.first().is_some_and(|line| line["exchange"] == used.header("rabita-exchange"));
    assert_eq!(lines::of(&auditor, "5ZJBKH7", newest).await[0]["outcome"], "allowed");
    people.run("UPDATE consents SET status = 'withdrawn' WHERE id = 'C-AYGUN'").await;
    let began = Instant::now();
    let is_felt = async || read(&portal, AYGUN, "audit", "C-AYGUN").await.code() == "consent_invalid";
    eventually("the withdrawal is felt", LONG, is_felt).await;
    // Five seconds are promised; the rest is this machine's.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    let refused = read(&portal, AYGUN, "audit", "C-AYGUN").await.refused(403, "consent_invalid");

    let newest = |lines: &[serde_json::Value]| lines[0]["exchange"] == refused.header("rabita-exchange");
    let told = lines::of(&auditor, "5ZJBKH7", newest).await;
    assert_eq!((&told[0]["outcome"], &told[0]["code"]), (&json!("refused"), &json!("consent_invalid")));
    // By which consent is sealed: who reads entries learns of no reference.
    let note = auditor.get("/bus/ledger/checkpoint").await.good().text();
    let size: u64 = note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    for index in 0..size {
        let entry = auditor.get(&format!("/bus/ledger/entries/{index}")).await.good().text();
        assert!(!entry.contains("C-AYGUN"), "{entry}");
    }
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_given_while_the_consent_registry_cannot_say() {
    let (_country, people, bus) = scene().await;
    let portal = bus.portal();
    people.run("ALTER TABLE consents RENAME TO gone").await;
    let answer = read(&portal, AYGUN, "audit", "C-AYGUN").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "registry_unavailable"), "{}", answer.text());
    assert!(!answer.text().contains("Aygün"));
    people.run("ALTER TABLE gone RENAME TO consents").await;
    let is_back = async || read(&portal, AYGUN, "audit", "C-AYGUN").await.status == 200;
    eventually("it says again", LONG, is_back).await;
    assert!(bus.stop().await);
}
