//! A directory on an SFTP server (SSH). The server is known by its key; one connection serves until it breaks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_sdk::{OpenError, Secrets};
use russh::client::{self, AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::OpenFlags;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;

use super::{Away, Candidate, Origin, Wants};
use crate::outbox::Destination;
use crate::settings;

/// A directory on a server.
pub struct Sftp {
    address: (String, u16),
    user: String,
    credential: Credential,
    host_key: PublicKey,
    path: String,
    connect_timeout: Duration,
    session: Mutex<Option<Session>>,
}

enum Credential {
    Password(String),
    Key(Arc<PrivateKey>),
}

/// A connection that is open.
struct Session {
    sftp: SftpSession,
    /// The connection lasts as long as this.
    handle: Handle<Expecting>,
}

/// Takes the server that has this key, and no other.
struct Expecting(PublicKey);

impl client::Handler for Expecting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data() == self.0.key_data(),
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

impl Sftp {
    /// Takes settings and secrets; connects later.
    ///
    /// # Errors
    /// When a secret is missing, or a key is none.
    pub fn new(settings: &settings::Sftp, secrets: &dyn Secrets) -> Result<Self, OpenError> {
        let wrong = |what: &str, why: &str| OpenError(format!("connector: sftp: {what}: {why}"));
        let host_key = PublicKey::from_openssh(settings.host_key.trim());
        let secret = |reference| secrets.resolve(reference).map_err(OpenError);
        let credential = match (&settings.key, &settings.password) {
            (Some(key), _) => {
                let passphrase = settings.passphrase.as_ref().map(secret).transpose()?;
                let key = decode_secret_key(secret(key)?.expose(), passphrase.as_ref().map(rabita_sdk::SecretText::expose));
                Credential::Key(Arc::new(key.map_err(|_| wrong("key", "this is no private key, or its passphrase is another"))?))
            }
            (None, Some(password)) => Credential::Password(secret(password)?.expose().to_owned()),
            (None, None) => return Err(wrong("key", "give a `key` or a `password`")),
        };
        Ok(Self {
            address: (settings.host.clone(), settings.port),
            user: settings.user.clone(),
            credential,
            host_key: host_key.map_err(|_| wrong("host_key", "this is no public key of SSH"))?,
            path: settings.path.trim_end_matches('/').to_owned(),
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            session: Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Session, Away> {
        let away = |what: &str| format!("the SFTP server {}:{} {what}", self.address.0, self.address.1);
        let config =
            client::Config { keepalive_interval: Some(Duration::from_secs(15)), nodelay: true, ..client::Config::default() };
        let connecting = async {
            let connected = client::connect(Arc::new(config), self.address.clone(), Expecting(self.host_key.clone())).await;
            let mut handle = connected.map_err(|error| match error {
                russh::Error::UnknownKey => away("has another key than `host_key`"),
                _ => away("can't be reached, or does not speak SSH"),
            })?;
            let answered = match &self.credential {
                Credential::Password(password) => handle.authenticate_password(&self.user, password).await,
                Credential::Key(key) => {
                    let hash = handle.best_supported_rsa_hash().await.ok().flatten().flatten();
                    let hash = hash.or_else(|| key.algorithm().is_rsa().then_some(HashAlg::Sha256));
                    let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
                    handle.authenticate_publickey(&self.user, key).await
                }
            };
            match answered {
                Ok(AuthResult::Success) => {}
                Ok(AuthResult::Failure { .. }) => return Err(away("does not accept user and credential")),
                Err(_) => return Err(away("broke the connection off")),
            }
            let channel = handle.channel_open_session().await.map_err(|_| away("opens no channel"))?;
            channel.request_subsystem(true, "sftp").await.map_err(|_| away("has no SFTP"))?;
            let sftp = SftpSession::new(channel.into_stream()).await.map_err(|_| away("has no SFTP"))?;
            Ok(Session { sftp, handle })
        };
        tokio::time::timeout(self.connect_timeout, connecting).await.unwrap_or_else(|_| Err(away("does not answer in time")))
    }

    /// Does something with the connection, which is thrown away when that fails other than by a plain refusal.
    async fn with<T>(&self, work: impl AsyncFnOnce(&SftpSession) -> Result<T, Trouble>) -> Result<T, Away> {
        let mut held = self.session.lock().await;
        if held.as_ref().is_none_or(|session| session.handle.is_closed()) {
            *held = Some(self.connect().await?);
        }
        // Left in the middle, a connection is not used again.
        let Some(session) = held.take() else { return Err("there is no connection".to_owned()) };
        match work(&session.sftp).await {
            Ok(done) => {
                *held = Some(session);
                Ok(done)
            }
            Err(Trouble { why, is_refusal }) => {
                if is_refusal {
                    *held = Some(session);
                }
                Err(format!("the SFTP server {}:{}: {why}", self.address.0, self.address.1))
            }
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

/// Why something was not done.
struct Trouble {
    why: String,
    /// The server answered, and said no.
    is_refusal: bool,
}

impl From<SftpError> for Trouble {
    fn from(error: SftpError) -> Self {
        match error {
            // The server's own words may hold anything; its code does not.
            SftpError::Status(status) => Self { why: format!("it answered {}", status.status_code), is_refusal: true },
            SftpError::Timeout => Self { why: "it does not answer in time".to_owned(), is_refusal: false },
            _ => Self { why: "the connection broke".to_owned(), is_refusal: false },
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self { why: error.kind().to_string(), is_refusal: false }
    }
}

#[async_trait]
impl Origin for Sftp {
    async fn list(&self, wants: &Wants<'_>) -> Result<Vec<Candidate>, Away> {
        let entries = self.with(async |sftp| Ok(sftp.read_dir(self.path.clone()).await?)).await?;
        let files = entries.filter(|entry| entry.metadata().is_regular() && wants(&entry.file_name()));
        let candidate = |entry: russh_sftp::client::fs::DirEntry| {
            let told = entry.metadata();
            let (size, age) = (told.size.unwrap_or_default(), told.mtime.unwrap_or_default());
            Candidate { name: entry.file_name(), stamp: format!("{size}:{age}"), age: u128::from(age) }
        };
        Ok(files.map(candidate).collect())
    }

    async fn fetch(&self, file: &Candidate, staging: &Path) -> Result<PathBuf, Away> {
        // A name comes from the server; it must not lead out of the directory.
        if file.name.contains(['/', '\\']) || file.name.starts_with('.') {
            return Err("the server names a file that leads elsewhere".to_owned());
        }
        let target = staging.join(&file.name);
        // A connection of its own: a large file would keep others from being listed.
        let session = self.connect().await?;
        let fetched = async {
            tokio::fs::create_dir_all(staging).await?;
            let mut remote = session.sftp.open(self.full(&file.name)).await?;
            let mut local = tokio::fs::File::create(&target).await?;
            tokio::io::copy(&mut remote, &mut local).await?;
            local.flush().await?;
            Ok::<_, Trouble>(target)
        };
        fetched.await.map_err(|trouble| format!("the SFTP server {}:{}: {}", self.address.0, self.address.1, trouble.why))
    }
}

#[async_trait]
impl Destination for Sftp {
    async fn ready(&self) -> Result<(), Away> {
        self.with(async |sftp| Ok(sftp.metadata(self.path.clone()).await?)).await.map(drop)
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Away> {
        let (path, new) = (self.full(name), self.full(&format!(".{name}.part")));
        self.with(async |sftp| {
            // Put there by an attempt whose answer was lost, it holds the same bytes.
            if sftp.try_exists(path.clone()).await? {
                return Ok(());
            }
            let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
            let mut remote = sftp.open_with_flags(new.clone(), flags).await?;
            remote.write_all(bytes).await?;
            remote.flush().await?;
            remote.sync_all().await?;
            remote.shutdown().await?;
            Ok(sftp.rename(new, path).await?)
        })
        .await
    }
}
