use serde_json::json;

use super::*;

fn today() -> Date {
    Date::constant(2026, 11, 24)
}

fn condition(text: &str) -> Condition {
    Condition::compile(text).expect("a condition")
}

fn admits(text: &str, record: Value) -> Result<bool, String> {
    let caller = BTreeMap::from([("district".to_owned(), json!("baku")), ("districts".to_owned(), json!(["baku", "quba"]))]);
    condition(text).admits(&record, &caller, today())
}

#[test]
fn admits_what_the_condition_holds_for() {
    let record = json!({
        "district": "baku", "name": { "family": "Əliyeva" }, "birth_date": "1978-03-09", "income": 1200.5, "rooms": 3,
        "is_public": true, "addresses": [{ "district": "quba" }], "death_date": null
    });
    for (text, expected) in [
        ("record.district == caller.district", true),
        ("record.district in caller.districts", true),
        ("record.district != caller.district", false),
        ("record['name'].family.startsWith('Əli')", true),
        ("age(record.birth_date, today) >= 18", true),
        ("age(record.birth_date, today) < 18", false),
        ("date(record.birth_date) < today", true),
        ("age(record.birth_date, '1979-03-08') == 0", true),
        ("record.income > 1000.0 && record.rooms > 2", true),
        ("record.income > 1000", true),
        ("record.is_public", true),
        ("record.addresses.exists(a, a.district == 'quba')", true),
        ("record.addresses[0].district == 'quba'", true),
        ("record.death_date == null", true),
        ("!has(record.retired)", true),
    ] {
        assert_eq!(admits(text, record.clone()), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_there_is_not_admitted() {
    for text in ["record.district == 'baku'", "record.district != 'baku'", "!(record.district == 'baku')", "caller.x == 1"] {
        assert_eq!(admits(text, json!({})), Ok(false), "{text}");
    }
    assert_eq!(admits("record.district == 'baku' || record.is_public", json!({ "is_public": true })), Ok(true));
}

#[test]
fn a_date_in_part_holds_only_where_all_of_its_days_do() {
    let born = |date: &str| json!({ "birth_date": date });
    for (text, date, expected) in [
        // Eighteen years before the day are 2008-11-24.
        ("age(record.birth_date, today) >= 18", "2008-11-24", true),
        ("age(record.birth_date, today) >= 18", "2008-11-25", false),
        ("age(record.birth_date, today) >= 18", "2008-11", false),
        ("age(record.birth_date, today) < 18", "2008-11", false),
        ("age(record.birth_date, today) >= 18", "2008-10", true),
        ("age(record.birth_date, today) < 18", "2008-12", true),
        ("age(record.birth_date, today) >= 18", "2008", false),
        ("age(record.birth_date, today) < 18", "2008", false),
        ("age(record.birth_date, today) >= 18", "2007", true),
        ("date(record.birth_date) < today", "2026-11", false),
        ("date(record.birth_date) >= today", "2026-11", false),
        ("date(record.birth_date) >= today", "2026-12", true),
    ] {
        assert_eq!(admits(text, born(date)), Ok(expected), "{text} of {date}");
    }
    // Neither of two unknown days tells of the other.
    let either = "age(record.a.born, today) >= 18 || age(record.b.born, today) < 18";
    assert_eq!(admits(either, json!({ "a": { "born": "2008" }, "b": { "born": "2008" } })), Ok(false));
}

#[test]
fn what_cannot_be_told_is_an_error_without_values() {
    for (text, record) in [
        ("record.district > 1", json!({ "district": "secret" })),
        ("age(record.district, today) > 1", json!({ "district": "secret" })),
        ("age(record.birth_date, today) < 18", json!({ "birth_date": "2030-01-01" })),
        ("record.district", json!({ "district": "secret" })),
        ("date(record.at) < today", json!({ "at": "2026-01-01T00:00:00Z" })),
    ] {
        let error = admits(text, record).expect_err(text);
        assert!(!error.contains("secret"), "{error}");
    }
    assert!(condition("true").admits(&json!([]), &BTreeMap::new(), today()).is_err());
}

#[test]
fn names_fields_and_attributes_each_once() {
    let named =
        condition("record.name.family == caller.a && record['name']['family'] != caller.b.c && has(record.x) && today != ''");
    let fields: Vec<&str> = named.fields().iter().map(FieldName::as_str).collect();
    assert_eq!(fields, ["name.family", "x"]);
    assert_eq!(named.attributes(), ["a", "b"]);
}

#[test]
fn refuses_what_it_cannot_bound_or_know() {
    for (text, expected) in [
        ("recrod.a == 1", "there is no `recrod` here"),
        ("record == record", "`record` stands with a field"),
        ("record[caller.field] == 1", "`record` stands with a field"),
        ("caller == 1", "`caller` stands with an attribute"),
        ("today.year == 1", "`today` is a text"),
        ("agee(record.a, today) > 1", "there is no function `agee`"),
        ("age(record.a + 'x', today) > 1", "`age` takes fields"),
        ("[1].all(record, age(record.a, today) > 1)", "`age` takes fields"),
        ("age(record.a, today) + age(record.b, today) + age(record.c, today) + age(record.d, today) > 1", "at most 3 dates"),
        ("record['a b'] == 1", "is no field's name"),
        ("record.a ==", "line 1, column"),
    ] {
        let finding = Condition::compile(text).expect_err(text);
        assert!(finding.message.contains(expected), "{text}: {}", finding.message);
    }
    assert_eq!(Condition::compile("recrod.a == 1").expect_err("a slip").instead.as_deref(), Some("record"));
    assert_eq!(Condition::compile("ages(record.a, today) > 1").expect_err("a slip").instead.as_deref(), Some("age"));
}
