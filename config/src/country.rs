//! A configuration that is wholly right: every name in it names something.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rabita_model::{AgencyId, Purpose, RegistryId};
use rabita_schemas::RecordSchema;
use rabita_sdk::Kind;
use rabita_sdk::manifest::Manifest;
use rabita_sdk::plan::Plan;

use crate::grant::Grant;
use crate::node::{Agency, Node, PurposeSpec};
use crate::system::System;

/// The whole configuration of a node.
pub struct Country {
    /// What relative file names are relative to.
    pub directory: PathBuf,
    pub node: Node,
    pub agencies: BTreeMap<AgencyId, Agency>,
    pub purposes: BTreeMap<Purpose, PurposeSpec>,
    pub registries: Vec<Registry>,
    pub systems: Vec<System>,
    /// Each grant with the registry that its file is of.
    pub grants: Vec<(RegistryId, Grant)>,
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
