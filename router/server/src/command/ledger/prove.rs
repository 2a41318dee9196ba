//! `rabita ledger prove`: that an entry, or every entry of an exchange, is in a log.

use std::process::ExitCode;

use rabita_ledger::log::proof::verify_inclusion;
use rabita_ledger::log::{Checkpoint, Hash, VerifierKey};
use serde_json::Value;

use super::remote::{Connection, Remote, hash, hashes};
use super::show::What;
use crate::command::{Failed, output};

/// What `prove` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger prove 20852 https://bus.example.az:8443 --key \"$(cat node-1.vkey)\" \\
      --certificate us.pem --certificate-key us.key --authorities ca.pem
  rabita ledger prove --receipt '\"bus.example.az/node-1\";index=20852;leaf=:b3+g...:' https://bus.example.az:8443 ...

Prints the proof as the log gives it, once it was found to hold.")]
pub(in crate::command) struct ProveArguments {
    /// The index of an entry, or the id of an exchange, and the address of a bus; the address alone with --receipt.
    #[arg(value_name = "INDEX|EXCHANGE URL", required = true, num_args = 1..=2)]
    what: Vec<String>,
    /// The receipt of an answer, as `Rabita-Receipt` told it: the log must hold what it promised.
    #[arg(long)]
    receipt: Option<Receipt>,
    /// The log's verifier key, as it was told by a way of its own. Without it the log's own word is taken.
    #[arg(long, value_name = "KEY")]
    key: Option<VerifierKey>,
    #[command(flatten)]
    connection: Connection,
}

/// What a receipt says.
#[derive(Debug, Clone)]
struct Receipt {
    origin: String,
    index: u64,
    leaf: Hash,
}

impl std::str::FromStr for Receipt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (origin, rest) = text.strip_prefix('"')?.split_once("\";index=")?;
            let (index, leaf) = rest.split_once(";leaf=:")?;
            let leaf = hash(&Value::from(leaf.strip_suffix(':')?)).ok()?;
            Some(Self { origin: origin.to_owned(), index: index.parse().ok()?, leaf })
        };
        read().ok_or_else(|| "a receipt is `\"ORIGIN\";index=N;leaf=:HASH:`".to_owned())
    }
}

impl ProveArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let (what, address) = match (self.what.as_slice(), &self.receipt) {
            ([address], Some(receipt)) => (What::Index(receipt.index), address),
            ([what, address], None) => (what.parse()?, address),
            _ => return Err("either an index or an exchange and an address, or --receipt and an address".into()),
        };
        let remote = Remote::open(address, &self.connection)?;
        let key = match &self.key {
            Some(key) => key.clone(),
            None => remote.own_key().await?,
        };
        let path = match what {
            What::Index(index) => format!("proof?index={index}"),
            What::Exchange(exchange) => format!("proof?exchange={exchange}"),
        };
        let told = remote.json(&path).await?;
        let note = told["checkpoint"].as_str().ok_or("the log gives no checkpoint with its proof")?;
        let checkpoint = Checkpoint::verify(note, &key)?;
        let one = std::slice::from_ref(&told);
        let proofs = told["proofs"].as_array().map_or(one, Vec::as_slice);
        for proof in proofs {
            self.holds(proof, &checkpoint)?;
        }
        output::say(format_args!("{told:#}"));
        output::complain(&format!(
            "{} proof(s) hold in the log {} of {} entries",
            proofs.len(),
            checkpoint.origin,
            checkpoint.size
        ));
        Ok(ExitCode::SUCCESS)
    }

    fn holds(&self, proof: &Value, checkpoint: &Checkpoint) -> Result<(), Failed> {
        let index = proof["index"].as_u64().ok_or("a proof has no index")?;
        let leaf = hash(&proof["leaf"])?;
        if let Some(receipt) = &self.receipt
            && (receipt.origin != checkpoint.origin || receipt.index != index || receipt.leaf != leaf)
        {
            return Err(format!(
                "THE RECEIPT IS NOT KEPT: it promised entry {} of {} to be another than entry {index} of {} is",
                receipt.index, receipt.origin, checkpoint.origin
            )
            .into());
        }
        if verify_inclusion(&leaf, index, checkpoint.size, &checkpoint.root, &hashes(proof)?) {
            return Ok(());
        }
        Err(format!("the proof of entry {index} does not hold in the checkpoint of {} entries", checkpoint.size).into())
    }
}
