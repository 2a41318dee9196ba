//! Legacy systems that are slow, dead or killed.

use std::time::Duration;

use rabita_sdk::Failure;

use crate::world::{delete, open, timed, update, whole, within};
use crate::{Fault, Person, SilentPort, Subject, Target, World};

const DEADLINE: Duration = Duration::from_millis(400);

/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_millis(1500);

/// Calls, as many as a pool may have of connections that died unnoticed and a few, until one must succeed again.
const ATTEMPTS: usize = 3;

/// A connection that was good and turns slow.
pub async fn gives_up_in_time_on_a_registry_that_is_slow<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    assert_eq!(world.read(&people[0].pin).await, Ok(Some(people[0].clone())));
    let hold = world.slow().await;
    if S::answers_from_copies() {
        answers_from_its_copy(&world, &people).await;
    } else {
        times_out(&world).await;
    }
    drop(hold);
    world.calm();
    recovers(&world, &people[0]).await;
    world.holds(&people).await;
}

/// A connection that never comes to be: whatever answers takes too long from the start.
pub async fn gives_up_in_time_on_a_registry_that_was_never_quick<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    if S::answers_from_copies() {
        // It takes its copy first.
        recovers(&world, &people[0]).await;
    }
    let hold = match &world.proxy {
        Some(proxy) => {
            proxy.set(Fault::BlackHole);
            None
        }
        None => Some(world.slow().await),
    };
    if S::answers_from_copies() {
        answers_from_its_copy(&world, &people).await;
    } else {
        times_out(&world).await;
    }
    drop(hold);
    world.calm();
    recovers(&world, &people[0]).await;
    world.holds(&people).await;
}

/// Without time left nothing is begun, let alone changed.
pub async fn gives_up_at_once_when_the_deadline_has_passed<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let late = within(Duration::ZERO);
    let (read, took) = timed(world.connector.read(whole(&people[0].pin), &late)).await;
    assert!(matches!(read, Err(Failure::TimedOut { .. })), "{read:?}");
    assert!(took < SLACK, "{took:?}");
    let deleted = world.connector.apply(delete(&people[0].pin), &late).await;
    assert!(matches!(deleted, Err(Failure::TimedOut { .. } | Failure::Unsupported { .. })), "{deleted:?}");
    world.holds(&people).await;
}

/// Nothing listens: that is known at once, not at the deadline.
pub async fn finds_a_dead_registry_unavailable_and_quickly<S: Subject>() {
    const TIME: Duration = Duration::from_secs(10);
    let people = Person::several(1);
    let world = World::<S>::with(&people).await;
    let silent = SilentPort::new();
    let target = Target::Nowhere(world.subject.address().map(|_| silent.address()));
    let (connector, _) = open(&world.subject, target).await;
    for _ in 0..3 {
        let (read, took) = timed(connector.read(whole(&people[0].pin), &within(TIME))).await;
        assert!(matches!(read, Err(Failure::Unavailable { .. })), "{read:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        let change = update(&people[0].pin, "family", "New".into());
        let (applied, took) = timed(connector.apply(change, &within(TIME))).await;
        assert!(matches!(applied, Err(Failure::Unavailable { .. } | Failure::Unsupported { .. })), "{applied:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

/// A killed registry fails calls while it is away, and the same connector works when it is back.
pub async fn works_again_after_the_registry_was_killed<S: Subject>() {
    let people = Person::several(20);
    let world = World::<S>::alone_with(&people).await;
    warm(&world, &people).await;
    world.subject.stop().await;
    if S::answers_from_copies() {
        warm(&world, &people).await;
        tells_that_the_registry_is_away(&world).await;
    } else if world.subject.address().is_some() {
        for person in people.iter().take(4) {
            let (read, took) = timed(world.read_within(&person.pin, Duration::from_secs(5))).await;
            assert!(matches!(read, Err(Failure::Unavailable { .. })), "{read:?}");
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
    }
    world.subject.start().await;
    world.subject.load(&people).await;
    recovers(&world, &people[0]).await;
    warm(&world, &people).await;
}

/// Connections that died while nobody looked cost at most a few calls.
pub async fn works_again_after_its_connections_were_reset<S: Subject>() {
    let people = Person::several(20);
    let world = World::<S>::with(&people).await;
    for _ in 0..3 {
        warm(&world, &people).await;
        if let Some(proxy) = &world.proxy {
            let before = proxy.accepted();
            proxy.reset_connections();
            // One that always asks comes back at once.
            let is_gone = async || proxy.open() == 0 || (S::always_asks() && proxy.accepted() > before);
            crate::eventually("the connections are gone", SLACK * 2, is_gone).await;
        }
        recovers(&world, &people[0]).await;
    }
}

async fn times_out<S: Subject>(world: &World<S>) {
    for pin in ["P00000", "P00001"] {
        let (read, took) = timed(world.read_within(pin, DEADLINE)).await;
        assert!(matches!(read, Err(Failure::TimedOut { .. })), "{read:?}");
        assert!(took < DEADLINE + SLACK, "{took:?}");
    }
    let (probed, took) = timed(world.connector.probe(&within(DEADLINE))).await;
    // A file is there although it is locked.
    assert!(matches!(probed, Err(Failure::TimedOut { .. })) || world.proxy.is_none(), "{probed:?}");
    assert!(took < DEADLINE + SLACK, "{took:?}");
}

/// A registry that does not answer hinders nobody whom a copy serves.
async fn answers_from_its_copy<S: Subject>(world: &World<S>, people: &[Person]) {
    for person in people {
        let (read, took) = timed(world.read_within(&person.pin, DEADLINE)).await;
        assert_eq!(read, Ok(Some(person.clone())));
        assert!(took < DEADLINE, "{took:?}");
    }
    let (_, took) = timed(world.connector.probe(&within(DEADLINE))).await;
    assert!(took < DEADLINE + SLACK, "{took:?}");
}

/// What serves from a copy still tells that nothing new comes.
async fn tells_that_the_registry_is_away<S: Subject>(world: &World<S>) {
    let probed = world.connector.probe(&within(Duration::from_secs(10))).await;
    assert!(matches!(probed, Err(Failure::Unavailable { .. })), "{probed:?}");
}

/// The same connector answers rightly again, within a few calls.
async fn recovers<S: Subject>(world: &World<S>, person: &Person) {
    let mut failures = Vec::new();
    for _ in 0..ATTEMPTS {
        match world.read(&person.pin).await {
            Ok(read) => return assert_eq!(read, Some(person.clone())),
            Err(failure) => failures.push(failure),
        }
    }
    panic!("the registry works, and the connector does not: {failures:?}");
}

/// Opens as many connections as the connector will.
async fn warm<S: Subject>(world: &World<S>, people: &[Person]) {
    let reads = people.iter().map(|person| world.read(&person.pin));
    for (read, person) in futures_util::future::join_all(reads).await.into_iter().zip(people) {
        assert_eq!(read, Ok(Some(person.clone())));
    }
}
