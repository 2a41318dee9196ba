//! What a manifest says of Apache Kafka: checked, and made ready to connect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rabita_sdk::{Finding, OpenError, RegistrySpec, Secrets};

use super::connection::Dialler;
use super::open::Opener;
use crate::access::Access;
use crate::broker::Destination;
use crate::from::To;
use crate::kind::CONNECTOR;
use crate::settings::{Kafka, Settings};
use crate::wire::Address;

/// Kafka's own limit for names of topics, which become names of directories.
const TOPIC_MAX: usize = 249;

/// Beside a reply lie its headers.
const HEADERS_MAX_BYTES: usize = 1024 * 1024;

/// Everything wrong with the settings that the schema can't say.
pub(crate) fn check(kafka: &Kafka, findings: &mut Vec<Finding>) {
    let at = |key: &str| format!("{CONNECTOR}/kafka/{key}");
    for (place, broker) in kafka.brokers.iter().enumerate() {
        if Address::parse(broker, None).is_none() {
            let message = "this is no address: write `host:port`; TLS is asked for by `tls: {}`";
            findings.push(Finding::new(at(&format!("brokers/{place}")), message));
        }
    }
    findings.extend(kafka.topic.iter().filter_map(|topic| wrong_topic(topic, at("topic"))));
    findings.extend(wrong_topic(&kafka.reply_topic, at("reply_topic")));
    access(kafka).check(findings);
}

fn access(kafka: &Kafka) -> Access<'_> {
    Access { key: "kafka", user: kafka.user.as_ref(), password: kafka.password.as_ref(), tls: kafka.tls.as_ref() }
}

fn wrong_topic(topic: &str, pointer: String) -> Option<Finding> {
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_sound = !matches!(topic, "" | "." | "..") && topic.len() <= TOPIC_MAX && topic.bytes().all(is_right);
    let message = format!("this is no topic: up to {TOPIC_MAX} letters and digits of ASCII, `.`, `_` and `-`");
    (!is_sound).then(|| Finding::new(pointer, message))
}

/// Where a call's request goes, `pointer` being where the call stands.
pub(crate) fn destination(kafka: &Kafka, to: &To, pointer: &str, findings: &mut Vec<Finding>) -> Destination {
    for (key, given) in [("exchange", &to.exchange), ("routing_key", &to.routing_key)] {
        if given.is_some() {
            findings.push(Finding::new(format!("{pointer}/to/{key}"), format!("Kafka has no `{key}`: say `topic`")));
        }
    }
    if let Some(topic) = &to.topic {
        findings.extend(wrong_topic(topic, format!("{pointer}/to/topic")));
    } else if kafka.topic.is_none() {
        let message = "nothing says where the request goes: add `topic` to `kafka`, or `to: { topic: ... }` here";
        findings.push(Finding::new(pointer, message));
    }
    let name = to.topic.as_ref().or(kafka.topic.as_ref()).cloned().unwrap_or_default();
    Destination { name, ..Destination::default() }
}

/// How connections are made.
///
/// # Errors
/// When a secret or file is missing, or is not what it should be.
pub(crate) async fn opener(
    kafka: &Kafka,
    settings: &Settings,
    destinations: BTreeSet<Destination>,
    secrets: &dyn Secrets,
    spec: &RegistrySpec,
) -> Result<Opener, OpenError> {
    let fetch_max_bytes = settings.reply_max_bytes.saturating_add(HEADERS_MAX_BYTES);
    let dialler = Dialler {
        tls: access(kafka).tls(secrets, &spec.directory).await?,
        user: access(kafka).user(secrets)?.map(|(user, password)| (kafka.mechanism, user, password)),
        timeout: Duration::from_millis(settings.connect_timeout_ms),
        // A batch comes whole, whatever was asked for.
        answer_max_bytes: fetch_max_bytes.saturating_mul(2),
    };
    Ok(Opener {
        dialler: Arc::new(dialler),
        brokers: kafka.brokers.iter().filter_map(|broker| Address::parse(broker, None)).collect(),
        reply_topic: kafka.reply_topic.clone(),
        fetch_max_bytes: i32::try_from(fetch_max_bytes).unwrap_or(i32::MAX),
        destinations,
    })
}
