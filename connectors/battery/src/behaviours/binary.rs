//! Binary values.

use futures_util::TryStreamExt;
use rabita_sdk::{Failure, OpenBinary, Source};

use crate::people::{PHOTO, key};
use crate::world::ample;
use crate::{Person, Subject, World};

const LARGE: usize = 3 * 1024 * 1024;

/// Every byte arrives, whatever it is, and the length told is the length; without the value there is none.
pub async fn serves_binary_values_whole<S: Subject>() {
    let mut people = Person::several(4);
    people[0].photo = Some((0..=255).collect());
    people[1].photo = Some((0..LARGE).map(|place| (place % 251) as u8 ^ (place / 4096) as u8).collect());
    let world = World::<S>::with(&people).await;
    if !world.can().streams_binary {
        let outcome = photo(&world, &people[0].pin).await;
        assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "binary values are not declared, and one was looked for");
        return;
    }
    for person in &people {
        let bytes = photo(&world, &person.pin).await.expect("the photo, or none");
        assert!(bytes == person.photo, "{}: other bytes", person.pin);
    }
    assert!(photo(&world, "P99999").await.expect("no record").is_none());
    // A reader that leaves early must not harm the ones after it.
    for _ in 0..20 {
        let ask = OpenBinary { entity: 0, key: key(&people[1].pin), source: Source::new(PHOTO) };
        let mut stream = world.connector.open_binary(ask, &ample()).await.expect("the photo").expect("it has one");
        assert!(stream.chunks.try_next().await.expect("a chunk").is_some());
    }
    assert_eq!(world.read(&people[2].pin).await, Ok(Some(people[2].clone())));
}

async fn photo<S: Subject>(world: &World<S>, pin: &str) -> Result<Option<Vec<u8>>, Failure> {
    let ask = OpenBinary { entity: 0, key: key(pin), source: Source::new(PHOTO) };
    let Some(stream) = world.connector.open_binary(ask, &ample()).await? else { return Ok(None) };
    let length = stream.length;
    let chunks: Vec<_> = stream.chunks.try_collect().await?;
    let bytes = chunks.concat();
    assert!(length.is_none_or(|length| length == bytes.len() as u64), "{length:?} told, {} came", bytes.len());
    Ok(Some(bytes))
}
