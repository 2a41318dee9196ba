//! Opens the journal that the configuration asks for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rabita_config::journal::{EmbeddedSpec, Engine, JournalSpec, KafkaMechanism, KafkaProtocol, KafkaSecurity, KafkaSpec};
use rabita_config::{Country, Registry};
use rabita_journal::kafka::{Mechanism, Protocol, Security};
use rabita_journal::{Embedded, Journal, JournalError, Kafka, Retention, embedded, kafka};
use rabita_model::{Operation, RegistryId};
use rabita_sdk::{SecretRef, Secrets};

use crate::machine::MachineSecrets;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalOpenError {
    #[error("{0}")]
    Engine(#[from] JournalError),
    #[error("a secret of the journal cannot be used: {0}")]
    Secret(String),
}

/// Opens the journal; `None` where nothing of the configuration has use for one.
pub(super) fn open(country: &Country, secrets: &MachineSecrets) -> Result<Option<Arc<dyn Journal>>, JournalOpenError> {
    if !country.registries.iter().any(|registry| offers(registry, |one| one.is_change() || one == Operation::Subscribe)) {
        return Ok(None);
    }
    let spec = &country.node.journal;
    Ok(Some(match spec.engine() {
        Engine::Embedded(engine) => Arc::new(Embedded::open(embedded_options(country, spec, &engine))?),
        Engine::Kafka(engine) => Arc::new(Kafka::open(kafka_options(country, spec, &engine, secrets)?)?),
    }))
}

/// Whether an entity of a registry offers such an operation, or has its changes detected.
fn offers(registry: &Registry, wanted: impl Fn(Operation) -> bool) -> bool {
    let entities = registry.plan.entities.iter().map(|planned| &planned.manifest);
    let mut entities = entities.map(|entity| Operation::ALL.into_iter().any(|one| wanted(one) && entity.offers(one)));
    entities.any(|offers| offers)
}

fn retention(spec: &JournalSpec) -> Retention {
    let (updates, events) = (spec.retain_updates_ms, spec.retain_events_ms);
    Retention { updates: Duration::from_millis(updates), events: Duration::from_millis(events) }
}

fn embedded_options(country: &Country, spec: &JournalSpec, engine: &EmbeddedSpec) -> embedded::Options {
    let directory = country.directory.join(&engine.directory);
    embedded::Options {
        reserve_bytes: engine.reserve_bytes,
        pending_max: spec.pending_max,
        retention: retention(spec),
        ..embedded::Options::new(directory, Arc::new(Timestamp::now))
    }
}

fn kafka_options(
    country: &Country,
    spec: &JournalSpec,
    engine: &KafkaSpec,
    secrets: &MachineSecrets,
) -> Result<kafka::Options, JournalOpenError> {
    let changed = country.registries.iter().filter(|registry| offers(registry, Operation::is_change));
    let registries: Vec<RegistryId> = changed.map(|registry| registry.manifest.registry.clone()).collect();
    let directory = country.directory.join(&engine.directory);
    Ok(kafka::Options {
        prefix: engine.prefix.clone(),
        replication: engine.replication,
        partitions: engine.partitions,
        security: security(country, &engine.security, secrets)?,
        pending_max: spec.pending_max,
        retention: retention(spec),
        ..kafka::Options::new(engine.brokers.clone(), directory, registries, Arc::new(Timestamp::now))
    })
}

fn security(country: &Country, spec: &KafkaSecurity, secrets: &MachineSecrets) -> Result<Security, JournalOpenError> {
    let file = |file: &Option<PathBuf>| file.as_ref().map(|file| country.directory.join(file));
    let secret = |secret: &Option<SecretRef>| {
        let text = secret.as_ref().map(|secret| secrets.resolve(secret)).transpose();
        text.map(|text| text.map(|text| text.expose().to_owned())).map_err(JournalOpenError::Secret)
    };
    Ok(Security {
        protocol: match spec.protocol {
            KafkaProtocol::Plaintext => Protocol::Plaintext,
            KafkaProtocol::Ssl => Protocol::Ssl,
            KafkaProtocol::SaslPlaintext => Protocol::SaslPlaintext,
            KafkaProtocol::SaslSsl => Protocol::SaslSsl,
        },
        ca_file: file(&spec.ca_file),
        certificate_file: file(&spec.certificate_file),
        key_file: file(&spec.key_file),
        key_password: secret(&spec.key_password)?,
        mechanism: match spec.mechanism {
            KafkaMechanism::Plain => Mechanism::Plain,
            KafkaMechanism::ScramSha256 => Mechanism::ScramSha256,
            KafkaMechanism::ScramSha512 => Mechanism::ScramSha512,
        },
        user: spec.user.clone(),
        password: secret(&spec.password)?,
    })
}
