//! `ledger:` of `rabita.yaml`: where every exchange is recorded, and who signs it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::signing::KeySource;

/// The ledger of the node: on, in `ledger/` beside the configuration, unless told otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerSpec {
    /// `false` records nothing, for a bench or a first try: nobody can then tell who saw what.
    #[serde(rename = "enabled")]
    pub is_enabled: bool,
    /// Its directory. Holds the log, and apart from it keys and index.
    pub directory: PathBuf,
    /// The log's name in checkpoints and receipts, of its own for each node: `bus.example.az/node-1`. For nodes that share a
    /// configuration, `{hostname}` in it is the name of the machine: `bus.example.az/{hostname}`.
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^([A-Za-z0-9._/-]|\{hostname\})+$"))]
    #[schemars(extend("patternErrorMessage" = "letters, digits, `.`, `_`, `/`, `-` and `{hostname}`"))]
    pub origin: String,
    /// The Ed25519 key that signs checkpoints. Left out, one is made in the directory at the first start.
    pub key: Option<KeySource>,
    /// For how long one pseudonym key serves.
    pub period: Period,
    /// The public keys of witnesses, in the form of signed notes (`name+hash+key`); their cosignatures are shown with the
    /// checkpoint.
    pub witnesses: Vec<String>,
    /// How often nodes that share a journal show each other their checkpoints.
    #[schemars(range(min = 1))]
    pub exchange_s: u64,
    /// An authority that stamps checkpoints with its own time. Left out, none does.
    pub timestamps: Option<TimestampsSpec>,
}

/// Time stamps (RFC 3161) of checkpoints, kept in `stamps/` of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimestampsSpec {
    /// Where the authority is asked. Nothing but a hash is sent, and the answer is signed, so `http:` will do.
    pub url: String,
    /// The authorities that the certificates of stamps are held against, PEM. Left out, a stamp is held against what was asked
    /// alone, and its certificate only by `rabita ledger verify --stamps`.
    #[serde(default)]
    pub authorities: Option<PathBuf>,
    /// How often a log that has grown is stamped.
    #[serde(default = "every")]
    #[schemars(range(min = 1))]
    pub every_s: u64,
}

const fn every() -> u64 {
    3_600
}

impl Default for LedgerSpec {
    fn default() -> Self {
        Self {
            is_enabled: true,
            directory: PathBuf::from("ledger"),
            origin: "rabita".to_owned(),
            key: None,
            period: Period::Month,
            witnesses: Vec::new(),
            exchange_s: 10,
            timestamps: None,
        }
    }
}

/// A span of time with one pseudonym key for each agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Day,
    #[default]
    Month,
    Year,
}
