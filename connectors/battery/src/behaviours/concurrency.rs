//! Many callers at once.

use std::sync::Arc;

use rabita_model::Operation;
use rabita_sdk::{Applied, Failure, Legacy};
use tokio::task::JoinSet;

use crate::world::{create, update};
use crate::{Person, Subject, World};

const TASKS: usize = 64;

/// Each caller gets the answer to its own question.
pub async fn answers_each_of_many_callers_rightly<S: Subject>() {
    const ROUNDS: usize = 20;
    let people = Arc::new(Person::several(TASKS));
    let world = Arc::new(World::<S>::with(&people).await);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (world, people) = (Arc::clone(&world), Arc::clone(&people));
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let person = &people[(task + round * 7) % TASKS];
                assert_eq!(world.read(&person.pin).await, Ok(Some(person.clone())));
                if round % 5 == 0 {
                    assert_eq!(world.read("P99999").await, Ok(None));
                }
            }
        });
    }
    all_succeed(tasks).await;
}

/// Each caller's changes are done, once each, on the record it named, while others read.
pub async fn loses_no_change_of_many_at_once<S: Subject>() {
    const ROUNDS: usize = 4;
    let people = Person::several(TASKS);
    let world = Arc::new(World::<S>::with(&people).await);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let updating = Arc::clone(&world);
        tasks.spawn(async move {
            let own = Person::numbered(task);
            for round in 0..ROUNDS {
                let given = format!("Task{task}Round{round}");
                let outcome = updating.apply(update(&own.pin, "given", Legacy::Text(given.clone()))).await;
                if !updating.serves(Operation::Update) {
                    return assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "{outcome:?}");
                }
                assert_eq!(outcome, Ok(Applied::Done));
                let read = updating.read(&own.pin).await.expect("a read").expect("the record");
                assert_eq!((read.given, read.family), (given, own.family.clone()));
            }
        });
        let creating = Arc::clone(&world);
        tasks.spawn(async move {
            if creating.serves(Operation::Create) {
                assert_eq!(creating.apply(create(&Person::numbered(1000 + task))).await, Ok(Applied::Done));
            }
        });
    }
    all_succeed(tasks).await;
    let held = world.subject.people().await;
    let created = if world.serves(Operation::Create) { TASKS } else { 0 };
    assert_eq!(held.len(), TASKS + created);
    if world.serves(Operation::Update) {
        for (task, person) in held.iter().take(TASKS).enumerate() {
            assert_eq!(person.given, format!("Task{task}Round{}", ROUNDS - 1));
        }
    }
}

async fn all_succeed(mut tasks: JoinSet<()>) {
    while let Some(task) = tasks.join_next().await {
        if let Err(failed) = task {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}
