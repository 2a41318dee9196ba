//! A change that shall not be made any more.

use rabita_model::Operation;
use rabita_sdk::{Act, Acted, Applied, Change, Duplicates, Failure};
use uuid::Uuid;

use super::done;
use crate::world::{create, delete, rename, replace, update};
use crate::{Person, Subject, World};

/// A change or an action that was forgone before it came is answered with `Before` when it comes, and has no effect;
/// asked again, the connector still says that it was never made.
pub async fn never_makes_a_change_that_was_forgone<S: Subject>() {
    let people = Person::several(6);
    let world = World::<S>::with(&people).await;
    let (changes, act) = asked_of(&people);
    if !forgoes(&world).await {
        return;
    }
    for change in changes.into_iter().filter(|change| world.serves(change.kind.operation())) {
        let (id, kind) = (change.id, change.kind);
        assert_eq!(world.forgo(id).await, Ok(false), "{kind:?}");
        assert_eq!(world.forgo(id).await, Ok(false), "{kind:?}, asked again");
        assert_eq!(world.apply(change.clone()).await, Ok(Applied::Before), "{kind:?}");
        assert_eq!(world.forgo(id).await, Ok(false), "{kind:?}, after it came");
        // As another change it is made: nothing but the id stood against it.
        let other = Change { id: Uuid::now_v7(), ..change };
        world.holds(&people).await;
        done(&world, other).await;
        world.subject.load(&people).await;
    }
    if world.serves(Operation::Act) {
        let id = act.id;
        assert_eq!(world.forgo(id).await, Ok(false));
        assert_eq!(world.act(act).await, Ok(Acted { applied: Applied::Before, reply: None }));
        assert_eq!(world.forgo(id).await, Ok(false));
        world.holds(&people).await;
    }
}

/// Of a change that was made it says so, however often it is asked, and leaves its effect. Asked at the same time as the
/// change comes, one of the two is first.
pub async fn tells_of_a_change_to_be_forgone_whether_it_was_made<S: Subject>() {
    let people = Person::several(6);
    let world = World::<S>::with(&people).await;
    let (changes, act) = asked_of(&people);
    if !forgoes(&world).await {
        return;
    }
    let mut made = Vec::new();
    for change in changes.into_iter().filter(|change| world.serves(change.kind.operation())) {
        made.push(change.id);
        done(&world, change).await;
    }
    if world.serves(Operation::Act) {
        made.push(act.id);
        assert_eq!(world.act(act).await.expect("it answers").applied, Applied::Done);
    }
    let after = world.subject.people().await;
    for id in made {
        assert_eq!(world.forgo(id).await, Ok(true));
        assert_eq!(world.forgo(id).await, Ok(true), "asked again");
    }
    world.holds(&after).await;
    if world.serves(Operation::Update) {
        is_made_or_forgone(&world, &people[1].pin).await;
    }
}

async fn is_made_or_forgone<S: Subject>(world: &World<S>, pin: &str) {
    for round in 0..8 {
        let family = format!("Round{round}");
        let change = update(pin, "family", family.as_str().into());
        let (applied, was_made) = tokio::join!(world.apply(change.clone()), world.forgo(change.id));
        let shows = world.read(pin).await.expect("a read").expect("the record").family == family;
        match (&applied, &was_made) {
            (Ok(Applied::Done), Ok(true)) => assert!(shows, "what was made is not there"),
            (Ok(Applied::Before), Ok(false)) => assert!(!shows, "what was forgone is there"),
            _ => panic!("{applied:?}, and was it made: {was_made:?}"),
        }
    }
}

/// One of each change, and an action.
fn asked_of(people: &[Person]) -> ([Change; 4], Act) {
    let changes = [
        create(&Person::numbered(50)),
        update(&people[1].pin, "family", "Forgone".into()),
        replace(&Person { pin: people[2].pin.clone(), ..Person::numbered(9) }),
        delete(&people[3].pin),
    ];
    (changes, rename(&people[4].pin, "Forgone"))
}

/// Whether the connector can forgo a change; one that stores no ids has to say that it cannot, and to do nothing.
async fn forgoes<S: Subject>(world: &World<S>) -> bool {
    if world.can().duplicates == Duplicates::Detected {
        return true;
    }
    let before = world.subject.people().await;
    let outcome = world.forgo(Uuid::now_v7()).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "it stores no ids, and answered {outcome:?}");
    world.holds(&before).await;
    false
}
