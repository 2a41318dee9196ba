//! What a manifest's `connector:` says about a registry behind HTTP.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use rabita_sdk::Rule;
use rabita_sdk::finding::token;
use rabita_sdk::{Finding, SecretRef, TextOrSecret};
use rabita_tls::TlsVersion;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// Where the registry is, and how to speak with it.
///
/// A connector with keys of its own beside these reads both with [`parse_with`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address (http or https) that all paths are relative to.
    pub url: TextOrSecret,
    /// How the connection is secured, beyond what an https address says.
    #[serde(default)]
    pub tls: Tls,
    /// How the bus says who it is.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Headers for every request.
    #[serde(default)]
    pub headers: BTreeMap<String, TextOrSecret>,
    /// The longest that making a connection may take.
    #[serde(default = "connect_timeout_ms")]
    #[schemars(range(min = 1))]
    pub connect_timeout_ms: u64,
    /// The longest answer that is read, in bytes after decompression.
    #[serde(default = "response_max_bytes")]
    #[schemars(range(min = 1))]
    pub response_max_bytes: usize,
    /// How many unused connections are kept open; as many as calls may be under way when not given.
    #[serde(default)]
    pub idle_connections: Option<usize>,
}

/// How a connection is secured. A text is a file, relative to the configuration directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The authorities (PEM) whose certificates hold. No others do; without it the platform's do.
    #[serde(default)]
    pub ca_file: Option<TextOrSecret>,
    /// The certificate chain (PEM) that the bus shows.
    #[serde(default)]
    pub cert_file: Option<TextOrSecret>,
    /// The key (PEM) of that certificate.
    #[serde(default)]
    pub key_file: Option<TextOrSecret>,
    /// The name in the registry's certificate, where it is not the address's host.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The lowest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Takes whoever answers for the registry. Anyone on the way can then read and change everything.
    #[serde(default)]
    pub dangerously_accept_any_certificate: bool,
}

/// How the bus says who it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A user's name and password (RFC 7617).
    Basic(Basic),
    /// A token that does not change (RFC 6750).
    Bearer(Bearer),
    /// A key in a header or a query parameter.
    ApiKey(ApiKey),
    /// A token from a token endpoint, by client credentials (RFC 6749, section 4.4).
    #[serde(rename = "oauth2")]
    OAuth2(OAuth2),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    pub user: TextOrSecret,
    pub password: SecretRef,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    pub token: SecretRef,
}

/// One of `header` and `query` says where the key goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    #[serde(default)]
    pub header: Option<String>,
    #[serde(default)]
    pub query: Option<String>,
    pub value: SecretRef,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    pub token_url: String,
    pub client_id: TextOrSecret,
    pub client_secret: SecretRef,
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub audience: Option<String>,
    #[serde(default)]
    pub client_auth: ClientAuth,
}

/// Where the client's secret stands in the question for a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In the `Authorization` header.
    #[default]
    Basic,
    /// In the form.
    Body,
}

impl Settings {
    /// Settings that lead to this address and say nothing else.
    #[must_use]
    pub fn to(url: &str) -> Self {
        Self {
            url: TextOrSecret::Text(url.to_owned()),
            tls: Tls::default(),
            auth: None,
            headers: BTreeMap::new(),
            connect_timeout_ms: connect_timeout_ms(),
            response_max_bytes: response_max_bytes(),
            idle_connections: None,
        }
    }

    /// These settings led to a stand-in: without credentials, TLS and secrets.
    #[must_use]
    pub fn for_double(&self, url: &str) -> Self {
        let open = self.headers.iter().filter(|(_, value)| matches!(value, TextOrSecret::Text(_)));
        Self {
            headers: open.map(|(name, value)| (name.clone(), value.clone())).collect(),
            connect_timeout_ms: self.connect_timeout_ms,
            response_max_bytes: self.response_max_bytes,
            ..Self::to(url)
        }
    }

    /// Everything wrong that the schema can't say, `connector` being the JSON Pointer of the settings.
    #[must_use]
    pub fn check(&self, connector: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let TextOrSecret::Text(url) = &self.url {
            check_url(url, &format!("{connector}/url"), &mut findings);
        }
        findings.extend(self.tls.check(&format!("{connector}/tls")));
        self.check_auth(connector, &mut findings);
        for (name, value) in &self.headers {
            let pointer = format!("{connector}/headers/{}", token(name));
            check_header_name(name, &pointer, true, &mut findings);
            if let TextOrSecret::Text(text) = value
                && HeaderValue::from_str(text).is_err()
            {
                findings.push(Finding::new(pointer, "this can't stand in a header: it holds a line end or a control character"));
            }
        }
        findings
    }

    fn check_auth(&self, connector: &str, findings: &mut Vec<Finding>) {
        match &self.auth {
            Some(Auth::ApiKey(key)) => {
                let at = format!("{connector}/auth/api_key");
                match (&key.header, &key.query) {
                    (Some(header), None) => check_header_name(header, &format!("{at}/header"), false, findings),
                    (None, Some(_)) => {}
                    _ => findings.push(Finding::new(at, "say where the key goes: either `header` or `query`")),
                }
            }
            Some(Auth::OAuth2(oauth)) => {
                check_url(&oauth.token_url, &format!("{connector}/auth/oauth2/token_url"), findings);
            }
            Some(Auth::Basic(_) | Auth::Bearer(_)) | None => {}
        }
        if let (Some(Auth::Basic(_) | Auth::Bearer(_) | Auth::OAuth2(_)), Some(name)) =
            (&self.auth, self.headers.keys().find(|name| name.eq_ignore_ascii_case("authorization")))
        {
            let pointer = format!("{connector}/headers/{}", token(name));
            findings.push(Finding::at_name(pointer, "`auth` already makes this header: keep one of them"));
        }
    }
}

impl Tls {
    /// Everything wrong that the schema can't say, `pointer` being where it stands.
    #[must_use]
    pub fn check(&self, pointer: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let at = |key: &str| format!("{pointer}/{key}");
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => findings.push(Finding::new(at("cert_file"), "a certificate needs its key: add `key_file`")),
            (None, Some(_)) => findings.push(Finding::new(at("key_file"), "a key needs its certificate: add `cert_file`")),
            _ => {}
        }
        if let Some(name) = &self.server_name
            && rustls_pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            findings.push(Finding::new(at("server_name"), "this is no host name"));
        }
        if self.dangerously_accept_any_certificate {
            findings.push(
                Finding::warning(
                    at("dangerously_accept_any_certificate"),
                    "anyone on the way to the registry can read and change everything; give its authority as `ca_file` instead",
                )
                .breaks(Rule::GuardWeakened),
            );
        }
        findings
    }
}

/// Reads settings that hold a connector's own keys beside the ones here, all at one level.
///
/// # Errors
/// A sentence saying what has the wrong form.
pub fn parse_with<Own: DeserializeOwned + JsonSchema>(settings: &Value) -> Result<(Settings, Own), String> {
    let schema = schema_of::<Own>();
    let own_names = schema.get("properties").and_then(Value::as_object);
    let is_own = |name: &str| own_names.is_some_and(|names| names.contains_key(name));
    let all = settings.as_object().ok_or("the settings are no object")?;
    let (own, rest): (Map<_, _>, Map<_, _>) = all.clone().into_iter().partition(|(name, _)| is_own(name));
    let rest = serde_json::from_value(Value::Object(rest)).map_err(|error| error.to_string())?;
    let own = serde_json::from_value(Value::Object(own)).map_err(|error| error.to_string())?;
    Ok((rest, own))
}

/// The JSON Schema of what [`parse_with`] reads.
#[must_use]
pub fn schema_with<Own: JsonSchema>() -> Value {
    let mut whole = schema_of::<Settings>();
    let own = schema_of::<Own>();
    for part in ["properties", "$defs"] {
        let Some(Value::Object(added)) = own.get(part).cloned() else { continue };
        let Some(object) = whole.as_object_mut() else { continue };
        if let Some(members) = object.entry(part).or_insert_with(|| Value::Object(Map::new())).as_object_mut() {
            members.extend(added);
        }
    }
    if let (Some(Value::Array(required)), Some(Value::Array(added))) = (whole.get_mut("required"), own.get("required")) {
        required.extend(added.iter().cloned());
    }
    whole
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

fn check_url(url: &str, pointer: &str, findings: &mut Vec<Finding>) {
    let wrong = match Url::parse(url) {
        Err(error) => Some(format!("this is no address: {error}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Some("the address must be http or https".to_owned()),
        Ok(url) if url.fragment().is_some() => Some("an address of a registry has no `#` part".to_owned()),
        Ok(url) if url.password().is_some() => Some(
            "a password does not stand in the open: use `auth: { basic: ... }`, or give the whole address as a secret".to_owned(),
        ),
        Ok(_) => None,
    };
    findings.extend(wrong.map(|message| Finding::new(pointer, message)));
}

fn check_header_name(name: &str, pointer: &str, at_name: bool, findings: &mut Vec<Finding>) {
    let wrong = match HeaderName::from_bytes(name.as_bytes()) {
        Err(_) => "this is no name of a header",
        Ok(name) if OUR_OWN.contains(&name.as_str()) => "this header is made by the bus",
        Ok(_) => return,
    };
    findings.push(if at_name { Finding::at_name(pointer, wrong) } else { Finding::new(pointer, wrong) });
}

/// Headers that frame a message or that the client makes for each call.
const OUR_OWN: [&str; 8] =
    ["connection", "content-length", "host", "te", "traceparent", "transfer-encoding", "upgrade", "x-request-id"];

const fn connect_timeout_ms() -> u64 {
    5_000
}

const fn response_max_bytes() -> usize {
    8 * 1024 * 1024
}
