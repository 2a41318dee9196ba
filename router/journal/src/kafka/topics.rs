//! The topics: their names, how messages are divided among their partitions, and what they must be like.
//!
//! | topic | partitions | key | kept |
//! |---|---|---|---|
//! | `{prefix}.claims` | as configured | system and idempotency key | as long as concluded updates |
//! | `{prefix}.updates.{registry}` | as configured | the record's name | until concluded |
//! | `{prefix}.outcomes` | as configured | the update's id | as long as concluded updates, a week at least |
//! | `{prefix}.parked` | 1 | the update's id | until concluded or sent on its way |
//! | `{prefix}.events` | 1 | registry and entity | as events |
//! | `{prefix}.kept` | 1 | the value's key | the newest of each key |
//! | `{prefix}.acts` | 1 | none | a year |
//! | `{prefix}.duties` | as configured | nothing is written | |
//!
//! Events have one partition: all of them are in one order, and a position is one number that every node understands.

use std::collections::HashMap;
use std::time::Duration;

use rabita_model::RegistryId;

use crate::kafka::options::Options;

/// The topics of one bus, with the number of partitions that they have.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    pub(super) claims: Topic,
    pub(super) outcomes: Topic,
    pub(super) parked: Topic,
    pub(super) events: Topic,
    pub(super) kept: Topic,
    pub(super) acts: Topic,
    pub(super) duties: Topic,
    /// Those of this node's registries.
    pub(super) updates: HashMap<RegistryId, Topic>,
    /// Those of registries that other nodes have, or that were there before: they are read, and no more.
    pub(super) others: Vec<Topic>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) partitions: i32,
}

/// What is in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Claims,
    Updates,
    Outcomes,
    Parked,
    Events,
    Kept,
    Acts,
    Duties,
}

impl Kind {
    const ALL: [Self; 8] =
        [Self::Claims, Self::Updates, Self::Outcomes, Self::Parked, Self::Events, Self::Kept, Self::Acts, Self::Duties];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Updates => "updates",
            Self::Outcomes => "outcomes",
            Self::Parked => "parked",
            Self::Events => "events",
            Self::Kept => "kept",
            Self::Acts => "acts",
            Self::Duties => "duties",
        }
    }

    /// Whether all its messages have to be in one order.
    pub(super) const fn is_single(self) -> bool {
        matches!(self, Self::Parked | Self::Events | Self::Kept | Self::Acts)
    }

    /// What is in the topic of this name.
    pub(super) fn of(prefix: &str, name: &str) -> Option<Self> {
        let word = name.strip_prefix(prefix)?.strip_prefix('.')?;
        let word = word.split_once('.').map_or(word, |(word, _)| word);
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The settings that the topic must have.
    pub(super) fn settings(self, options: &Options) -> Vec<(&'static str, String)> {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let retention = match self {
            Self::Claims => Some(options.retention.updates),
            Self::Outcomes => Some(options.retention.updates.max(days(7))),
            Self::Events => Some(options.retention.events),
            Self::Acts => Some(days(365)),
            Self::Updates | Self::Parked | Self::Kept | Self::Duties => None,
        };
        let compact = matches!(self, Self::Parked | Self::Kept);
        vec![
            ("cleanup.policy", if compact { "compact" } else { "delete" }.to_owned()),
            ("retention.ms", retention.map_or("-1".to_owned(), |kept| kept.as_millis().to_string())),
            ("min.insync.replicas", insync(options).to_string()),
        ]
    }
}

/// Of the brokers that hold a message, so many must have it before it counts: all but one.
pub(super) fn insync(options: &Options) -> u16 {
    options.replication.saturating_sub(1).max(1)
}

/// The name of a topic; of updates, without the registry.
pub(super) fn name(prefix: &str, kind: Kind) -> String {
    format!("{prefix}.{}", kind.as_str())
}

/// The name of the topic of a registry's updates.
pub(super) fn name_of_updates(prefix: &str, registry: &RegistryId) -> String {
    format!("{}.{registry}", name(prefix, Kind::Updates))
}

/// Every topic that this node needs, with what is in it.
pub(super) fn needed(options: &Options) -> Vec<(Kind, String)> {
    let mut needed: Vec<_> =
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::Updates).map(|kind| (kind, name(&options.prefix, kind))).collect();
    needed.extend(options.registries.iter().map(|registry| (Kind::Updates, name_of_updates(&options.prefix, registry))));
    needed
}

impl Topics {
    /// Brings together what is there: the number of partitions by name.
    pub(super) fn new(options: &Options, there: &HashMap<String, i32>) -> Self {
        let topic = |name: String| Topic { partitions: there.get(&name).copied().unwrap_or(1), name };
        let of = |kind| topic(name(&options.prefix, kind));
        let updates: HashMap<_, _> = options
            .registries
            .iter()
            .map(|registry| (registry.clone(), topic(name_of_updates(&options.prefix, registry))))
            .collect();
        let others = there
            .keys()
            .filter(|name| Kind::of(&options.prefix, name) == Some(Kind::Updates))
            .filter(|name| updates.values().all(|known| known.name != **name))
            .map(|name| topic(name.clone()))
            .collect();
        Self {
            claims: of(Kind::Claims),
            outcomes: of(Kind::Outcomes),
            parked: of(Kind::Parked),
            events: of(Kind::Events),
            kept: of(Kind::Kept),
            acts: of(Kind::Acts),
            duties: of(Kind::Duties),
            updates,
            others,
        }
    }

    /// Those that every node reads.
    pub(super) fn read(&self) -> impl Iterator<Item = &Topic> {
        [&self.claims, &self.outcomes, &self.parked, &self.events, &self.kept, &self.acts]
            .into_iter()
            .chain(self.updates.values())
            .chain(&self.others)
    }

    /// Those whose partitions are divided among the nodes.
    pub(super) fn divided(&self) -> Vec<&str> {
        self.updates.values().chain([&self.duties]).map(|topic| topic.name.as_str()).collect()
    }
}

impl Topic {
    /// The partition of a key. Every node must come to the same, so this never changes (FNV-1a, 64 bits).
    pub(super) fn partition(&self, key: &str) -> i32 {
        let hash = key
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let partitions = u64::try_from(self.partitions).unwrap_or(1).max(1);
        i32::try_from(hash % partitions).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_partition_that_it_always_had() {
        // The published values of the hash for these three, divided by twelve.
        let topic = Topic { name: "t".to_owned(), partitions: 12 };
        assert_eq!(["", "a", "foobar"].map(|key| topic.partition(key)), [5, 4, 0]);
    }

    #[test]
    fn a_topic_is_known_by_its_name() {
        assert_eq!(Kind::of("rabita", "rabita.updates.population"), Some(Kind::Updates));
        assert_eq!(Kind::of("rabita", "rabita.events"), Some(Kind::Events));
        assert_eq!(Kind::of("rabita", "rabita.eventsx"), None);
        assert_eq!(Kind::of("rabita", "rabitax.events"), None);
    }
}
