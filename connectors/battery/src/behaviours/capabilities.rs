//! What a connector says that it can do.

use rabita_model::Operation;
use rabita_sdk::Failure;

use super::says_that_it_does_not_serve;
use crate::world::{create, delete, open, replace, timed, update, within};
use crate::{Person, SilentPort, Subject, Target, World};

/// What is not declared is refused as unsupported, and the legacy system not asked.
pub async fn refuses_as_unsupported_what_it_does_not_declare<S: Subject>() {
    let people = Person::several(2);
    let world = World::<S>::with(&people).await;
    assert!(world.serves(Operation::Read), "a connector reads");
    let changes = [
        create(&Person::numbered(9)),
        replace(&people[1]),
        update(&people[1].pin, "family", "New".into()),
        delete(&people[1].pin),
    ];
    for change in changes {
        if !world.serves(change.kind.operation()) {
            says_that_it_does_not_serve(&world, change).await;
        }
    }
    if !world.serves(Operation::Search) {
        let outcome = world.page(&[], 5, None).await;
        assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "search is not declared, and answered {outcome:?}");
    }
    // The registry has no code tables, so there is none to read.
    assert!(world.connector.table(0, &within(TIME)).await.is_err());
    world.holds(&people).await;
}

const TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// A registry that answers is found to.
pub async fn probes_a_registry_that_is_up<S: Subject>() {
    let world = World::<S>::with(&Person::several(1)).await;
    assert_eq!(world.connector.probe(&within(TIME)).await, Ok(()));
}

/// A registry that does not is found not to, quickly; to open a connector on it is no error.
pub async fn probes_a_registry_that_is_down<S: Subject>() {
    let world = World::<S>::with(&[]).await;
    let silent = SilentPort::new();
    let target = Target::Nowhere(world.subject.address().map(|_| silent.address()));
    let (connector, _) = open(&world.subject, target).await;
    let (outcome, took) = timed(connector.probe(&within(TIME))).await;
    assert!(matches!(outcome, Err(Failure::Unavailable { .. })), "{outcome:?}");
    assert!(took < TIME / 2, "{took:?}");
}
