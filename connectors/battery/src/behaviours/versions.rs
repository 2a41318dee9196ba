//! Changes that depend on a version.

use futures_util::future::join_all;
use rabita_sdk::{Applied, Change, Failure, Legacy};

use crate::world::{delete, replace, update};
use crate::{Person, Subject, World};

/// A change for another version than the record's is a conflict, and changes nothing.
pub async fn changes_only_the_version_that_was_expected<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let pin = &people[1].pin;
    let first = world.version(pin).await;
    let changes = [update(pin, "family", "New".into()), replace(&people[1]), delete(pin)];
    for change in changes.into_iter().filter(|change| world.serves(change.kind.operation())) {
        let change = |expected: &Legacy| expecting(Change { id: uuid::Uuid::now_v7(), ..change.clone() }, expected);
        if !world.can().checks_versions {
            return says_that_it_checks_none(&world, change(&first)).await;
        }
        let current = world.version(pin).await;
        if current != first {
            let before = world.subject.people().await;
            assert_eq!(world.apply(change(&first)).await, Ok(Applied::Conflict), "{:?}", change(&first).kind);
            world.holds(&before).await;
        }
        assert_eq!(world.apply(change(&current)).await, Ok(Applied::Done), "{:?}", change(&first).kind);
    }
    for change in [update("P99999", "family", "New".into()), delete("P99999")] {
        if world.serves(change.kind.operation()) && world.can().checks_versions {
            assert_eq!(world.apply(expecting(change, &first)).await, Ok(Applied::Absent), "there is no such record");
        }
    }
}

/// Of changes that expect the same version, at the same time, exactly one is done.
pub async fn one_of_many_changes_of_one_version_wins<S: Subject>() {
    const MANY: usize = 12;
    let people = Person::several(2);
    let world = World::<S>::with(&people).await;
    let pin = &people[1].pin;
    let change = |number: usize| update(pin, "given", Legacy::Text(format!("Winner{number}")));
    if !world.serves(change(0).kind.operation()) || !world.can().checks_versions {
        let version = world.version(pin).await;
        return says_that_it_checks_none(&world, expecting(change(0), &version)).await;
    }
    for _ in 0..4 {
        let version = world.version(pin).await;
        let outcomes = join_all((0..MANY).map(|number| world.apply(expecting(change(number), &version)))).await;
        let won: Vec<usize> = (0..MANY).filter(|number| outcomes[*number] == Ok(Applied::Done)).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Applied::Done | Applied::Conflict))), "{outcomes:?}");
        let read = world.read(pin).await.expect("a read").expect("the record");
        assert_eq!(read.given, format!("Winner{}", won[0]));
    }
}

fn expecting(change: Change, version: &Legacy) -> Change {
    Change { expected_version: Some(version.clone()), ..change }
}

async fn says_that_it_checks_none<S: Subject>(world: &World<S>, change: Change) {
    let before = world.subject.people().await;
    let outcome = world.apply(change).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "versions are not declared, and answered {outcome:?}");
    world.holds(&before).await;
}
