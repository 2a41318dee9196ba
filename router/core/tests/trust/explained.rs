//! What an administrator is told: which grant decides, and who can see a field.

use jiff::Timestamp;
use rabita_core::Access;
use rabita_core::access::Verdict;
use rabita_model::Code;
use serde_json::{Value, json};

use crate::country::{NOW, country, field, purpose, read, system};

fn grants() -> Value {
    json!([
        { "group": "desks", "version": "v1", "entity": "persons", "purposes": ["benefits"], "operations": ["read"],
          "fields": ["pin", "name"], "rows": "record.district == caller.district", "requests_per_second": 5 },
        { "system": "portal", "version": "v1", "entity": "persons", "purposes": ["benefits"], "operations": ["read"],
          "fields": ["pin"], "until": "2026-12-31" },
        { "system": "portal", "version": "v1", "entity": "persons", "purposes": ["audit"], "operations": ["read", "search"],
          "fields": "all", "signature": "required" },
    ])
}

fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

#[test]
fn tells_which_grants_decide_and_why_the_others_do_not() {
    let access = Access::of(&country(&grants()));
    let mut ask = read("persons", "5ZJBKH7");
    ask.purpose = Some(purpose("benefits"));
    let told = access.explain(&system("portal"), &ask, now());
    assert!(told.is_permitted && told.code.is_none());
    assert_eq!(told.basis.as_ref().map(|basis| basis.as_str()), Some("benefits-act"));
    let verdicts: Vec<(Verdict, Option<&str>)> = told.grants.iter().map(|grant| (grant.verdict, grant.why)).collect();
    let lacks = (Verdict::Lacks, Some("It does not hold for this purpose, or without one."));
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == lacks).count(), 1);
    assert_eq!(verdicts.iter().filter(|(verdict, _)| *verdict == Verdict::Decides).count(), 2);
    let answer = told.answer.expect("an answer");
    assert_eq!(answer.fields, ["pin", "name.family", "name.given"].map(field));
    assert_eq!(answer.fields_of_every_record, [field("pin")]);
    assert_eq!((answer.rows.len(), answer.requests_per_second), (0, None));

    ask.fields = Some(vec![field("pin")]);
    let told = access.explain(&system("portal"), &ask, now());
    assert_eq!(told.grants.iter().filter(|grant| grant.verdict == Verdict::Unneeded).count(), 1);

    let told = access.explain(&system("kiosk"), &ask, now());
    let answer = told.answer.expect("an answer");
    assert_eq!(answer.rows, ["record.district == caller.district"]);
    assert_eq!(answer.requests_per_second, Some(5));

    ask.purpose = None;
    let told = access.explain(&system("kiosk"), &ask, now());
    assert_eq!((told.is_permitted, told.code), (false, Some(Code::PurposeMissing)));
    assert!(told.told.is_some_and(|told| told.contains("benefits")));
    assert_eq!(access.explain(&system("nobody"), &ask, now()).code, Some(Code::NotPermitted));
}

#[test]
fn an_explanation_can_be_written_down() {
    let access = Access::of(&country(&grants()));
    let mut ask = read("persons", "5ZJBKH7");
    ask.purpose = Some(purpose("audit"));
    let told = serde_json::to_value(access.explain(&system("portal"), &ask, now())).expect("JSON");
    assert_eq!(told["answer"]["demands"], json!(["signature"]));
    assert_eq!(told["operation"], "read");
    assert_eq!(told["target"], "population/v1/persons");
}

#[test]
fn tells_who_can_see_a_field() {
    let access = Access::of(&country(&grants()));
    let who = |pattern: &str| access.who(pattern);
    let systems: Vec<String> = who("population/v1/persons.name").iter().map(|holder| holder.system.to_string()).collect();
    assert_eq!(systems, ["kiosk", "portal", "portal"]);
    assert_eq!(who("population/*/*.district").len(), 1);
    assert_eq!(who("population/v1/persons").len(), 4);
    assert!(who("land/v1/plots.owner").is_empty() && who("nonsense").is_empty());
    let written = serde_json::to_value(who("population/v1/persons.name.family")).expect("JSON");
    assert_eq!(written[0]["group"], "desks");
    assert_eq!(written[0]["fields"], json!(["name.family"]));
    assert_eq!(written[0]["agency"], "asan");
}
