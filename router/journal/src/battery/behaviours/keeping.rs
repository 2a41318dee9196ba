//! Values that are kept under keys.

use serde_json::json;

use crate::Kept;
use crate::battery::Subject;
use crate::battery::sample::event;

fn kept(key: &str, value: Option<serde_json::Value>) -> Kept {
    Kept { key: key.to_owned(), value }
}

pub async fn keeps_values_by_their_keys<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let values = [
        kept("hook/b", Some(json!({ "url": "https://b" }))),
        kept("hook/a", Some(json!(1))),
        kept("hook", Some(json!(null))),
        kept("hooks/c", Some(json!("c"))),
        kept("hook/Ə", Some(json!([]))),
    ];
    assert_eq!(journal.publish(Vec::new(), values.to_vec()).await, Ok(()));
    let found = journal.kept("hook/").await;
    let expected = [("hook/a", json!(1)), ("hook/b", json!({ "url": "https://b" })), ("hook/Ə", json!([]))];
    assert_eq!(found, Ok(expected.map(|(key, value)| (key.to_owned(), value)).to_vec()));
    assert_eq!(journal.kept("").await.map(|all| all.len()), Ok(5));

    let changed = vec![kept("hook/a", Some(json!(2))), kept("hook/b", None), kept("hook/never", None)];
    assert_eq!(journal.publish(Vec::new(), changed).await, Ok(()));
    let journal = subject.crash(journal).await;
    let expected = [("hook/a", json!(2)), ("hook/Ə", json!([]))];
    assert_eq!(journal.kept("hook/").await, Ok(expected.map(|(key, value)| (key.to_owned(), value)).to_vec()));
}

pub async fn publishes_and_keeps_together<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    for place in 0..20 {
        let values = vec![kept("place", Some(json!(place)))];
        assert_eq!(journal.publish(vec![event(place)], values).await, Ok(()));
    }
    let journal = subject.crash(journal).await;
    let events = journal.events(None, 100).await.expect("events").events.len();
    assert_eq!((events, journal.kept("place").await), (20, Ok(vec![("place".to_owned(), json!(19))])));
}
