//! Evidence of an exchange.

use rabita_ledger::entry::{Answered, RequestSignature};
use rabita_ledger::evidence::{Bundle, Check, Verdict, is_about, verify};
use rabita_ledger::log::VerifierKey;
use serde_json::{Value, json};

use crate::kept::{ANSWER, Kept, REQUEST, conclusion, exchange, exchange_id, person, read, update_id};

async fn bundle(kept: &Kept) -> (Bundle, VerifierKey) {
    let ledger = kept.open();
    for number in 10..20 {
        ledger.record(exchange(read(number, "interior", "1AAAAA1", "2026-11-24T11:00:00Z"))).await.expect("recorded");
    }
    let mut fact = read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z");
    fact.update = Some(update_id(1));
    ledger.record(exchange(fact)).await.expect("recorded");
    ledger.record(conclusion(1, "interior", "5ZJBKH7", "2026-12-01T12:00:00Z")).await.expect("recorded");
    let bundle = ledger.evidence(exchange_id(1), Some(REQUEST.to_vec()), Some(ANSWER.to_vec())).await.expect("evidence");
    let key = ledger.log().verifier().clone();
    ledger.close().await;
    (bundle, key)
}

fn holds(checks: &[Check]) -> bool {
    !checks.is_empty() && checks.iter().all(|check| check.verdict == Verdict::Holds)
}

fn told(checks: &[Check]) -> String {
    checks.iter().map(|check| format!("{check}\n")).collect()
}

#[tokio::test]
async fn a_bundle_proves_what_was_asked_and_answered_and_says_all_that_was_looked_at() {
    let (bundle, key) = bundle(&Kept::new()).await;
    let text = serde_json::to_string(&bundle).expect("JSON");
    let read: Bundle = serde_json::from_str(&text).expect("a bundle");
    let checks = verify(&read, Some(&key));
    assert!(holds(&checks), "{}", told(&checks));
    let told = told(&checks);
    for sentence in [
        "is the key of the log",
        "the checkpoint of bus.example/node with 12 entries is signed by that key",
        "entry 10 is in the log of the checkpoint",
        "entry 11 is in the log of the checkpoint",
        "on behalf of \"official-17\"",
        "in the case \"CASE-0815\"",
        "with the consent \"CONSENT-4711\"",
        "the bundle says how the update",
        "the request given is the one that the log has the digest of",
        "the answer given is the one that the log has the digest of",
    ] {
        assert!(told.contains(sentence), "{sentence}: {told}");
    }
    assert_eq!(is_about(&read, &person("5ZJBKH7")).verdict, Verdict::Holds);
    assert!(matches!(is_about(&read, &person("1AAAAA1")).verdict, Verdict::Fails(_)));
}

#[tokio::test]
async fn any_change_of_any_member_is_found() {
    let (bundle, key) = bundle(&Kept::new()).await;
    let whole = serde_json::to_value(&bundle).expect("JSON");
    let mut places = Vec::new();
    places_of(&whole, String::new(), &mut places);
    assert!(places.len() > 25, "{places:?}");
    let mut tried = 0;
    for place in &places {
        let found = whole.pointer(place).expect("a place").clone();
        for changed in changes(&found) {
            let mut value = whole.clone();
            *value.pointer_mut(place).expect("a place") = changed.clone();
            refused(&value, &key, &format!("{place}: {found} became {changed}"));
            tried += 1;
        }
        let mut value = whole.clone();
        if remove(&mut value, place) {
            refused(&value, &key, &format!("{place} was removed"));
        }
    }
    assert!(tried > 1_000, "{tried}");
    let mut value = whole;
    value["more"] = json!(1);
    refused(&value, &key, "a member was added");
}

/// It is no bundle any more, or something in it does not hold, or something is missing.
fn refused(value: &Value, key: &VerifierKey, what: &str) {
    if let Ok(bundle) = serde_json::from_value::<Bundle>(value.clone()) {
        let checks = verify(&bundle, Some(key));
        assert!(!holds(&checks), "{what}: {}", told(&checks));
    }
}

/// Every member and element, however deep.
fn places_of(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| places_of(value, format!("{place}/{name}"), places)),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, value)| places_of(value, format!("{place}/{at}"), places));
        }
        _ => {}
    }
    if !place.is_empty() {
        places.push(place);
    }
}

/// Some other values: of a text, with each of its characters changed.
fn changes(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) => vec![json!(number.as_u64().expect("a number") + 1), json!(0), json!(null)],
        Value::String(text) => {
            let characters: Vec<char> = text.chars().collect();
            let changed = |at: usize| {
                let other = if characters[at] == 'A' { 'B' } else { 'A' };
                let changed = characters.iter().enumerate().map(|(here, own)| if here == at { other } else { *own });
                Value::String(changed.collect())
            };
            let mut changes: Vec<Value> = (0..characters.len()).map(changed).collect();
            changes.push(json!(format!("{text} ")));
            changes.push(json!(""));
            changes
        }
        Value::Array(elements) => {
            let mut doubled = elements.clone();
            doubled.extend(elements.last().cloned());
            vec![json!([]), Value::Array(doubled)]
        }
        _ => vec![json!({}), json!(null)],
    }
}

/// Removes a member or an element; not an optional one whose absence says nothing false.
fn remove(value: &mut Value, place: &str) -> bool {
    let (parent, name) = place.rsplit_once('/').expect("a place");
    match value.pointer_mut(parent).expect("a parent") {
        Value::Object(members) => members.shift_remove(name).is_some(),
        Value::Array(elements) => {
            elements.remove(name.parse().expect("an index"));
            true
        }
        _ => false,
    }
}

#[tokio::test]
async fn what_is_not_given_is_said_to_be_missing_and_not_to_hold() {
    let kept = Kept::new();
    let ledger = kept.open();
    let mut fact = read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z");
    fact.answer = Answered::Streamed;
    fact.signature = Some(RequestSignature { key: "portal-2026".into(), signature: "AAAA".into(), input: "sig=()".into() });
    ledger.record(exchange(fact)).await.expect("recorded");
    let bundle = ledger.evidence(exchange_id(1), None, Some(ANSWER.to_vec())).await.expect("evidence");
    let checks = verify(&bundle, None);
    let missing: Vec<_> = checks.iter().filter(|check| matches!(check.verdict, Verdict::NotGiven(_))).collect();
    assert_eq!(missing.len(), 4, "the key, the caller's signature, the request, the streamed answer: {}", told(&checks));
    assert!(!checks.iter().any(|check| matches!(check.verdict, Verdict::Fails(_))));
    ledger.close().await;
}

#[tokio::test]
async fn another_content_or_another_logs_key_does_not_hold() {
    let kept = Kept::new();
    let (bundle, key) = bundle(&kept).await;
    let (_, other) = self::bundle(&Kept::new()).await;
    assert!(!holds(&verify(&bundle, Some(&other))));
    let ledger = kept.open();
    for (request, answer) in [(b"GET /other\n\n".to_vec(), ANSWER.to_vec()), (REQUEST.to_vec(), b"{}".to_vec())] {
        let bundle = ledger.evidence(exchange_id(1), Some(request), Some(answer)).await.expect("evidence");
        assert!(!holds(&verify(&bundle, Some(&key))));
    }
    ledger.close().await;
}

#[tokio::test]
async fn when_the_key_is_destroyed_the_bundle_still_proves_that_the_entry_is_in_the_log() {
    let kept = Kept::new();
    let (_, key) = bundle(&kept).await;
    let ledger = kept.open();
    for name in ["interior/2026-11", "interior/2026-12"] {
        ledger.destroy(name.to_owned().try_into().expect("a name"), "the law").await.expect("destroyed");
    }
    let bundle = ledger.evidence(exchange_id(1), Some(REQUEST.to_vec()), None).await.expect("evidence");
    assert!(bundle.openings.is_empty());
    let told = told(&verify(&bundle, Some(&key)));
    assert!(told.contains("holds: entry 10 is in the log") && told.contains("(the key is destroyed)"), "{told}");
    assert!(matches!(is_about(&bundle, &person("5ZJBKH7")).verdict, Verdict::NotGiven(_)));
    ledger.close().await;
}
