//! Searching by conditions.

use rabita_model::{Comparison, Operation};
use rabita_sdk::{Condition, Failure, Ignore};

use crate::world::condition;
use crate::{Person, Subject, World};

const LIMIT: usize = 50;

/// The same value, and nothing that is only like it.
pub async fn finds_by_equality<S: Subject>() {
    let mut people = Person::several(8);
    people[0].family = "Aliyev".to_owned();
    people[4].family = "Aliyevaa".to_owned();
    let world = World::<S>::with(&people).await;
    if !world.compares("family", Comparison::Equals) {
        return says_that_it_does_not_compare(&world, "family", Comparison::Equals).await;
    }
    for family in ["Aliyev", "Aliyevaa", "Hasanov", "Nobody", "Hasano"] {
        finds(&world, &[condition("family", Comparison::Equals, family)], &people, |person| person.family == family).await;
    }
    if world.compares("given", Comparison::Equals) {
        finds(&world, &[condition("given", Comparison::Equals, "Given3")], &people, |person| person.given == "Given3").await;
    }
}

/// Text that begins so.
pub async fn finds_by_prefix<S: Subject>() {
    let people = Person::several(12);
    let world = World::<S>::with(&people).await;
    if !world.compares("family", Comparison::Prefix) {
        return says_that_it_does_not_compare(&world, "family", Comparison::Prefix).await;
    }
    for prefix in ["H", "Has", "Hasanov", "Hasanova", "asan", "M", "x"] {
        let conditions = [condition("family", Comparison::Prefix, prefix)];
        finds(&world, &conditions, &people, |person| person.family.starts_with(prefix)).await;
    }
}

/// Both ends belong to a range.
pub async fn finds_by_range<S: Subject>() {
    let people = Person::several(40);
    let world = World::<S>::with(&people).await;
    if !world.compares("born", Comparison::From) || !world.compares("born", Comparison::To) {
        return says_that_it_does_not_compare(&world, "born", Comparison::From).await;
    }
    let (from, to) = (people[10].born.as_str(), people[20].born.as_str());
    finds(&world, &[condition("born", Comparison::From, from)], &people, |person| *person.born >= *from).await;
    finds(&world, &[condition("born", Comparison::To, to)], &people, |person| *person.born <= *to).await;
    let both = [condition("born", Comparison::From, from), condition("born", Comparison::To, to)];
    finds(&world, &both, &people, |person| *person.born >= *from && *person.born <= *to).await;
    let none = [condition("born", Comparison::From, to), condition("born", Comparison::To, from)];
    finds(&world, &none, &people, |_| false).await;
}

/// Conditions narrow one another; without any, all records are found.
pub async fn finds_by_all_conditions_at_once<S: Subject>() {
    let people = Person::several(24);
    let world = World::<S>::with(&people).await;
    if !world.serves(Operation::Search) {
        return says_that_it_does_not_compare(&world, "family", Comparison::Equals).await;
    }
    finds(&world, &[], &people, |_| true).await;
    let all = [
        ("family", Comparison::Equals, "Hasanov"),
        ("born", Comparison::From, "1960-01-01"),
        ("given", Comparison::Equals, "Given13"),
    ];
    let conditions: Vec<Condition> = all
        .into_iter()
        .filter(|(source, comparison, _)| world.compares(source, *comparison))
        .map(|(source, comparison, value)| condition(source, comparison, value))
        .collect();
    assert!(conditions.len() > 1, "the battery's registry has too few filters");
    let holds = |source: &str| conditions.iter().any(|condition| condition.source.as_str() == source);
    finds(&world, &conditions, &people, |person| {
        (!holds("family") || person.family == "Hasanov")
            && (!holds("born") || *person.born >= *"1960-01-01")
            && (!holds("given") || person.given == "Given13")
    })
    .await;
}

/// What the filter is declared to overlook is overlooked, and only when the condition says so.
pub async fn overlooks_the_differences_that_it_declares<S: Subject>() {
    let mut people = Person::several(6);
    people[0].family = "HASANOV".to_owned();
    people[2].family = " Hasanov ".to_owned();
    let world = World::<S>::with(&people).await;
    let declared = world.ignores("family");
    let can = world.can().ignores;
    assert!(declared.iter().all(|ignore| can.contains(ignore)), "{declared:?} declared, {can:?} possible");
    if !world.compares("family", Comparison::Equals) {
        return says_that_it_does_not_compare(&world, "family", Comparison::Equals).await;
    }
    let by = |value: &str, ignore: &[Ignore]| {
        vec![Condition { ignore: ignore.to_vec(), ..condition("family", Comparison::Equals, value) }]
    };
    if world.subject.keeps(" Hasanov ") {
        finds(&world, &by("Hasanov", &[]), &people, |person| person.family == "Hasanov").await;
    }
    if declared.contains(&Ignore::Case) {
        let same = |person: &Person| person.family.eq_ignore_ascii_case("hasanov");
        finds(&world, &by("hasanov", &[Ignore::Case]), &people, same).await;
    }
    if declared.contains(&Ignore::OuterSpaces) {
        finds(&world, &by("Hasanov", &[Ignore::OuterSpaces]), &people, |person| person.family.trim() == "Hasanov").await;
    }
    if declared.len() == 2 {
        let same = |person: &Person| person.family.trim().eq_ignore_ascii_case("hasanov");
        finds(&world, &by("hasANOV", &declared), &people, same).await;
    }
    for ignore in [Ignore::Case, Ignore::OuterSpaces].into_iter().filter(|ignore| !can.contains(ignore)) {
        let outcome = world.page(&by("Hasanov", &[ignore]), LIMIT, None).await;
        assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "{ignore:?} is not declared, and was taken");
    }
}

/// Exactly these people are found, whatever the size of the pages.
async fn finds<S: Subject>(world: &World<S>, conditions: &[Condition], people: &[Person], right: impl Fn(&Person) -> bool) {
    let expected: Vec<Person> = people.iter().filter(|person| right(person)).cloned().collect();
    for limit in [LIMIT, 3] {
        let mut found = world.find(conditions, limit).await.expect("the search");
        found.sort_by(|a, b| a.pin.cmp(&b.pin));
        assert_eq!(found, expected, "pages of {limit}");
    }
}

async fn says_that_it_does_not_compare<S: Subject>(world: &World<S>, source: &str, comparison: Comparison) {
    let outcome = world.page(&[condition(source, comparison, "1990-01-01")], LIMIT, None).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "{source} {comparison:?} is not declared, and was taken");
}
