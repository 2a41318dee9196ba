//! Reading by key.

use rabita_sdk::{Read, Row, Source};

use crate::people::{key, wanted};
use crate::world::{ample, whole};
use crate::{Person, Subject, World};

/// The record of the key, each value as the legacy system holds it.
pub async fn finds_a_record_by_its_key<S: Subject>() {
    let mut people = Person::several(5);
    people[2].family = "Əliyeva".to_owned();
    let world = World::<S>::with(&people).await;
    for person in &people {
        assert_eq!(world.read(&person.pin).await, Ok(Some(person.clone())));
    }
}

/// Absence is an answer, not a failure.
pub async fn answers_none_for_an_absent_record<S: Subject>() {
    let world = World::<S>::with(&Person::several(3)).await;
    for absent in ["P99999", "P0000", "P000000", "p00000", "Q"] {
        assert_eq!(world.read(absent).await, Ok(None), "{absent}");
    }
}

/// One answer for each key, in the order asked, also where keys are absent or repeated.
pub async fn answers_several_keys_in_their_order<S: Subject>() {
    const MANY: usize = 120;
    let people = Person::several(MANY);
    let world = World::<S>::with(&people).await;
    let orders: [Vec<usize>; 5] = [vec![], vec![1], vec![3, 999, 1, 3, 2], vec![998, 999], (0..MANY + 10).rev().collect()];
    for order in orders {
        let asks = order.iter().map(|number| whole(&Person::numbered(*number).pin)).collect();
        let rows = world.connector.read_many(asks, &ample()).await.expect("the records");
        let found: Vec<Option<Person>> = rows.iter().map(|row| row.as_ref().map(Person::from_row)).collect();
        let expected: Vec<Option<Person>> = order.iter().map(|number| people.get(*number).cloned()).collect();
        assert_eq!(found, expected);
    }
}

/// The row holds what is wanted; of a connector that projects it holds nothing else of the record.
pub async fn hands_over_what_is_wanted<S: Subject>() {
    let people = Person::several(2);
    let world = World::<S>::with(&people).await;
    let wants: [&[&str]; 4] = [&["family"], &["born", "given"], &["notes", "pin"], &["version"]];
    for sources in wants {
        let ask = Read { entity: 0, key: key(&people[1].pin), wanted: wanted(sources) };
        let row = world.connector.read(ask, &ample()).await.expect("a read").expect("the record");
        for source in sources {
            assert_eq!(text(&row, source), text_of(&people[1], source), "{source}");
        }
        if world.can().projects {
            for other in ["family", "born", "given", "notes"].iter().filter(|name| !sources.contains(*name)) {
                assert!(row.find(&Source::new(other)).is_none(), "`{other}` came although only {sources:?} was wanted");
            }
        }
    }
}

/// A value that is not there is null, or not in the row; it is not some text.
pub async fn tells_null_from_text<S: Subject>() {
    let people = [
        Person { notes: None, ..Person::numbered(1) },
        Person { notes: Some("null".to_owned()), ..Person::numbered(2) },
        Person { notes: Some("0".to_owned()), ..Person::numbered(3) },
    ];
    let world = World::<S>::with(&people).await;
    for person in &people {
        assert_eq!(world.read(&person.pin).await, Ok(Some(person.clone())));
    }
}

fn text(row: &Row, source: &str) -> String {
    let value = row.find(&Source::new(source)).unwrap_or_else(|| panic!("`{source}` was wanted and did not come"));
    value.to_text().unwrap_or_else(|| panic!("`{source}` is {}", value.kind())).into_owned()
}

fn text_of(person: &Person, source: &str) -> String {
    match source {
        "pin" => person.pin.clone(),
        "family" => person.family.clone(),
        "given" => person.given.clone(),
        "born" => person.born.clone(),
        "version" => person.version.to_string(),
        _ => person.notes.clone().expect("this person has notes"),
    }
}
