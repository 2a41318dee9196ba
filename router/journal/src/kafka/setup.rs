//! Makes the topics where they are not there, and finds out whether they are as they must be.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::Client;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::kafka::client::{self, Context};
use crate::kafka::options::Options;
use crate::kafka::topics::{self, Kind, Topics};

/// So long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is there.
pub(super) struct Ground {
    pub(super) topics: Topics,
    /// The cluster's own name.
    pub(super) cluster: String,
}

/// A topic as the brokers describe it.
struct Described {
    partitions: i32,
    replicas: usize,
}

/// Makes what is missing and checks all. Blocks.
///
/// # Errors
/// Everything that is wrong, for an operator.
pub(super) fn prepare(options: &Options) -> Result<Ground, String> {
    let mut config: ClientConfig = client::config(options);
    let admin: AdminClient<Context> =
        config.set("log_level", "3").create_with_context(Context).map_err(|error| error.to_string())?;
    let wanted = topics::needed(options);
    let there = describe(admin.inner(), options)?;
    let missing: Vec<_> = wanted.iter().filter(|(_, name)| !there.contains_key(name)).collect();
    let there = if missing.is_empty() {
        there
    } else {
        create(&admin, options, &missing)?;
        describe(admin.inner(), options)?
    };
    let mut wrong = shapes(options, &wanted, &there);
    wrong.extend(settings(&admin, options, &wanted)?);
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let cluster = admin.inner().fetch_cluster_id(PATIENCE).ok_or("the brokers do not tell the cluster's id")?;
    let partitions = there.into_iter().map(|(name, described)| (name, described.partitions)).collect();
    Ok(Ground { topics: Topics::new(options, &partitions), cluster })
}

/// The topics of this bus that have a leader everywhere.
fn describe(client: &Client<Context>, options: &Options) -> Result<HashMap<String, Described>, String> {
    let metadata = client.fetch_metadata(None, PATIENCE).map_err(|error| absent(options, &error))?;
    let ours = metadata.topics().iter().filter(|topic| Kind::of(&options.prefix, topic.name()).is_some());
    Ok(ours
        .filter(|topic| topic.error().is_none() && !topic.partitions().is_empty())
        .map(|topic| {
            let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
            let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
            (topic.name().to_owned(), Described { partitions, replicas })
        })
        .collect())
}

fn absent(options: &Options, error: &KafkaError) -> String {
    let why = match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) | None => {
            "no broker answers".to_owned()
        }
        Some(code) => code.to_string(),
    };
    format!("{}: {why}", options.brokers.join(", "))
}

fn create(admin: &AdminClient<Context>, options: &Options, missing: &[&(Kind, String)]) -> Result<(), String> {
    let settings: Vec<Vec<(&str, String)>> = missing.iter().map(|(kind, _)| kind.settings(options)).collect();
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .zip(&settings)
        .map(|((kind, name), settings)| {
            let partitions = if kind.is_single() { 1 } else { i32::from(options.partitions) };
            let replication = TopicReplication::Fixed(i32::from(options.replication));
            let topic = NewTopic::new(name, partitions, replication);
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    // All brokers know a new topic a moment later; the operation is over when they do.
    let how = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE * 2));
    let made = wait(admin.create_topics(&new, &how)).map_err(|error| format!("topics cannot be made: {error}"))?;
    let failed: Vec<String> =
        made.into_iter().filter_map(Result::err).filter_map(|(name, code)| refused(options, &name, code)).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// Why a topic was not made; `None` where another node was faster.
fn refused(options: &Options, name: &str, code: RDKafkaErrorCode) -> Option<String> {
    match code {
        RDKafkaErrorCode::TopicAlreadyExists => None,
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            Some(format!("the topic {name} is missing, and the node has no authority to make it"))
        }
        RDKafkaErrorCode::InvalidReplicationFactor => Some(format!(
            "the topic {name} cannot be made: the cluster has fewer brokers than the replication of {} needs",
            options.replication
        )),
        code => Some(format!("the topic {name} cannot be made: {code}")),
    }
}

fn shapes(options: &Options, wanted: &[(Kind, String)], there: &HashMap<String, Described>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (kind, name) in wanted {
        let Some(Described { partitions, replicas }) = there.get(name) else {
            wrong.push(format!("the topic {name} is not there yet"));
            continue;
        };
        let least = i32::from(options.partitions);
        if kind.is_single() && *partitions != 1 {
            wrong.push(format!("the topic {name} has {partitions} partitions and must have 1"));
        } else if !kind.is_single() && *partitions < least {
            wrong.push(format!("the topic {name} has {partitions} partitions, {least} are configured"));
        }
        if *replicas < usize::from(options.replication) {
            wrong.push(format!("the topic {name} lies on {replicas} brokers, {} are configured", options.replication));
        }
    }
    wrong
}

/// What is wrong with the settings of the topics. Where the node may not read them, nothing is known to be wrong.
fn settings(admin: &AdminClient<Context>, options: &Options, wanted: &[(Kind, String)]) -> Result<Vec<String>, String> {
    let named: Vec<ResourceSpecifier<'_>> = wanted.iter().map(|(_, name)| ResourceSpecifier::Topic(name)).collect();
    let how = AdminOptions::new().request_timeout(Some(PATIENCE));
    let described =
        wait(admin.describe_configs(&named, &how)).map_err(|error| format!("the topics' settings cannot be read: {error}"))?;
    let mut wrong = Vec::new();
    for ((kind, name), described) in wanted.iter().zip(described) {
        let described = match described {
            Ok(described) => described,
            Err(code) => {
                tracing::warn!(topic = name, %code, "the settings of a topic cannot be read");
                continue;
            }
        };
        for (key, value) in kind.settings(options) {
            let has = described.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or("");
            if !suffices(*kind, key, has, &value) {
                wrong.push(format!("the topic {name} has {key}={has}, {value} is needed"));
            }
        }
    }
    Ok(wrong)
}

/// Longer kept and safer is well too.
fn suffices(kind: Kind, key: &str, has: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    match key {
        // What a compacted topic keeps does not depend on time.
        "retention.ms" if matches!(kind, Kind::Parked | Kind::Kept | Kind::Duties) => true,
        "retention.ms" => has == wanted || has == "-1" || (wanted != "-1" && number(has) >= number(wanted)),
        "min.insync.replicas" => number(has) >= number(wanted),
        _ => has == wanted,
    }
}

/// Waits on this thread, which has nothing else to do.
fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}
