//! The Dutch population register as its flat file, `persoonslijsten.csv`, with code tables in UTF-16.
//!
//! What the bus answers is compared with a reading of the same files by a few lines here, which know neither the
//! connector nor the manifest.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use rabita_tests::real::{Example, Served, System, registries, say};
use serde_json::{Map, Value, json};

const QUERY: &str = "/api/brp/v1/persons/query";
const LISTS: usize = 687;

/// A file in which each cell is found by the name of its column.
struct File {
    names: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl File {
    /// None of these files has a line end within quotes.
    fn read(text: &str, delimiter: char) -> Self {
        let cells = |line: &str| cells(line, delimiter);
        let mut lines = text.lines().map(cells);
        let names = lines.next().expect("a header");
        Self { names, lines: lines.collect() }
    }

    fn cell<'a>(&self, line: &'a [String], name: &str) -> Option<&'a str> {
        let place = self.names.iter().position(|own| own == name).expect("a column");
        line.get(place).map(String::as_str).filter(|cell| !cell.is_empty())
    }
}

/// A code table in UTF-16 with a mark: what its first column means, by the second.
fn table(path: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(path).expect("a code table");
    let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).expect("UTF-16");
    let rows = text.lines().skip(1).filter_map(|line| {
        let mut cells = line.split("\",\"");
        Some((cells.next()?.trim_start_matches('"').to_owned(), cells.next()?.trim_end_matches('"').to_owned()))
    });
    rows.collect()
}

/// The cells of a line, without the quotes around them; a quote within a cell is written twice.
pub fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let cell = cells.last_mut().expect("there is a cell from the beginning");
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => is_quoted = !is_quoted,
            letter if letter == delimiter && !is_quoted => cells.push(String::new()),
            letter => cell.push(letter),
        }
    }
    cells
}

/// A day of which the parts that are zeros are not known; none where there never was such a day.
fn day(text: &str) -> Option<String> {
    let (year, month, day) = (text.get(..4)?, text.get(4..6)?, text.get(6..8)?);
    match (year, month, day) {
        ("0000", ..) => None,
        (_, "00", "00") => Some(year.to_owned()),
        // A day of no month is no day: the manifest has the bus leave it out.
        (_, "00", _) => None,
        (_, _, "00") => Some(format!("{year}-{month}")),
        _ => format!("{year}-{month}-{day}").parse::<jiff::civil::Date>().ok().map(|day| day.to_string()),
    }
}

/// The lists by their names, as the files have them.
fn expected(data: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(data.join("persoonslijsten.csv")).expect("the lists");
    let file = File::read(text.trim_start_matches('\u{feff}'), ';');
    let [nationalities, municipalities, countries] =
        ["tabel32-nationaliteiten", "tabel33-gemeenten", "tabel34-landen"].map(|name| table(&data.join(format!("{name}.csv"))));
    let sexes = json!({ "M": "male", "V": "female", "O": "unknown" });
    let suspensions = json!({ "O": "deceased", "E": "emigrated", "M": "ministerial_decree", "R": "non_resident",
        "F": "in_error", "W": "moved_within_kingdom" });
    let mut lists = BTreeMap::new();
    let mut last = String::new();
    for line in &file.lines {
        let cell = |name: &str| file.cell(line, name).map(str::to_owned);
        let code = |name: &str, table: &BTreeMap<String, String>| cell(name).and_then(|code| table.get(&code).cloned());
        let place = |name: &str| cell(name).map(|code| municipalities.get(&code).cloned().unwrap_or(code));
        let date = |name: &str| cell(name).and_then(|text| day(&text));
        if let Some(list) = line.first().filter(|list| !list.is_empty()) {
            last.clone_from(list);
            let record = json!({
                "list": list,
                "a_number": cell("01.01.10"),
                "bsn": cell("01.01.20"),
                "name": { "given": cell("01.02.10"), "prefix": cell("01.02.30"), "family": cell("01.02.40") },
                "sex": cell("01.04.10").and_then(|sex| sexes.get(&sex).cloned()),
                "birth": { "date": date("01.03.10"), "place": place("01.03.20"), "country": code("01.03.30", &countries) },
                "death": { "date": date("06.08.10"), "place": place("06.08.20"), "country": code("06.08.30", &countries) },
                "residence": {
                    "municipality": code("08.09.10", &municipalities),
                    "municipality_code": cell("08.09.10"),
                    "street": cell("08.11.10"),
                    "house_number": cell("08.11.20").and_then(|number| number.parse::<u32>().ok()),
                    "postcode": cell("08.11.60"),
                    "town": cell("08.11.70"),
                    "since": date("08.10.30"),
                    "abroad": code("08.13.10", &countries),
                },
                "registration": {
                    "suspended": cell("07.67.20").and_then(|reason| suspensions.get(&reason).cloned()),
                    "suspended_since": date("07.67.10"),
                },
            });
            let mut record = without_what_is_empty(record);
            record["nationalities"] = json!([]);
            record["children"] = json!([]);
            lists.insert(list.clone(), record);
        }
        let record = lists.get_mut(&last).expect("a list before its further lines");
        if cell("04.05.10").or(cell("04.85.10")).is_some() {
            let item = json!({ "name": code("04.05.10", &nationalities), "valid_from": date("04.85.10") });
            record["nationalities"].as_array_mut().expect("a list").push(without_what_is_empty(item));
        }
        let child = ["09.01.20", "09.02.10", "09.02.30", "09.02.40", "09.03.10"];
        if child.iter().any(|name| cell(name).is_some()) {
            let item = json!({ "bsn": cell(child[0]), "given": cell(child[1]), "prefix": cell(child[2]),
                "family": cell(child[3]), "born": date(child[4]) });
            record["children"].as_array_mut().expect("a list").push(without_what_is_empty(item));
        }
    }
    lists
}

fn without_what_is_empty(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let members = members.into_iter().map(|(name, member)| (name, without_what_is_empty(member)));
    let is_there = |(_, member): &(String, Value)| !member.is_null() && member.as_object().is_none_or(|own| !own.is_empty());
    Value::Object(members.filter(is_there).collect::<Map<_, _>>())
}

struct Brp {
    example: Example,
}

impl Brp {
    fn new() -> Self {
        Self { example: Example::new("nl-brp-files", &["counter"]) }
    }

    async fn serve(&self, drops: &Path) -> (Served, System) {
        let served = self.example.serve_ready_with(|settings| {
            settings["source"] = json!({ "directory": drops });
            settings["index"] = json!(self.example.path().join("index"));
        });
        let served = served.await;
        let system = self.example.system(&served, "counter", "registration");
        (served, system)
    }
}

fn by_list(records: Vec<Value>) -> BTreeMap<String, Value> {
    records.into_iter().map(|record| (record["list"].as_str().expect("a name").to_owned(), record)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lists_come_by_pages_and_by_keys_field_by_field_as_the_file_has_them() {
    let Some(data) = registries("the Dutch population register as files, all lists") else { return };
    let data = data.join("nl-brp");
    let expected = expected(&data);
    assert_eq!(expected.len(), LISTS);
    // What is compared is there to be compared.
    let has = |pointer: &str| expected.values().filter(|list| list.pointer(pointer).is_some()).count();
    assert!(has("/nationalities/1") > 50 && has("/children/0") > 200 && has("/residence/abroad") > 50 && has("/death/date") > 15);

    let brp = Brp::new();
    let began = Instant::now();
    let (served, system) = brp.serve(&data).await;
    say(&format!("nl-brp-files: ready {} ms after the start", began.elapsed().as_millis()));
    let (records, pages) = system.all(QUERY, &json!({ "name.family": { "prefix": "" } }), 500).await;
    let named = expected.iter().filter(|(_, list)| list.pointer("/name/family").is_some());
    let named: BTreeMap<String, Value> = named.map(|(name, list)| (name.clone(), list.clone())).collect();
    assert_eq!((records.len(), pages), (named.len(), named.len().div_ceil(500)));
    let got = by_list(records);
    for (list, record) in &named {
        assert_eq!(got.get(list), Some(record), "{list}");
    }

    let began = Instant::now();
    let keys: Vec<&String> = expected.keys().collect();
    let mut read = Vec::new();
    for keys in keys.chunks(100) {
        let answer = system.post(QUERY, &json!({ "keys": keys })).await.good().json();
        read.extend(answer["records"].as_array().expect("records").iter().cloned());
    }
    say(&format!("nl-brp-files: {} lists by keys, 100 at once, in {} ms", read.len(), began.elapsed().as_millis()));
    assert_eq!(by_list(read), expected);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_as_many_as_the_file_has() {
    let Some(data) = registries("the Dutch population register as files, searches") else { return };
    let data = data.join("nl-brp");
    let expected = expected(&data);
    let brp = Brp::new();
    let (served, system) = brp.serve(&data).await;
    let text = |list: &Value, pointer: &str| list.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let count = |holds: &dyn Fn(&Value) -> bool| expected.values().filter(|list| holds(list)).count();
    let searches: [(Value, usize); 4] = [
        (json!({ "name.family": "BURCK" }), count(&|list| text(list, "/name/family").to_lowercase() == "burck")),
        (json!({ "name.family": { "prefix": "m" } }), count(&|list| text(list, "/name/family").to_lowercase().starts_with('m'))),
        (json!({ "bsn": "999993653" }), count(&|list| text(list, "/bsn") == "999993653")),
        (json!({ "birth.date": "1978-03" }), count(&|list| text(list, "/birth/date") == "1978-03")),
    ];
    for (filters, expected) in searches {
        assert!(expected > 0, "{filters} finds somebody");
        let (records, _) = system.all(QUERY, &filters, 7).await;
        assert_eq!(records.len(), expected, "each once: {filters}");
    }
    served.stop().await;
}
