//! Changes that are there afterwards, and changes of what is not there.

use rabita_model::Operation;
use rabita_sdk::{Applied, Legacy};

use super::{done, says_that_it_does_not_serve};
use crate::world::{create, delete, replace, update};
use crate::{Person, Subject, World};

/// A created record is read, and held, as it was given.
pub async fn shows_a_created_record<S: Subject>() {
    let mut people = Person::several(3);
    let world = World::<S>::with(&people).await;
    for number in [3, 4] {
        let new = Person::numbered(number);
        if !world.serves(Operation::Create) {
            return says_that_it_does_not_serve(&world, create(&new)).await;
        }
        done(&world, create(&new)).await;
        assert_eq!(world.read(&new.pin).await, Ok(Some(new.clone())));
        people.push(new);
    }
    world.holds(&people).await;
}

/// An update changes the values it names, null too, the version, and nothing else.
pub async fn shows_an_updated_record<S: Subject>() {
    let mut people = Person::several(3);
    people[1].photo = Some(b"a photo".to_vec());
    let world = World::<S>::with(&people).await;
    let pin = people[1].pin.clone();
    if !world.serves(Operation::Update) {
        return says_that_it_does_not_serve(&world, update(&pin, "family", "New".into())).await;
    }
    done(&world, update(&pin, "family", "Əhmədova".into())).await;
    people[1].family = "Əhmədova".to_owned();
    done(&world, update(&pin, "born", "1999-12-31".into())).await;
    people[1].born = "1999-12-31".to_owned();
    done(&world, update(&pin, "notes", Legacy::Null)).await;
    people[1].notes = None;
    let read = world.read(&pin).await.expect("a read").expect("the record");
    assert_ne!(read.version, people[1].version, "the version stayed");
    people[1].version = read.version;
    assert_eq!(read, people[1].without_photo());
    world.holds(&people).await;
}

/// A replaced record has the new values, and none of the old.
pub async fn shows_a_replaced_record<S: Subject>() {
    let mut people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let new = Person { pin: people[1].pin.clone(), ..Person::numbered(9) };
    if !world.serves(Operation::Replace) {
        return says_that_it_does_not_serve(&world, replace(&new)).await;
    }
    done(&world, replace(&new)).await;
    let read = world.read(&new.pin).await.expect("a read").expect("the record");
    assert_eq!(read, Person { version: read.version, ..new });
    people[1] = read;
    world.holds(&people).await;
}

/// A deleted record is gone, and can be created anew.
pub async fn shows_no_deleted_record<S: Subject>() {
    let mut people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let gone = people.remove(1);
    if !world.serves(Operation::Delete) {
        return says_that_it_does_not_serve(&world, delete(&gone.pin)).await;
    }
    done(&world, delete(&gone.pin)).await;
    assert_eq!(world.read(&gone.pin).await, Ok(None));
    world.holds(&people).await;
    if world.serves(Operation::Create) {
        done(&world, create(&gone)).await;
        assert_eq!(world.read(&gone.pin).await, Ok(Some(gone)));
    }
}

/// A record that is there is not made again, and stays as it is.
pub async fn finds_a_conflict_in_creating_what_is_there<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let again = Person { pin: people[1].pin.clone(), ..Person::numbered(9) };
    if !world.serves(Operation::Create) {
        return says_that_it_does_not_serve(&world, create(&again)).await;
    }
    assert_eq!(world.apply(create(&again)).await, Ok(Applied::Conflict));
    world.holds(&people).await;
}

/// A change of a record that is not there changes nothing and says so.
pub async fn finds_nothing_to_change_where_no_record_is<S: Subject>() {
    let people = Person::several(3);
    let world = World::<S>::with(&people).await;
    let absent = Person::numbered(99);
    for change in [update(&absent.pin, "family", "New".into()), replace(&absent), delete(&absent.pin)] {
        let kind = change.kind;
        if world.serves(kind.operation()) {
            assert_eq!(world.apply(change).await, Ok(Applied::Absent), "{kind:?}");
        } else {
            says_that_it_does_not_serve(&world, change).await;
        }
    }
    world.holds(&people).await;
}
