//! A configuration that is wholly right: every name in it names something.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rabita_model::{AgencyId, BasisId, GroupId, Purpose, RegistryId};
use rabita_schemas::RecordSchema;
use rabita_sdk::Kind;
use rabita_sdk::manifest::Manifest;
use rabita_sdk::plan::Plan;

use crate::grant::Grant;
use crate::node::{Agency, Group, LegalBasis, Node, PurposeSpec};
use crate::system::System;
use crate::transparency::Transparency;

/// The whole configuration of a node.
pub struct Country {
    /// What relative file names are relative to.
    pub directory: PathBuf,
    pub node: Node,
    pub agencies: BTreeMap<AgencyId, Agency>,
    pub purposes: BTreeMap<Purpose, PurposeSpec>,
    pub legal_bases: BTreeMap<BasisId, LegalBasis>,
    pub groups: BTreeMap<GroupId, Group>,
    /// Who sees what of the ledger.
    pub transparency: Transparency,
    pub registries: Vec<Registry>,
    pub systems: Vec<System>,
    /// Each grant with the registry that its file is of.
    pub grants: Vec<(RegistryId, Grant)>,
    /// The files that it was made of, in order, as they were when they were read.
    pub files: Vec<CountedFile>,
}

/// A file that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedFile {
    /// As the configuration names it, relative to the directory where it lies in it.
    pub file: PathBuf,
    pub sha256: [u8; 32],
    /// Whether it holds a secret: such a digest stays in memory, since what is short can be guessed by it.
    pub is_secret: bool,
}

/// One registry, ready to be opened.
pub struct Registry {
    pub manifest: Manifest,
    pub kind: Arc<dyn Kind>,
    pub plan: Plan,
    /// For each entity of the plan, the schema of its records and the schema's name.
    pub schemas: Vec<(String, Arc<RecordSchema>)>,
    /// For each entity of the plan, the schemas of its actions, in the order of the plan.
    pub actions: Vec<Vec<ActionSchemas>>,
}

/// The schemas of one action.
#[derive(Debug, Clone)]
pub struct ActionSchemas {
    pub request: Arc<RecordSchema>,
    /// None where the action answers nothing.
    pub reply: Option<Arc<RecordSchema>>,
}
