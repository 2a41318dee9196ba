//! The Dutch population register, from its database of fictitious persons.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use rabita_tests::Postgres;
use rabita_tests::real::{registries, say};
use serde_json::json;

use super::{Place, read};

const OWN: &str = "persoon_type = 'P' and stapel_nr = 0 and volg_nr = 0";

/// What of a person's data must be in no file: whatever points to somebody.
const PERSONAL: [(&str, &str); 14] = [
    ("lo3_pl_persoon", "a_nr"),
    ("lo3_pl_persoon", "burger_service_nr"),
    ("lo3_pl_persoon", "voor_naam"),
    ("lo3_pl_persoon", "diak_voor_naam"),
    ("lo3_pl_persoon", "geslachts_naam"),
    ("lo3_pl_persoon", "diak_geslachts_naam"),
    ("lo3_pl_persoon", "akte_nr"),
    ("lo3_pl_persoon", "doc_beschrijving"),
    ("lo3_pl_reis_doc", "nl_reis_doc_nr"),
    ("lo3_adres", "straat_naam"),
    ("lo3_adres", "postcode"),
    ("lo3_adres", "open_ruimte_naam"),
    ("lo3_adres", "verblijf_plaats_ident_code"),
    ("lo3_pl_verblijfplaats", "vertrek_land_adres_2"),
];

struct Brp(Postgres);

impl Brp {
    fn start(data: &Path) -> Self {
        let server = Postgres::start();
        server.run("create database brp");
        server.load("brp", &data.join("nl-brp/brp.sql"));
        Self(server)
    }

    fn url(&self) -> String {
        Postgres::url(self.0.address(), "brp")
    }

    /// Everything in the register that points to somebody and has enough in it to do so.
    fn personal(&self) -> BTreeSet<String> {
        let mut values = BTreeSet::new();
        for (table, column) in PERSONAL {
            let told = self.0.run_in("brp", &format!("select distinct {column} from {table} where {column} is not null"));
            values.extend(
                told.lines()
                    .map(|line| line.trim().to_owned())
                    .filter(|text| rabita_draft::lookalike::tells(text) && text.len() > 4),
            );
        }
        assert!(values.len() > 3000, "the register has people in it: {}", values.len());
        values
    }
}

#[test]
fn the_whole_register_is_plugged_in_by_one_command() {
    let Some(data) = registries("the Dutch population register, by `connector new`") else { return };
    let brp = Brp::start(&data);
    let url = brp.url();
    let environment = [("BRP_URL", url.as_str())];
    let place = Place::new();
    let began = Instant::now();
    let words = [
        "connector",
        "new",
        "--yes",
        "--from-env",
        "BRP_URL",
        "--registry",
        "brp",
        "--agency",
        "rvig",
        "--seed",
        "7",
        "--into",
        "INTO",
    ];
    let told = place.good(&words, &environment);
    say(&format!("the Dutch register by one command: {:.1} s\n{told}", began.elapsed().as_secs_f64()));
    place.holds("brp", &environment);
    place.has_no_trace_of(&brp.personal());
    let manifest = place.manifest("brp");
    assert!(!manifest.contains("postgres://"), "the address stays where it is");
    say(&format!("{} lines of manifest, {} of them in doubt", manifest.lines().count(), manifest.matches("# unsure:").count()));

    let (is_good, told) = place.run(&words, &environment);
    assert!(!is_good && told.contains("is there already") && told.contains("--force"), "{told}");
}

#[test]
fn a_persons_own_rows_are_plugged_in_by_their_number() {
    let Some(data) = registries("the Dutch persons, by `connector new`") else { return };
    let brp = Brp::start(&data);
    let url = brp.url();
    let environment = [("BRP_URL", url.as_str())];
    let place = Place::new();
    let words = [
        "connector",
        "new",
        "--yes",
        "--from-env",
        "BRP_URL",
        "--registry",
        "brp",
        "--agency",
        "rvig",
        "--table",
        "lo3_pl_persoon",
        "--where",
        OWN,
        "--key",
        "lo3_pl_persoon=a_nr",
        "--samples",
        "2000",
        "--grant",
        "counter",
        "--seed",
        "7",
        "--into",
        "INTO",
    ];
    place.good(&words, &environment);
    place.holds("brp", &environment);
    place.has_no_trace_of(&brp.personal());

    let text = place.manifest("brp");
    let manifest = read(&text);
    let entity = &manifest["contract"]["v1"]["lo3_pl_persoon"];
    assert_eq!(entity["from"], json!({ "table": "lo3_pl_persoon", "where": OWN }));
    assert_eq!(entity["key"], "a_nr");
    assert_eq!(entity["replies"], "observe", "some days of birth never were");
    let codec = |field: &str| entity["fields"][field]["codec"].clone();
    assert_eq!(codec("geboorte_datum"), json!({ "date": { "format": "%Y%m%d", "legacy": "integer", "partial": true } }));
    assert_eq!(codec("a_nr"), json!({ "digits": 10 }));
    assert_eq!(codec("geslachts_aand"), json!({ "codes": { "list": "lo3_pl_persoon_geslachts_aand", "unmapped": "keep" } }));
    let land = json!(["text", { "codes": { "list": "lo3_land", "unmapped": "keep", "legacy": "integer" } }]);
    assert_eq!(codec("geboorte_land_code"), land);
    assert_eq!(manifest["codes"]["lo3_land"], json!({ "from": "lo3_land", "code": "land_code", "value": "land_naam" }));
    assert!(text.contains("# unsure: "), "what is not sure is marked in the file");

    let told = place.good(
        &[
            "try",
            "--config",
            "INTO",
            "--as",
            "counter",
            "--purpose",
            "trial",
            "--fields",
            "geboorte_datum,geslachts_naam",
            "brp/v1/lo3_pl_persoon",
            "6796826796",
        ],
        &environment,
    );
    assert!(told.contains("1978-03") && told.contains("Denise"), "{told}");
}
