//! Has the newest checkpoint stamped (RFC 3161) by an authority elsewhere, again and again while the log grows.
//!
//! Nothing but the hash of a checkpoint is sent. What comes back is held against what was asked, against the authorities
//! where the configuration names some, and kept in `stamps/` of the ledger. An authority that cannot be reached keeps nobody
//! from anything: the next round asks again. `rabita_ledger::stamp` knows the format; nothing here does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use rabita_config::ledger::TimestampsSpec;
use rabita_ledger::log::Log;
use rabita_ledger::stamp::{ANSWER_TYPE, Authorities, REQUEST_TYPE, Request, Stamp, StampError, kept};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;

const TIMEOUT: Duration = Duration::from_secs(30);
/// More than any answer, with all the certificates of its chain.
const ANSWER_MAX: usize = 256 << 10;

/// What has the checkpoints of a log stamped.
pub(super) struct Timestamps {
    client: reqwest::Client,
    url: String,
    authorities: Option<Authorities>,
    log: Arc<Log>,
    directory: PathBuf,
    every: Duration,
    /// So many entries are under a stamp.
    stamped: u64,
}

/// Why a checkpoint was not stamped, or none can be.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    #[error("{} cannot be used: {source}", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("{}: {source}", .file.display())]
    Authorities { file: PathBuf, source: StampError },
    #[error("the authority cannot be reached: {0}")]
    Unreachable(reqwest::Error),
    #[error("the authority answered {0}")]
    Answered(String),
    #[error(transparent)]
    Stamp(#[from] StampError),
}

impl Timestamps {
    /// Over a log; `country` is the directory of the configuration, `ledger` that of the ledger. Reads what is stamped.
    ///
    /// # Errors
    /// When the authorities or the directory of stamps cannot be read.
    pub fn open(spec: &TimestampsSpec, country: &Path, ledger: &Path, log: Arc<Log>) -> Result<Self, TimestampError> {
        let authorities = spec.authorities.as_ref().map(|file| {
            let file = country.join(file);
            match std::fs::read(&file) {
                Ok(pem) => Authorities::from_pem(&pem).map_err(|source| TimestampError::Authorities { file, source }),
                Err(source) => Err(TimestampError::File { file, source }),
            }
        });
        let directory = ledger.join("stamps");
        let stamped = kept::all(&directory).map_err(|source| TimestampError::File { file: directory.clone(), source })?;
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        Ok(Self {
            client: client.build().map_err(TimestampError::Unreachable)?,
            url: spec.url.clone(),
            authorities: authorities.transpose()?,
            log,
            directory,
            every: Duration::from_secs(spec.every_s),
            stamped: stamped.last().map_or(0, |last| last.size),
        })
    }

    /// Goes on until dropped.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(self.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.round().await {
                counter!("rabita_ledger_timestamp_failures_total").increment(1);
                tracing::warn!(error = %error, "the ledger's checkpoint was not stamped");
            }
        }
    }

    /// Has the newest checkpoint stamped, where the log has grown since the last.
    async fn round(&mut self) -> Result<(), TimestampError> {
        let checkpoint = self.log.checkpoint();
        if checkpoint.size > self.stamped {
            let note = checkpoint.note.clone().into_bytes();
            let request = Request::of(&note)?;
            let answer = self.ask(request.der.clone()).await?;
            let stamp = Stamp::parse(&answer)?;
            stamp.answers(&request)?;
            stamp.is_of(&note)?;
            if let Some(authorities) = &self.authorities {
                stamp.verify(authorities)?;
            }
            let (directory, size) = (self.directory.clone(), checkpoint.size);
            let kept = tokio::task::spawn_blocking(move || kept::keep(&directory, size, &note, &answer)).await;
            let kept = kept.map_err(std::io::Error::other).flatten();
            kept.map_err(|source| TimestampError::File { file: self.directory.clone(), source })?;
            self.stamped = size;
            tracing::info!(entries = size, at = %stamp.at(), "ledger stamped");
        }
        #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
        gauge!("rabita_ledger_stamped_entries").set(self.stamped as f64);
        Ok(())
    }

    async fn ask(&self, request: Vec<u8>) -> Result<Vec<u8>, TimestampError> {
        let asked = self.client.post(&self.url).header(CONTENT_TYPE, REQUEST_TYPE).body(request);
        // An address may hold a password, and an error the address.
        let failed = |error: reqwest::Error| TimestampError::Unreachable(error.without_url());
        let mut response = asked.send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(TimestampError::Answered(response.status().to_string()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("nothing");
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(ANSWER_TYPE)) {
            return Err(TimestampError::Answered(format!("with {kind} where {ANSWER_TYPE} was expected")));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if answer.len() + chunk.len() > ANSWER_MAX {
                return Err(TimestampError::Answered(format!("with more than {ANSWER_MAX} bytes")));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}
