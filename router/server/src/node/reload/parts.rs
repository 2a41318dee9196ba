//! The parts of a node that take another configuration while it runs. A shared part is what its node shares.

use std::sync::Arc;

use jiff::Timestamp;
use rabita_config::Country;
use rabita_core::Bus;
use rabita_ledger::Ledger;

use super::{Part, Swap};
use crate::machine::MachineSecrets;
use crate::node::hosts::Hosts;
use crate::node::ledger_open::keep_months;
use crate::node::signed::Signatures;
use crate::node::tls::Transports;
use crate::node::tokens::Tokens;
use crate::node::transparency::Transparency;

/// Systems, groups, purposes, grants, and where consents are looked up.
impl Part for Arc<Bus> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        self.takes(country).map_err(|error| error.to_string())?;
        let (bus, country) = (Self::clone(self), Arc::clone(country));
        Ok(Box::new(move || bus.swap(&country).expect("the registries of a running bus do not change")))
    }
}

/// Certificates, private keys, authorities and revocation lists of the listeners.
impl Part for Arc<Transports> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        let prepared = Transports::prepare(self, country).map_err(|error| error.to_string())?;
        let transports = Self::clone(self);
        Ok(Box::new(move || transports.swap(prepared)))
    }
}

/// The issuers of access tokens.
impl Part for Arc<Tokens> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        let prepared = Tokens::prepare(self, country).map_err(|error| error.to_string())?;
        let tokens = Self::clone(self);
        Ok(Box::new(move || tokens.swap(prepared)))
    }
}

/// The keys that sign answers, and those of systems.
impl Part for Arc<Signatures> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        let secrets = MachineSecrets::new(&country.directory);
        let prepared = Signatures::prepare(country, &secrets).map_err(|error| error.to_string())?;
        let signatures = Self::clone(self);
        Ok(Box::new(move || signatures.swap(prepared, Timestamp::now().as_second())))
    }
}

/// The hosts that may dial in, and what each may serve.
impl Part for Arc<Hosts> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        let admitted = country.node.hosts.as_ref().map(|hosts| hosts.admitted.clone()).unwrap_or_default();
        let hosts = Self::clone(self);
        Ok(Box::new(move || hosts.swap(admitted)))
    }
}

/// Who sees what of the ledger.
impl Part for Arc<Transparency> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        let prepared = Transparency::prepare(country);
        let transparency = Self::clone(self);
        Ok(Box::new(move || transparency.swap(prepared)))
    }
}

/// For how long agencies can still be told whom an exchange was about.
impl Part for Arc<Ledger> {
    fn prepare(&self, country: &Arc<Country>) -> Result<Swap, String> {
        let (ledger, months) = (Self::clone(self), keep_months(country));
        Ok(Box::new(move || ledger.retain(months)))
    }
}
