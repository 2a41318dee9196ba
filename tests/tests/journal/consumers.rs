//! The topic of events, for consumers that are no nodes.

use std::time::Duration;

use rabita_journal::Journal;
use rabita_journal::battery::sample::event;
use rabita_tests::scratch::Scratch;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::{BROKER, PATIENCE, open, options, prefix};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_in_the_topic_is_a_cloud_event_of_the_kafka_binding() {
    let (prefix, scratch) = (prefix(), Scratch::new("journal"));
    let journal = open(options(&BROKER.servers(), &prefix, scratch.path())).await;
    let published = event(7);
    journal.publish(vec![published.clone()], Vec::new()).await.expect("is published");
    let topic = format!("{prefix}.events");
    let message = tokio::task::spawn_blocking(move || first(&topic)).await.expect("ends");
    let header = |name: &str| {
        let found = message.headers().into_iter().flat_map(Headers::iter).find(|header| header.key == name);
        found.and_then(|header| header.value).map(|value| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(header("ce_specversion").as_deref(), Some("1.0"));
    assert_eq!(header("ce_id"), Some(published.id.to_string()));
    assert_eq!(header("ce_source"), Some(format!("/api/{}", published.target)));
    assert_eq!(header("ce_type"), Some(published.kind()));
    assert_eq!(header("ce_time"), Some(published.at.to_string()));
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    let data: Value = serde_json::from_slice(message.payload().expect("a body")).expect("JSON");
    assert_eq!(data["record"], Value::Object(published.record));
    journal.close().await;
}

/// The first message of a topic, read as any consumer reads it.
fn first(topic: &str) -> OwnedMessage {
    let servers = BROKER.servers();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "another")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .expect("a consumer");
    let mut parts = TopicPartitionList::new();
    parts.add_partition_offset(topic, 0, Offset::Beginning).expect("a partition");
    consumer.assign(&parts).expect("is assigned");
    let began = std::time::Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            return message.detach();
        }
    }
    panic!("no message in {topic}");
}
