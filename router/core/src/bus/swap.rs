//! Another configuration takes the place of the one in force, as far as it is about who may do what.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use rabita_config::Country;

use super::Bus;

/// Why a configuration cannot take the place of the one in force.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// A manifest, a schema or a code list that it names is another.
    #[error("the registries are not those that the node was started with: they take effect at its next start")]
    Registries,
}

/// What tells the registries of two configurations apart: what grants are compiled against must stay what it is.
pub(super) struct Fingerprint(Digest);

impl Bus {
    /// Puts callers, grants, purposes, groups and what is shown of the ledger in force, all at once: an exchange that
    /// has passed its authorisation goes on, the next one is weighed anew, and what runs on, such as a stream of events,
    /// sees it with the next event. Limits of systems and grants that are as they were keep their state.
    ///
    /// # Errors
    /// Where the registries are others. Nothing has changed then.
    pub fn swap(&self, country: &Country) -> Result<(), SwapError> {
        self.takes(country)?;
        // A swap at the same moment must not take over the limits of what it replaces.
        self.access.rcu(|access| Arc::new(access.renewed(country)));
        Ok(())
    }

    /// Whether [`Bus::swap`] would take it, for whoever has to know before.
    ///
    /// # Errors
    /// As [`Bus::swap`].
    pub fn takes(&self, country: &Country) -> Result<(), SwapError> {
        let is_same = Fingerprint::of(country).0.as_ref() == self.opened.0.as_ref();
        if is_same { Ok(()) } else { Err(SwapError::Registries) }
    }
}

impl Fingerprint {
    pub fn of(country: &Country) -> Self {
        let mut context = Context::new(&SHA256);
        let mut add = |text: &[u8]| {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text);
        };
        for registry in &country.registries {
            add(&serde_json::to_vec(&registry.manifest).expect("a manifest is JSON"));
            for (name, schema) in &registry.schemas {
                add(name.as_bytes());
                add(schema.document().to_string().as_bytes());
            }
            for schemas in registry.actions.iter().flatten() {
                let reply = schemas.reply.as_ref().map(|reply| reply.document().to_string());
                add(schemas.request.document().to_string().as_bytes());
                add(reply.unwrap_or_default().as_bytes());
            }
            for list in registry.plan.codes.iter() {
                add(list.name().as_bytes());
                add(list.version().unwrap_or_default().as_bytes());
            }
        }
        Self(context.finish())
    }
}
