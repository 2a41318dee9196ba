//! Named actions: done, answered, of one record, once.

use rabita_model::Operation;
use rabita_sdk::{Acted, Applied, Duplicates, Failure, Source};

use crate::world::rename;
use crate::{Person, Subject, World};

/// An action changes its record and no other, and answers what it is said to.
pub async fn does_a_named_action_and_answers_it<S: Subject>() {
    let mut people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let pin = people[1].pin.clone();
    if !world.serves(Operation::Act) {
        return says_that_it_does_not_act(&world).await;
    }
    let name = "O'Əhmədova & <Söhne>";
    let acted = world.act(rename(&pin, name)).await.expect("it answers");
    assert_eq!(acted.applied, Applied::Done);
    let reply = acted.reply.expect("a reply");
    let told = reply.find(&Source::new("family")).and_then(rabita_sdk::Legacy::to_text);
    assert_eq!(told.as_deref(), Some(name));
    let read = world.read(&pin).await.expect("a read").expect("the record");
    assert_ne!(read.version, people[1].version, "the version stayed");
    people[1] = Person { family: name.to_owned(), version: read.version, ..people[1].clone() };
    assert_eq!(read, people[1]);
    world.holds(&people).await;
}

/// An action on a record that is not there does nothing and says so.
pub async fn acts_on_nothing_where_no_record_is<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Act) {
        return says_that_it_does_not_act(&world).await;
    }
    for absent in ["P99999", "' OR '1'='1", "P00001 "] {
        let acted = world.act(rename(absent, "New")).await;
        let nothing = Acted { applied: Applied::Absent, reply: None };
        assert!(acted == Ok(nothing) || matches!(acted, Err(Failure::Refused { .. })), "{absent:?}: {acted:?}");
    }
    world.holds(&people).await;
}

/// With an expected version, an action is done at that version alone.
pub async fn acts_only_on_the_version_that_was_expected<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Act) {
        return says_that_it_does_not_act(&world).await;
    }
    let pin = &people[1].pin;
    let first = world.version(pin).await;
    let expecting = |name: &str| rabita_sdk::Act { expected_version: Some(first.clone()), ..rename(pin, name) };
    if !world.can().checks_versions {
        let outcome = world.act(expecting("New")).await;
        assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "versions are not declared, and answered {outcome:?}");
        return world.holds(&people).await;
    }
    assert_eq!(world.act(expecting("First")).await.expect("it answers").applied, Applied::Done);
    assert_eq!(world.act(expecting("Second")).await.expect("it answers").applied, Applied::Conflict);
    assert_eq!(world.read(pin).await.expect("a read").expect("the record").family, "First");
}

/// An action that is sent twice has the effect that the connector declares, as a change has.
pub async fn does_with_an_action_sent_twice_what_it_declares<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Act) {
        return says_that_it_does_not_act(&world).await;
    }
    let act = rename(&people[1].pin, "Twice");
    assert_eq!(world.act(act.clone()).await.expect("it answers").applied, Applied::Done);
    let after = world.subject.people().await;
    let second = world.act(act).await.expect("it answers").applied;
    match world.can().duplicates {
        Duplicates::Detected => assert_eq!(second, Applied::Before),
        Duplicates::HandedOn => assert!(matches!(second, Applied::Done | Applied::Before), "{second:?}"),
        Duplicates::Applied => return assert_eq!(second, Applied::Done),
    }
    world.holds(&after).await;
}

async fn says_that_it_does_not_act<S: Subject>(world: &World<S>) {
    let before = world.subject.people().await;
    let outcome = world.act(rename(&before[0].pin, "New")).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "actions are not declared, and answered {outcome:?}");
    world.holds(&before).await;
}
