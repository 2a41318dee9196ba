//! Drafts of a made-up register by a made-up kind.

use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::survey::{
    ClosedList, CodeTable, Foreseen, ListedCode, Offers, Reference, Samples, Searchable, SurveyedColumn, SurveyedEntity,
    ValueType,
};
use rabita_sdk::{Connector, Double, Finding, Legacy, OpenError, RegistrySpec, Row, Secrets, Source};
use serde_json::json;

use super::*;

struct Ledgers;

#[async_trait]
impl Kind for Ledgers {
    fn name(&self) -> &'static str {
        "ledgers"
    }
    fn settings_schema(&self) -> Value {
        json!({})
    }
    fn entity_schema(&self) -> Value {
        json!({})
    }
    fn fixture_schema(&self) -> Value {
        json!({})
    }
    fn check(&self, _: &RegistrySpec) -> Vec<Finding> {
        Vec::new()
    }
    async fn open(&self, _: RegistrySpec, _: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        Err(OpenError("a register of paper".into()))
    }
    async fn double(&self, _: RegistrySpec, _: &Value) -> Result<Double, OpenError> {
        Err(OpenError("a register of paper".into()))
    }
    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        serde_json::to_value(foreseen.rows).ok()
    }
}

fn text(name: &str) -> SurveyedColumn {
    SurveyedColumn::new(name, ValueType::Text { max: Some(40), fixed: false }, "text")
}

fn integer(name: &str) -> SurveyedColumn {
    SurveyedColumn::new(name, ValueType::Integer { digits: None }, "integer")
}

/// An entity of one key and one column with these values.
fn entity(column: SurveyedColumn, values: impl IntoIterator<Item = Legacy>) -> SurveyedEntity {
    let rows: Vec<Row> = values
        .into_iter()
        .zip(1000..)
        .map(|(value, key)| [("no", Legacy::Text(format!("K{key}"))), (column.source.as_str(), value)].into_iter().collect())
        .collect();
    let key = SurveyedColumn { nullable: false, unique: true, ..text("no") };
    SurveyedEntity {
        name: "PEOPLE".into(),
        from: json!("PEOPLE"),
        columns: vec![key, column],
        key: vec![Source::new("no")],
        samples: Samples(rows),
        offers: Offers { read: true, ..Offers::default() },
        ..SurveyedEntity::default()
    }
}

fn drafted(survey: &Survey) -> Draft {
    let options = DraftOptions {
        registry: "register",
        agency: "agency",
        today: jiff::civil::date(2026, 12, 1),
        seed: b"seed",
        directory: Path::new("/"),
        writes: false,
        keys: &BTreeMap::new(),
    };
    draft(&Ledgers, survey, &options).expect("a draft")
}

fn of_one(entity: SurveyedEntity) -> Draft {
    drafted(&Survey { entities: vec![entity], ..Survey::default() })
}

/// What the column `X` of these values became: its rule and its schema.
fn became(column: SurveyedColumn, values: impl IntoIterator<Item = Legacy>) -> (Value, Value) {
    let draft = of_one(entity(column, values));
    let rule = draft.manifest["contract"]["v1"]["people"]["fields"]["x"].clone();
    (rule.get("codec").cloned().unwrap_or_default(), draft.schemas[0].1["properties"]["x"].clone())
}

fn texts(values: &[&str]) -> Vec<Legacy> {
    (0..40).map(|at| Legacy::from(values[at % values.len()])).collect()
}

fn integers(values: &[i64]) -> Vec<Legacy> {
    (0..40).map(|at| Legacy::Int(values[at % values.len()])).collect()
}

#[test]
fn proposes_the_codec_that_the_values_ask_for() {
    let day = json!({ "type": "string", "format": "date" });
    for (values, codec) in [
        (vec!["Əliyeva  ", "Məmmədov", "Quliyeva Nigar"], json!("trim")),
        (vec!["  ", "Əliyeva", "Quliyeva Nigar"], json!(["trim", { "null_if": ["blank"] }])),
        (vec!["---", "Əliyeva", "Quliyeva Nigar"], json!({ "null_if": ["---"] })),
        (vec!["J", "N"], json!({ "boolean": { "true": "J", "false": "N" } })),
        (vec!["21.03.1978", "02.12.1980", "30.11.2001"], json!({ "date": "%d.%m.%Y" })),
        (
            vec!["21.03.1978", "02.12.1980", "30.11.2001", "31.12.9999"],
            json!([{ "null_if": ["31.12.9999"] }, { "date": "%d.%m.%Y" }]),
        ),
        (vec!["1978080", "1980001", "2001365"], json!({ "date": "%Y%j" })),
        (vec!["1.234,50", "0,05", "17,25"], json!({ "decimal": { "separator": ",", "grouping": ".", "scale": 2 } })),
        (vec!["00012", "00345", "00007", "01234"], json!({ "integer": { "width": 5 } })),
        (
            vec!["20240105134500Z", "20230201080000Z", "20251231235959Z"],
            json!({ "datetime": { "format": "%Y%m%d%H%M%SZ", "zone": "UTC" } }),
        ),
        (vec!["A", "B", "C"], json!({ "codes": { "list": "people_x", "unmapped": "keep" } })),
    ] {
        assert_eq!(became(text("X"), texts(&values)).0, codec, "{values:?}");
    }
    assert_eq!(became(text("X"), texts(&["21.03.1978", "02.12.1980", "30.11.2001"])).1, day);

    let number = |options: Value| json!({ "date": options });
    let (whole, partial) =
        (json!({ "format": "%Y%m%d", "legacy": "integer" }), json!({ "format": "%Y%m%d", "legacy": "integer", "partial": true }));
    let turned = json!({ "format": "%d%m%Y", "legacy": "integer" });
    for (values, codec) in [
        (vec![19_780_321, 19_801_202, 20_011_130], number(whole.clone())),
        (vec![19_780_300, 19_800_000, 20_011_130], number(partial.clone())),
        (vec![19_780_300, 19_800_000, 20_011_130, 0], number(partial)),
        (vec![19_780_321, 19_801_202, 20_011_130, 99_991_231], json!([{ "null_if": [99_991_231] }, { "date": whole }])),
        (vec![21_031_978, 2_121_980, 30_112_001], number(turned)),
        (vec![0, 1], json!({ "boolean": { "true": 1, "false": 0 } })),
        (vec![3, 17, 250], Value::Null),
    ] {
        assert_eq!(became(integer("X"), integers(&values)).0, codec, "{values:?}");
    }
}

#[test]
fn a_count_of_seconds_is_an_instant_only_where_the_name_speaks_of_time() {
    let values: Vec<Legacy> = (0..40).map(|step| Legacy::Int(1_700_000_000 + step * 86_400)).collect();
    let rule = |name: &str| {
        let draft = of_one(entity(integer(name), values.clone()));
        draft.manifest["contract"]["v1"]["people"]["fields"][name].clone()
    };
    assert_eq!(rule("changed_at")["codec"], json!({ "epoch": "seconds" }));
    assert_eq!(rule("amount").get("codec").map(|codec| codec.get("epoch")), Some(None), "an identifier at most");
}

#[test]
fn looks_codes_up_where_a_table_or_the_registry_itself_says_what_they_mean() {
    let row = |code: &str, name: &str| -> Row { [("code", code.into()), ("name", name.into())].into_iter().collect() };
    let offices = CodeTable {
        name: "OFFICES".into(),
        comment: None,
        from: json!("OFFICES"),
        code: Source::new("code"),
        value: Source::new("name"),
        rows: vec![row("BAK", "Bakı"), row("GNC", "Gəncə")],
    };
    let mut people = entity(text("X"), texts(&["BAK", "GNC"]));
    people.references =
        vec![Reference { sources: vec![Source::new("X")], to: "OFFICES".into(), columns: vec![Source::new("code")] }];
    let draft = drafted(&Survey { entities: vec![people], code_tables: vec![offices], ..Survey::default() });
    let fields = &draft.manifest["contract"]["v1"]["people"]["fields"];
    assert_eq!(fields["x"], json!({ "from": "X", "codec": { "codes": "offices" } }));
    assert_eq!(draft.manifest["codes"]["offices"], json!({ "from": "OFFICES", "code": "code", "value": "name" }));

    let listed = |code: &str, meaning: &str| ListedCode { code: code.into(), meaning: Some(meaning.into()) };
    let closed = ClosedList { name: None, codes: vec![listed("1", "In use"), listed("2", "Not in use")] };
    let (codec, schema) = became(SurveyedColumn { closed: Some(closed), ..text("X") }, texts(&["1", "2"]));
    assert_eq!((codec, schema), (json!({ "codes": "people_x" }), json!({ "enum": ["in_use", "not_in_use"] })));
}

#[test]
fn a_constraint_that_samples_break_goes_with_a_word_on_it_and_a_day_that_never_was_is_let_through() {
    let short = SurveyedColumn::new("X", ValueType::Text { max: Some(3), fixed: false }, "varchar(3)");
    let draft = of_one(entity(short, texts(&["Baku City", "Gəncə", "Şəki Town"])));
    assert_eq!(draft.schemas[0].1["properties"]["x"], json!({ "type": "string" }));
    assert!(draft.text().contains("# unsure: all 40 sampled values break maxLength, which was taken away"), "{}", draft.text());

    let days: Vec<Legacy> =
        (0..100).map(|at| Legacy::Int(if at == 7 { 19_650_230 } else { 19_500_101 + at * 10_000 % 400_000 })).collect();
    let draft = of_one(entity(integer("X"), days));
    assert_eq!(draft.manifest["contract"]["v1"]["people"]["replies"], "observe");
    assert_eq!(draft.samples[0], Held { entity: "people".into(), sound: 99, total: 100 });
}

#[test]
fn what_is_required_is_what_the_registry_requires_and_every_sample_has() {
    let must = |column: SurveyedColumn| SurveyedColumn { nullable: false, ..column };
    let required = |values: &[&str]| of_one(entity(must(text("X")), texts(values))).schemas[0].1["required"].clone();
    assert_eq!(required(&["Əliyeva", "Məmmədov", "Quliyeva Nigar"]), json!(["no", "x"]));
    assert_eq!(required(&["   ", "Məmmədov", "Quliyeva Nigar"]), json!(["no"]));
}

#[test]
fn tests_are_drafted_of_look_alikes_and_hold_no_sampled_value() {
    let names: Vec<String> = (0..60)
        .map(|at| format!("{}{}", ["Əliyeva", "Məmmədov", "Quliyeva"][at % 3], "abcdefghij".chars().nth(at % 10).unwrap_or('x')))
        .collect();
    let mut people = entity(text("X"), names.iter().map(|name| Legacy::from(name.as_str())));
    people.offers.search =
        vec![Searchable { source: Source::new("X"), comparisons: vec![rabita_model::Comparison::Equals], cheap: true }];
    let real: Vec<String> = people
        .samples
        .0
        .iter()
        .flat_map(|row| row.iter().filter_map(|(_, value)| value.to_text().map(|text| text.into_owned())).collect::<Vec<_>>())
        .collect();
    let survey = Survey { entities: vec![people], ..Survey::default() };
    let draft = drafted(&survey);
    let tests = draft.manifest["tests"].as_array().expect("tests");
    assert!(tests.len() >= 3, "a read, a search, a key that nobody has: {tests:?}");
    assert!(tests.iter().any(|test| test["live"] == true && test["expect_absent"] == true), "{tests:?}");
    assert!(tests.iter().any(|test| test.get("search").is_some()), "{tests:?}");
    let text = draft.text();
    assert!(real.iter().all(|value| !text.contains(value.as_str())), "{text}");
    assert_eq!(drafted(&survey).text(), text, "the same seed makes the same draft");
}

#[test]
fn a_long_number_that_differs_from_row_to_row_keeps_its_zeros() {
    let numbers: Vec<Legacy> = (0..40).map(|at| Legacy::Text(format!("{:07}", 40_000 + at * 7919))).collect();
    assert_eq!(became(text("X"), numbers).0, Value::Null);
}

#[test]
fn who_stands_in_every_row_is_disguised_too() {
    let chief = |from: Value| {
        let people = SurveyedEntity { from, ..entity(text("X"), texts(&["uid=leyla,o=registry"])) };
        of_one(people).text().split_once("tests:").map(|(_, tests)| tests.contains("leyla"))
    };
    assert_eq!(chief(json!("PEOPLE")), Some(false));
    // Only those are wanted, and the manifest says so itself.
    assert_eq!(chief(json!({ "table": "PEOPLE", "where": "X = 'uid=leyla,o=registry'" })), Some(true));
}

#[test]
fn blanks_around_values_are_overlooked_by_a_search_where_rows_are_few() {
    let by = |rows: Option<u64>| {
        let mut people = SurveyedEntity { rows, ..entity(text("X"), texts(&["Əliyeva  ", "Məmmədov", "Quliyeva Nigar"])) };
        people.offers.search =
            vec![Searchable { source: Source::new("X"), comparisons: vec![rabita_model::Comparison::Equals], cheap: true }];
        let draft = of_one(people);
        assert!(draft.unsure.iter().any(|one| one.why.contains("blanks around them")), "{:?}", draft.unsure);
        draft.manifest["contract"]["v1"]["people"]["operations"]["search"]["by"]["x"].clone()
    };
    assert_eq!(by(Some(40)), json!({ "compare": ["equals"], "ignore": ["outer_spaces"] }));
    assert_eq!(by(Some(10_000_000)), Value::Null);
}

#[test]
fn what_cannot_be_drafted_is_said() {
    let mut nobody = entity(text("X"), texts(&["a b", "c d"]));
    nobody.key = Vec::new();
    nobody.columns[0].unique = false;
    nobody.samples = Samples::default();
    let options = DraftOptions {
        registry: "register",
        agency: "agency",
        today: jiff::civil::date(2026, 12, 1),
        seed: b"seed",
        directory: Path::new("/"),
        writes: false,
        keys: &BTreeMap::new(),
    };
    let error =
        draft(&Ledgers, &Survey { entities: vec![nobody], ..Survey::default() }, &options).expect_err("no key").to_string();
    assert!(error.contains("PEOPLE was left out") && error.contains("name its key"), "{error}");
}
