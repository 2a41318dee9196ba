//! What a node trusts by and is trusted for: certificates, tokens, signatures, the ledger, and who sees what of it. Opened
//! together at the start, and followed together when the configuration changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rabita_config::Country;
use rabita_core::Bus;
use rabita_journal::Journal;
use rabita_keys::SigningKey;
use rabita_ledger::Ledger;

use super::StartError;
use super::hosts::Hosts;
use super::ledger_exchange::LedgerExchange;
use super::ledger_open::{self, Opened};
use super::ledger_reads::LedgerReads;
use super::reload::Part;
use super::signed::Signatures;
use super::timestamps::Timestamps;
use super::tls::Transports;
use super::tokens::Tokens;
use super::transparency::Transparency;
use crate::machine::MachineSecrets;

/// What a node trusts by and is trusted for.
pub(super) struct Trust {
    pub transports: Arc<Transports>,
    pub tokens: Arc<Tokens>,
    pub signatures: Arc<Signatures>,
    pub transparency: Arc<Transparency>,
    /// None where the configuration has the ledger off.
    pub kept: Option<Kept>,
}

/// The ledger, with what belongs to it.
pub(super) struct Kept {
    pub ledger: Arc<Ledger>,
    pub reads: LedgerReads,
    pub directory: PathBuf,
    key: Arc<SigningKey>,
}

impl Trust {
    /// Opens all of it. Blocks.
    ///
    /// # Errors
    /// When a file, a key or a directory cannot be used, naming it.
    pub fn open(country: &Country, secrets: &MachineSecrets) -> Result<Self, StartError> {
        let opened = ledger_open::open(country, secrets).map_err(Box::new)?;
        let kept = opened.map(|opened| Kept::of(opened, country)).transpose()?;
        let ledger = kept.as_ref().map(|kept| Arc::clone(&kept.ledger));
        Ok(Self {
            transports: Arc::new(Transports::open(country)?),
            tokens: Arc::new(Tokens::open(country)?),
            signatures: Arc::new(Signatures::open(country, secrets, Timestamp::now().as_second())?),
            transparency: Arc::new(Transparency::new(country, ledger)),
            kept,
        })
    }

    /// The ledger, where there is one.
    pub fn ledger(&self) -> Option<Arc<Ledger>> {
        self.kept.as_ref().map(|kept| Arc::clone(&kept.ledger))
    }

    /// What takes another configuration while the node runs.
    pub fn parts(&self, bus: &Arc<Bus>, hosts: &Arc<Hosts>) -> Vec<Box<dyn Part>> {
        let mut parts: Vec<Box<dyn Part>> = vec![
            Box::new(Arc::clone(&self.transports)),
            Box::new(Arc::clone(&self.tokens)),
            Box::new(Arc::clone(&self.signatures)),
            Box::new(Arc::clone(bus)),
            Box::new(Arc::clone(hosts)),
            Box::new(Arc::clone(&self.transparency)),
        ];
        parts.extend(self.ledger().map(|ledger| Box::new(ledger) as Box<dyn Part>));
        parts
    }

    /// What shows the node's checkpoints to the others that share its journal, and cosigns theirs; a journal of one node is
    /// shared with nobody.
    pub fn exchange(&self, country: &Country, journal: Option<&Arc<dyn Journal>>) -> Option<LedgerExchange> {
        let (kept, journal) = (self.kept.as_ref()?, journal?);
        country.node.journal.kafka.as_ref()?;
        let every = Duration::from_secs(country.node.ledger.exchange_s);
        let (log, state) = (Arc::clone(kept.ledger.log()), kept.directory.join("witness"));
        Some(LedgerExchange::new(log, Arc::clone(journal), Arc::clone(&kept.key), state, every))
    }

    /// What has the checkpoints stamped, where the configuration names an authority.
    ///
    /// # Errors
    /// When the authorities of stamps, or those that are kept, cannot be read.
    pub fn timestamps(&self, country: &Country) -> Result<Option<Timestamps>, StartError> {
        let (Some(kept), Some(spec)) = (&self.kept, &country.node.ledger.timestamps) else { return Ok(None) };
        let log = Arc::clone(kept.ledger.log());
        Ok(Some(Timestamps::open(spec, &country.directory, &kept.directory, log)?))
    }
}

impl Kept {
    fn of(opened: Opened, country: &Country) -> Result<Self, StartError> {
        let Opened { ledger, key, directory } = opened;
        let reads = LedgerReads::new(Arc::clone(&ledger), &country.node.ledger.witnesses);
        let reads = reads.map_err(|error| StartError::Witness(error.to_string()))?;
        Ok(Self { ledger, reads, directory, key })
    }
}
