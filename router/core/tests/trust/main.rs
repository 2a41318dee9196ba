//! Who may see what: grants, conditions, consents and their change, through the whole bus over a registry in memory.

mod consents;
mod country;
mod explained;
mod properties;
mod recorded;
mod registry;
mod rows;
mod swapped;
