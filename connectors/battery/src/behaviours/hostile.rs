//! Input that an attacker or an accident brings. It is data: it round trips exactly, or is refused.

use rabita_model::{Comparison, Operation};
use rabita_sdk::{Applied, Failure, Legacy};

use crate::world::{condition, create, delete, update};
use crate::{Person, Subject, World};

use super::says_that_it_does_not_serve;

#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "", " ", "'", "''", "' OR '1'='1", "\"", "\"; DROP TABLE people; --", "`", ";", "--", "/*", "*", ")", "(",
    "%", "%%", "_", "a%", "a_", "[a-z]", "]]>", "<![CDATA[x]]>", "<pin>P00001</pin>", "<!--", "&amp;", "&#0;", "&lt",
    "\\", "\\'", "\\0", "a\\", "\\u0000", "{}", "{pin}", "{{pin}}", "${pin}", "#{pin}", ":pin", "$1", "?", "@p1",
    "?limit=1&family=x", "#fragment", "/", "//", "../", "..", ".", "../P00001", "P00001/photo", "P00001/", "P00001?x",
    "P00001#", "P00001;x", "P00001 ", " P00001", "P00001%20", "P00001\u{0}", "%2e%2e", "..%2f", "%00", "%", "%zz", "+", "a+b", "a b",
    "\u{0}", "a\u{0}b", "\n", "\r", "\r\n", "a\r\nX-Injected: 1", "\t", "\u{b}", "\u{1b}[31m", "\u{7f}", "\u{85}",
    " outer ", "trailing  ", "Əliyeva Şəhla", "İ", "ı", "ß", "e\u{301}", "é", "\u{202e}abc", "محمد الأمين", "שלום",
    "😀", "👨‍👩‍👧", "\u{feff}bom", "\u{fffd}", "\u{fffe}", "\u{ffff}", "\u{2028}", "\u{e000}", "null", "true", "0", "-1", "1e5", "NaN", "0x41",
    "2147483648", "9223372036854775808", "__proto__", "constructor", "*)(uid=*", "=1+1", "$(id)", "|id",
];

/// One megabyte, as the contract could let through.
fn huge() -> String {
    "Ə".repeat(512 * 1024)
}

fn hostile() -> impl Iterator<Item = String> {
    HOSTILE.iter().map(|text| (*text).to_owned()).chain([huge(), "x".repeat(300)])
}

/// A hostile key names no record, so none is found.
pub async fn hostile_keys_find_nothing_and_harm_nothing<S: Subject>() {
    let people = victims();
    let world = World::<S>::with(&people).await;
    for text in hostile() {
        match world.read(&text).await {
            Ok(None) => {}
            Err(failure) => is_a_clean_refusal(&failure, &text),
            Ok(Some(_)) => panic!("{text:.40?} found a record"),
        }
        for change in [update(&text, "given", "Harmed".into()), delete(&text)] {
            let kind = change.kind;
            match world.apply(change).await {
                Ok(Applied::Absent) => {}
                Err(failure) if !world.serves(kind.operation()) => {
                    assert!(matches!(failure, Failure::Unsupported { .. }), "{failure:?}");
                }
                Err(failure) => is_a_clean_refusal(&failure, &text),
                Ok(applied) => panic!("{kind:?} of {text:.40?}: {applied:?}"),
            }
        }
    }
    world.holds(&people).await;
    assert_eq!(world.read(&people[0].pin).await, Ok(Some(people[0].clone())));
}

/// A hostile filter matches what it matches as text.
pub async fn hostile_filters_find_only_what_matches<S: Subject>() {
    let people = victims();
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Search) {
        let outcome = world.page(&[condition("family", Comparison::Equals, "'")], 5, None).await;
        assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "search is not declared, and answered {outcome:?}");
        return;
    }
    for text in hostile().chain(["A".to_owned(), "a".to_owned(), "a_b".to_owned(), "a%b".to_owned(), "a\\b".to_owned()]) {
        for comparison in [Comparison::Equals, Comparison::Prefix] {
            if !world.compares("family", comparison) {
                continue;
            }
            let right = |person: &&Person| match comparison {
                Comparison::Prefix => person.family.starts_with(&text),
                _ => person.family == text,
            };
            let expected: Vec<Person> = people.iter().filter(right).cloned().collect();
            match world.find(&[condition("family", comparison, &text)], 100).await {
                Ok(mut found) => {
                    found.sort_by(|a, b| a.pin.cmp(&b.pin));
                    assert_eq!(found, expected, "family {comparison:?} {text:.40?}");
                }
                Err(failure) => is_a_clean_refusal(&failure, &text),
            }
        }
    }
    world.holds(&people).await;
}

/// A hostile value is written and read back as it was, or refused, and no other record is touched.
pub async fn hostile_values_round_trip_or_are_refused<S: Subject>() {
    let people = victims();
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Update) {
        return says_that_it_does_not_serve(&world, update("P00001", "notes", "'".into())).await;
    }
    let mut victim = people[1].clone();
    for text in hostile() {
        for source in ["notes", "family"] {
            let outcome = world.apply(update(&victim.pin, source, Legacy::Text(text.clone()))).await;
            if let Err(failure) = &outcome {
                is_a_clean_refusal(failure, &text);
            } else {
                assert_eq!(outcome, Ok(Applied::Done), "{source} := {text:.40?}");
            }
            let read = world.read(&victim.pin).await.expect("the record stays readable").expect("the record");
            let kept = world.subject.keeps(&text);
            if outcome.is_ok() && source == "notes" {
                assert!(!kept || same_notes(read.notes.as_deref(), &text), "notes := {text:.40?} became {:.40?}", read.notes);
            } else if outcome.is_ok() {
                assert!(!kept || read.family == text, "family := {text:.40?} became {:.40?}", read.family);
            } else {
                assert_eq!((&read.family, &read.notes), (&victim.family, &victim.notes), "{text:.40?} was refused");
            }
            victim = read;
        }
    }
    let mut expected = people.clone();
    expected[1] = Person { photo: people[1].photo.clone(), ..victim };
    world.holds(&expected).await;
}

/// A record under a hostile key is found under it and under no other, or was refused.
pub async fn hostile_keys_of_new_records_round_trip_or_are_refused<S: Subject>() {
    let people = victims();
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Create) {
        return says_that_it_does_not_serve(&world, create(&Person::numbered(77))).await;
    }
    for text in hostile() {
        let person = Person { pin: text.clone(), ..Person::numbered(77) };
        match world.apply(create(&person)).await {
            Ok(Applied::Done) => {}
            Ok(applied) => panic!("create of {text:.40?}: {applied:?}"),
            Err(failure) => {
                is_a_clean_refusal(&failure, &text);
                continue;
            }
        }
        if world.subject.keeps(&text) {
            match world.read(&text).await {
                Ok(found) => assert_eq!(found, Some(person), "{text:.40?}"),
                // A key that can be written and not asked for: unlucky, but nothing wrong is answered.
                Err(failure) => is_a_clean_refusal(&failure, &text),
            }
        }
        world.subject.load(&people).await;
    }
    world.holds(&people).await;
}

/// Records that a pattern, a prefix or a fold of case would hit.
fn victims() -> Vec<Person> {
    let mut people = Person::several(12);
    let families = ["axb", "a_b", "a%b", "a\\b", "A_B", "Əliyeva", "əliyeva", "abc", "[a-z]", "a", "Aliyeva", "zzz"];
    for (person, family) in people.iter_mut().zip(families) {
        family.clone_into(&mut person.family);
    }
    people
}

/// An empty text and none may be the same to a legacy system.
fn same_notes(read: Option<&str>, written: &str) -> bool {
    read.unwrap_or_default() == written
}

/// The registry said no to the input: that is not its bad health, and its words do not hold the input.
fn is_a_clean_refusal(failure: &Failure, text: &str) {
    const TELLING: usize = 8;
    assert!(matches!(failure, Failure::Refused { .. }), "{text:.40?}: {failure:?}");
    let shown = text.len() >= TELLING && text.len() < 1000 && failure.to_string().contains(text);
    assert!(!shown, "the failure's text holds the input: {failure}");
}
