//! Services and APIs, from what describes them.

use rabita_tests::NodeServer;
use rabita_tests::real::{registries, say};
use serde_json::json;

use super::{Place, read};

#[test]
fn the_european_register_is_plugged_in_from_its_wsdl() {
    let Some(data) = registries("the European register of VAT numbers, by `connector new`") else { return };
    let wsdl = data.join("eu-vies/checkVatService.wsdl");
    let wsdl = wsdl.to_str().expect("a path in UTF-8");
    let server = NodeServer::start("soap", &["vies", "PORT", wsdl]);
    let url = format!("url=http://{}/checkVatService", server.address());
    let place = Place::new();
    let words = [
        "connector",
        "new",
        "--yes",
        "--from",
        wsdl,
        "--set",
        &url,
        "--registry",
        "vies",
        "--agency",
        "taxud",
        "--grant",
        "refunds",
        "--live",
        "--into",
        "INTO",
    ];
    let told = place.good(&words, &[]);
    say(&format!("the European register by one command:\n{told}"));
    place.holds("vies", &[]);

    let manifest = read(&place.manifest("vies"));
    let entity = &manifest["contract"]["v1"]["check_vat"];
    assert_eq!(entity["key"], json!(["country_code", "vat_number"]));
    let call = json!({
        "request": { "t:checkVat": { "t:countryCode": "{countryCode}", "t:vatNumber": "{vatNumber}" } },
        "response": { "element": "t:checkVatResponse" },
    });
    assert_eq!(entity["from"]["read"], call);
    assert_eq!(manifest["connector"]["faults"]["MS_UNAVAILABLE"], "unavailable");
    assert_eq!(manifest["connector"]["faults"]["INVALID_INPUT"], "refused");
    let told = place
        .good(&["try", "--config", "INTO", "--as", "refunds", "--purpose", "trial", "vies/v1/check_vat", "AT,00000002"], &[]);
    assert!(told.contains("Österreichische") && told.contains("\"valid\": true"), "{told}");
}

#[test]
fn the_norwegian_register_is_plugged_in_from_its_openapi_document() {
    let Some(data) = registries("the Norwegian register of business entities, by `connector new`") else { return };
    let document = data.join("no-brreg/enhetsregisteret.json");
    let document = document.to_str().expect("a path in UTF-8");
    let server = NodeServer::start("brreg", &[document]);
    let url = format!("url=http://{}/enhetsregisteret/api", server.address());
    let place = Place::new();
    let words = [
        "connector",
        "new",
        "--yes",
        "--from",
        document,
        "--set",
        &url,
        "--registry",
        "brreg",
        "--agency",
        "brreg",
        "--grant",
        "licences",
        "--live",
        "--into",
        "INTO",
    ];
    let told = place.good(&words, &[]);
    say(&format!("the Norwegian register by one command:\n{told}"));
    place.holds("brreg", &[]);

    let manifest = read(&place.manifest("brreg"));
    let entity = &manifest["contract"]["v1"]["enheter"];
    assert_eq!(entity["from"]["read"], json!({ "path": "/enheter/{organisasjonsnummer}" }));
    let search = &entity["from"]["search"];
    assert_eq!(search["records"], "_embedded.enheter");
    assert_eq!(search["filters"]["antallAnsatte"], json!({ "from": "fraAntallAnsatte", "to": "tilAntallAnsatte" }));
    assert_eq!(search["filters"]["organisasjonsform.kode"], "organisasjonsform");
    assert_eq!(manifest["connector"]["errors"], json!({ "410": "absent" }));
    let told =
        place.good(&["try", "--config", "INTO", "--as", "licences", "--purpose", "trial", "brreg/v1/enheter", "100000084"], &[]);
    assert!(told.contains("NORDVIK FISKERI FLI 12"), "{told}");
    let told = place.good(
        &[
            "try",
            "--config",
            "INTO",
            "--as",
            "licences",
            "--purpose",
            "trial",
            "--where",
            "organisasjonsform.kode=FLI",
            "--fields",
            "organisasjonsnummer",
            "brreg/v1/enheter",
        ],
        &[],
    );
    assert!(told.contains("organisasjonsnummer"), "{told}");
}
