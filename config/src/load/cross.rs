//! What one document says of another: every name names something.

use std::collections::{BTreeMap, BTreeSet};

use rabita_model::{Rule, SystemId};
use rabita_sdk::Finding;

use super::registry::LoadedRegistry;
use super::{Loader, Read};
use crate::document::Document;
use crate::node::Agencies;
use crate::system::System;

impl Loader<'_> {
    pub(super) fn check_names(&mut self, agencies: &Read<Agencies>, registries: &[LoadedRegistry], systems: &[Read<System>]) {
        let ids = agencies.is.agencies.iter().map(|agency| agency.id.as_str());
        self.refuse_twice(&agencies.document, "/agencies", "id", ids.clone());
        self.check_purposes_and_groups(agencies, systems);
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

    fn check_purposes_and_groups(&mut self, agencies: &Read<Agencies>, systems: &[Read<System>]) {
        let Read { document, is: Agencies { purposes, legal_bases, groups, .. } } = agencies;
        self.refuse_twice(document, "/purposes", "id", purposes.iter().map(|purpose| purpose.id.as_str()));
        self.refuse_twice(document, "/legal_bases", "id", legal_bases.iter().map(|basis| basis.id.as_str()));
        self.refuse_twice(document, "/groups", "id", groups.iter().map(|group| group.id.as_str()));
        let bases: Vec<&str> = legal_bases.iter().map(|basis| basis.id.as_str()).collect();
        for (at, purpose) in purposes.iter().enumerate() {
            if let Some(basis) = &purpose.basis {
                self.require(&format!("/purposes/{at}/basis"), "legal basis", basis.as_str(), &bases, document);
            }
        }
        for (at, group) in groups.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (of, system) in group.systems.iter().enumerate() {
                let place = format!("/groups/{at}/systems/{of}");
                self.require_system(&place, system, systems, document);
                if !seen.insert(system) {
                    self.find(
                        document,
                        Finding::new(place, format!("`{system}` is in this group already")).breaks(Rule::NameTaken),
                    );
                }
            }
        }
    }

    /// A system that is there, or that something is wrong with: whoever names that one made no mistake.
    pub(super) fn require_system(&mut self, pointer: &str, word: &SystemId, systems: &[Read<System>], document: &Document) {
        if !self.may_be_lost("systems", word.as_str()) {
            let known: Vec<&str> = systems.iter().map(|system| system.is.system.as_str()).collect();
            self.require(pointer, "system", word.as_str(), &known, document);
        }
    }

    pub(super) fn require(&mut self, pointer: &str, what: &str, word: &str, known: &[&str], document: &Document) {
        if !known.contains(&word) {
            self.find(document, Finding::unknown(pointer, what, word, known.iter().copied()));
        }
    }

    pub(super) fn refuse_twice<'b>(
        &mut self,
        document: &Document,
        list: &str,
        member: &str,
        words: impl Iterator<Item = &'b str>,
    ) {
        let mut seen = BTreeSet::new();
        for (at, word) in words.enumerate() {
            if !seen.insert(word) {
                self.find(
                    document,
                    Finding::new(format!("{list}/{at}/{member}"), format!("`{word}` is there already")).breaks(Rule::NameTaken),
                );
            }
        }
    }

    pub(super) fn refuse_same(&mut self, what: &str, pointer: &str, names: Vec<(&str, &Document)>) {
        let mut seen: BTreeMap<&str, &Document> = BTreeMap::new();
        for (name, document) in names {
            if let Some(first) = seen.get(name) {
                let message = format!("{what} `{name}` is in {} already", first.file.display());
                self.find(document, Finding::new(pointer, message).breaks(Rule::NameTaken));
            } else {
                seen.insert(name, document);
            }
        }
    }
}
