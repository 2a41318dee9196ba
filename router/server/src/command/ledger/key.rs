//! `rabita ledger key`: makes a key that signs notes, and prints what others verify its notes with.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::VerifierKey;
use rabita_ledger::log::note::SignatureKind;

use super::remote::read;
use crate::command::{Failed, output};

/// What `key` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger key --name witness.example/w1 --out w1.key     a key for a witness
  rabita ledger key --name witness.example/w1 --file w1.key    its verifier key again, for `witnesses:` of a node
  rabita ledger key --name bus.example.az/node-1 --file ledger/signer.pem --log   the verifier key of a node's log")]
pub(in crate::command) struct KeyArguments {
    /// The name that its signatures bear: best an address without its scheme, such as `witness.example/w1`. That of a log
    /// is its origin.
    #[arg(long)]
    name: String,
    /// Make a new key and write it here (PKCS #8, PEM), for its owner alone to read.
    #[arg(long, value_name = "FILE", required_unless_present = "file", conflicts_with = "file")]
    out: Option<PathBuf>,
    /// Take the key of this file.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// It signs the checkpoints of a log; without this, it cosigns those of others, as a witness.
    #[arg(long)]
    log: bool,
}

impl KeyArguments {
    pub(super) fn run(&self) -> Result<ExitCode, Failed> {
        let kind = if self.log { SignatureKind::Ed25519 } else { SignatureKind::Cosignature };
        let key = match (&self.out, &self.file) {
            (Some(out), _) => {
                let (key, pem) = SigningKey::generate(&self.name, Algorithm::Ed25519)?;
                // Its name is looked at before there is a file.
                VerifierKey::new(&self.name, kind, key.verifying())?;
                write_secret(out, &pem)?;
                key
            }
            (None, Some(file)) => open(&self.name, file)?,
            (None, None) => return Err("either --out or --file".into()),
        };
        output::say(VerifierKey::new(&self.name, kind, key.verifying())?);
        Ok(ExitCode::SUCCESS)
    }
}

/// The key of a file.
pub(super) fn open(name: &str, file: &Path) -> Result<SigningKey, Failed> {
    SigningKey::from_pem(name, &read(file)?).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn write_secret(file: &Path, text: &str) -> Result<(), Failed> {
    let wrote = || -> std::io::Result<()> {
        let mut new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()
    };
    wrote().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!("{} is there already: a key is never written over", file.display()).into(),
        _ => format!("{}: {error}", file.display()).into(),
    })
}
