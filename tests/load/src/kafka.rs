//! Updates taken on by the Kafka journal, against a producer that does nothing else on the same three brokers.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rabita_journal::{Journal, kafka};
use rabita_tests::{Kafka, eventually};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::runtime::Runtime;

use crate::durable::{self, WRITERS};
use crate::report::Report;
use crate::updates::{accept, figure, rows, update};
use crate::{Plan, country};

/// As the journal's topics have it.
const PARTITIONS: i32 = 12;
const BROKERS: usize = 3;

const TOPIC: &str = "plain";

pub fn measure(plan: &Plan, report: &mut Report) {
    let (scratch, runtime) = (country::scratch(), Runtime::new().expect("a runtime"));
    let brokers = Kafka::start(BROKERS);
    let producer = runtime.block_on(producer(&brokers.servers()));
    let journal = runtime.block_on(journal(&brokers.servers(), scratch.path().join("view")));
    report.table(
        "Updates made durable on three brokers of Apache Kafka",
        &["", "updates/s", "p50", "p99", "to the plain producer, by round"],
    );
    for writers in WRITERS {
        let (mut plain, mut engine) = (Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let producer = producer.clone();
            let outcome = durable::run(&runtime, writers, plan.measured, move |writer, count| {
                let producer = producer.clone();
                async move {
                    let update = update(writer, count);
                    let body = serde_json::to_vec(&update).expect("an update is JSON");
                    let record = FutureRecord::to(TOPIC).key(&update.record).payload(&body);
                    producer.send(record, Duration::from_secs(30)).await.expect("the brokers take it");
                }
            });
            report.progress("plain producer", round, &outcome, plan.measured);
            plain.push(outcome);
            let outcome = accept(&runtime, Arc::clone(&journal), writers, plan);
            report.progress("kafka journal", round, &outcome, plan.measured);
            engine.push(outcome);
        }
        rows(report, &format!("plain producer, {writers} writers"), &plain, &plain);
        rows(report, &format!("kafka journal, {writers} writers"), &engine, &plain);
        figure(report, &format!("kafka journal to the plain producer, {writers} writers"), &engine, &plain);
    }
    runtime.block_on(journal.close());
}

/// A producer with nothing between it and the brokers, that waits for all of them and writes nothing twice.
async fn producer(servers: &str) -> FutureProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("acks", "all").set("enable.idempotence", "true").set("linger.ms", "1");
    let admin: AdminClient<DefaultClientContext> = config.create().expect("the settings are right");
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(3)).set("min.insync.replicas", "2");
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("the brokers answer");
    assert!(made.iter().all(Result::is_ok), "the topic is made: {made:?}");
    config.create().expect("the settings are right")
}

async fn journal(servers: &str, directory: std::path::PathBuf) -> Arc<dyn Journal> {
    let registries = vec!["bank".to_owned().try_into().expect("a name")];
    let servers = servers.split(',').map(str::to_owned).collect();
    let options = kafka::Options::new(servers, directory, registries, Arc::new(Timestamp::now));
    let journal = rabita_journal::Kafka::open(options).expect("a journal can be opened");
    eventually("the journal is ready", Duration::from_secs(60), async || journal.health().is_ok()).await;
    Arc::new(journal)
}
