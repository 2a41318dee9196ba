//! A registry's manifest: its structure by kind, its schemas, its mapping, and what the kind itself finds.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use rabita_model::{FieldName, Rule};
use rabita_schemas::field::JsonType;
use rabita_schemas::{Library, RecordSchema};
use rabita_sdk::codes::CodeListSpec;
use rabita_sdk::finding::{likely, token};
use rabita_sdk::manifest::{Entity, Field, Manifest, SchemaRef};
use rabita_sdk::plan::Plan;
use rabita_sdk::{Finding, Kind};
use serde_json::{Map, Value};

use super::{Loader, Read};
use crate::country::Registry;
use crate::document::Document;
use crate::schema;

/// A manifest, and the registry where nothing is wrong with it.
pub(super) struct LoadedRegistry {
    pub document: Document,
    pub manifest: Manifest,
    pub is: Option<Registry>,
}

pub(super) type Compiled = HashMap<String, Option<Arc<RecordSchema>>>;

impl Loader<'_> {
    /// Reads the manifests. What is wrong with the kind's parts is told beside what is wrong with the manifest's own.
    pub(super) fn manifests(&mut self, files: &[PathBuf]) -> Vec<Read<Manifest>> {
        let checker = super::checker(&schema::manifest());
        let mut manifests = Vec::new();
        for file in files {
            let Some(document) = self.document(file) else { continue };
            let holds = self.hold_by(&document, "", &document.value, &checker);
            let word = document.value.pointer("/connector/kind").and_then(Value::as_str);
            let kind = word.and_then(|kind| self.kinds.get(kind)).map(Arc::clone);
            let kind_holds = kind.is_none_or(|kind| self.hold_kind(&document, &*kind));
            manifests.extend(self.meaning(document, holds && kind_holds));
        }
        manifests
    }

    pub(super) fn registries(&mut self, manifests: Vec<Read<Manifest>>, library: &Library) -> Vec<LoadedRegistry> {
        let mut compiled = Compiled::new();
        manifests
            .into_iter()
            .map(|Read { document, is: manifest }| {
                let is = self.registry(&document, &manifest, library, &mut compiled);
                LoadedRegistry { document, manifest, is }
            })
            .collect()
    }

    fn registry(
        &mut self,
        document: &Document,
        manifest: &Manifest,
        library: &Library,
        compiled: &mut Compiled,
    ) -> Option<Registry> {
        let kind = self.kind(document, manifest);
        let schemas = self.schemas(document, manifest, library, compiled);
        let actions = self.action_schemas(document, manifest, library, compiled);
        self.check_changes(document, manifest);
        if let Some(schemas) = &schemas {
            self.check_confirmed(document, manifest, schemas);
        }
        self.check_tests(document, manifest);
        for list in manifest.codes.values() {
            if let CodeListSpec::File(codes) = list {
                let _ = self.count(&codes.file, false);
            }
        }
        let plan = match Plan::compile(manifest, &self.directory, self.today) {
            Ok(plan) => plan,
            Err(findings) => {
                findings.into_iter().for_each(|finding| self.find(document, finding));
                return None;
            }
        };
        let kind = kind?;
        // What the kind itself finds rests on its settings, which only the host has: there the same is checked.
        if manifest.connector.at.is_none() {
            kind.check(&plan.spec).into_iter().for_each(|finding| self.find(document, finding));
        }
        self.check_files(document);
        Some(Registry { manifest: manifest.clone(), kind, plan, schemas: schemas?, actions: actions? })
    }

    fn kind(&mut self, document: &Document, manifest: &Manifest) -> Option<Arc<dyn Kind>> {
        let kind = self.kinds.get(&manifest.connector.kind).map(Arc::clone);
        if kind.is_none() {
            let known = self.kinds.iter().map(|kind| kind.name());
            self.find(document, Finding::unknown("/connector/kind", "connector kind", &manifest.connector.kind, known));
        }
        kind
    }

    /// Holds the parts of a manifest that belong to the kind against the kind's schemas.
    fn hold_kind(&mut self, document: &Document, kind: &dyn Kind) -> bool {
        let value = &document.value;
        let is_at_host = value.pointer("/connector/at").and_then(Value::as_str) == Some("host");
        let settings = if is_at_host { schema::connector_at_host(kind) } else { schema::connector(kind) };
        let mut holds = self.hold(document, "/connector", &value["connector"], &settings);
        let entity_schema = kind.entity_schema();
        for (version, name, entity) in written_entities(value) {
            let place = format!("/contract/{}/{}", token(version), token(name));
            match entity.get("from") {
                Some(from) => holds &= self.hold(document, &format!("{place}/from"), from, &entity_schema),
                None => {
                    let message =
                        format!("`from` is missing: it says where the records are, in the words of kind `{}`", kind.name());
                    self.find(document, Finding::at_name(&place, message).breaks(Rule::KeyMissing));
                    holds = false;
                }
            }
            holds &= self.hold_actions(document, kind, &place, entity);
            holds &= self.hold_changes(document, kind, &place, entity);
        }
        holds & self.hold_tests(document, kind)
    }

    fn schemas(
        &mut self,
        document: &Document,
        manifest: &Manifest,
        library: &Library,
        compiled: &mut Compiled,
    ) -> Option<Vec<(String, Arc<RecordSchema>)>> {
        let mut schemas = Some(Vec::new());
        for (version, name, entity) in entities(manifest) {
            let place = format!("/contract/{version}/{}", token(name));
            let schema_name = match &entity.schema {
                SchemaRef::Name(name) => name.clone(),
                SchemaRef::Inline(_) => format!("{}/{version}/{name}", manifest.registry),
            };
            let schema = self.schema(document, &format!("{place}/schema"), &entity.schema, library, compiled);
            let Some(schema) = schema else {
                schemas = None;
                continue;
            };
            self.check_fields(document, &place, &entity.fields, &schema);
            self.check_meanings(document, manifest, &entity.fields, &schema);
            self.check_subject(document, &place, entity, &schema);
            if let Some(schemas) = &mut schemas {
                schemas.push((schema_name, schema));
            }
        }
        schemas
    }

    /// The schema that stands at a place of a manifest, or is named there.
    pub(super) fn schema(
        &mut self,
        document: &Document,
        place: &str,
        schema: &SchemaRef,
        library: &Library,
        compiled: &mut Compiled,
    ) -> Option<Arc<RecordSchema>> {
        let wanted = match schema {
            SchemaRef::Inline(own) => return self.compile(document, place, &Value::Object(own.clone()), library),
            SchemaRef::Name(wanted) => wanted,
        };
        if let Some(known) = compiled.get(wanted) {
            return known.clone();
        }
        let schema = self.named_schema(document, place, wanted, library);
        compiled.insert(wanted.clone(), schema.clone());
        schema
    }

    fn named_schema(&mut self, document: &Document, place: &str, name: &str, library: &Library) -> Option<Arc<RecordSchema>> {
        if let Some(known) = library.get(name) {
            return self.compile(document, place, known, library);
        }
        // Where a schema of the directory is wrong, none of them is used, and this may well be one of those.
        let is_own = self.lost.folders.contains("schemas") && self.directory.join("schemas").join(name).is_dir();
        if !is_own {
            self.find(document, Finding::unknown(place, "schema", name, library.names()));
        }
        None
    }

    fn compile(&mut self, document: &Document, place: &str, schema: &Value, library: &Library) -> Option<Arc<RecordSchema>> {
        match RecordSchema::compile(schema, library) {
            Ok(schema) => Some(Arc::new(schema)),
            Err(problems) => {
                for problem in problems {
                    self.find(document, Finding::new(format!("{place}{}", problem.pointer), problem.message));
                }
                None
            }
        }
    }

    /// The contract's fields are the schema's, and none that the schema requires is without a source.
    pub(super) fn check_fields(
        &mut self,
        document: &Document,
        place: &str,
        fields: &IndexMap<FieldName, Field>,
        schema: &RecordSchema,
    ) {
        let leaves = schema.leaves();
        for (name, rule) in fields {
            let binary = matches!(rule, Field::Rule(rule) if rule.binary.is_some());
            if !binary && schema.field(name).is_none() {
                let mut finding = Finding::at_name(
                    format!("{place}/fields/{}", token(name.as_str())),
                    format!("the schema has no field `{name}`"),
                )
                .breaks(Rule::NameUnknown);
                finding.instead = likely(name.as_str(), leaves.iter().map(FieldName::as_str)).map(str::to_owned);
                self.find(document, finding);
            }
        }
        for required in required(schema, &leaves) {
            if !fields.keys().any(|own| own.covers(&required) || required.covers(own)) {
                let message = format!("the schema requires `{required}`, and no field of the mapping makes it");
                self.find(document, Finding::at_name(format!("{place}/fields"), message));
            }
        }
    }

    /// The personal number is a text of its own in every record.
    fn check_subject(&mut self, document: &Document, place: &str, entity: &Entity, schema: &RecordSchema) {
        let Some(subject) = &entity.subject else { return };
        let place = format!("{place}/subject");
        if !entity.fields.keys().any(|own| own.covers(subject)) {
            let known = entity.fields.keys().map(FieldName::as_str);
            self.find(document, Finding::unknown(place, "field", subject.as_str(), known));
        } else if !schema.field(subject).is_some_and(|shape| {
            shape.allows(JsonType::String) && !shape.allows(JsonType::Object) && !shape.allows(JsonType::Array)
        }) {
            self.find(document, Finding::new(place, format!("`{subject}` is no text: a personal number is one")));
        }
    }

    /// Secrets and certificates in files are there. Whether a variable is set is known only where the bus runs.
    fn check_files(&mut self, document: &Document) {
        let mut missing = Vec::new();
        named_files(&document.value["connector"], "/connector", &mut |pointer, file| {
            if !self.directory.join(file).is_file() {
                let missed = Finding::new(pointer, format!("the file {file} is not there"));
                missing.push(missed.breaks(Rule::FileUnreadable));
            }
        });
        missing.into_iter().for_each(|finding| self.find(document, finding));
    }
}

/// The files that a connector's settings name: secrets by `{ file: PATH }`, certificates and keys as `ca_file` and the like.
fn named_files(value: &Value, pointer: &str, found: &mut impl FnMut(String, &str)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let place = format!("{pointer}/{}", token(name));
                match value {
                    Value::String(file) if name.ends_with("_file") || (name == "file" && members.len() == 1) => {
                        found(place, file)
                    }
                    _ => named_files(value, &place, found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| named_files(item, &format!("{pointer}/{at}"), found));
        }
        _ => {}
    }
}

/// What every record has: fields, and groups of them in which none is required by itself.
fn required(schema: &RecordSchema, leaves: &[FieldName]) -> Vec<FieldName> {
    let mut required = schema.required();
    for leaf in leaves {
        let members: Vec<&str> = leaf.members().collect();
        let groups = (1..members.len()).filter_map(|length| FieldName::new(&members[..length].join(".")).ok());
        for group in groups {
            let is_there = required.iter().any(|known| group.covers(known));
            if !is_there && schema.field(&group).is_some_and(|shape| shape.required) {
                required.push(group);
            }
        }
    }
    required
}

/// The entities of a manifest that may be wrong elsewhere, with their versions and names.
fn written_entities(manifest: &Value) -> impl Iterator<Item = (&str, &str, &Map<String, Value>)> {
    let versions = manifest["contract"].as_object().into_iter().flatten();
    versions.flat_map(|(version, entities)| {
        let entities = entities.as_object().into_iter().flatten();
        entities.filter_map(move |(name, entity)| Some((version.as_str(), name.as_str(), entity.as_object()?)))
    })
}

pub(super) fn entities(manifest: &Manifest) -> impl Iterator<Item = (rabita_model::Version, &str, &Entity)> {
    manifest
        .contract
        .iter()
        .flat_map(|(version, entities)| entities.iter().map(|(name, entity)| (*version, name.as_str(), entity)))
}
