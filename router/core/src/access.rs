//! Access: who is known and what each may do, compiled from a configuration alone.
//!
//! A bus holds one and swaps it whole. It needs no connector, so that [`Access::explain`] and [`Access::who`] answer at a
//! desk what the running bus would do: both go through the same weighing of grants as an exchange.

mod describe;
mod explain;
mod grants;
mod shape;
mod weigh;
mod who;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rabita_config::Country;
use rabita_config::node::{Agency, LegalBasis, PurposeSpec};
use rabita_config::transparency::Transparency;
use rabita_model::{AgencyId, BasisId, Purpose, SystemId, Target};

pub use describe::Terms;
pub use explain::{Considered, Explanation, Verdict, WouldHold};
pub(crate) use grants::{Granted, Grants, Holdings};
pub(crate) use shape::Shape;
pub(crate) use weigh::{Weighed, Wish, argued, refusal};
pub use who::Holder;

use crate::caller::Callers;
use crate::consent::Consents;

/// Who is known and what each may do.
pub struct Access {
    /// Who sees what of the ledger.
    pub transparency: Transparency,
    pub agencies: BTreeMap<AgencyId, Agency>,
    pub purposes: BTreeMap<Purpose, PurposeSpec>,
    pub legal_bases: BTreeMap<BasisId, LegalBasis>,
    /// The systems, without what they are known by.
    pub systems: BTreeMap<SystemId, KnownSystem>,
    /// The agency that owns each entity's registry.
    pub(crate) shapes: HashMap<Target, Arc<Shape>>,
    pub(crate) callers: Callers,
    pub(crate) grants: Grants,
    pub(crate) consents: Option<Consents>,
}

/// A system, as it is told of to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSystem {
    pub agency: AgencyId,
    pub title: Option<String>,
}

impl Access {
    /// Compiles what a configuration says of access.
    #[must_use]
    pub fn of(country: &Country) -> Self {
        Self::compile(country, None)
    }

    /// The same for another configuration of the same registries: limits of systems and grants that are as they were go
    /// on with what is left of them.
    pub(crate) fn renewed(&self, country: &Country) -> Self {
        Self::compile(country, Some(self))
    }

    fn compile(country: &Country, before: Option<&Self>) -> Self {
        let shapes: HashMap<Target, Arc<Shape>> =
            country.registries.iter().flat_map(Shape::all).map(|shape| (shape.target.clone(), Arc::new(shape))).collect();
        let systems = country
            .systems
            .iter()
            .map(|system| (system.system.clone(), KnownSystem { agency: system.agency.clone(), title: system.title.clone() }));
        Self {
            transparency: country.transparency.clone(),
            agencies: country.agencies.clone(),
            purposes: country.purposes.clone(),
            legal_bases: country.legal_bases.clone(),
            systems: systems.collect(),
            callers: Callers::new(&country.systems, before.map(|before| &before.callers)),
            grants: Grants::new(country, &shapes, before.map(|before| &before.grants)),
            consents: country.node.consents.as_ref().map(Consents::new),
            shapes,
        }
    }

    /// The legal basis on which a purpose rests, where the configuration names one.
    #[must_use]
    pub fn basis(&self, purpose: &Purpose) -> Option<&BasisId> {
        self.purposes.get(purpose)?.basis.as_ref()
    }

    /// The agency of a system. One that the configuration no longer has belongs to nobody whom it knows.
    pub(crate) fn agency_of(&self, system: &SystemId) -> AgencyId {
        self.systems.get(system).map_or_else(unknown_agency, |system| system.agency.clone())
    }

    /// The agency that owns the registry of an entity; `None` for what is not of this configuration.
    #[must_use]
    pub fn owner(&self, target: &Target) -> Option<&AgencyId> {
        self.shapes.get(target).map(|shape| &shape.owner)
    }
}

/// Stands in the ledger for an agency that the configuration no longer knows.
pub(crate) fn unknown_agency() -> AgencyId {
    AgencyId::new("unknown").expect("it has the form of an agency's id")
}
