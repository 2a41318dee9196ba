//! What the manifest's `connector:` says: where drops arrive, where the index is, where changes go.

use std::path::PathBuf;

use rabita_sdk::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of `connector: { kind: files, ... }`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the agency puts its files.
    pub source: Origin,
    /// The directory of the index, relative to the configuration directory; it is made where it is not. It belongs to
    /// this registry alone, and to one machine.
    pub index: PathBuf,
    /// When a file is taken for a drop, and which drops are refused.
    #[serde(default)]
    pub arrival: Arrival,
    /// Where changes are written; without it nothing can be changed.
    #[serde(default)]
    pub outgoing: Option<Outgoing>,
}

/// Where files are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A directory of this machine, relative to the configuration directory.
    Directory(PathBuf),
    /// A directory on an SFTP server.
    Sftp(Box<Sftp>),
    /// Files below an address.
    Http(Box<Http>),
}

/// Where files of changes go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A directory of this machine, relative to the configuration directory.
    Directory(PathBuf),
    /// A directory on an SFTP server.
    Sftp(Box<Sftp>),
}

/// A directory on an SFTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sftp {
    pub host: String,
    #[serde(default = "ssh_port")]
    pub port: u16,
    pub user: String,
    /// The server's public key, as `ssh-keyscan` tells it without the name: `ssh-ed25519 AAAA...`.
    pub host_key: String,
    /// The directory.
    pub path: String,
    /// The private key of the user (OpenSSH, PEM).
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// The passphrase of that key.
    #[serde(default)]
    pub passphrase: Option<SecretRef>,
    /// The user's password, where there is no key.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// The longest that making a connection may take.
    #[serde(default = "connect_timeout_ms")]
    #[schemars(range(min = 1))]
    pub connect_timeout_ms: u64,
}

/// Files below an address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The names of the files: HTTP has no lists of them.
    #[schemars(length(min = 1))]
    pub files: Vec<String>,
    /// The address above them, and how the bus says who it is.
    pub at: rabita_http::Settings,
}

const fn ssh_port() -> u16 {
    22
}

const fn connect_timeout_ms() -> u64 {
    5000
}

/// When a file is a drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// The source is looked at so often.
    #[serde(default = "poll_ms")]
    #[schemars(range(min = 10, max = 86_400_000))]
    pub poll_ms: u64,
    /// A file is whole when neither its size nor its time has changed for so long; 0 where files arrive by renaming.
    #[serde(default = "settle_ms")]
    #[schemars(range(max = 86_400_000))]
    pub settle_ms: u64,
    /// A file is whole when this file is there too: `{name}.done`. `{name}` is the name of the file.
    #[serde(default)]
    pub marker: Option<String>,
    /// A drop that lacks more than so many per cent of the records before it is refused; 100 refuses none.
    #[serde(default = "shrink_max_percent")]
    #[schemars(range(max = 100))]
    pub shrink_max_percent: u8,
    /// The directory for reports of refused drops, relative to the configuration directory; else they are in the index.
    #[serde(default)]
    pub reports: Option<PathBuf>,
}

impl Default for Arrival {
    fn default() -> Self {
        Self { poll_ms: poll_ms(), settle_ms: settle_ms(), marker: None, shrink_max_percent: shrink_max_percent(), reports: None }
    }
}

const fn poll_ms() -> u64 {
    5000
}

const fn settle_ms() -> u64 {
    2000
}

const fn shrink_max_percent() -> u8 {
    50
}

/// Where and how changes are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Where the files go: each under another name first, then renamed.
    pub to: Place,
    /// Changes of so long a time stand in one file; without it each has a file of its own, and is written at once.
    #[serde(default)]
    #[schemars(range(min = 10, max = 86_400_000))]
    pub batch_ms: Option<u64>,
    /// A change that so many drops in a row do not show, and that nothing overtook, is shown no longer.
    #[serde(default = "given_up_after_drops")]
    #[schemars(range(min = 1, max = 1000))]
    pub given_up_after_drops: u32,
    /// For so many days the id of a change is kept; a change that is sent again later is applied again.
    #[serde(default = "keep_days")]
    #[schemars(range(min = 1, max = 3650))]
    pub keep_days: u32,
}

const fn given_up_after_drops() -> u32 {
    3
}

const fn keep_days() -> u32 {
    30
}
