//! `consents:` of `rabita.yaml`: the entity is there, one field is its key, and its fields are there.

use rabita_model::FieldName;
use rabita_sdk::Finding;

use super::registry::LoadedRegistry;
use super::{Loader, Read};
use crate::node::Node;

impl Loader<'_> {
    pub(super) fn check_consents(&mut self, node: &Read<Node>, registries: &[LoadedRegistry]) {
        let Some(spec) = &node.is.consents else { return };
        let document = &node.document;
        let Some(registry) = registries.iter().find(|registry| registry.manifest.registry == spec.registry) else {
            if !self.may_be_lost("registries", spec.registry.as_str()) {
                let known: Vec<&str> = registries.iter().map(|registry| registry.manifest.registry.as_str()).collect();
                self.require("/consents/registry", "registry", spec.registry.as_str(), &known, document);
            }
            return;
        };
        let Some(entities) = registry.manifest.contract.get(&spec.version) else {
            let versions: Vec<String> = registry.manifest.contract.keys().map(ToString::to_string).collect();
            let known: Vec<&str> = versions.iter().map(String::as_str).collect();
            return self.require("/consents/version", "version", &spec.version.to_string(), &known, document);
        };
        let Some(entity) = entities.get(&spec.entity) else {
            let known: Vec<&str> = entities.keys().map(|name| name.as_str()).collect();
            return self.require("/consents/entity", "entity", spec.entity.as_str(), &known, document);
        };
        if entity.key.as_slice().len() != 1 {
            let message = format!("a consent is named by one word, and the key of `{}` has several fields", spec.entity);
            self.find(document, Finding::new("/consents/entity", message));
        }
        if entity.operations.read.is_none() {
            let message = format!("the manifest of `{}` does not offer read for `{}`", spec.registry, spec.entity);
            self.find(document, Finding::new("/consents/entity", message));
        }
        let optional = [
            ("grantee", &spec.grantee),
            ("purpose", &spec.purpose),
            ("about", &spec.about),
            ("from", &spec.from),
            ("until", &spec.until),
        ];
        let optional = optional.into_iter().filter_map(|(word, field)| Some((word, field.as_ref()?)));
        let status = spec.status.as_ref().map(|status| ("status/field", &status.field));
        for (word, field) in [("subject", &spec.subject)].into_iter().chain(optional).chain(status) {
            if !entity.fields.keys().any(|own| own.covers(field) || field.covers(own)) {
                let known = entity.fields.keys().map(FieldName::as_str);
                self.find(document, Finding::unknown(format!("/consents/{word}"), "field", field.as_str(), known));
            }
        }
    }
}
