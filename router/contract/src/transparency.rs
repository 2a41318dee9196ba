//! Answers about who used data: a person's view, the same in the form of Estonia's Data Tracker, an agency's view, and
//! counts for everybody.
//!
//! A line of a person's view has the bytes of its ledger entry with the way to the root of the checkpoint beside it, so
//! that whoever shows the line, or sees it, can check that the ledger says the same. A line of an agency's view has the
//! proof without the bytes: nothing in it tells of a person.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use rabita_model::{
    ActionName, AgencyId, BasisId, Code, EntityName, ExchangeId, FieldName, Operation, Purpose, RegistryId, SystemId, UpdateId,
    Version,
};
use serde::{Serialize, Serializer};

use crate::ledger::Hash;

/// A page of uses, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Accesses {
    pub accesses: Vec<Access>,
    /// The checkpoint that all proofs are of, a signed note.
    pub checkpoint: String,
    /// The logs that were looked through: a bus of several nodes has one for each.
    pub logs: Vec<String>,
    /// So many of the newest entries were not looked through yet.
    #[serde(skip_serializing_if = "is_none")]
    pub behind: u64,
    /// The `cursor` of the next page; not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One use: an exchange, the end of an update, or events that were brought.
#[derive(Debug, Clone, Serialize)]
pub struct Access {
    pub at: Timestamp,
    pub kind: Kind,
    /// Who; none where nobody was known by the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<OnBehalf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PurposeTold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    #[serde(flatten)]
    pub about: AboutTold,
    /// The fields that were given.
    pub fields: Vec<FieldName>,
    /// How many records were given.
    pub records: u32,
    pub outcome: OutcomeTold,
    /// Why it was not answered as asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    pub exchange: ExchangeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateId>,
    pub receipt: ReceiptTold,
    pub proof: ProofTold,
}

/// What kind of use it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A request and its answer.
    Exchange,
    /// An update came to its end.
    Conclusion,
    /// Events were brought.
    Events,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeTold {
    Allowed,
    /// The bus or the registry said no.
    Refused,
    /// The bus or the registry could not.
    Failed,
}

/// On whose behalf the system acted.
#[derive(Debug, Clone, Serialize)]
pub struct OnBehalf {
    pub user: String,
    /// `claim` where the identity provider signed it, `assertion` where the system says so.
    pub by: &'static str,
}

/// Why, and by what right.
#[derive(Debug, Clone, Serialize)]
pub struct PurposeTold {
    pub id: Purpose,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<BasisTold>,
}

/// The law or other act that a purpose rests on.
#[derive(Debug, Clone, Serialize)]
pub struct BasisTold {
    pub id: BasisId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What was asked.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum AboutTold {
    Registry {
        registry: RegistryId,
        #[serde(skip_serializing_if = "Option::is_none")]
        registry_title: Option<String>,
        version: Version,
        entity: EntityName,
        operation: Operation,
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<ActionName>,
    },
    /// The bus itself, such as `subject_accesses`.
    Service { service: String },
}

/// Where the ledger has it.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptTold {
    /// The log's name.
    pub log: String,
    pub index: u64,
    pub leaf: Hash,
    /// The bytes of the entry, in Base64.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "base64")]
    pub bytes: Option<Vec<u8>>,
}

/// That the ledger has it there.
#[derive(Debug, Clone, Serialize)]
pub struct ProofTold {
    /// The size of the checkpoint.
    pub size: u64,
    /// The hashes on the way from the leaf to the root, the lowest first.
    pub hashes: Vec<Hash>,
}

/// Uses in the form of the Data Tracker.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usages {
    /// How many there are in all, whatever `offset` and `limit` say.
    pub total_usages: i32,
    pub usages: Vec<Usage>,
}

/// One use in the form of the Data Tracker.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    #[serde(serialize_with = "seconds")]
    pub logtime: Timestamp,
    /// Why, for people.
    pub action: String,
    pub receiver_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_name: Option<String>,
    pub receiver_system: String,
}

/// Since when uses are known.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsagePeriod {
    #[serde(serialize_with = "seconds")]
    pub period_start: Timestamp,
}

/// Whether uses can be told.
#[derive(Debug, Clone, Serialize)]
pub struct Heartbeat {
    /// `OK` or `FAIL`.
    pub status: &'static str,
    pub message: &'static str,
}

/// Counts of exchanges, without persons, as the ledger makes them.
#[derive(Debug, Clone, Serialize)]
pub struct Statistics<T> {
    #[serde(flatten)]
    pub counts: T,
    /// The logs that were counted.
    pub logs: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde wants")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The Data Tracker's times have whole seconds.
fn seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.0}"))
}

fn base64<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => serializer.serialize_str(&BASE64.encode(bytes)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_data_trackers_times_have_whole_seconds_and_a_zone() {
        let time: Timestamp = "2026-11-24T02:03:04.56789Z".parse().expect("a time");
        let told = serde_json::to_value(UsagePeriod { period_start: time }).expect("JSON");
        assert_eq!(told, json!({ "periodStart": "2026-11-24T02:03:04Z" }));
    }
}
