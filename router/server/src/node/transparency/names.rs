//! What people are told instead of, or beside, ids.

use std::collections::BTreeMap;

use rabita_config::Country;
use rabita_config::node::{LegalBasis, PurposeSpec};
use rabita_contract::transparency::{BasisTold, PurposeTold};
use rabita_model::{AgencyId, BasisId, Purpose, RegistryId, SystemId};

/// The titles of a configuration. What the ledger has and the configuration no longer knows has none.
pub(super) struct Names {
    systems: BTreeMap<SystemId, String>,
    agencies: BTreeMap<AgencyId, String>,
    registries: BTreeMap<RegistryId, String>,
    purposes: BTreeMap<Purpose, PurposeSpec>,
    bases: BTreeMap<BasisId, LegalBasis>,
}

impl Names {
    pub fn of(country: &Country) -> Self {
        let systems = country.systems.iter().filter_map(|system| Some((system.system.clone(), system.title.clone()?)));
        let registries = country.registries.iter().map(|registry| &registry.manifest);
        let registries = registries.filter_map(|manifest| Some((manifest.registry.clone(), manifest.title.clone()?)));
        Self {
            systems: systems.collect(),
            agencies: country.agencies.iter().map(|(id, agency)| (id.clone(), agency.title.clone())).collect(),
            registries: registries.collect(),
            purposes: country.purposes.clone(),
            bases: country.legal_bases.clone(),
        }
    }

    pub fn system(&self, system: &SystemId) -> Option<String> {
        self.systems.get(system).cloned()
    }

    pub fn agency(&self, agency: &AgencyId) -> Option<String> {
        self.agencies.get(agency).cloned()
    }

    pub fn registry(&self, registry: &RegistryId) -> Option<String> {
        self.registries.get(registry).cloned()
    }

    /// The law or other act that a purpose rests on now.
    pub fn basis(&self, purpose: &Purpose) -> Option<&BasisId> {
        self.purposes.get(purpose)?.basis.as_ref()
    }

    /// A purpose with the basis that it rested on then, or, where nothing was written down, rests on now.
    pub fn purpose(&self, purpose: &Purpose, basis: Option<&BasisId>) -> PurposeTold {
        let basis = basis.or_else(|| self.basis(purpose)).map(|id| {
            let known = self.bases.get(id);
            BasisTold {
                id: id.clone(),
                title: known.map(|basis| basis.title.clone()),
                url: known.and_then(|basis| basis.url.clone()),
            }
        });
        let title = self.purposes.get(purpose).map(|known| known.title.clone());
        PurposeTold { id: purpose.clone(), title, basis }
    }
}
