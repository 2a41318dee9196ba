//! The clients of the brokers: their settings, and what they say.

use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::FutureProducer;

use crate::JournalError;
use crate::kafka::options::{Options, Protocol};

/// So long a message may take to become durable; then its caller is told that the brokers fail.
pub(super) const DELIVERY: Duration = Duration::from_secs(5);
/// So long a transaction may stay open when its node is gone. Until then nobody reads past it.
const TRANSACTION: Duration = Duration::from_secs(10);

/// Tells what the client library says. It says nothing of what messages hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, message, "kafka");
            }
            _ => tracing::debug!(facility, message, "kafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka");
    }
}

impl ConsumerContext for Context {}

/// What all clients are set to.
pub(super) fn config(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", options.brokers.join(","))
        .set("client.id", &options.prefix)
        .set("security.protocol", options.security.protocol.as_str())
        // A broker that comes back is found soon.
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.nagle.disable", "true")
        .set("socket.connection.setup.timeout.ms", "5000");
    secure(&mut config, options);
    config
}

fn secure(config: &mut ClientConfig, options: &Options) {
    let security = &options.security;
    let paths = [
        ("ssl.ca.location", &security.ca_file),
        ("ssl.certificate.location", &security.certificate_file),
        ("ssl.key.location", &security.key_file),
    ];
    for (name, path) in paths {
        if let Some(path) = path {
            config.set(name, path.to_string_lossy());
        }
    }
    if let Some(password) = &security.key_password {
        config.set("ssl.key.password", password);
    }
    if matches!(security.protocol, Protocol::SaslPlaintext | Protocol::SaslSsl) {
        config.set("sasl.mechanism", security.mechanism.as_str());
        config.set("sasl.username", security.user.as_deref().unwrap_or_default());
        config.set("sasl.password", security.password.as_deref().unwrap_or_default());
    }
}

/// A client that only asks where topics begin and end, whoever has written it.
pub(super) fn asker(options: &Options) -> Result<BaseConsumer<Context>, JournalError> {
    make(config(options).set("isolation.level", "read_uncommitted"))
}

/// A client that reads what was committed, from where it is told. It is no member of its group, but must name one.
pub(super) fn reader(options: &Options, node: &str) -> Result<BaseConsumer<Context>, JournalError> {
    make(
        config(options)
            .set("group.id", format!("{}.view.{node}", options.prefix))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.max.messages.kbytes", "32768"),
    )
}

/// A client that is a member of the group among which the updates are divided.
pub(super) fn member<C: ConsumerContext>(options: &Options, context: C) -> Result<BaseConsumer<C>, JournalError> {
    let session = options.session.as_millis();
    config(options)
        .set("group.id", format!("{}.delivery", options.prefix))
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", (session / 4).to_string())
        // Only so are the offsets that a transaction under way commits waited for.
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create_with_context(context)
        .map_err(|error| unavailable(&error))
}

/// A client that writes messages one by one, each once.
pub(super) fn writer(options: &Options) -> Result<FutureProducer<Context>, JournalError> {
    make(
        config(options)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "1")
            .set("message.timeout.ms", DELIVERY.as_millis().to_string()),
    )
}

/// A client that writes transactions. Whoever begins with the same id ends the one before.
pub(super) fn transactor(options: &Options, id: &str) -> Result<FutureProducer<Context>, JournalError> {
    make(
        config(options)
            .set("transactional.id", format!("{}.{id}", options.prefix))
            .set("transaction.timeout.ms", TRANSACTION.as_millis().to_string())
            .set("message.timeout.ms", DELIVERY.as_millis().to_string())
            .set("linger.ms", "0"),
    )
}

fn make<T: FromClientConfigAndContext<Context>>(config: &mut ClientConfig) -> Result<T, JournalError> {
    config.create_with_context(Context).map_err(|error| unavailable(&error))
}

/// What the client library says, in the journal's words.
pub(super) fn unavailable(error: &KafkaError) -> JournalError {
    JournalError::Unavailable(match error.rdkafka_error_code() {
        Some(code) => code.to_string(),
        None => error.to_string(),
    })
}
