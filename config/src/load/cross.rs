//! What one document says of another: every name names something.

use std::collections::{BTreeMap, BTreeSet};

use rabita_model::{ActionName, Operation};
use rabita_sdk::Finding;
use rabita_sdk::manifest::Entity;

use super::registry::LoadedRegistry;
use super::{Loader, Read};
use crate::document::Document;
use crate::grant::{FieldsGranted, Grant, Grants, PurposesGranted};
use crate::node::Agencies;
use crate::system::System;

impl Loader<'_> {
    pub(super) fn check_names(&mut self, agencies: &Read<Agencies>, registries: &[LoadedRegistry], systems: &[Read<System>]) {
        let ids = agencies.is.agencies.iter().map(|agency| agency.id.as_str());
        self.refuse_twice(&agencies.document, "/agencies", "id", ids.clone());
        let purposes = agencies.is.purposes.iter().map(|purpose| purpose.id.as_str());
        self.refuse_twice(&agencies.document, "/purposes", "id", purposes);
        let known: Vec<&str> = ids.collect();
        for registry in registries {
            self.require("/agency", "agency", registry.manifest.agency.as_str(), &known, &registry.document);
        }
        for system in systems {
            self.require("/agency", "agency", system.is.agency.as_str(), &known, &system.document);
        }
        let names = registries.iter().map(|registry| (registry.manifest.registry.as_str(), &registry.document));
        self.refuse_same("the registry", "/registry", names.collect());
        let names = systems.iter().map(|system| (system.is.system.as_str(), &system.document));
        self.refuse_same("the system", "/system", names.collect());
    }

    pub(super) fn check_systems(&mut self, systems: &[Read<System>]) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for system in systems {
            for (at, certificate) in system.is.certificates.iter().enumerate() {
                let pointer = format!("/certificates/{at}");
                if certificate.is_empty() {
                    self.find(&system.document, Finding::new(pointer, "names nothing that a certificate must have"));
                    continue;
                }
                let identity = format!(
                    "{:?}{:?}{:?}{:?}",
                    certificate.fingerprint(),
                    certificate.dns,
                    certificate.uri,
                    certificate.common_name
                );
                if let Some(other) = seen.insert(identity, system.is.system.to_string()) {
                    let message = format!("the same certificate is that of `{other}` already");
                    self.find(&system.document, Finding::new(pointer, message));
                }
            }
        }
    }

    pub(super) fn check_grants(
        &mut self,
        files: &[Read<Grants>],
        registries: &[LoadedRegistry],
        systems: &[Read<System>],
        agencies: Option<&Read<Agencies>>,
    ) {
        let registry_names: Vec<&str> = registries.iter().map(|registry| registry.manifest.registry.as_str()).collect();
        let system_names: Vec<&str> = systems.iter().map(|system| system.is.system.as_str()).collect();
        let purposes: Option<Vec<&str>> =
            agencies.map(|agencies| agencies.is.purposes.iter().map(|purpose| purpose.id.as_str()).collect());
        let names = files.iter().map(|file| (file.is.registry.as_str(), &file.document));
        self.refuse_same("what is granted of", "/registry", names.collect());
        for file in files {
            let name = file.is.registry.as_str();
            if !self.may_be_lost("registries", name) {
                self.require("/registry", "registry", name, &registry_names, &file.document);
            }
            let registry = registries.iter().find(|registry| registry.manifest.registry == file.is.registry);
            for (at, grant) in file.is.grants.iter().enumerate() {
                let place = format!("/grants/{at}");
                if !self.may_be_lost("systems", grant.system.as_str()) {
                    self.require(&format!("{place}/system"), "system", grant.system.as_str(), &system_names, &file.document);
                }
                if let Some(purposes) = &purposes {
                    self.check_purposes(grant, &place, purposes, &file.document);
                }
                if let Some(registry) = registry {
                    self.check_grant(grant, &place, registry, &file.document);
                }
                if grant.until.is_some_and(|until| until < self.today) {
                    self.find(&file.document, Finding::warning(format!("{place}/until"), "this grant has ended"));
                }
            }
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

    fn check_grant(&mut self, grant: &Grant, place: &str, registry: &LoadedRegistry, document: &Document) {
        let contract = &registry.manifest.contract;
        let Some(entities) = contract.get(&grant.version) else {
            let versions: Vec<String> = contract.keys().map(ToString::to_string).collect();
            let known: Vec<&str> = versions.iter().map(String::as_str).collect();
            self.require(&format!("{place}/version"), "version", &grant.version.to_string(), &known, document);
            return;
        };
        let Some(entity) = entities.get(&grant.entity) else {
            let known: Vec<&str> = entities.keys().map(|name| name.as_str()).collect();
            self.require(&format!("{place}/entity"), "entity", grant.entity.as_str(), &known, document);
            return;
        };
        for (at, operation) in grant.operations.iter().enumerate() {
            if !entity.offers(*operation) {
                let message =
                    format!("the manifest of `{}` does not offer {operation} for `{}`", registry.manifest.registry, grant.entity);
                self.find(document, Finding::warning(format!("{place}/operations/{at}"), message));
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

    fn require(&mut self, pointer: &str, what: &str, word: &str, known: &[&str], document: &Document) {
        if !known.contains(&word) {
            self.find(document, Finding::unknown(pointer, what, word, known.iter().copied()));
        }
    }

    fn refuse_twice<'b>(&mut self, document: &Document, list: &str, member: &str, words: impl Iterator<Item = &'b str>) {
        let mut seen = BTreeSet::new();
        for (at, word) in words.enumerate() {
            if !seen.insert(word) {
                self.find(document, Finding::new(format!("{list}/{at}/{member}"), format!("`{word}` is there already")));
            }
        }
    }

    fn refuse_same(&mut self, what: &str, pointer: &str, names: Vec<(&str, &Document)>) {
        let mut seen: BTreeMap<&str, &Document> = BTreeMap::new();
        for (name, document) in names {
            if let Some(first) = seen.get(name) {
                let message = format!("{what} `{name}` is in {} already", first.file.display());
                self.find(document, Finding::new(pointer, message));
            } else {
                seen.insert(name, document);
            }
        }
    }
}
