//! What a configuration offers to callers: its contract, read as far as that goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rabita_model::{FieldName, Rule, Version};
use rabita_schemas::{Library, RecordSchema};
use rabita_sdk::finding::token;
use rabita_sdk::manifest::{Entity, Manifest, SchemaRef};
use serde_json::Value;

use crate::document::Document;
use crate::report::{Located, Report};

/// The contract of a configuration.
pub(super) struct Contract {
    pub registries: Vec<OfferedRegistry>,
}

/// What one registry offers.
pub(super) struct OfferedRegistry {
    pub name: String,
    pub document: Document,
    pub entities: Vec<Offered>,
}

/// One entity of one version.
pub(super) struct Offered {
    pub version: Version,
    pub name: String,
    /// Where it stands in the manifest.
    pub pointer: String,
    pub entity: Entity,
    pub schema: OfferedSchema,
    /// The schemas of each action: its request, and its reply where it has one.
    pub actions: Vec<(OfferedSchema, Option<OfferedSchema>)>,
}

/// A schema, with its place.
pub(super) struct OfferedSchema {
    pub schema: RecordSchema,
    /// The name, where the manifest names it.
    pub name: Option<String>,
    /// Where the manifest names it, or has it.
    pub pointer: String,
    /// The file that it stands in, where that lies in the directory.
    pub file: Option<Arc<Document>>,
}

impl Offered {
    /// The fields that stand in JSON.
    pub fn fields(&self) -> Vec<FieldName> {
        let in_json = self.entity.fields.iter().filter(|(_, field)| !is_binary(field));
        in_json.map(|(name, _)| name.clone()).collect()
    }
}

/// Whether a field is bytes.
pub(super) fn is_binary(field: &rabita_sdk::manifest::Field) -> bool {
    matches!(field, rabita_sdk::manifest::Field::Rule(rule) if rule.binary.is_some())
}

impl Contract {
    /// Reads the manifests of a directory and the schemas that they name.
    pub(super) fn read(directory: &Path) -> Result<Self, Report> {
        let mut reader = Reader { directory, library: Library::shipped(), report: Report::default() };
        reader.read_library();
        let mut registries = Vec::new();
        for file in reader.manifests() {
            if let Some(registry) = reader.registry(&file) {
                registries.push(registry);
            }
        }
        reader.report.sort();
        if reader.report.findings.is_empty() { Ok(Self { registries }) } else { Err(reader.report) }
    }
}

struct Reader<'a> {
    directory: &'a Path,
    library: Library,
    report: Report,
}

impl Reader<'_> {
    fn read_library(&mut self) {
        match Library::shipped().with_directory(&self.directory.join("schemas")) {
            Ok(library) => self.library = library,
            Err(problems) => {
                for problem in problems {
                    let file = Path::new("schemas").join(&problem.name);
                    self.report.findings.push(Located::error(Rule::SchemaWrong, &file, (1, 1), problem.message));
                }
            }
        }
    }

    fn manifests(&mut self) -> Vec<PathBuf> {
        let folder = Path::new("registries");
        let entries = match std::fs::read_dir(self.directory.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.report.findings.push(Located::error(
                    Rule::FileUnreadable,
                    folder,
                    (1, 1),
                    format!("cannot be read: {error}"),
                ));
                return Vec::new();
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut files: Vec<PathBuf> = names.filter(|name| name.ends_with(".yaml")).map(|name| folder.join(name)).collect();
        files.sort();
        files
    }

    fn registry(&mut self, file: &Path) -> Option<OfferedRegistry> {
        let text = match std::fs::read_to_string(self.directory.join(file)) {
            Ok(text) => text,
            Err(error) => {
                return self.tell(Located::error(Rule::FileUnreadable, file, (1, 1), format!("cannot be read: {error}")));
            }
        };
        let document = match Document::read(file, text) {
            Ok(document) => document,
            Err(located) => return self.tell(*located),
        };
        let manifest: Manifest = match serde_path_to_error::deserialize(&document.value) {
            Ok(manifest) => manifest,
            Err(error) => {
                let place = document.locate(&crate::load::pointer_of(error.path()), false);
                return self
                    .tell(Located::error(Rule::ValueWrong, file, place, error.inner().to_string()).with_line(&document.text));
            }
        };
        let mut entities = Vec::new();
        for (version, contract) in manifest.contract {
            for (name, entity) in contract {
                entities.push(self.offered(&document, version, name.as_str(), entity)?);
            }
        }
        Some(OfferedRegistry { name: manifest.registry.to_string(), document, entities })
    }

    fn offered(&mut self, document: &Document, version: Version, name: &str, entity: Entity) -> Option<Offered> {
        let pointer = format!("/contract/{version}/{}", token(name));
        let schema = self.schema(document, &entity.schema, format!("{pointer}/schema"))?;
        let mut actions = Vec::with_capacity(entity.actions.len());
        for (action, spec) in &entity.actions {
            let place = format!("{pointer}/actions/{}", token(action.as_str()));
            let request = self.schema(document, &spec.request, format!("{place}/request"))?;
            let reply = match &spec.reply {
                Some(reply) => Some(self.schema(document, &reply.schema, format!("{place}/reply/schema"))?),
                None => None,
            };
            actions.push((request, reply));
        }
        Some(Offered { version, name: name.to_owned(), pointer, entity, schema, actions })
    }

    fn schema(&mut self, document: &Document, schema: &SchemaRef, pointer: String) -> Option<OfferedSchema> {
        let (name, written) = match schema {
            SchemaRef::Inline(own) => (None, Some(Arc::new(Value::Object(own.clone())))),
            SchemaRef::Name(name) => (Some(name.clone()), self.library.get(name).map(Arc::clone)),
        };
        let compiled = match &written {
            Some(written) => {
                RecordSchema::compile(written, &self.library).map_err(|problems| problems.first().map(ToString::to_string))
            }
            None => Err(Some(format!("there is no schema `{}`", name.as_deref().unwrap_or_default()))),
        };
        match compiled {
            Ok(schema) => {
                let file = name.as_ref().and_then(|name| self.schema_file(name));
                Some(OfferedSchema { schema, name, pointer, file })
            }
            Err(why) => {
                let place = document.locate(&pointer, false);
                self.tell(
                    Located::error(Rule::SchemaWrong, &document.file, place, why.unwrap_or_default()).with_line(&document.text),
                )
            }
        }
    }

    /// A schema's own file, where the directory has one: JSON is YAML too.
    fn schema_file(&self, name: &str) -> Option<Arc<Document>> {
        let file = Path::new("schemas").join(name).join("schema.json");
        let text = std::fs::read_to_string(self.directory.join(&file)).ok()?;
        Document::read(&file, text).ok().map(Arc::new)
    }

    fn tell<T>(&mut self, located: Located) -> Option<T> {
        self.report.findings.push(located);
        None
    }
}
