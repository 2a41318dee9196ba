//! The European register of VAT numbers: a SOAP service made from the Commission's own description of it.

use std::path::Path;

use rabita_tests::NodeServer;
use rabita_tests::real::{Example, Served, System, registries};
use serde_json::json;

use crate::RABITA;

const QUERY: &str = "/api/vies/v1/vat_numbers/query";

struct Vies {
    server: NodeServer,
    example: Example,
}

impl Vies {
    fn start(data: &Path) -> Self {
        let wsdl = data.join("eu-vies/checkVatService.wsdl");
        let server = NodeServer::start("soap", &["vies", "PORT", wsdl.to_str().expect("a path in UTF-8")]);
        Self { server, example: Example::new("eu-vies", &["refunds"]) }
    }

    fn url(&self) -> String {
        format!("http://{}/checkVatService", self.server.address())
    }

    async fn serve(&self) -> (Served, System) {
        let served = self.example.serve(&self.url()).await;
        let system = self.example.system(&served, "refunds", "vat-refund");
        (served, system)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_read_with_the_trader_and_the_day() {
    let Some(data) = registries("the European register of VAT numbers, read") else { return };
    let vies = Vies::start(&data);
    let (served, system) = vies.serve().await;
    let mut record = system.post(QUERY, &json!({ "key": ["AT", "00000002"] })).await.good().json();
    let day = record["asked_on"].take();
    assert_eq!(day.as_str().map(str::len), Some("2026-11-23".len()), "a day without a zone: {day}");
    let expected = json!({
        "country": "AT", "number": "00000002", "valid": true, "asked_on": null,
        "name": "Österreichische <Muster> AG", "address": "Teststraße 2\n0000 Wien",
    });
    assert_eq!(record, expected);

    let greek = system.get("/api/vies/v1/vat_numbers/EL,000000003?fields=name").await.good().json();
    assert_eq!(greek, json!({ "name": "ΠΑΡΑΔΕΙΓΜΑ ΑΕ" }));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_state_does_not_tell_is_left_out_and_several_numbers_come_in_order() {
    let Some(data) = registries("the European register of VAT numbers, several numbers") else { return };
    let vies = Vies::start(&data);
    let (served, system) = vies.serve().await;
    let keys = json!([["ES", "00000004"], ["DE", "999999999"], ["FR", "00000000005"]]);
    let ask = json!({ "keys": keys, "fields": ["number", "valid", "name", "address"] });
    let answer = system.post(QUERY, &ask).await.good().json();
    let expected = json!([
        { "number": "00000004", "valid": true },
        { "number": "999999999", "valid": false },
        { "number": "00000000005", "valid": true },
    ]);
    assert_eq!(answer["records"], expected);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_service_becomes_the_refusal_that_it_means() {
    let Some(data) = registries("the European register of VAT numbers, faults") else { return };
    let vies = Vies::start(&data);
    let (served, system) = vies.serve().await;
    let faults = [
        ("100", 422, "registry_refused", "caller"),
        ("200", 503, "registry_unavailable", "registry"),
        ("201", 503, "registry_unavailable", "registry"),
        ("202", 503, "registry_unavailable", "registry"),
        ("203", 503, "registry_unavailable", "registry"),
    ];
    for (number, status, code, blame) in faults {
        let answer = system.post(QUERY, &json!({ "key": ["DE", number] })).await.refused(status, code);
        assert_eq!(answer.json()["blame"], blame, "{number}");
    }
    // What the service would refuse is not even sent to it.
    let answer = system.post(QUERY, &json!({ "key": ["Germany", "1"] })).await.refused(422, "invalid_request");
    assert_eq!(answer.errors().len(), 2, "{}", answer.text());
    served.stop().await;

    vies.server.kill();
    let (served, system) = vies.serve().await;
    let _ = system.post(QUERY, &json!({ "key": ["DE", "000000001"] })).await.refused(503, "registry_unavailable");
    served.stop().await;
}

#[test]
fn the_tests_of_the_manifest_hold_on_the_service() {
    let Some(data) = registries("the European register of VAT numbers, the manifest's own tests") else { return };
    let vies = Vies::start(&data);
    let (good, said) = vies.example.command(RABITA, &["connector", "test", "--live", "DIR"], &[("VIES_URL", &vies.url())]);
    assert!(good && said.contains("5 passed, 0 failed"), "{said}");
}
