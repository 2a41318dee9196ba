//! What a mapping makes of legacy rows and of records, for each way in which a field is made.

use jiff::civil::date;
use proptest::prelude::*;
use rabita_model::{Comparison, Fault, FieldName, Operation};
use serde_json::{Map, Value, json};

use super::{Mapping, Selection};
use crate::codes::CodeBook;
use crate::manifest::{Entity, Manifest};
use crate::{Condition, Finding, GroupSpec, Ignore, Legacy, Row, Source};

/// The mapping of an entity with these members, in a manifest with a list of codes.
fn compiled(entity: &Value) -> Result<Mapping, Vec<Finding>> {
    let mut whole = json!({ "schema": "x/y/v1", "key": "pin", "operations": { "read": {} } });
    for (name, value) in entity.as_object().expect("an entity") {
        whole[name] = value.clone();
    }
    let entity: Entity = serde_json::from_value(whole).expect("the form of an entity");
    let manifest = json!({ "registry": "r", "agency": "a", "connector": { "kind": "k" }, "contract": {},
        "codes": { "sexes": { "M": "male", "F": "female" } } });
    let manifest: Manifest = serde_json::from_value(manifest).expect("the form of a manifest");
    let codes = CodeBook::load(&manifest.codes, std::path::Path::new("."), date(2026, 11, 23)).expect("codes");
    Mapping::compile(&entity, &codes)
}

fn mapping(entity: &Value) -> Mapping {
    compiled(entity).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// A person with a field made in every way.
fn person() -> Mapping {
    mapping(&json!({
        "fields": {
            "pin": { "from": "PIN", "codec": { "digits": 5 } },
            "name.family": { "from": "FAMILY", "codec": "trim" },
            "name.given": "GIVEN",
            "sex": { "from": "SEX", "codec": { "codes": "sexes" } },
            "birth.date": { "compose": "{YEAR:4}-{MONTH:2}-{DAY:2}" },
            "birth.place": { "from": "place.name", "codec": { "null_if": "-" } },
            "address": { "from": "ADDRESS", "split": "{town}, {street}" },
            "country": { "constant": "AZ" },
            "age_group": { "from": ["AGE"], "read": "legacy.AGE >= 18 ? 'adult' : 'child'", "write": { "AGE": "record.age_group == 'adult' ? 18 : 0" } },
            "initials": { "from": ["GIVEN"], "read": "legacy.GIVEN.substring(0, 1)" },
            "phones": { "each": "PHONES", "item": { "from": "number", "codec": "trim" } },
            "children": { "each": "CHILDREN", "fields": { "pin": { "from": "PIN", "codec": { "digits": 5 } }, "born.on": { "from": "BORN", "codec": { "date": "%Y%m%d" } } } },
            "died": { "from": "DIED", "keep_null": true },
            "photo": { "from": "PHOTO", "binary": { "media_type": "image/png" } },
        },
        "operations": {
            "read": {},
            "search": { "by": {
                "pin": ["equals"], "name.family": { "compare": ["equals", "prefix"], "ignore": ["case"] }, "name.given": ["from", "to"],
                "birth.date": ["equals"], "sex": ["equals"],
            } },
            "create": { "fields": ["pin", "name", "sex", "birth.date", "address"] },
            "update": { "fields": ["name", "sex", "birth.date", "birth.place", "address", "age_group"] },
        },
    }))
}

fn row(value: Value) -> Row {
    serde_json::from_value(value).expect("a row")
}

fn legacy() -> Row {
    row(json!({
        "PIN": 42, "FAMILY": "Əliyeva  ", "GIVEN": "Aygün", "SEX": "F", "YEAR": 1978, "MONTH": 3, "DAY": 1,
        "place": { "name": "Bakı" }, "ADDRESS": "Bakı, Nizami 14", "AGE": 48,
        "PHONES": [{ "number": "1 " }, { "number": "2" }],
        "CHILDREN": [{ "PIN": 7, "BORN": "20010203" }, { "PIN": 8, "BORN": null }],
        "DIED": null, "PHOTO": "secret bytes", "UNMAPPED": "x",
    }))
}

fn record(value: Value) -> Map<String, Value> {
    let Value::Object(record) = value else { panic!("a record is an object") };
    record
}

fn fields(mapping: &Mapping, names: &[&str]) -> Selection {
    let names: Vec<FieldName> = names.iter().map(|name| FieldName::new(name).expect("a name")).collect();
    mapping.select(&names).expect("fields of the mapping")
}

fn decoded(mapping: &Mapping, row: &Row) -> (Value, Vec<Fault>) {
    let (record, faults) = mapping.decode(row, &mapping.all());
    (Value::Object(record), faults)
}

fn places(faults: &[Fault]) -> Vec<(&str, &str)> {
    faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect()
}

fn name(text: &str) -> FieldName {
    FieldName::new(text).expect("a name")
}

#[test]
fn reads_a_field_made_in_every_way() {
    let (record, faults) = decoded(&person(), &legacy());
    assert_eq!(faults, []);
    let expected = json!({
        "pin": "00042", "name": { "family": "Əliyeva", "given": "Aygün" }, "sex": "female",
        "birth": { "date": "1978-03-01", "place": "Bakı" }, "address": { "town": "Bakı", "street": "Nizami 14" },
        "country": "AZ", "age_group": "adult", "initials": "A", "phones": ["1", "2"],
        "children": [{ "pin": "00007", "born": { "on": "2001-02-03" } }, { "pin": "00008" }],
        "died": null,
    });
    assert_eq!(record, expected);
}

#[test]
fn leaves_out_what_has_no_value_and_the_objects_around_it() {
    let mapping =
        mapping(&json!({ "fields": { "pin": "PIN", "name.family": "FAMILY", "died": { "from": "DIED", "keep_null": true },
        "born": { "compose": "{Y}-{M}" }, "phones": { "each": "PHONES", "item": {} } } }));
    let (record, faults) = decoded(&mapping, &row(json!({ "PIN": "1", "FAMILY": null })));
    assert_eq!((record, faults.len()), (json!({ "pin": "1", "died": null, "phones": [] }), 0));
}

#[test]
fn one_item_of_a_group_may_come_without_its_list() {
    let mapping = mapping(
        &json!({ "fields": { "pin": "PIN", "all": { "each": "GROUP", "fields": { "a": "A" } }, "texts": { "each": "T", "item": {} } } }),
    );
    let (record, faults) = decoded(&mapping, &row(json!({ "PIN": "1", "GROUP": { "A": 1 }, "T": "x" })));
    assert_eq!((record, faults.len()), (json!({ "pin": "1", "all": [{ "a": 1 }], "texts": ["x"] }), 0));
}

#[test]
fn tells_every_fault_of_a_row_at_its_place_and_no_value() {
    let mut bad = legacy();
    for (name, value) in
        [("PIN", Legacy::from("secret")), ("SEX", "secret".into()), ("ADDRESS", "secret".into()), ("AGE", "secret".into())]
    {
        bad.set(name, value);
    }
    bad.set(
        "CHILDREN",
        serde_json::from_value(json!([{ "PIN": 7, "BORN": "20010203" }, { "PIN": 8, "BORN": "secret" }, "secret"]))
            .expect("a list"),
    );
    let (record, faults) = decoded(&person(), &bad);
    let told: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(told, ["/pin", "/sex", "/address", "/age_group", "/children/1/born/on", "/children/2"], "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.message.contains("secret")), "{faults:#?}");
    assert_eq!(record["name"], json!({ "family": "Əliyeva", "given": "Aygün" }), "the rest is there");
    assert!(record.get("sex").is_none());
}

#[test]
fn a_selection_asks_for_its_sources_alone_and_answers_its_fields_alone() {
    let person = person();
    let wanted = person.wanted(&fields(&person, &["name", "birth.date"]));
    let sources: Vec<&str> = wanted.sources.iter().map(Source::as_str).collect();
    assert_eq!((sources, wanted.groups.len()), (vec!["FAMILY", "GIVEN", "YEAR", "MONTH", "DAY"], 0));
    let (record, faults) = person.decode(&legacy(), &fields(&person, &["name", "birth.date"]));
    assert_eq!(faults, []);
    assert_eq!(
        Value::Object(record),
        json!({ "name": { "family": "Əliyeva", "given": "Aygün" }, "birth": { "date": "1978-03-01" } })
    );

    let wanted = person.wanted(&fields(&person, &["children", "initials", "name.given", "country"]));
    assert_eq!(wanted.sources, [Source::new("GIVEN")], "a source is asked for once, a constant for none");
    assert_eq!(
        wanted.groups,
        [GroupSpec { name: Source::new("CHILDREN"), sources: vec![Source::new("PIN"), Source::new("BORN")] }]
    );
    let all = person.wanted(&person.all());
    assert!(!all.sources.contains(&Source::new("PHOTO")), "a binary value is asked for by itself");
    assert_eq!(person.select(&[name("name"), name("nothing"), name("name.fam")]), Err(vec![name("nothing"), name("name.fam")]));
}

#[test]
fn a_selection_is_not_at_fault_for_what_it_leaves_out() {
    let mut bad = legacy();
    bad.set("SEX", "?".into());
    let person = person();
    assert_eq!(person.decode(&bad, &fields(&person, &["pin", "name"])).1, []);
    assert_eq!(places(&person.decode(&bad, &fields(&person, &["sex"])).1), [("/sex", "unmapped_code")]);
}

#[test]
fn writes_what_is_given_and_nothing_else() {
    let change = json!({ "name": { "family": "Quliyeva" }, "sex": "male", "birth": { "date": "1978-12-31", "place": null },
        "address": { "town": "Gəncə", "street": "Şah 3" }, "age_group": "child" });
    let row = person().encode(&record(change), Operation::Update).expect("a row");
    let expected = json!({ "FAMILY": "Quliyeva", "SEX": "M", "YEAR": 1978, "MONTH": 12, "DAY": 31, "place": { "name": "-" },
        "ADDRESS": "Gəncə, Şah 3", "AGE": 0 });
    assert_eq!(serde_json::to_value(&row).expect("JSON"), expected);
    assert!(person().encode(&Map::new(), Operation::Update).expect("a row").is_empty());
}

#[test]
fn null_empties_every_source_of_a_field_and_of_an_object_around_it() {
    let row =
        person().encode(&record(json!({ "birth": null, "address": null, "name": null })), Operation::Update).expect("a row");
    let expected = json!({ "FAMILY": null, "GIVEN": null, "YEAR": null, "MONTH": null, "DAY": null, "place": { "name": "-" }, "ADDRESS": null });
    assert_eq!(serde_json::to_value(&row).expect("JSON"), expected);
}

#[test]
fn refuses_at_once_every_field_that_is_unknown_or_not_to_be_written() {
    let change = json!({ "sex": "none", "country": "AZ", "initials": "A", "nmae": 1, "name": { "middle": "x" }, "phones": ["1"], "photo": "x", "died": null });
    let faults = person().encode(&record(change), Operation::Update).expect_err("faults");
    let mut told = places(&faults);
    told.sort_unstable();
    let expected = [
        ("/country", "not_writable"),
        ("/died", "not_writable"),
        ("/initials", "not_writable"),
        ("/name/middle", "unknown_field"),
        ("/nmae", "unknown_field"),
        ("/phones", "not_writable"),
        ("/photo", "not_writable"),
        ("/sex", "unrepresentable"),
    ];
    assert_eq!(told, expected);
    // What one operation may write another may not; an operation that is not offered writes nothing.
    let place = record(json!({ "birth": { "place": "Bakı" } }));
    assert_eq!(places(&person().encode(&place, Operation::Create).expect_err("faults")), [("/birth/place", "not_writable")]);
    assert!(person().encode(&place, Operation::Replace).is_err());
}

#[test]
fn a_key_may_stand_in_a_change_and_is_written_by_a_create_alone() {
    let given = record(json!({ "pin": "00042", "sex": "male" }));
    let update = person().encode(&given, Operation::Update).expect("a row");
    assert_eq!(serde_json::to_value(&update).expect("JSON"), json!({ "SEX": "M" }));
    let create = person().encode(&given, Operation::Create).expect("a row");
    assert_eq!(serde_json::to_value(&create).expect("JSON"), json!({ "PIN": 42, "SEX": "M" }));
}

#[test]
fn a_key_is_encoded_part_by_part_and_every_part_at_fault_is_told() {
    let codec = json!({ "digits": 5 });
    let two = mapping(
        &json!({ "key": ["land", "pin"], "fields": { "pin": { "from": "PIN", "codec": codec }, "land": { "from": "LAND", "codec": codec } } }),
    );
    assert_eq!(two.key(&[json!("00001"), json!("00002")]), Ok(vec![Legacy::Int(1), Legacy::Int(2)]));
    assert_eq!(
        places(&two.key(&[json!("x"), json!("y")]).expect_err("faults")),
        [("/land", "unrepresentable"), ("/pin", "unrepresentable")]
    );
    assert_eq!(places(&two.key(&[json!("00001")]).expect_err("faults")), [("/key", "key_parts")]);
    assert_eq!(two.key_fields().map(FieldName::as_str).collect::<Vec<_>>(), ["land", "pin"]);
}

#[test]
fn a_filter_becomes_legacy_conditions_with_what_they_overlook() {
    let person = person();
    let conditions = |field: &str, comparison, value: Value| person.conditions(&name(field), comparison, &value);
    let condition = |source: &str, comparison, value: Legacy, ignore: Vec<Ignore>| Condition {
        source: Source::new(source),
        comparison,
        value,
        ignore,
    };
    assert_eq!(
        conditions("pin", Comparison::Equals, json!("00042")),
        Ok(vec![condition("PIN", Comparison::Equals, Legacy::Int(42), vec![])])
    );
    let prefix = condition("FAMILY", Comparison::Prefix, "Əli".into(), vec![Ignore::Case]);
    assert_eq!(conditions("name.family", Comparison::Prefix, json!("Əli")), Ok(vec![prefix]));
    let parts = conditions("birth.date", Comparison::Equals, json!("1978-03-01")).expect("conditions");
    assert_eq!(
        parts.iter().map(|part| (part.source.as_str(), part.value.to_text().expect("text").into_owned())).collect::<Vec<_>>(),
        [("YEAR", "1978".to_owned()), ("MONTH", "3".to_owned()), ("DAY", "1".to_owned())]
    );

    let refused = |field: &str, comparison, value: Value| conditions(field, comparison, value).expect_err("a fault").code;
    assert_eq!(refused("country", Comparison::Equals, json!("AZ")), "unknown_filter");
    assert_eq!(refused("pin", Comparison::From, json!("00001")), "comparison_unsupported");
    assert_eq!(refused("sex", Comparison::Equals, json!("none")), "unrepresentable");
    assert_eq!(refused("name.given", Comparison::From, Value::Null), "type");
}

/// The findings of an entity, each with its place.
fn wrong(entity: &Value) -> Vec<(String, String)> {
    compiled(entity).expect_err("findings").into_iter().map(|finding| (finding.pointer, finding.message)).collect()
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place_all_at_once() {
    let told = wrong(&json!({
        "key": ["pin", "nothing", "sex"],
        "fields": {
            "pin": { "from": "PIN", "codec": { "codes": "sexs" } },
            "name": "NAME", "name.family": "FAMILY",
            "sex": { "constant": "male" },
            "both": { "compose": "{A}", "split": "{b}" },
            "none": {},
            "many": { "from": ["A", "B"] },
            "stray": { "from": "A", "write": { "A": "record.stray" } },
            "expression": { "from": "A", "read": "legacy.B" },
            "list": { "each": "LIST" },
            "deep": { "each": "LIST", "fields": { "deeper": { "each": "X", "item": {} } } },
        },
        "operations": {
            "search": { "by": { "sex": ["equals"], "expression": ["equals"], "nam": ["equals"] } },
            "update": { "fields": ["sex", "list", "nmae"] },
        },
    }));
    let places: Vec<&str> = told.iter().map(|(place, _)| place.as_str()).collect();
    let expected = [
        "/fields/pin/codec/codes/list",
        "/fields/name.family",
        "/fields/both",
        "/fields/none",
        "/fields/many/from",
        "/fields/stray/write",
        "/fields/expression/read",
        "/fields/list",
        "/fields/deep/fields/deeper/each",
        "/key/1",
        "/key/2",
        "/operations/search/by/sex",
        "/operations/search/by/nam",
        "/operations/update/fields/0",
        "/operations/update/fields/2",
    ];
    for place in expected {
        assert!(places.contains(&place), "{place} is not among {told:#?}");
    }
    assert!(!places.contains(&"/operations/update/fields/1"), "`list` is there, and told to be wrong already");
}

#[test]
fn a_search_or_a_change_without_a_way_back_is_refused() {
    let entity = |rule: Value, operations: Value| json!({ "fields": { "pin": "PIN", "x": rule }, "operations": operations });
    let by = |comparison: &str| json!({ "search": { "by": { "x": [comparison] } } });
    let update = json!({ "update": { "fields": ["x"] } });
    let one_way = json!({ "from": "X", "read": "legacy.X" });
    let lossy = json!({ "from": "X", "codec": { "codes": { "list": "sexes", "unmapped": "null" } } });
    for (rule, operations) in [
        (one_way.clone(), by("equals")),
        (one_way, update.clone()),
        (lossy, update.clone()),
        (json!({ "from": "X", "split": "{a} {b}" }), by("equals")),
        (json!({ "compose": "{A}-{B}" }), by("from")),
        (json!({ "from": "X", "codec": { "codes": "sexes" } }), by("prefix")),
        (json!({ "from": "X", "codec": { "date": "%d.%m.%Y" } }), by("from")),
        (json!({ "constant": 1 }), update.clone()),
        (json!({ "each": "X", "item": {} }), update.clone()),
        (json!({ "from": "X", "binary": { "media_type": "image/png" } }), update),
    ] {
        let told = wrong(&entity(rule.clone(), operations.clone()));
        assert!(told.iter().any(|(place, _)| place.starts_with("/operations/")), "{rule} {operations}: {told:?}");
    }
}

#[test]
fn a_patch_needs_the_record_where_it_gives_a_part_of_what_is_written_as_a_whole() {
    let person = person();
    for (patch, needs) in [
        (json!({ "address": { "street": "Xaqani 3" } }), true),
        (json!({ "address": null }), false),
        (json!({ "name": { "family": "Quliyeva" } }), false),
        (json!({ "name": null }), false),
        (json!({ "age_group": "child" }), false),
        (json!({}), false),
    ] {
        assert_eq!(person.needs_current(&record(patch.clone())), needs, "{patch}");
    }
}

#[test]
fn a_patch_is_completed_with_the_rest_of_each_field_that_it_touches_and_no_other() {
    let person = person();
    let current = record(
        json!({ "name": { "family": "Əliyeva", "given": "Aygün" }, "address": { "town": "Bakı", "street": "Nizami 14" } }),
    );
    let completed = |patch: Value| Value::Object(person.completed(&record(patch), &current));
    let patch = json!({ "name": { "family": "Quliyeva" }, "address": { "street": "Xaqani 3" } });
    let whole = json!({ "name": { "family": "Quliyeva" }, "address": { "town": "Bakı", "street": "Xaqani 3" } });
    assert_eq!(completed(patch), whole);
    assert_eq!(completed(json!({ "address": { "street": null } })), json!({ "address": { "town": "Bakı" } }));
    assert_eq!(completed(json!({ "address": null, "sex": null })), json!({ "address": null, "sex": null }));
    // What is no field stays, so that it is refused and not lost.
    assert_eq!(completed(json!({ "nmae": { "family": "x" } })), json!({ "nmae": { "family": "x" } }));
}

#[test]
fn a_key_is_taken_out_of_a_record_that_has_all_of_it() {
    let person = person();
    assert_eq!(person.record_key(&record(json!({ "pin": "00042", "sex": "male" }))), Some(vec![json!("00042")]));
    assert_eq!(person.record_key(&record(json!({ "sex": "male" }))), None);
    assert_eq!(person.record_key(&record(json!({ "pin": null }))), None);
}

#[test]
fn the_request_of_an_action_is_written_and_its_reply_read_like_records() {
    let manifest: Entity = serde_json::from_value(json!({
        "schema": "x/y/v1", "key": "pin", "fields": { "pin": "PIN" }, "operations": { "read": {} },
        "actions": { "revoke": {
            "fields": { "reason.code": { "from": "REASON", "codec": { "digits": 3 } } },
            "reply": { "schema": "x/z/v1", "fields": { "revoked_on": { "from": "DAY", "codec": { "date": "%Y%m%d" } } } },
        } },
    }))
    .expect("the form of an entity");
    let action = &manifest.actions[0];
    let codes = CodeBook::default();
    let request = Mapping::of_request(&action.fields, &codes).expect("a mapping");
    let input = record(json!({ "reason": { "code": "007" } }));
    assert_eq!(request.encode(&input, Operation::Act), Ok(row(json!({ "REASON": 7 }))));
    let unknown = record(json!({ "reason": { "text": "x" } }));
    assert_eq!(places(&request.encode(&unknown, Operation::Act).expect_err("a fault")), [("/reason/text", "unknown_field")]);
    let reply = Mapping::of_reply(&action.reply.as_ref().expect("a reply").fields, &codes).expect("a mapping");
    assert_eq!(decoded(&reply, &row(json!({ "DAY": "20261123" }))), (json!({ "revoked_on": "2026-11-23" }), vec![]));
    assert!(Mapping::of_request(&serde_json::from_value(json!({ "a": { "constant": 1 } })).expect("fields"), &codes).is_err());
}

proptest! {
    /// What is written is read again as it was given, for every field that has a way back.
    #[test]
    fn what_is_written_is_read_again(
        family in "[a-zəöA-ZƏÖ]{0,12}[a-z]", given in "\\PC{0,20}", sex in prop::sample::select(vec!["male", "female"]),
        year in 1000..9999_i32, month in 1..=12_i32, day in 1..=28_i32,
        town in "[a-z]{1,8}", street in "[a-z ]{0,6}[a-z]", pin in 0..99_999_i64,
    ) {
        let person = person();
        let given = record(json!({
            "pin": format!("{pin:05}"), "name": { "family": family, "given": given }, "sex": sex,
            "birth": { "date": format!("{year:04}-{month:02}-{day:02}") }, "address": { "town": town, "street": street },
        }));
        let row = person.encode(&given, Operation::Create).expect("a row");
        let (read, faults) = person.decode(&row, &fields(&person, &["pin", "name", "sex", "birth.date", "address"]));
        prop_assert_eq!(faults, vec![]);
        prop_assert_eq!(Value::Object(read), Value::Object(given));
    }

    /// What is read can be written, and then means the same.
    #[test]
    fn what_is_read_means_the_same_when_it_is_written(
        family in "[a-z]{1,9} {0,3}", sex in prop::sample::select(vec!["M", "F"]), year in 1000..9999_i64, month in 1..=12_i64, pin in 0..99_999_i64,
    ) {
        let person = person();
        let selection = fields(&person, &["pin", "name.family", "sex", "birth.date"]);
        let legacy = row(json!({ "PIN": pin, "FAMILY": family, "SEX": sex, "YEAR": year, "MONTH": month, "DAY": 1 }));
        let (first, faults) = person.decode(&legacy, &selection);
        prop_assert_eq!(faults, vec![]);
        let written = person.encode(&first, Operation::Create).expect("a row");
        let (second, faults) = person.decode(&written, &selection);
        prop_assert_eq!((second, faults), (first, vec![]));
    }

    /// Whatever a row holds, an answer has no more than the fields that were selected.
    #[test]
    fn an_answer_never_holds_more_than_was_selected(
        chosen in prop::collection::vec(prop::sample::select(vec!["pin", "name.given", "sex", "birth", "address", "country", "children", "died"]), 1..5),
        text in "\\PC{0,10}", number in any::<i64>(),
    ) {
        let person = person();
        let mut legacy = legacy();
        for (name, value) in [("GIVEN", Legacy::Text(text.clone())), ("SEX", Legacy::Text(text)), ("PIN", Legacy::Int(number)), ("YEAR", Legacy::Int(number))] {
            legacy.set(name, value);
        }
        let (record, faults) = person.decode(&legacy, &fields(&person, &chosen));
        let is_chosen = |path: &str| chosen.iter().any(|name| path == *name || path.starts_with(&format!("{name}.")) || name.starts_with(&format!("{path}.")));
        for (member, value) in &record {
            prop_assert!(is_chosen(member), "{}", member);
            if let (Value::Object(inner), false) = (value, chosen.contains(&member.as_str())) {
                for name in inner.keys() {
                    prop_assert!(is_chosen(&format!("{member}.{name}")), "{}.{}", member, name);
                }
            }
        }
        for fault in faults {
            let path = fault.pointer[1..].replace('/', ".");
            prop_assert!(is_chosen(path.split('.').next().expect("a member")) , "{}", path);
        }
    }
}
