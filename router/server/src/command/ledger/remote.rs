//! A log elsewhere, read over HTTP as C2SP tlog-tiles has it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rabita_ledger::log::{Checkpoint, Hash, VerifierKey};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use reqwest::{Certificate, Identity, StatusCode, Url};
use serde_json::Value;

use crate::command::Failed;

const TIMEOUT: Duration = Duration::from_secs(60);
/// More than any bundle: 256 entries of 65,535 bytes with their lengths.
const BODY_MAX: usize = 17 << 20;

/// How a bus is called: with which certificate, and whose certificates are believed.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "How a remote log is called")]
pub(super) struct Connection {
    /// The authorities of the bus's own certificate, PEM; without it, those of this machine. Where time stamps are verified,
    /// those of the authority that stamps.
    #[arg(long, value_name = "FILE")]
    pub(super) authorities: Option<PathBuf>,
    /// The certificate by which the bus knows this system, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate_key")]
    certificate: Option<PathBuf>,
    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    certificate_key: Option<PathBuf>,
}

/// A log behind an address.
pub(super) struct Remote {
    client: reqwest::Client,
    /// Ends in `/`.
    prefix: Url,
}

/// Whether this names a remote log rather than a directory.
pub(super) fn is_address(place: &str) -> bool {
    place.starts_with("https://") || place.starts_with("http://")
}

impl Remote {
    pub(super) fn open(address: &str, connection: &Connection) -> Result<Self, Failed> {
        let mut prefix = Url::parse(address).map_err(|error| format!("{address} is no address: {error}"))?;
        // A bus serves its log below `/bus/ledger`; another log may be anywhere.
        let path = match prefix.path().trim_end_matches('/') {
            "" => "/bus/ledger/".to_owned(),
            path => format!("{path}/"),
        };
        prefix.set_path(&path);
        Ok(Self { client: connection.client()?, prefix })
    }

    /// A part of the log; `None` where it has no such part.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Bytes>, Failed> {
        let url = self.url(path)?;
        // The client unpacks gzip by itself, but asks for it only where it may.
        let response = self.client.get(url.clone()).header(ACCEPT_ENCODING, "gzip, identity").send().await;
        let response = response.map_err(|error| unreachable(&url, &error))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        body(&url, response).await.map(Some)
    }

    /// A part of the log that it must have.
    pub(super) async fn must_get(&self, path: &str) -> Result<Bytes, Failed> {
        let absent =
            || format!("{} is not there: is this the address of a log?", self.prefix.join(path).unwrap_or(self.prefix.clone()));
        Ok(self.get(path).await?.ok_or_else(absent)?)
    }

    pub(super) async fn text(&self, path: &str) -> Result<String, Failed> {
        let bytes = self.must_get(path).await?;
        String::from_utf8(bytes.to_vec()).map_err(|_| format!("{}{path} is no text", self.prefix).into())
    }

    pub(super) async fn json(&self, path: &str) -> Result<Value, Failed> {
        let bytes = self.must_get(path).await?;
        serde_json::from_slice(&bytes).map_err(|_| format!("{}{path} is no JSON", self.prefix).into())
    }

    /// The newest checkpoint, signed by this key.
    pub(super) async fn checkpoint(&self, key: &VerifierKey) -> Result<Checkpoint, Failed> {
        let note = self.text("checkpoint").await?;
        Checkpoint::verify(&note, key).map_err(|error| format!("the checkpoint of {self}: {error}").into())
    }

    /// What the log calls itself. Nothing is verified.
    pub(super) async fn origin(&self) -> Result<String, Failed> {
        Ok(self.text("checkpoint").await?.lines().next().unwrap_or_default().to_owned())
    }

    /// The key that the log says is its own.
    pub(super) async fn own_key(&self) -> Result<VerifierKey, Failed> {
        self.text("key").await?.trim().parse().map_err(|error| format!("the key of {self}: {error}").into())
    }

    /// The proof that the log of one size is the beginning of that of another.
    pub(super) async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, Failed> {
        hashes(&self.json(&format!("consistency?from={from}&to={to}")).await?)
    }

    /// Brings a text to the log.
    pub(super) async fn post(&self, path: &str, text: String) -> Result<Bytes, Failed> {
        let url = self.url(path)?;
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(text);
        body(&url, request.send().await.map_err(|error| unreachable(&url, &error))?).await
    }

    fn url(&self, path: &str) -> Result<Url, Failed> {
        self.prefix.join(path).map_err(|error| format!("{}{path}: {error}", self.prefix).into())
    }
}

impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.prefix.as_str().trim_end_matches('/'))
    }
}

impl Connection {
    fn client(&self) -> Result<reqwest::Client, Failed> {
        let mut client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &self.authorities {
            let authorities = Certificate::from_pem_bundle(&read(file)?);
            let authorities = authorities.map_err(|_| format!("{} holds no certificate in PEM", file.display()))?;
            client = client.tls_certs_only(authorities);
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.certificate_key) {
            let both = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
            let what = || format!("{} and {} are no certificate and its key in PEM", certificate.display(), key.display());
            client = client.identity(Identity::from_pem(&both).map_err(|_| what())?);
        }
        Ok(client.build()?)
    }
}

async fn body(url: &Url, mut response: reqwest::Response) -> Result<Bytes, Failed> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(url, &error))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(format!("{url} answers more than {BODY_MAX} bytes").into());
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body.into());
    }
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    Err(match problem["code"].as_str() {
        Some(code) => format!("{url} answers {status}, `{code}`: `rabita explain {code}` tells more"),
        None => format!("{url} answers {status}"),
    }
    .into())
}

fn unreachable(url: &Url, error: &reqwest::Error) -> Failed {
    let mut why: &dyn std::error::Error = error;
    while let Some(source) = why.source() {
        why = source;
    }
    format!("{url} cannot be reached: {why}; --certificate, --certificate-key and --authorities say how a bus is called").into()
}

/// The hashes of a proof as the bus tells it.
pub(super) fn hashes(proof: &Value) -> Result<Vec<Hash>, Failed> {
    let told = proof["hashes"].as_array().ok_or("the proof has no hashes")?;
    told.iter().map(hash).collect()
}

/// A hash in Base64.
pub(super) fn hash(told: &Value) -> Result<Hash, Failed> {
    let bytes = told.as_str().and_then(|text| STANDARD.decode(text).ok());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "the proof holds what is no hash".into())
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()).into())
}
