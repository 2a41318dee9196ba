//! `transparency.yaml`: who sees what of the ledger. Without the file, nobody but the node's operator does.

use rabita_model::{AgencyId, Purpose, SystemId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who sees what of the ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Transparency {
    /// Systems that may ask who used the data of one person: `POST /bus/subjects/accesses`.
    pub subjects: Vec<SubjectView>,
    /// Systems that may ask who used the registries of one agency: `GET /bus/agencies/{agency}/accesses`.
    pub agencies: Vec<AgencyView>,
    /// Systems that may read the ledger's entries, to verify what is in them: the log itself, without its entries, is open
    /// to every known system. Entries hold no personal data in clear, but who asked whom for what.
    pub auditors: Vec<SystemId>,
    /// Counts without persons, for every known system and for the open: `GET /bus/statistics`.
    pub statistics: Statistics,
}

/// A system that may ask who used the data of one person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectView {
    pub system: SystemId,
    /// The purposes of which a request has to name one.
    #[schemars(length(min = 1))]
    pub purposes: Vec<Purpose>,
}

/// A system that may ask who used the registries of one agency.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgencyView {
    pub system: SystemId,
    pub agency: AgencyId,
}

/// What statistics show.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Statistics {
    /// A count below this is not shown, only that there are some.
    #[schemars(range(min = 1))]
    pub smallest: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { smallest: 10 }
    }
}
