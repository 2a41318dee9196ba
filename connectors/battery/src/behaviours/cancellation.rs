//! Calls that nobody waits for any more.

use std::time::Duration;

use futures_util::future::join_all;
use rabita_model::Operation;
use rabita_sdk::Failure;

use super::says_that_it_does_not_serve;
use crate::world::{update, whole, within};
use crate::{Fault, Person, Stallable, Subject, Target, World, eventually};

/// A few more than the connector may have under way at once.
const MANY: usize = 40;

/// So long a call is under way before it is dropped.
const INSTANT: Duration = Duration::from_millis(30);

/// Calls that are dropped, at whatever point, take nothing from those that come after.
pub async fn works_on_after_calls_were_dropped<S: Subject>() {
    let people = Person::several(50);
    let world = World::<S>::with(&people).await;
    for pause in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(3), INSTANT] {
        if let Some(proxy) = &world.proxy {
            proxy.set(Fault::Delay(INSTANT));
        }
        drop_under_way(&world, &people, pause).await;
        world.calm();
        let reads = join_all(people.iter().map(|person| world.read(&person.pin))).await;
        for (read, person) in reads.into_iter().zip(&people) {
            assert_eq!(read, Ok(Some(person.clone())), "after calls were dropped at {pause:?}");
        }
    }
}

/// A dropped call leaves no question with the legacy system for which nobody awaits the answer.
pub async fn leaves_nothing_under_way_when_calls_are_dropped<S: Subject>() {
    let people = Person::several(50);
    let world = World::<S>::with(&people).await;
    // What answers from a copy looks after the registry by itself, whether anybody calls or not.
    if let Some(proxy) = world.proxy.as_ref().filter(|_| !S::answers_from_copies()) {
        assert_eq!(world.read(&people[0].pin).await, Ok(Some(people[0].clone())));
        let is_seen = world.subject.lets_go() && !S::always_asks();
        if is_seen {
            // A pool may look after a connection that it gets back, a moment later: that is no call.
            let mut quiet = 0;
            let is_quiet = async || {
                quiet = if proxy.waiting() == 0 { quiet + 1 } else { 0 };
                quiet > 10
            };
            eventually("the pool has looked after its connections", Duration::from_secs(5), is_quiet).await;
        }
        proxy.set(Fault::BlackHole);
        drop_under_way(&world, &people, INSTANT * 3).await;
        if is_seen {
            eventually("no reply is waited for", Duration::from_secs(5), async || proxy.waiting() == 0).await;
        }
    } else {
        // What answers from a copy has to have one first.
        assert_eq!(world.read(&people[0].pin).await, Ok(Some(people[0].clone())));
        let hold = world.slow().await;
        drop_under_way(&world, &people, INSTANT * 3).await;
        drop(hold);
    }
    world.calm();
    let reads = join_all(people.iter().map(|person| world.read(&person.pin))).await;
    for (read, person) in reads.into_iter().zip(&people) {
        assert_eq!(read, Ok(Some(person.clone())));
    }
}

/// A change that waits in the legacy system past its deadline does not wait there for longer than the registry's
/// timeout: it would hold its locks, and be done when nobody expects it any more.
pub async fn leaves_the_registry_idle_after_a_deadline<S: Stallable>() {
    const DEADLINE: Duration = Duration::from_millis(400);
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let change = || update(&people[1].pin, "family", "Late".into());
    if !world.serves(Operation::Update) {
        return says_that_it_does_not_serve(&world, change()).await;
    }
    let mut spec = world.subject.spec(Target::System);
    spec.timeout = Duration::from_secs(1);
    let connector = world.subject.kind().open(spec, &*world.subject.secrets()).await.expect("the connector opens");
    let stall = world.subject.stall().await;
    let outcomes = join_all((0..4).map(async |_| connector.apply(change(), &within(DEADLINE)).await)).await;
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Failure::TimedOut { .. })), "{outcome:?}");
    }
    eventually("the registry is idle", Duration::from_secs(5), async || world.subject.busy().await == 0).await;
    drop(stall);
    world.holds(&people).await;
    assert_eq!(world.read(&people[1].pin).await, Ok(Some(people[1].clone())));
}

async fn drop_under_way<S: Subject>(world: &World<S>, people: &[Person], pause: Duration) {
    let time = Duration::from_secs(20);
    let calls = people.iter().cycle().take(MANY).map(async |person| {
        // What comes of it, if it is quicker than the pause, is not this test's business.
        let _ = tokio::time::timeout(pause, world.connector.read(whole(&person.pin), &within(time))).await;
    });
    join_all(calls).await;
}
