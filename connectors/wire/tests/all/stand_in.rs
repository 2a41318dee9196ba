//! The stand-in for offline tests: rows of a fixture, over the wire contract within the process.

use rabita_battery::world::{ample, condition, create, delete, update, whole};
use rabita_battery::{Person, people};
use rabita_model::Comparison;
use rabita_sdk::{Applied, Search};
use serde_json::{Value, json};

fn row(person: &Person) -> Value {
    json!({
        "pin": person.pin, "family": person.family, "given": person.given, "born": person.born,
        "notes": person.notes, "version": person.version,
    })
}

#[tokio::test]
async fn a_fixture_is_read_searched_and_changed() {
    let all = Person::several(5);
    let mut spec = people::registry(json!({ "url": "http://127.0.0.1:1" }), json!("people"));
    spec.entities[0].version = Some(rabita_sdk::Source::new("version"));
    let fixture = json!({ "people": all.iter().map(row).collect::<Vec<_>>() });
    let double = rabita_wire::kind().double(spec.clone(), &fixture).await.expect("a stand-in");
    let connector = double.connector;
    let read = connector.read(whole("P00003"), &ample()).await.expect("an answer").expect("a record");
    assert_eq!(Person::from_row(&read), all[3]);
    let conditions = vec![condition("born", Comparison::From, &all[2].born)];
    let search = Search { entity: 0, conditions, wanted: people::wanted(&people::SOURCES), limit: 2, cursor: None };
    let page = connector.search(search, &ample()).await.expect("a page");
    assert_eq!((Person::from_row(&page.rows[0]), page.next.is_some()), (all[2].clone(), true));
    assert_eq!(connector.apply(update("P00001", "family", "New".into()), &ample()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(create(&all[1]), &ample()).await, Ok(Applied::Conflict));
    assert_eq!(connector.apply(delete("P00000"), &ample()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(delete("P00000"), &ample()).await, Ok(Applied::Absent));
    let changed = connector.read(whole("P00001"), &ample()).await.expect("an answer").expect("a record");
    assert_eq!(Person::from_row(&changed), Person { family: "New".into(), version: 2, ..all[1].clone() });
    let unknown = rabita_wire::kind().double(spec, &json!({ "persons": [] })).await;
    assert!(unknown.is_err_and(|error| error.to_string().contains("`persons`")));
}
