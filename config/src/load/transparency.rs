//! `transparency.yaml`: whom it names is there, and each once.

use std::collections::BTreeSet;

use rabita_model::Rule;
use rabita_sdk::Finding;

use super::{Loader, Read};
use crate::node::Agencies;
use crate::system::System;
use crate::transparency::Transparency;

impl Loader<'_> {
    pub(super) fn check_transparency(
        &mut self,
        file: &Read<Transparency>,
        agencies: Option<&Read<Agencies>>,
        systems: &[Read<System>],
    ) {
        let Read { document, is } = file;
        let mut seen = BTreeSet::new();
        for (at, view) in is.subjects.iter().enumerate() {
            let place = format!("/subjects/{at}");
            self.require_system(&format!("{place}/system"), &view.system, systems, document);
            if !seen.insert(&view.system) {
                self.find(
                    document,
                    Finding::new(format!("{place}/system"), format!("`{}` is there already", view.system))
                        .breaks(Rule::NameTaken),
                );
            }
            let Some(agencies) = agencies else { continue };
            let known: Vec<&str> = agencies.is.purposes.iter().map(|purpose| purpose.id.as_str()).collect();
            for (of, purpose) in view.purposes.iter().enumerate() {
                self.require(&format!("{place}/purposes/{of}"), "purpose", purpose.as_str(), &known, document);
            }
        }
        for (at, auditor) in is.auditors.iter().enumerate() {
            self.require_system(&format!("/auditors/{at}"), auditor, systems, document);
        }
        let mut seen = BTreeSet::new();
        for (at, view) in is.agencies.iter().enumerate() {
            let place = format!("/agencies/{at}");
            self.require_system(&format!("{place}/system"), &view.system, systems, document);
            if !seen.insert((&view.system, &view.agency)) {
                self.find(document, Finding::new(place.clone(), "is there already").breaks(Rule::NameTaken));
            }
            if let Some(agencies) = agencies {
                let known: Vec<&str> = agencies.is.agencies.iter().map(|agency| agency.id.as_str()).collect();
                self.require(&format!("{place}/agency"), "agency", view.agency.as_str(), &known, document);
            }
        }
    }
}
