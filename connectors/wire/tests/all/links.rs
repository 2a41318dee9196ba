//! Calls over one link: answers, failures, deadlines, ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use rabita_battery::eventually;
use rabita_battery::people::key;
use rabita_battery::world::{ample, update, whole, within};
use rabita_sdk::{Applied, Connector, Failure, OpenBinary, Source};
use rabita_wire::Pool;

use super::scripted::{Does, PROMISE, Scripted, link, spec};

const SOON: Duration = Duration::from_secs(10);

async fn connector(does: Does) -> (Arc<dyn Connector>, Arc<Scripted>, tokio::task::JoinHandle<()>) {
    let scripted = Scripted::new(does);
    let (link, serving) = link("one", Arc::clone(&scripted)).await;
    let (pool, connector) = Pool::new(spec(), "wire", PROMISE);
    assert_eq!(pool.attach(&link), Vec::<String>::new());
    (connector, scripted, serving)
}

#[tokio::test]
async fn each_failure_arrives_as_what_it_is() {
    let unavailable = Failure::Unavailable { detail: "gone".into(), retry_after: Some(Duration::from_secs(30)) };
    let refused = Failure::Refused { detail: "no".into(), reason: Some("deceased".into()) };
    for failure in [
        refused,
        unavailable,
        Failure::timed_out("late"),
        Failure::Unknown { detail: "cut".into() },
        Failure::malformed("noise"),
        Failure::unsupported("never"),
    ] {
        let (connector, _, _serving) = connector(Does::Fails(failure.clone())).await;
        assert_eq!(connector.read(whole("P1"), &ample()).await, Err(failure.clone()));
        assert_eq!(connector.apply(update("P1", "family", "New".into()), &ample()).await, Err(failure));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_at_the_host() {
    let (connector, scripted, _serving) = connector(Does::Hangs).await;
    let asking = tokio::spawn(async move { connector.read(whole("P1"), &ample()).await });
    scripted.begun.acquire().await.expect("the host was asked").forget();
    assert_eq!(scripted.dropped.load(Ordering::SeqCst), 0);
    asking.abort();
    eventually("the host stops", SOON, async || scripted.dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn however_many_calls_are_dropped_the_connection_holds() {
    let (connector, scripted, _serving) = connector(Does::Answers("A")).await;
    for round in 0..60 {
        // Dropped before they were sent, on their way, and when they were answered.
        let pause = Duration::from_micros(round * 20);
        let connector = &connector;
        let calls = (0..100).map(|_| async move {
            // What comes of it, if it is quicker than the pause, is not this test's business.
            let _ = tokio::time::timeout(pause, connector.read(whole("P1"), &ample())).await;
        });
        futures_util::future::join_all(calls).await;
        assert!(connector.read(whole("P1"), &ample()).await.is_ok(), "round {round}, {} were asked", scripted.asked());
    }
}

#[tokio::test]
async fn nobody_waits_past_the_deadline_and_the_host_stops_too() {
    let (connector, scripted, _serving) = connector(Does::Hangs).await;
    let late = connector.read(whole("P1"), &within(Duration::from_millis(100))).await;
    assert!(matches!(late, Err(Failure::TimedOut { .. })), "{late:?}");
    eventually("the host stops", SOON, async || scripted.dropped.load(Ordering::SeqCst) == 1).await;
    let passed = connector.apply(update("P1", "family", "New".into()), &within(Duration::ZERO)).await;
    assert!(matches!(passed, Err(Failure::TimedOut { .. })), "{passed:?}");
    assert_eq!(scripted.asked(), 1, "without time left nothing is sent");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_a_change_unknown_and_a_read_unavailable() {
    for change in [true, false] {
        let (connector, scripted, serving) = connector(Does::Hangs).await;
        let asking = tokio::spawn(async move {
            match change {
                true => connector.apply(update("P1", "family", "New".into()), &ample()).await.map(drop),
                false => connector.read(whole("P1"), &ample()).await.map(drop),
            }
        });
        scripted.begun.acquire().await.expect("the host was asked").forget();
        serving.abort();
        let outcome = asking.await.expect("no panic");
        match change {
            true => assert!(matches!(outcome, Err(Failure::Unknown { .. })), "{outcome:?}"),
            false => assert!(matches!(outcome, Err(Failure::Unavailable { .. })), "{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_never_sent_is_unavailable_also_when_it_is_a_change() {
    let (connector, scripted, serving) = connector(Does::Answers("A")).await;
    assert_eq!(connector.apply(update("P1", "family", "New".into()), &ample()).await, Ok(Applied::Done));
    serving.abort();
    let _ = serving.await;
    let is_over = async || connector.read(whole("P1"), &ample()).await.is_err();
    eventually("the connection is over", SOON, is_over).await;
    let before = scripted.asked();
    let outcome = connector.apply(update("P1", "family", "New".into()), &ample()).await;
    assert!(matches!(outcome, Err(Failure::Unavailable { .. })), "{outcome:?}");
    assert_eq!(scripted.asked(), before);
}

#[tokio::test]
async fn binary_values_arrive_whole_or_fail() {
    let ask = || OpenBinary { entity: 0, key: key("P1"), source: Source::new("photo") };
    let (good, _, _serving) = connector(Does::Answers("A")).await;
    let stream = good.open_binary(ask(), &ample()).await.expect("an answer").expect("a value");
    assert_eq!((stream.length, stream.media_type.as_deref()), (Some(8), Some("image/png")));
    let bytes: Vec<_> = stream.chunks.try_collect().await.expect("all bytes");
    assert_eq!(bytes.concat(), b"halfhalf");
    let (cut, _, _serving) = connector(Does::CutsShort).await;
    // A stream that is reset may take the head of its answer along.
    let outcome = match cut.open_binary(ask(), &ample()).await {
        Ok(stream) => stream.expect("a value").chunks.try_collect::<Vec<_>>().await,
        Err(failure) => Err(failure),
    };
    assert!(matches!(outcome, Err(Failure::Malformed { .. } | Failure::Unavailable { .. })), "{outcome:?}");
}
