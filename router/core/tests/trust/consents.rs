//! Demands of a grant: hours, signatures, bound tokens, and the consent of the person whom a record is about.

use std::sync::Arc;
use std::time::Duration;

use rabita_core::{Evidence, Token};
use rabita_model::Code;
use serde_json::{Value, json};

use crate::country::{Stage, evidence, person, purpose, read, told};

fn grant(entity: &str, more: Value) -> Value {
    let mut grant = json!({
        "system": "portal", "version": "v1", "entity": entity, "purposes": "any", "operations": ["read"], "fields": "all",
    });
    for (name, value) in more.as_object().expect("an object") {
        grant[name] = value.clone();
    }
    grant
}

fn persons() -> Vec<Value> {
    vec![person("5ZJBKH7", "Aliyeva", "1978-03", None), person("1ABCDE2", "Mammadov", "1990-01-01", None)]
}

fn consented(entity: &str, key: &str, consent: Option<&str>) -> rabita_model::Ask {
    let mut ask = read(entity, key);
    ask.consent = consent.map(str::to_owned);
    ask
}

#[tokio::test]
async fn a_consent_opens_the_records_of_whoever_gave_it_and_no_others() {
    let stage = Stage::new(&json!([grant("persons", json!({ "consent": "required" }))]), persons());
    let of = async |key: &str, consent: Option<&str>| stage.answer(consented("persons", key, consent)).await.map(|_| ());
    assert_eq!(of("5ZJBKH7", Some("C1")).await, Ok(()));
    assert_eq!(of("5ZJBKH7", None).await, Err(Code::ConsentMissing));
    assert_eq!(of("5ZJBKH7", Some("C2")).await, Err(Code::ConsentInvalid));
    assert_eq!(of("5ZJBKH7", Some("C9")).await, Err(Code::ConsentInvalid));
    assert_eq!(of("1ABCDE2", Some("C1")).await, Err(Code::ConsentInvalid));
    // Whether there is such a record is told to nobody who could not see it.
    assert_eq!(of("9NOBODY", Some("C1")).await, Err(Code::ConsentInvalid));
}

#[tokio::test]
async fn the_subject_of_a_record_is_fetched_for_the_consent_and_not_released() {
    let stage = Stage::new(&json!([grant("licences", json!({ "consent": "required", "fields": ["kind"] }))]), persons());
    assert_eq!(stage.answer(consented("licences", "L1", Some("C1"))).await, Ok(json!({ "kind": "B" })));
    assert_eq!(stage.answer(consented("licences", "L2", Some("C1"))).await, Err(Code::ConsentInvalid));
    assert_eq!(stage.answer(consented("licences", "L9", Some("C1"))).await, Err(Code::ConsentInvalid));
}

#[tokio::test]
async fn nothing_is_released_while_the_consent_registry_is_down() {
    let stage = Stage::new(&json!([grant("persons", json!({ "consent": "required" }))]), persons());
    stage.consents.goes_down();
    assert_eq!(stage.answer(consented("persons", "5ZJBKH7", Some("C1"))).await, Err(Code::RegistryUnavailable));
}

#[tokio::test]
async fn without_a_consent_that_holds_the_other_grants_count() {
    let plain = grant("persons", json!({ "fields": ["pin"] }));
    let stage = Stage::new(&json!([grant("persons", json!({ "consent": "required" })), plain]), persons());
    let alone = Ok(json!({ "pin": "1ABCDE2" }));
    assert_eq!(stage.answer(consented("persons", "1ABCDE2", None)).await, alone);
    assert_eq!(stage.answer(consented("persons", "1ABCDE2", Some("C1"))).await, alone);
    assert_eq!(stage.answer(consented("persons", "1ABCDE2", Some("C2"))).await, alone);
    let both = stage.answer(consented("persons", "5ZJBKH7", Some("C1"))).await.expect("an answer");
    assert!(both["name"].is_object(), "{both}");
}

#[tokio::test]
async fn a_grant_holds_within_its_hours_and_says_when_they_begin() {
    let hours = json!({ "hours": [{ "days": ["tuesday"], "from": "09:00", "to": "18:00", "zone": "Asia/Baku" }] });
    let stage = Stage::new(&json!([grant("persons", hours)]), persons());
    assert!(stage.answer(read("persons", "5ZJBKH7")).await.is_ok());
    stage.clock.set("2026-11-24T14:00:00Z");
    let refused = stage.ask(read("persons", "5ZJBKH7")).await.result.err().expect("a refusal");
    assert_eq!(refused.code, Code::OutsideHours);
    // From 14:00 on a Tuesday to 05:00 on the next one.
    assert_eq!(refused.retry_after, Some(Duration::from_secs((7 * 24 - 9) * 3600)));
    assert_eq!(refused.explanation.as_deref(), Some("The grant for this holds again from 2026-12-01T05:00:00Z."));
}

#[tokio::test]
async fn what_is_lacking_is_told_one_by_one_and_only_to_who_has_a_grant() {
    let demands = json!({
        "purposes": ["audit", "benefits"], "until": "2026-11-30", "signature": "required", "binding": "required",
        "consent": "required", "hours": [{ "from": "09:00", "to": "18:00", "zone": "UTC" }],
    });
    let stage = Stage::new(&json!([grant("persons", demands)]), persons());
    let token = |is_bound| {
        let (issuer, client_id) = ("https://id.gov.az".to_owned(), "portal".to_owned());
        Some(Arc::new(Token { issuer, client_id, is_bound, ..Token::default() }))
    };
    let mut ask = consented("persons", "5ZJBKH7", None);
    let mut shown = evidence("portal");
    let of = async |shown: &Evidence, ask: &rabita_model::Ask| {
        let refused = stage.ask_as(shown.clone(), ask.clone()).await.result.err();
        refused.map(|refusal| (refusal.code, refusal.explanation.unwrap_or_default()))
    };
    assert_eq!(of(&evidence("kiosk"), &ask).await, Some((Code::NotPermitted, String::new())));
    stage.clock.set("2026-12-01T11:00:00Z");
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::GrantExpired));
    stage.clock.set("2026-11-24T20:00:00Z");
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::OutsideHours));
    stage.clock.set(crate::country::NOW);
    let purposes = "The grant for this holds for these purposes: audit, benefits.".to_owned();
    assert_eq!(of(&shown, &ask).await, Some((Code::PurposeMissing, purposes.clone())));
    ask.purpose = Some(purpose("other"));
    assert_eq!(of(&shown, &ask).await, Some((Code::PurposeNotPermitted, purposes)));
    ask.purpose = Some(purpose("audit"));
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::SignatureMissing));
    shown.is_signed = true;
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::BindingMissing));
    shown.token = token(false);
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::BindingMissing));
    shown.token = token(true);
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::ConsentMissing));
    ask.consent = Some("C2".to_owned());
    assert_eq!(of(&shown, &ask).await.map(|(code, _)| code), Some(Code::ConsentInvalid));
    ask.consent = Some("C1".to_owned());
    let exchange = stage.ask_as(shown, ask).await;
    assert_eq!(exchange.trail.basis.as_ref().map(|basis| basis.as_str()), Some("audit-act"));
    assert!(told(exchange).is_ok());
}
