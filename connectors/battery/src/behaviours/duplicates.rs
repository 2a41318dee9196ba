//! A change that is sent twice.

use rabita_model::Operation;
use rabita_sdk::{Applied, Change, Duplicates};

use super::{done, says_that_it_does_not_serve};
use crate::world::{create, delete, replace, update};
use crate::{Person, Subject, World};

/// With `Detected`, the second is answered with `Before` and has no effect, also when it comes at the same time or
/// much later. With `HandedOn`, the effect is once as the legacy system sees to it. With `Applied`, nobody claims that
/// it had been done before.
pub async fn does_with_a_change_sent_twice_what_it_declares<S: Subject>() {
    let people = Person::several(6);
    let world = World::<S>::with(&people).await;
    let changes = [
        create(&Person::numbered(50)),
        update(&people[1].pin, "family", "Twice".into()),
        replace(&Person { pin: people[2].pin.clone(), ..Person::numbered(9) }),
        delete(&people[3].pin),
    ];
    for change in changes {
        if !world.serves(change.kind.operation()) {
            says_that_it_does_not_serve(&world, change).await;
            continue;
        }
        match world.can().duplicates {
            Duplicates::Detected => is_detected(&world, change).await,
            Duplicates::HandedOn => is_harmless(&world, change).await,
            Duplicates::Applied => is_not_denied(&world, change).await,
        }
    }
}

async fn is_detected<S: Subject>(world: &World<S>, change: Change) {
    let kind = change.kind;
    done(world, change.clone()).await;
    let after = world.subject.people().await;
    assert_eq!(world.apply(change.clone()).await, Ok(Applied::Before), "{kind:?}");
    world.holds(&after).await;
    if world.serves(Operation::Update) && kind.operation() == Operation::Update {
        // A later change must not be undone by a repetition of an earlier one.
        let pin = change.key[0].to_text().expect("a pin").into_owned();
        done(world, update(&pin, "family", "Later".into())).await;
        let later = world.subject.people().await;
        assert_eq!(world.apply(change).await, Ok(Applied::Before), "{kind:?}");
        world.holds(&later).await;
        is_detected_at_the_same_time(world, &pin).await;
    }
}

async fn is_detected_at_the_same_time<S: Subject>(world: &World<S>, pin: &str) {
    const MANY: usize = 8;
    let change = update(pin, "family", "AtOnce".into());
    let version = world.read(pin).await.expect("a read").expect("the record").version;
    let outcomes = futures_util::future::join_all((0..MANY).map(|_| world.apply(change.clone()))).await;
    let did = outcomes.iter().filter(|outcome| **outcome == Ok(Applied::Done)).count();
    let before = outcomes.iter().filter(|outcome| **outcome == Ok(Applied::Before)).count();
    assert_eq!((did, before), (1, MANY - 1), "{outcomes:?}");
    let after = world.read(pin).await.expect("a read").expect("the record").version;
    world.apply(update(pin, "family", "Next".into())).await.expect("one more");
    let next = world.read(pin).await.expect("a read").expect("the record").version;
    assert_eq!(after - version, next - after, "the effect was there more than once");
}

async fn is_harmless<S: Subject>(world: &World<S>, change: Change) {
    let kind = change.kind;
    done(world, change.clone()).await;
    let after = world.subject.people().await;
    let second = world.apply(change).await;
    assert!(matches!(second, Ok(Applied::Done | Applied::Before)), "{kind:?}: {second:?}");
    world.holds(&after).await;
}

async fn is_not_denied<S: Subject>(world: &World<S>, change: Change) {
    let kind = change.kind;
    done(world, change.clone()).await;
    let second = world.apply(change).await;
    let expected = match kind.operation() {
        Operation::Create => Applied::Conflict,
        Operation::Delete => Applied::Absent,
        _ => Applied::Done,
    };
    assert_eq!(second, Ok(expected), "{kind:?}");
}
