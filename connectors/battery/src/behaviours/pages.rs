//! The pages of a search.

use rabita_model::{Comparison, Operation};
use rabita_sdk::Failure;

use crate::world::{condition, update};
use crate::{Person, Subject, World};

/// The pages together are the whole, nothing stands in two of them, and the order stays the same, at each count of
/// records around the boundaries of pages.
pub async fn pages_hold_every_record_once<S: Subject>() {
    const LIMIT: usize = 5;
    let world = World::<S>::with(&[]).await;
    if !world.serves(Operation::Search) {
        return says_that_it_does_not_search(&world).await;
    }
    for count in [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1, 30] {
        let mut people = Person::several(count);
        // Equal values must not make the order waver.
        people.iter_mut().for_each(|person| person.family = "Same".to_owned());
        world.subject.load(&people).await;
        let first = walk(&world, LIMIT, &people).await;
        assert_eq!(first, walk(&world, LIMIT, &people).await, "{count} records: the order changed");
        for limit in [1, count.max(1), count + 1, 1000] {
            walk(&world, limit, &people).await;
        }
    }
}

/// A change between two pages neither breaks the search nor repeats what it does not touch.
pub async fn pages_go_on_when_records_change_between_them<S: Subject>() {
    let people = Person::several(9);
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Search) {
        return says_that_it_does_not_search(&world).await;
    }
    let first = world.page(&[], 3, None).await.expect("the first page");
    let cursor = first.next.clone().expect("there is more");
    if world.serves(Operation::Update) {
        assert!(world.apply(update(&people[8].pin, "given", "Changed".into())).await.is_ok());
    }
    let second = world.page(&[], 3, Some(cursor.clone())).await.expect("the second page");
    let again = world.page(&[], 3, Some(cursor)).await.expect("the second page again");
    let pins = |page: &rabita_sdk::Page| page.rows.iter().map(|row| Person::from_row(row).pin).collect::<Vec<_>>();
    assert_eq!(pins(&second), pins(&again), "a page is the same when it is asked for again");
    assert!(pins(&second).iter().all(|pin| !pins(&first).contains(pin)), "a record stands on two pages");
}

/// What is no cursor is refused: it is neither ignored nor an error of the registry.
pub async fn refuses_a_cursor_that_it_did_not_give<S: Subject>() {
    let world = World::<S>::with(&Person::several(9)).await;
    if !world.serves(Operation::Search) {
        return says_that_it_does_not_search(&world).await;
    }
    for cursor in ["\u{0}", "'", "not a cursor", "../../", "🙂", &"z".repeat(5000)] {
        let outcome = world.page(&[], 3, Some(cursor.to_owned())).await;
        assert!(matches!(outcome, Err(Failure::Refused { .. })), "{cursor:.20?}: {outcome:?}");
    }
    assert!(world.page(&[], 3, None).await.is_ok());
}

async fn walk<S: Subject>(world: &World<S>, limit: usize, people: &[Person]) -> Vec<String> {
    let found = world.find(&[], limit).await.expect("the search");
    let order: Vec<String> = found.iter().map(|person| person.pin.clone()).collect();
    let mut sorted = found;
    sorted.sort_by(|a, b| a.pin.cmp(&b.pin));
    assert_eq!(sorted, people, "{} records in pages of {limit}", people.len());
    order
}

async fn says_that_it_does_not_search<S: Subject>(world: &World<S>) {
    let outcome = world.page(&[condition("family", Comparison::Equals, "x")], 5, None).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "search is not declared, and answered {outcome:?}");
}
