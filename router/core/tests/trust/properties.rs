//! Properties of grants: whatever they are, and in whatever order their files come.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rabita_core::Access;
use rabita_model::{Ask, FieldName};
use serde_json::{Map, Value, json};

use crate::country::{FIELDS, NOW, Stage, country, evidence, field, person, purpose, read, search, system, told};

type Admits = fn(&Value) -> bool;

/// The conditions that grants are made with, and whether each admits a record, said once more in plain Rust.
const ROWS: [(&str, Admits); 3] = [
    ("record.district == caller.district", |person| person["DISTRICT"] == "baku"),
    ("record.district != 'baku'", |person| person["DISTRICT"].as_str().is_some_and(|district| district != "baku")),
    ("age(record.birth_date, today) >= 18", |person| {
        // The last day that a birth of which only this is known can have been on.
        let birth = person["BIRTH"].as_str().unwrap_or_default();
        let latest = match birth.len() {
            4 => format!("{birth}-12-31"),
            7 => format!("{birth}-31"),
            _ => birth.to_owned(),
        };
        latest.as_str() <= "2008-11-24"
    }),
];

/// A grant, with the number of its condition.
#[derive(Debug, Clone)]
struct Made {
    json: Value,
    fields: Vec<&'static str>,
    purposes: Option<Vec<&'static str>>,
    operations: Vec<&'static str>,
    has_ended: bool,
    rows: Option<usize>,
    needs_consent: bool,
}

fn grant() -> impl Strategy<Value = Made> {
    let conditions = (prop::option::weighted(0.6, 0..ROWS.len()), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let fields = subsequence(FIELDS.to_vec(), 1..=FIELDS.len());
    let purposes = prop::option::of(subsequence(vec!["benefits", "audit"], 1..=2));
    let operations = subsequence(vec!["read", "search"], 1..=2);
    (fields, purposes, operations, conditions).prop_map(|(fields, purposes, operations, (rows, needs_consent, has_ended))| {
        let mut json = json!({
            "system": "portal", "version": "v1", "entity": "persons", "operations": operations, "fields": fields,
            "purposes": purposes.as_ref().map_or_else(|| json!("any"), |purposes| json!(purposes)),
        });
        if let Some(rows) = rows {
            json["rows"] = ROWS[rows].0.into();
        }
        if needs_consent {
            json["consent"] = "required".into();
        }
        if has_ended {
            json["until"] = "2026-11-23".into();
        }
        Made { json, fields, purposes, operations, has_ended, rows, needs_consent }
    })
}

fn persons() -> impl Strategy<Value = Vec<Value>> {
    let births = select(vec!["1978-03", "2008", "2008-11", "2008-11-24", "2008-11-25", "2015-06-01", "1990"]);
    let districts = select(vec![Some("baku"), Some("ganja"), None]);
    prop::collection::vec((births, districts), 1..6).prop_map(|made| {
        let made = made.into_iter().enumerate();
        made.map(|(at, (birth, district))| {
            let pin = if at == 0 { "5ZJBKH7".to_owned() } else { format!("PIN{at}") };
            person(&pin, "Aliyeva", birth, district)
        })
        .collect()
    })
}

/// A request, and for which operation it is.
fn asks() -> impl Strategy<Value = (Ask, &'static str)> {
    let purposes = prop::option::of(select(vec!["benefits", "audit", "other"]));
    let fields = prop::option::of(subsequence(vec!["pin", "name", "name.family", "birth_date", "district"], 1..=3));
    let consents = prop::option::of(select(vec!["C1", "C2", "C9"]));
    (purposes, fields, consents, any::<bool>()).prop_map(|(asked_for, fields, consent, searches)| {
        let (mut ask, operation) =
            if searches { (search("name.family", "Aliyeva", 100), "search") } else { (read("persons", "5ZJBKH7"), "read") };
        ask.purpose = asked_for.map(purpose);
        ask.fields = fields.map(|fields| fields.into_iter().map(field).collect());
        ask.consent = consent.map(str::to_owned);
        (ask, operation)
    })
}

impl Made {
    /// Whether it lets this record be seen for this request.
    fn admits(&self, ask: &Ask, operation: &str, person: &Value) -> bool {
        let for_purpose = |purposes: &Vec<&str>| ask.purpose.as_ref().is_some_and(|own| purposes.contains(&own.as_str()));
        let consented = ask.consent.as_deref() == Some("C1") && person["PIN"] == "5ZJBKH7";
        self.operations.contains(&operation)
            && !self.has_ended
            && self.purposes.as_ref().is_none_or(for_purpose)
            && (!self.needs_consent || consented)
            && self.rows.is_none_or(|rows| ROWS[rows].1(person))
    }
}

/// The fields of a record, as dotted paths of the contract.
fn leaves(record: &Map<String, Value>) -> BTreeSet<FieldName> {
    rabita_model::update::patched_fields(record).into_iter().collect()
}

/// What a caller must be able to see of a person, from the grants alone.
fn visible(grants: &[Made], ask: &Ask, operation: &str, person: &Value) -> Option<BTreeSet<FieldName>> {
    let admitting: Vec<&Made> = grants.iter().filter(|grant| grant.admits(ask, operation, person)).collect();
    let union: BTreeSet<&str> = admitting.iter().flat_map(|grant| grant.fields.iter().copied()).collect();
    // Who may not see a name finds nobody by it.
    if operation == "search" && !union.contains("name.family") {
        return None;
    }
    let asked = |name: &FieldName| ask.fields.as_ref().is_none_or(|fields| fields.iter().any(|asked| asked.covers(name)));
    let has = |name: &FieldName| name.as_str() != "district" || !person["DISTRICT"].is_null();
    let all: BTreeSet<FieldName> = union.into_iter().map(field).filter(asked).collect();
    (!all.is_empty()).then(|| all.into_iter().filter(has).collect())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// An answer holds, of each record, exactly the fields of the grants that admit it, as far as they were asked for.
    #[test]
    fn each_record_shows_the_union_of_the_grants_that_admit_it_and_no_more(
        grants in prop::collection::vec(grant(), 0..5), persons in persons(), (ask, operation) in asks(),
    ) {
        let json: Vec<Value> = grants.iter().map(|grant| grant.json.clone()).collect();
        let stage = Stage::new(&json!(json), persons.clone());
        let exchange = run(stage.ask(ask.clone()));
        let fields: BTreeSet<FieldName> = exchange.trail.fields.iter().cloned().collect();
        let answer = told(exchange);
        let shown: Vec<Value> = match &answer {
            Ok(Value::Array(records)) => records.clone(),
            Ok(record) => vec![record.clone()],
            Err(_) => Vec::new(),
        };
        let of_interest = if operation == "read" { &persons[..1] } else { &persons[..] };
        let due: Vec<BTreeSet<FieldName>> =
            of_interest.iter().filter_map(|person| visible(&grants, &ask, operation, person)).collect();
        if answer.is_ok() {
            let got: Vec<BTreeSet<FieldName>> =
                shown.iter().map(|record| leaves(record.as_object().expect("a record"))).collect();
            prop_assert_eq!(&got, &due);
            // What the ledger is told to be released is no less than what was.
            prop_assert!(got.iter().flatten().all(|name| fields.contains(name)));
        } else if due.iter().any(|fields| !fields.is_empty()) {
            // A refusal where something could be seen: a field that no grant covers was asked for by name.
            prop_assert_eq!(answer, Err(rabita_model::Code::FieldNotPermitted));
        }
    }

    /// The order in which grants stand in files, and files in a folder, changes nothing.
    #[test]
    fn the_order_of_grants_counts_for_nothing(
        (grants, shuffled) in prop::collection::vec(grant(), 0..5)
            .prop_flat_map(|grants| (Just(grants.clone()), Just(grants).prop_shuffle())),
        persons in persons(), (ask, _) in asks(),
    ) {
        let of = |grants: &[Made]| {
            let json = json!(grants.iter().map(|grant| grant.json.clone()).collect::<Vec<_>>());
            let told_by = Access::of(&country(&json)).explain(&system("portal"), &ask, NOW.parse().expect("a time"));
            let exchange = run(Stage::new(&json, persons.clone()).ask(ask.clone()));
            let explanation = exchange.result.as_ref().err().and_then(|refusal| refusal.explanation.clone());
            (serde_json::to_value(told_by).expect("JSON"), explanation, told(exchange))
        };
        prop_assert_eq!(of(&grants), of(&shuffled));
    }

    /// What an administrator is told is what the caller meets.
    #[test]
    fn an_explanation_agrees_with_the_exchange(
        grants in prop::collection::vec(grant(), 0..5), persons in persons(), (ask, _) in asks(),
    ) {
        let json = json!(grants.iter().map(|grant| grant.json.clone()).collect::<Vec<_>>());
        let explained = Access::of(&country(&json)).explain(&system("portal"), &ask, NOW.parse().expect("a time"));
        let stage = Stage::new(&json, persons);
        let exchange = run(stage.ask_as(evidence("portal"), ask));
        let released: BTreeSet<FieldName> = exchange.trail.fields.iter().cloned().collect();
        match (explained.answer, told(exchange)) {
            (None, answer) => prop_assert_eq!(answer.err(), explained.code),
            (Some(would), Ok(_)) => {
                let would: BTreeSet<FieldName> = would.fields.into_iter().collect();
                prop_assert!(released.is_subset(&would));
            }
            // The registry has no such record for this caller, or the consent is none.
            (Some(_), Err(code)) => {
                prop_assert!(matches!(code, rabita_model::Code::RecordAbsent | rabita_model::Code::ConsentInvalid), "{code}");
            }
        }
    }
}
