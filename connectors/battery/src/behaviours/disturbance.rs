//! Replies that are cut or turned to noise on the way.

use std::time::Duration;

use rabita_model::Operation;
use rabita_sdk::{Applied, Failure, Legacy};

use super::says_that_it_does_not_serve;
use crate::world::{open, update, whole, within};
use crate::{Fault, Person, Proxy, Subject, Target, World};

/// Where a reply is disturbed: within the first message, within headers, within values, and after them.
const PLACES: [u64; 16] = [0, 1, 2, 4, 5, 9, 13, 20, 33, 60, 100, 150, 220, 300, 500, 5000];

/// Within so many calls a connector has recovered.
const ATTEMPTS: usize = 3;

/// An answer may seem to go on for ever; that ends with the deadline.
const DEADLINE: Duration = Duration::from_millis(500);

/// Noise in a reply is no answer, and the calls after it are answered rightly.
pub async fn takes_no_garbage_for_an_answer<S: Subject>() {
    disturbed::<S>(Fault::GarbleAfter).await;
}

/// Half a reply is no answer, and the calls after it are answered rightly.
pub async fn takes_no_cut_answer_for_a_whole_one<S: Subject>() {
    disturbed::<S>(Fault::CutAfter).await;
}

async fn disturbed<S: Subject>(fault: fn(u64) -> Fault) {
    let people = Person::several(30);
    let world = World::<S>::with(&people).await;
    let Some(proxy) = &world.proxy else { return finds_no_answer_in_noise(&world).await };
    for place in PLACES {
        // Once in an answer on a connection that is open, once in whatever comes first on a new one.
        for is_new in [false, true] {
            if is_new {
                proxy.reset_connections();
            } else {
                answers_again(&world, &people[3]).await;
            }
            proxy.set(fault(place));
            match world.read_within(&people[3].pin, DEADLINE).await {
                Ok(read) => assert_eq!(read.as_ref(), Some(&people[3]), "disturbed after {place} bytes"),
                Err(failure) => is_ill_health_or_malformed(&failure),
            }
            if world.serves(Operation::Search) {
                proxy.set(fault(place));
                match world.connector.search(all(), &within(DEADLINE)).await {
                    Ok(page) => assert_eq!(page.rows.len(), people.len(), "disturbed after {place} bytes"),
                    Err(failure) => is_ill_health_or_malformed(&failure),
                }
            }
            proxy.set(Fault::Pass);
            proxy.reset_connections();
        }
    }
    answers_again(&world, &people[3]).await;
    world.holds(&people).await;
}

/// Whether a change was done is said only where it is known.
pub async fn says_of_a_change_that_was_cut_only_what_it_knows<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let pin = &people[1].pin;
    if !world.serves(Operation::Update) {
        return says_that_it_does_not_serve(&world, update(pin, "family", "New".into())).await;
    }
    let Some(proxy) = &world.proxy else {
        // Nothing can cut between connector and file; a change is done or it is not.
        assert_eq!(world.apply(update(pin, "family", "New".into())).await, Ok(Applied::Done));
        return;
    };
    for (number, place) in PLACES.into_iter().enumerate() {
        answers_again(&world, &people[0]).await;
        let name = format!("Cut{number}");
        proxy.set(Fault::CutAfter(place));
        let change = update(pin, "family", Legacy::Text(name.clone()));
        let outcome = world.connector.apply(change, &within(Duration::from_secs(3))).await;
        proxy.set(Fault::Pass);
        proxy.reset_connections();
        settles(&world, proxy, pin).await;
        let held = world.subject.people().await;
        let is_done = held.iter().any(|person| person.pin == *pin && person.family == name);
        match outcome {
            Ok(Applied::Done) => assert!(is_done, "cut after {place} bytes: done, it said, and it is not"),
            Ok(other) => panic!("cut after {place} bytes: {other:?}"),
            Err(Failure::Unavailable { .. }) => assert!(!is_done, "cut after {place} bytes: nothing was changed, it said"),
            Err(Failure::Unknown { .. } | Failure::TimedOut { .. }) => {}
            Err(failure) => panic!("cut after {place} bytes: {failure:?}"),
        }
    }
    answers_again(&world, &people[0]).await;
}

/// Of a file of noise nothing can be read.
async fn finds_no_answer_in_noise<S: Subject>(world: &World<S>) {
    let (connector, _) = open(&world.subject, Target::Noise).await;
    let read = connector.read(whole("P00003"), &within(DEADLINE)).await;
    match read {
        Ok(row) => panic!("noise was taken for {}", if row.is_some() { "a record" } else { "a registry without it" }),
        Err(failure) => is_ill_health_or_malformed(&failure),
    }
}

fn is_ill_health_or_malformed(failure: &Failure) {
    assert!(failure.is_ill_health() || matches!(failure, Failure::Malformed { .. }), "{failure:?}");
}

async fn answers_again<S: Subject>(world: &World<S>, person: &Person) {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match world.read(&person.pin).await {
            Ok(read) => return assert_eq!(read.as_ref(), Some(person)),
            Err(failure) => last = Some(failure),
        }
    }
    panic!("does not recover from a disturbance: {last:?}");
}

/// The legacy system ends what lost its connection.
async fn settles<S: Subject>(world: &World<S>, proxy: &Proxy, pin: &str) {
    if S::always_asks() {
        // What comes about a record it does in its order.
        let mut failures = Vec::new();
        while let Err(failure) = world.read(pin).await {
            failures.push(failure);
            assert!(failures.len() < ATTEMPTS, "does not recover from a disturbance: {failures:?}");
        }
        return;
    }
    crate::eventually("the connections are gone", Duration::from_secs(5), async || proxy.waiting() == 0).await;
}

fn all() -> rabita_sdk::Search {
    let wanted = crate::people::wanted(&crate::people::SOURCES);
    rabita_sdk::Search { entity: 0, conditions: Vec::new(), wanted, limit: 100, cursor: None }
}
