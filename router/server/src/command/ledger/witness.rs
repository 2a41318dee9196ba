//! `rabita ledger witness`: remembers a log's checkpoints, and cosigns those that take nothing back.
//!
//! What it remembers is durable before its signature leaves, and one process at a time works in a state directory: a
//! witness never signs two views of one log.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use rabita_ledger::log::VerifierKey;

use super::key;
use super::remote::{Connection, Remote};
use crate::command::{Failed, output};
use crate::node::ledger_exchange::memory::Memory;

/// What `witness` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger key --name witness.example/w1 --out w1.key
  rabita ledger witness https://bus.example.az:8443 --name witness.example/w1 --key w1.key --state seen \\
      --certificate us.pem --certificate-key us.key --authorities ca.pem --every 60

The node takes the cosignature if its `ledger.witnesses` has the verifier key that `rabita ledger key` prints. A log that
shows another past than before is refused, and both checkpoints are kept in the state directory: show them to others.")]
pub(in crate::command) struct WitnessArguments {
    /// The address of a bus.
    #[arg(value_name = "URL")]
    log: String,
    /// The private key that cosigns, PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The name of this witness.
    #[arg(long)]
    name: String,
    /// Where it remembers what it saw.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The log's verifier key. Without it, what the log shows at first sight is remembered, and holds from then on.
    #[arg(long, value_name = "KEY")]
    log_key: Option<VerifierKey>,
    /// Do it again and again, after so many seconds; without this, once.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

impl WitnessArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        std::fs::create_dir_all(&self.state).map_err(|error| format!("{}: {error}", self.state.display()))?;
        let lock = self.state.join("lock");
        let lock = File::create(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
        lock.try_lock().map_err(|_| format!("another witness works in {}", self.state.display()))?;
        let remote = Remote::open(&self.log, &self.connection)?;
        let Some(every) = self.every else {
            self.once(&remote).await?;
            return Ok(ExitCode::SUCCESS);
        };
        loop {
            // A log that cannot be reached may be reached the next time; one that contradicts itself is told each time.
            if let Err(error) = self.once(&remote).await {
                output::complain(&error.to_string());
            }
            tokio::time::sleep(Duration::from_secs(every)).await;
        }
    }

    async fn once(&self, remote: &Remote) -> Result<(), Failed> {
        let memory = Memory::open(&self.state, self.key_of(remote).await?)?;
        let shown = remote.checkpoint(memory.key()).await?;
        match memory.seen()? {
            None => output::complain(&format!("{}: seen for the first time, with {} entries", shown.origin, shown.size)),
            Some(seen) => {
                let grew = shown.size > seen.size;
                let proof = if grew { remote.consistency(seen.size, shown.size).await? } else { Vec::new() };
                memory.compare(&seen, &shown, &proof)?;
            }
        }
        let key = key::open(&self.name, &self.key)?;
        let now = u64::try_from(Timestamp::now().as_second())?;
        let note = memory.cosign(&shown, &self.name, &key, now)?;
        for line in &note.signatures {
            output::say(line.to_string().trim_end());
        }
        submit(remote, note.to_string()).await
    }

    /// The log's key as given, as remembered, or as shown at first sight.
    async fn key_of(&self, remote: &Remote) -> Result<VerifierKey, Failed> {
        if let Some(key) = &self.log_key {
            return Ok(key.clone());
        }
        match Memory::key_of(&self.state, &remote.origin().await?)? {
            Some(key) => Ok(key),
            None => remote.own_key().await,
        }
    }
}

/// Brings the cosignature to the log.
async fn submit(remote: &Remote, note: String) -> Result<(), Failed> {
    let told = remote.post("cosignatures", note).await.map_err(|error| format!("the cosignature was not taken: {error}"))?;
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap_or_default();
    if told["accepted"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!("{remote} does not know this witness: its `ledger.witnesses` has to name the verifier key").into());
    }
    Ok(())
}
