//! What the ledger records: facts as they are known to the node, and entries as they are written.
//!
//! A [`Fact`] holds personal data in clear and never leaves the node's memory. An [`Entry`] holds none: whom an exchange was
//! about is a keyed pseudonym, the user and the case are sealed, digests of what was said are keyed.

use jiff::Timestamp;
use rabita_model::{
    ActionName, AgencyId, BasisId, Code, ExchangeId, FieldName, Operation, Purpose, Subject, SystemId, Target, UpdateId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod bytes;
mod written;

pub use bytes::{KeyedDigest, Pseudonym, Sealed, TreeHash};
pub use written::{
    ActEntry, Caller, ConclusionEntry, ConfigurationEntry, Entry, ExchangeEntry, Form, MoreEntry, Outcome, UnreadableEntry,
};

/// Something that happened, as the node knows it.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A request and its answer.
    Exchange(Box<ExchangeFact>),
    /// An update ended, with or without its caller waiting.
    Conclusion(Box<ConclusionFact>),
    /// Events of a registry were brought to a system.
    Events(Box<ExchangeFact>),
    /// The configuration in force is another one.
    Configuration(ConfigurationFact),
    /// An operator did something.
    Act(ActFact),
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct ExchangeFact {
    pub at: Timestamp,
    pub exchange: ExchangeId,
    /// The caller and its agency, where it is known.
    pub caller: Option<(SystemId, AgencyId)>,
    pub credential: Option<Credential>,
    /// On whose behalf, as told by [`ExchangeFact::user_by`].
    pub user: Option<String>,
    pub user_by: Option<ToldBy>,
    pub purpose: Option<Purpose>,
    pub basis: Option<BasisId>,
    pub case: Option<String>,
    pub consent: Option<String>,
    /// What was asked of which registry; `None` where the bus itself was asked.
    pub about: Option<About>,
    /// Where the bus itself was asked: the name of what was asked, such as `catalogue`.
    pub service: Option<String>,
    /// Whom the records that were asked for or given are about.
    pub subjects: Vec<Subject>,
    /// The fields that the answer gives.
    pub fields: Vec<FieldName>,
    /// How many records the answer gives.
    pub records: u32,
    pub update: Option<UpdateId>,
    /// What was asked: method, target and body, in the form that [`crate::evidence`] says.
    pub request: Vec<u8>,
    /// What was answered: the body.
    pub answer: Answered,
    /// The HTTP status.
    pub status: u16,
    /// Why it was not answered as asked.
    pub code: Option<Code>,
    /// The caller's signature of the request.
    pub signature: Option<RequestSignature>,
}

/// What an answer's digest is made of.
#[derive(Debug, Clone)]
pub enum Answered {
    /// The SHA-256 of the body.
    Digest([u8; 32]),
    /// The body is on its way while this is written.
    Streamed,
}

/// The registry, entity and operation of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    #[serde(flatten)]
    pub target: Target,
    /// The agency that owns the registry.
    pub owner: AgencyId,
    pub operation: Operation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
}

/// By what the caller was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub by: CredentialKind,
    /// The SHA-256 of the certificate, or of the token, in 64 hexadecimal digits.
    pub sha256: String,
    /// The issuer of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    Certificate,
    Token,
}

/// Who says on whose behalf a system acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToldBy {
    /// A claim that the token's issuer signed.
    Claim,
    /// The system itself.
    Assertion,
}

/// The caller's signature of a request, verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSignature {
    /// The name of the system's key.
    pub key: String,
    /// The signature, in Base64.
    pub signature: String,
    /// What was signed, as `Signature-Input` says.
    pub input: String,
}

/// How an update ended.
#[derive(Debug, Clone)]
pub struct ConclusionFact {
    pub at: Timestamp,
    pub update: UpdateId,
    /// The exchange that submitted it.
    pub exchange: ExchangeId,
    pub caller: (SystemId, AgencyId),
    pub about: About,
    pub purpose: Option<Purpose>,
    pub subjects: Vec<Subject>,
    pub outcome: rabita_model::Outcome,
    pub code: Option<Code>,
    pub attempts: u32,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationFact {
    pub at: Timestamp,
    /// Each file that counts, with the SHA-256 of its content in hexadecimal digits.
    pub files: Vec<FileDigest>,
    /// The files that differ from those before; all at the start of a node.
    pub changed: Vec<String>,
}

/// A file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Relative to the configuration directory.
    pub file: String,
    pub sha256: String,
}

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActFact {
    pub at: Timestamp,
    /// Who, as they say.
    pub operator: String,
    /// What, as a verb with its object: `updates retry`.
    pub act: String,
    /// What it was done to. No personal data.
    pub detail: Value,
}
