//! Changes that are found, whoever made them.

use rabita_model::Operation;
use rabita_sdk::{ChangePage, Detected, Failure, Legacy};

use super::done;
use crate::eventually;
use crate::people::key;
use crate::world::{create, delete, update};
use crate::{Person, Subject, World};

/// The longest until a change comes to light.
const TIME: std::time::Duration = std::time::Duration::from_secs(20);

/// What is made and changed is found in that order, once, page by page, and from where the search ended.
pub async fn finds_changes_in_their_order_and_goes_on<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let Some(now) = begin(&world).await else { return };
    let (changed, made) = (people[1].pin.clone(), Person::numbered(50));
    done(&world, update(&changed, "family", "Changed".into())).await;
    done(&world, create(&made)).await;
    // Pages of one: each goes on where the one before ended.
    let (found, place) = collect(&world, now.since, 2, 1).await;
    assert_eq!(found.iter().map(|one| pin_of(&world, one)).collect::<Vec<_>>(), [changed.as_str(), made.pin.as_str()]);
    for one in &found {
        if let Detected::Row(row) = one {
            let person = Person::from_row(row);
            assert_eq!(world.read(&person.pin).await, Ok(Some(person)), "not the record as it is now");
        }
    }
    assert_eq!(collect(&world, place.clone(), 0, 5).await.0, []);
    done(&world, update(&people[2].pin, "family", "Later".into())).await;
    let (found, place) = collect(&world, place, 1, 5).await;
    assert_eq!(pin_of(&world, &found[0]), people[2].pin);
    // An end of a record is told or not; if it is, then as such.
    done(&world, delete(&people[0].pin)).await;
    let page = page(&world, Some(place), 5).await;
    let gone = Detected::Key { key: key(&people[0].pin), is_gone: true };
    assert!(page.changes.is_empty() || page.changes == [gone], "{:?}", page.changes);
}

/// A search that begins now finds nothing of what was before.
pub async fn finds_no_changes_from_before_its_beginning<S: Subject>() {
    let world = World::<S>::with(&Person::several(12)).await;
    let Some(now) = begin(&world).await else { return };
    assert_eq!((now.changes.len(), now.has_more), (0, false));
    let next = page(&world, Some(now.since.clone()), 5).await;
    assert_eq!((next.changes.len(), next.has_more), (0, false), "{next:?}");
    assert_eq!(page(&world, Some(next.since), 5).await.changes, []);
}

/// The place that is now; none from a connector that finds no changes, which has to say so.
async fn begin<S: Subject>(world: &World<S>) -> Option<ChangePage> {
    if world.serves(Operation::Subscribe) {
        return Some(page(world, None, 5).await);
    }
    let outcome = world.changes(None, 5).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "changes are not declared, and answered {outcome:?}");
    None
}

async fn page<S: Subject>(world: &World<S>, since: Option<String>, limit: usize) -> ChangePage {
    let page = world.changes(since, limit).await.expect("a page of changes");
    assert!(page.changes.len() <= limit, "a page of {} where {limit} were asked for", page.changes.len());
    page
}

/// So many changes, as they come to light, and where they end.
async fn collect<S: Subject>(world: &World<S>, since: String, count: usize, limit: usize) -> (Vec<Detected>, String) {
    let mut found = Vec::new();
    let mut place = since;
    eventually("all changes come to light", TIME, async || {
        let page = page(world, Some(place.clone()), limit).await;
        found.extend(page.changes);
        place = page.since;
        found.len() >= count && !page.has_more
    })
    .await;
    assert_eq!(found.len(), count, "{found:?}");
    (found, place)
}

fn pin_of<S: Subject>(world: &World<S>, change: &Detected) -> String {
    let value = match change {
        Detected::Row(row) => row.find(&world.entity.key[0]).cloned(),
        Detected::Key { key, is_gone } => {
            assert!(!is_gone, "the record is there");
            key.first().cloned()
        }
    };
    value.as_ref().and_then(Legacy::to_text).expect("a pin").into_owned()
}
