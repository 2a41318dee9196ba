//! Several hosts of one registry.

use std::sync::Arc;
use std::time::Duration;

use rabita_battery::world::{ample, update, whole, within};
use rabita_sdk::{Applied, Connector, Failure, Source};
use rabita_wire::Pool;

use super::scripted::{Does, PROMISE, Scripted, link, spec};

/// A registry with a host for each of these, and what keeps them serving.
async fn pool(all: &[(&str, Arc<Scripted>)]) -> (Arc<Pool>, Arc<dyn Connector>, Vec<tokio::task::JoinHandle<()>>) {
    let (pool, connector) = Pool::new(spec(), "wire", PROMISE);
    let mut serving = Vec::new();
    for (host, scripted) in all {
        let (link, task) = link(host, Arc::clone(scripted)).await;
        assert_eq!(pool.attach(&link), Vec::<String>::new());
        serving.push(task);
    }
    (pool, connector, serving)
}

fn unavailable() -> Does {
    Does::Fails(Failure::unavailable("its own line is down"))
}

#[tokio::test]
async fn without_a_host_the_registry_is_unavailable() {
    let (_, connector, _) = pool(&[]).await;
    let read = connector.read(whole("P1"), &ample()).await;
    assert!(matches!(&read, Err(Failure::Unavailable { detail, .. }) if detail.contains("no host")), "{read:?}");
    assert!(matches!(connector.probe(&ample()).await, Err(Failure::Unavailable { .. })));
}

#[tokio::test]
async fn hosts_with_as_little_to_do_take_turns() {
    let (one, other) = (Scripted::new(Does::Answers("A")), Scripted::new(Does::Answers("A")));
    let (_, connector, _serving) = pool(&[("one", Arc::clone(&one)), ("other", Arc::clone(&other))]).await;
    for _ in 0..20 {
        connector.read(whole("P1"), &ample()).await.expect("an answer");
    }
    assert_eq!((one.asked(), other.asked()), (10, 10));
}

#[tokio::test]
async fn what_one_host_cannot_do_another_does_at_once_and_is_given_the_next_first() {
    let (ill, well) = (Scripted::new(unavailable()), Scripted::new(Does::Answers("A")));
    let (_, connector, _serving) = pool(&[("ill", Arc::clone(&ill)), ("well", Arc::clone(&well))]).await;
    for _ in 0..10 {
        assert!(connector.read(whole("P1"), &ample()).await.expect("an answer").is_some());
        assert_eq!(connector.apply(update("P1", "family", "B".into()), &ample()).await, Ok(Applied::Done));
    }
    assert_eq!((ill.asked(), well.asked()), (1, 20));
    assert_eq!(connector.probe(&ample()).await, Ok(()), "one that is well is enough");
}

#[tokio::test]
async fn a_change_whose_outcome_is_unknown_is_given_to_nobody_else() {
    let unknown = Failure::Unknown { detail: "cut".into() };
    let (one, other) = (Scripted::new(Does::Fails(unknown.clone())), Scripted::new(Does::Fails(unknown.clone())));
    let (_, connector, _serving) = pool(&[("one", Arc::clone(&one)), ("other", Arc::clone(&other))]).await;
    assert_eq!(connector.apply(update("P1", "family", "B".into()), &ample()).await, Err(unknown));
    assert_eq!(one.asked() + other.asked(), 1);
}

#[tokio::test]
async fn a_host_that_hangs_is_given_no_more_than_it_must() {
    let (hangs, well) = (Scripted::new(Does::Hangs), Scripted::new(Does::Answers("A")));
    let (pool, connector, _serving) = pool(&[("hangs", Arc::clone(&hangs)), ("well", Arc::clone(&well))]).await;
    let mut late = 0;
    for _ in 0..10 {
        late += usize::from(connector.read(whole("P1"), &within(Duration::from_millis(100))).await.is_err());
    }
    assert_eq!((late, hangs.asked()), (1, 1));
    let is_well: Vec<(String, bool)> = pool.status().into_iter().map(|member| (member.host, member.is_well)).collect();
    assert_eq!(is_well, [("hangs".to_owned(), false), ("well".to_owned(), true)]);
}

#[tokio::test]
async fn an_entity_whose_copies_differ_is_asked_only_of_whoever_has_the_same() {
    let (same, other) = (Scripted::new(Does::Answers("A")), Scripted::new(Does::Answers("B")));
    let mut own = spec();
    own.entities[0].version = Some(Source::new("changed"));
    let (pool, connector) = Pool::new(own, "wire", PROMISE);
    let (link, _serving) = link("other", Arc::clone(&other)).await;
    let remarks = pool.attach(&link);
    assert_eq!(remarks.len(), 1);
    assert!(remarks[0].contains("v1/people differs in `version`"), "{remarks:?}");
    let read = connector.read(whole("P1"), &ample()).await;
    let expected = "host `other` is not asked: its copy of the manifest is another";
    assert!(matches!(&read, Err(Failure::Unavailable { detail, .. }) if detail.starts_with(expected)), "{read:?}");
    let probed = connector.probe(&ample()).await;
    assert!(matches!(&probed, Err(Failure::Unavailable { detail, .. }) if detail.contains("differs in `version`")), "{probed:?}");
    pool.detach(&link);
    assert_eq!((pool.status(), same.asked()), (Vec::new(), 0));
}
