//! The grants: every name in them names something, and what they ask for can be had.

use std::collections::BTreeMap;

use rabita_model::{ActionName, Operation, Rule};
use rabita_sdk::Finding;
use rabita_sdk::manifest::Entity;

use super::registry::LoadedRegistry;
use super::rows::Conditions;
use super::{Loader, Read};
use crate::document::Document;
use crate::grant::{FieldsGranted, Grant, Grants, PurposesGranted};
use crate::node::{Agencies, Node};
use crate::system::System;

/// The documents that grants speak of.
#[derive(Clone, Copy)]
pub(super) struct Spoken<'a> {
    pub node: Option<&'a Read<Node>>,
    pub agencies: Option<&'a Read<Agencies>>,
    pub registries: &'a [LoadedRegistry],
    pub systems: &'a [Read<System>],
}

impl<'a> Spoken<'a> {
    /// The systems that a grant is for, as far as they are known.
    pub(super) fn granted(&self, grant: &Grant) -> Vec<&'a Read<System>> {
        let groups = self.agencies.map(|agencies| agencies.is.groups.as_slice()).unwrap_or_default();
        let group = groups.iter().find(|group| Some(&group.id) == grant.group.as_ref());
        let is_granted = |system: &&Read<System>| {
            let system = &system.is.system;
            Some(system) == grant.system.as_ref() || group.is_some_and(|group| group.systems.contains(system))
        };
        self.systems.iter().filter(is_granted).collect()
    }
}

impl Loader<'_> {
    pub(super) fn check_grants(&mut self, files: &[Read<Grants>], spoken: Spoken<'_>) {
        self.check_places(files, spoken);
        let known: Vec<&str> = spoken.registries.iter().map(|registry| registry.manifest.registry.as_str()).collect();
        let mut conditions = Conditions::default();
        for file in files {
            let name = file.is.registry.as_str();
            if !self.may_be_lost("registries", name) {
                self.require("/registry", "registry", name, &known, &file.document);
            }
            let registry = spoken.registries.iter().find(|registry| registry.manifest.registry == file.is.registry);
            for (at, grant) in file.is.grants.iter().enumerate() {
                let place = format!("/grants/{at}");
                self.check_holder(grant, &place, spoken, &file.document);
                self.check_needs(grant, &place, spoken, &file.document);
                self.check_hours(grant, &place, &file.document);
                if let Some(agencies) = spoken.agencies {
                    let purposes: Vec<&str> = agencies.is.purposes.iter().map(|purpose| purpose.id.as_str()).collect();
                    self.check_purposes(grant, &place, &purposes, &file.document);
                }
                if let Some(registry) = registry
                    && self.check_of_entity(grant, &place, registry, &file.document).is_some()
                {
                    self.check_consented(grant, &place, registry, &file.document);
                    self.check_rows(grant, &place, registry, (spoken, &mut conditions), &file.document);
                }
                if grant.until.is_some_and(|until| until < self.today) {
                    self.find(
                        &file.document,
                        Finding::warning(format!("{place}/until"), "this grant has ended").breaks(Rule::WithoutEffect),
                    );
                }
            }
        }
    }

    /// A registry's grants stand in one file of `grants/`, or in any number of files in its agency's folder: whoever looks
    /// in the one place has seen all.
    fn check_places(&mut self, files: &[Read<Grants>], spoken: Spoken<'_>) {
        let mut first: BTreeMap<&str, (&Document, Option<&str>)> = BTreeMap::new();
        for Read { document, is } in files {
            let name = is.registry.as_str();
            let folder = document.file.strip_prefix("grants").ok().and_then(|file| file.parent()?.to_str());
            let folder = folder.filter(|folder| !folder.is_empty());
            let (other, its_folder) = *first.entry(name).or_insert((document, folder));
            if !std::ptr::eq(other, document) && (folder.is_none() || its_folder.is_none()) {
                let message = format!("what is granted of `{name}` is in {} already", other.file.display());
                self.find(document, Finding::new("/registry", message).breaks(Rule::NameTaken));
            }
            let Some(folder) = folder else { continue };
            let owner = spoken.registries.iter().find(|registry| registry.manifest.registry == is.registry);
            let owner = owner.map(|registry| registry.manifest.agency.as_str());
            let agencies = spoken.agencies.map(|agencies| agencies.is.agencies.as_slice()).unwrap_or_default();
            if spoken.agencies.is_some() && !agencies.iter().any(|agency| agency.id.as_str() == folder) {
                let known = agencies.iter().map(|agency| agency.id.as_str());
                let mut finding = Finding::unknown("/registry", "agency", folder, known);
                finding.message = format!("{}; a folder of `grants` has the name of the agency that grants", finding.message);
                self.find(document, finding);
            } else if let Some(owner) = owner.filter(|owner| *owner != folder) {
                let message = format!("`{name}` is a registry of `{owner}`: its grants do not stand in the folder of `{folder}`");
                self.find(document, Finding::new("/registry", message));
            }
        }
    }

    fn check_holder(&mut self, grant: &Grant, place: &str, spoken: Spoken<'_>, document: &Document) {
        if grant.system.is_some() == grant.group.is_some() {
            self.find(document, Finding::new(place, "a grant is for one `system` or for one `group`, and not for both"));
        }
        if let Some(system) = &grant.system {
            self.require_system(&format!("{place}/system"), system, spoken.systems, document);
        }
        if let (Some(group), Some(agencies)) = (&grant.group, spoken.agencies) {
            let known: Vec<&str> = agencies.is.groups.iter().map(|group| group.id.as_str()).collect();
            self.require(&format!("{place}/group"), "group", group.as_str(), &known, document);
        }
    }

    /// What a grant demands of its callers, all of them must be able to bring.
    fn check_needs(&mut self, grant: &Grant, place: &str, spoken: Spoken<'_>, document: &Document) {
        for system in spoken.granted(grant) {
            let name = &system.is.system;
            if grant.signature.is_some() && system.is.keys.is_empty() {
                let message = format!("`{name}` has no `keys` to sign with");
                self.find(document, Finding::new(format!("{place}/signature"), message));
            }
            if grant.binding.is_some() && system.is.tokens.is_empty() {
                let message = format!("`{name}` is not known by `tokens`, so it has none that is bound to its certificate");
                self.find(document, Finding::new(format!("{place}/binding"), message));
            }
        }
        if grant.consent.is_some() && spoken.node.is_some_and(|node| node.is.consents.is_none()) {
            let message = "nothing says where consents are looked up: `consents` of rabita.yaml";
            self.find(document, Finding::new(format!("{place}/consent"), message));
        }
    }

    fn check_hours(&mut self, grant: &Grant, place: &str, document: &Document) {
        for (at, hours) in grant.hours.iter().enumerate() {
            let place = format!("{place}/hours/{at}");
            if hours.from == hours.to {
                self.find(document, Finding::new(format!("{place}/to"), "is `from` again; without `hours` a grant always holds"));
            }
            let days = hours.days.as_deref().unwrap_or_default();
            for (of, day) in days.iter().enumerate() {
                if days[..of].contains(day) {
                    self.find(document, Finding::new(format!("{place}/days/{of}"), "is there already").breaks(Rule::NameTaken));
                }
            }
        }
    }

    /// Whose consent it takes must be known.
    fn check_consented(&mut self, grant: &Grant, place: &str, registry: &LoadedRegistry, document: &Document) {
        let entity = registry.manifest.contract.get(&grant.version).and_then(|entities| entities.get(&grant.entity));
        if grant.consent.is_some() && entity.is_some_and(|entity| entity.subject.is_none()) {
            let message = format!(
                "the manifest of `{}` names no `subject` of `{}`: whose consent is it?",
                registry.manifest.registry, grant.entity
            );
            self.find(document, Finding::new(format!("{place}/consent"), message));
        }
    }

    fn check_purposes(&mut self, grant: &Grant, place: &str, known: &[&str], document: &Document) {
        let PurposesGranted::Some(purposes) = &grant.purposes else { return };
        if purposes.is_empty() {
            self.find(
                document,
                Finding::new(format!("{place}/purposes"), "a grant without a purpose permits nothing; `any` permits every one"),
            );
        }
        for (at, purpose) in purposes.iter().enumerate() {
            self.require(&format!("{place}/purposes/{at}"), "purpose", purpose.as_str(), known, document);
        }
    }

    fn check_of_entity(&mut self, grant: &Grant, place: &str, registry: &LoadedRegistry, document: &Document) -> Option<()> {
        let contract = &registry.manifest.contract;
        let Some(entities) = contract.get(&grant.version) else {
            let versions: Vec<String> = contract.keys().map(ToString::to_string).collect();
            let known: Vec<&str> = versions.iter().map(String::as_str).collect();
            self.require(&format!("{place}/version"), "version", &grant.version.to_string(), &known, document);
            return None;
        };
        let Some(entity) = entities.get(&grant.entity) else {
            let known: Vec<&str> = entities.keys().map(|name| name.as_str()).collect();
            self.require(&format!("{place}/entity"), "entity", grant.entity.as_str(), &known, document);
            return None;
        };
        for (at, operation) in grant.operations.iter().enumerate() {
            if !entity.offers(*operation) {
                let message =
                    format!("the manifest of `{}` does not offer {operation} for `{}`", registry.manifest.registry, grant.entity);
                self.find(document, Finding::warning(format!("{place}/operations/{at}"), message).breaks(Rule::WithoutEffect));
            }
        }
        self.check_actions(grant, place, entity, document);
        if let FieldsGranted::Some(fields) = &grant.fields {
            for (at, field) in fields.iter().enumerate() {
                if !entity.fields.keys().any(|own| field.covers(own)) {
                    let known = entity.fields.keys().map(|name| name.as_str());
                    self.find(document, Finding::unknown(format!("{place}/fields/{at}"), "field", field.as_str(), known));
                }
            }
        }
        Some(())
    }

    fn check_actions(&mut self, grant: &Grant, place: &str, entity: &Entity, document: &Document) {
        let Some(actions) = &grant.actions else { return };
        if !grant.operations.contains(&Operation::Act) {
            let message = "names actions, and `act` is not among the operations";
            self.find(document, Finding::new(format!("{place}/actions"), message));
        }
        let known: Vec<&str> = entity.actions.keys().map(ActionName::as_str).collect();
        for (at, action) in actions.iter().enumerate() {
            self.require(&format!("{place}/actions/{at}"), "action", action.as_str(), &known, document);
        }
    }
}
