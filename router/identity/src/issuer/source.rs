//! Where an issuer's keys come from: a file that is read when it has changed, or an address.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::{Certificate, Client, Url, redirect};

use crate::error::{KeysError, OpenError};
use crate::key::KeySet;
use crate::options::KeySource;

/// The largest key set that is read, in bytes.
const SIZE_MAX: usize = 262_144;

/// The longest that fetching may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) enum Source {
    File { file: PathBuf, read: Option<Stamp> },
    Url { client: Client, url: Url },
}

/// What came of a look.
#[derive(Debug)]
pub(super) enum Looked {
    Unchanged,
    Read(KeySet),
}

/// What tells one content of a file from another without reading it. The inode changes with a file that was moved into
/// the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    changed: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl Source {
    pub fn open(keys: &KeySource) -> Result<Self, OpenError> {
        match keys {
            KeySource::File(file) => Ok(Self::File { file: file.clone(), read: None }),
            KeySource::Url { url, authorities, .. } => {
                let address = || OpenError::Address { url: url.clone() };
                let parsed = Url::parse(url).map_err(|_| address())?;
                if parsed.scheme() != "https" && !(parsed.scheme() == "http" && is_this_machine(&parsed)) {
                    return Err(address());
                }
                Ok(Self::Url { client: client(authorities.as_deref())?, url: parsed })
            }
        }
    }

    /// The keys, where they are in a file.
    pub fn read_at_start(&mut self) -> Option<Result<KeySet, KeysError>> {
        let Self::File { file, read } = self else { return None };
        let keys = std::fs::metadata(&*file)
            .map_err(|source| KeysError::Read { file: file.clone(), source })
            .and_then(|metadata| read_whole(file, &metadata).map(|keys| (keys, Stamp::of(&metadata))));
        Some(keys.map(|(keys, stamp)| {
            *read = Some(stamp);
            keys
        }))
    }

    /// The keys, where there may be others than before.
    pub async fn look(&mut self) -> Result<Looked, KeysError> {
        match self {
            Self::File { file, read } => {
                let metadata = tokio::fs::metadata(&*file).await;
                let metadata = metadata.map_err(|source| KeysError::Read { file: file.clone(), source })?;
                let stamp = Stamp::of(&metadata);
                if *read == Some(stamp) {
                    return Ok(Looked::Unchanged);
                }
                // Only a good read is remembered: one that met a half-written file is followed by another.
                let keys = read_whole(file, &metadata)?;
                *read = Some(stamp);
                Ok(Looked::Read(keys))
            }
            Self::Url { client, url } => fetch(client, url).await.map(Looked::Read),
        }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { changed: metadata.modified().ok(), size: metadata.len(), inode: metadata.ino() }
    }
}

fn read_whole(file: &Path, metadata: &Metadata) -> Result<KeySet, KeysError> {
    if metadata.len() > SIZE_MAX as u64 {
        return Err(KeysError::TooLarge(SIZE_MAX));
    }
    let json = std::fs::read(file).map_err(|source| KeysError::Read { file: file.to_owned(), source })?;
    KeySet::parse(&json)
}

async fn fetch(client: &Client, url: &Url) -> Result<KeySet, KeysError> {
    let without_address = |error: reqwest::Error| KeysError::Fetch(error.without_url());
    let mut answer = client.get(url.clone()).header("accept", "application/json").send().await.map_err(without_address)?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(KeysError::Status(answer.status().as_u16()));
    }
    let mut json = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(without_address)? {
        if json.len() + chunk.len() > SIZE_MAX {
            return Err(KeysError::TooLarge(SIZE_MAX));
        }
        json.extend_from_slice(&chunk);
    }
    KeySet::parse(&json)
}

/// A redirection is not followed: it would let whoever answers choose whom the keys come from.
fn client(authorities: Option<&Path>) -> Result<Client, OpenError> {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(TIMEOUT);
    let client = match authorities {
        None => client,
        Some(file) => client.tls_certs_only(certificates(file)?),
    };
    client.build().map_err(OpenError::Client)
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, OpenError> {
    let unusable = |source| OpenError::Authorities { file: file.to_owned(), source };
    let pem = std::fs::read(file).map_err(|error| unusable(error.into()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.into()))?;
    if found.is_empty() { Err(unusable("it holds no certificate in PEM form".into())) } else { Ok(found) }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
