//! The manifest's `connector:` of this kind.

use std::time::Duration;

use rabita_sdk::{SecretRef, TextOrSecret};
use rabita_tls::TlsVersion;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

/// How to reach the directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `ldaps://host` or `ldap://host`, with a port where it is not 636 or 389.
    pub url: TextOrSecret,
    /// How the connection is secured.
    #[serde(default)]
    pub tls: Tls,
    /// Who the bus is to the directory; left out, nobody.
    pub bind: Option<Bind>,
    /// The longest that making a connection may take, TLS and bind included.
    #[serde(default = "Settings::default_connect_timeout_ms")]
    #[schemars(range(min = 1))]
    pub connect_timeout_ms: u64,
    /// How many connections stay open when nothing is asked; left out, as many as calls may be under way.
    pub idle_connections: Option<usize>,
    /// The longest answer that is read: one message, and the records of one page together.
    #[serde(default = "Settings::default_answer_max_bytes")]
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub answer_max_bytes: usize,
    /// The longest request that is sent. Directories end the connection of whoever sends more than they take; left out,
    /// what OpenLDAP takes: 4194303, and 262143 of who does not bind.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub request_max_bytes: Option<usize>,
    /// How many entries are asked for at once when a search goes through many (RFC 2696).
    #[serde(default = "Settings::default_page_entries")]
    #[schemars(range(min = 1, max = 100_000))]
    pub page_entries: u16,
    /// The most entries that one search may go through; one that would go through more is refused.
    #[serde(default = "Settings::default_search_max_entries")]
    #[schemars(range(min = 1))]
    pub search_max_entries: usize,
    /// Whether the directory checks assertions (RFC 4528). Without it no change can depend on a version.
    #[serde(default = "yes")]
    pub assertions: bool,
    /// What becomes of a search of which a part lies on another server.
    #[serde(default)]
    pub references: References,
}

const fn yes() -> bool {
    true
}

impl Settings {
    const fn default_connect_timeout_ms() -> u64 {
        3000
    }

    const fn default_answer_max_bytes() -> usize {
        16 * 1024 * 1024
    }

    const fn default_page_entries() -> u16 {
        500
    }

    const fn default_search_max_entries() -> usize {
        100_000
    }

    pub(crate) const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn request_max(&self) -> usize {
        self.request_max_bytes.unwrap_or(if self.bind.is_some() { 4_194_303 } else { 262_143 })
    }
}

/// How the connection is secured. A text is a file, relative to the configuration directory.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Whether a connection to an `ldap://` address is secured before anything else is said (RFC 4511, section 4.14).
    #[serde(default)]
    pub start: bool,
    /// The authorities (PEM) whose certificates hold. No others do; without it the platform's do.
    pub ca_file: Option<TextOrSecret>,
    /// The certificate chain (PEM) that the bus shows.
    pub cert_file: Option<TextOrSecret>,
    /// The key (PEM) of that certificate.
    pub key_file: Option<TextOrSecret>,
    /// The name in the directory's certificate, where it is not the address's host.
    pub server_name: Option<String>,
    /// The lowest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Lets records and passwords go over the network in clear. A loopback address needs no leave for that.
    #[serde(default)]
    pub dangerously_speak_in_clear: bool,
}

/// Who the bus is to the directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    /// An entry's name and password.
    Simple(SimpleBind),
    /// Whoever the client certificate names: SASL EXTERNAL.
    External(ExternalBind),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimpleBind {
    /// The distinguished name of the bus's entry; Active Directory also takes `user@domain`.
    pub dn: TextOrSecret,
    pub password: SecretRef,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalBind {}

/// What becomes of a search of which a part lies on another server. The connector asks no other server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum References {
    /// It fails: its results would be a part that passes for the whole.
    #[default]
    Refuse,
    /// That part is no part of the registry.
    Overlook,
}

/// Where a directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// TLS from the first byte on.
    pub(crate) secured: bool,
}

impl Address {
    /// The address in a URL.
    ///
    /// # Errors
    /// What is wrong with it. Does not repeat it.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        const FORM: &str = "an address is `ldaps://host` or `ldap://host`, with a port where it is another than the usual";
        let url = Url::parse(url).map_err(|_| FORM)?;
        let (secured, usual) = match url.scheme() {
            "ldaps" => (true, 636),
            "ldap" => (false, 389),
            _ => return Err(FORM),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("who the bus is stands in `bind`, and not in the address");
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("an address ends with the host or the port: where the entries are stands in `from`");
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(FORM)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: url.port().unwrap_or(usual), secured })
    }

    /// Whether nobody stands between.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }
}
