//! Registries that are delivered as files, from a sample or a copybook.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use rabita_tests::real::{registries, say};
use rabita_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::{Place, read};
use crate::brp_files::cells;

/// Columns of the Dutch lists whose values point to somebody: numbers, names, places of birth in words, streets, papers.
const PERSONAL: [&str; 25] = [
    "01.01.10", "01.01.20", "01.02.10", "01.02.40", "02.01.10", "02.01.20", "02.02.10", "02.02.40", "03.01.10", "03.01.20",
    "03.02.10", "03.02.40", "05.01.10", "05.01.20", "05.02.10", "05.02.40", "09.01.10", "09.01.20", "09.02.10", "09.02.40",
    "08.11.10", "08.11.60", "08.11.80", "08.11.90", "12.35.20",
];

/// Everything in the lists that points to somebody and has enough in it to do so.
fn personal(lists: &str) -> BTreeSet<String> {
    let mut lines = lines_of(lists);
    let header = lines.next().expect("a header");
    let places: Vec<usize> = PERSONAL.iter().map(|name| header.iter().position(|own| own == name).expect("a column")).collect();
    let values = lines.flat_map(|line| places.iter().filter_map(|place| line.get(*place).cloned()).collect::<Vec<_>>());
    // Nothing but zeros is the number of nobody, and "unknown" the name.
    let is_of_nobody = |text: &str| text == "Onbekend" || text.chars().all(|one| one == '0');
    let points = |text: &String| text.len() > 4 && rabita_draft::lookalike::tells(text) && !is_of_nobody(text);
    let values: BTreeSet<String> = values.filter(points).collect();
    assert!(values.len() > 2000, "the lists have people in them: {}", values.len());
    values
}

/// The cells of each line; none of the lists has a line end within quotes.
fn lines_of(lists: &str) -> impl Iterator<Item = Vec<String>> {
    lists.trim_start_matches('\u{feff}').lines().map(|line| cells(line, ';'))
}

#[test]
fn the_dutch_lists_are_plugged_in_from_their_flat_file_and_its_code_tables() {
    let Some(data) = registries("the Dutch population register as files, by `connector new`") else { return };
    let lists = data.join("nl-brp/persoonslijsten.csv");
    let place = Place::new();
    let from = lists.to_str().expect("a path in UTF-8");
    let began = Instant::now();
    let words = ["connector", "new", "--yes", "--from", from, "--registry", "brp", "--agency", "rvig", "--grant", "counter"];
    let told = place.good(&[&words[..], &["--seed", "7", "--live", "--into", "INTO"]].concat(), &[]);
    say(&format!("the Dutch lists by one command: {:.1} s\n{told}", began.elapsed().as_secs_f64()));
    place.holds("brp", &[]);
    let personal = personal(&std::fs::read_to_string(&lists).expect("the lists"));
    place.has_no_trace_of(&personal);

    let text = place.manifest("brp");
    // The files of tests are texts, with the values in their cells.
    let plain = text.replace("\\n", "\n");
    let leaked: Vec<&str> = plain.split([';', '\n', '"']).map(str::trim).filter(|cell| personal.contains(*cell)).collect();
    assert_eq!(leaked, Vec::<&str>::new());
    say(&format!("{} lines of manifest, {} of them in doubt", text.lines().count(), text.matches("# unsure:").count()));
    let manifest = read(&text);
    let entity = &manifest["contract"]["v1"]["persoonslijsten"];
    assert_eq!(entity["key"], "column_1");
    assert_eq!(
        entity["from"]["format"],
        json!({ "delimited": { "delimiter": ";", "encoding": "utf-8", "continued_without": "#1" } })
    );
    assert_eq!(entity["fields"].as_object().map(serde_json::Map::len), Some(257), "no column is lost");
    let codec = |field: &str| entity["fields"][field]["codec"].clone();
    assert_eq!(codec("01.03.10"), json!({ "date": { "format": "%Y%m%d", "partial": true } }));
    let list = |name: &str| json!({ "codes": { "list": name, "unmapped": "keep", "legacy": "text" } });
    assert_eq!(codec("01.03.30"), list("tabel34_landen"));
    assert_eq!(codec("01.03.20"), json!(["trim", { "null_if": ["blank"] }, list("tabel33_gemeenten")]), "or a foreign place");
    assert_eq!(codec("04.05.10"), list("tabel32_nationaliteiten"));
    let table = &manifest["codes"]["tabel34_landen"];
    assert_eq!((&table["code"], &table["value"]), (&json!("94.10 Landcode"), &json!("94.11 Omschrijving")));
    assert_eq!(table["from"]["format"]["delimited"]["encoding"], "utf-16");
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
            "01.03",
            "brp/v1/persoonslijsten",
            "Lg01_716",
        ],
        &[],
    );
    assert!(told.contains("Canada") && told.contains("Thann") && told.contains("1985-12-01"), "{told}");
}

/// Thirty people in places that are fixed, as an old program prints them.
fn printed() -> String {
    let names = ["Aliyeva", "Quliyev", "Mammadova", "Hasanov", "Rzayeva"];
    let line = |number: usize| {
        let (name, born) = (names[number % names.len()], 19_500_100 + number * 10_000 + number % 28 + 1);
        format!(
            "{:08}  {name:<14}{:<10}  {born}  {}\n",
            70_000_000 + number * 7919,
            format!("Leyla{number}"),
            ["M", "F"][number % 2]
        )
    };
    (0..30).map(line).collect()
}

fn drafted(place: &Place, sample: &Path, registry: &str, live: bool) -> Value {
    let sample = sample.to_str().expect("a path in UTF-8");
    place.good(
        &["connector", "new", "--yes", "--from", sample, "--registry", registry, "--agency", "interior", "--into", "INTO"],
        &[],
    );
    let checked = place.good(&["check", "--strict", "INTO"], &[]);
    assert!(checked.contains("nothing is wrong"), "{checked}");
    let tested = place.good(&["connector", "test", "INTO", registry], &[]);
    assert!(!tested.starts_with("0 passed"), "{tested}");
    if live {
        place.good(&["connector", "test", "INTO", registry, "--live"], &[]);
    }
    read(&place.manifest(registry))
}

#[test]
fn a_file_of_fixed_places_is_plugged_in_from_a_sample() {
    let files = Scratch::new("new-fixed");
    let sample = files.path().join("people-0001.txt");
    std::fs::write(&sample, printed()).expect("a scratch directory can be written");
    let place = Place::new();
    let manifest = drafted(&place, &sample, "people", true);
    let entity = &manifest["contract"]["v1"]["people"];
    assert_eq!(entity["from"]["file"], "people*.txt");
    assert_eq!(entity["key"], "c1");
    assert_eq!(entity["from"]["format"]["fixed"]["columns"]["C1"], json!({ "at": 1, "width": 10 }));
    assert_eq!(entity["fields"]["c4"]["codec"], json!({ "date": "%Y%m%d" }));
    let personal = printed().split_whitespace().filter(|word| word.len() > 4).map(str::to_owned).collect();
    place.has_no_trace_of(&personal);
}

#[test]
fn records_of_a_mainframe_are_plugged_in_from_their_copybook() {
    let files = Scratch::new("new-copybook");
    let book = files.path().join("customer.cpy");
    let text = "       01  CUSTOMER.\n           05  CUST-ID        PIC 9(7).\n           05  FAMILY         PIC X(12).\n\
                \x20          05  BALANCE        PIC S9(7)V99 COMP-3.\n           05  BORN           PIC 9(8).\n";
    std::fs::write(&book, text).expect("a scratch directory can be written");
    let place = Place::new();
    let manifest = drafted(&place, &book, "customers", false);
    let entity = &manifest["contract"]["v1"]["customer"];
    assert_eq!(entity["key"], "cust_id");
    assert_eq!(entity["from"]["format"]["copybook"]["encoding"], "cp037");
    assert!(place.manifest("customers").contains("`file` and `encoding` are guesses"));
}
