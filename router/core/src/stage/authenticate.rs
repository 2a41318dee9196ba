//! Authenticate: which system is calling.

use std::sync::Arc;

use rabita_model::{Code, Refusal};

use crate::caller::{Caller, Callers, Evidence};

/// Proof that the caller is known.
pub(crate) struct Authenticated {
    caller: Arc<Caller>,
}

impl Authenticated {
    /// Finds the system that the evidence is of.
    pub fn by(callers: &Callers, evidence: Option<&Evidence>) -> Result<Self, Refusal> {
        let evidence = evidence.ok_or_else(|| Refusal::new(Code::Unauthenticated).detail("no client certificate"))?;
        let caller = callers.identify(evidence).ok_or_else(|| {
            let detail = format!("no system has the certificate with SHA-256 {}", evidence.sha256);
            Refusal::new(Code::Unauthenticated).detail(detail)
        })?;
        Ok(Self { caller: Arc::clone(caller) })
    }

    /// The system.
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }
}
