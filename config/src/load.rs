//! Reads a configuration directory: structure first, then meaning, and everything that is wrong at once.

mod actions;
mod consent;
mod counted;
mod cross;
mod files;
mod grants;
mod hosts;
mod identity;
mod journal;
mod ledger;
mod meanings;
mod registry;
mod rows;
mod rules;
mod systems;
mod tests;
mod tls;
mod transparency;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use rabita_model::Rule;
use rabita_schemas::{Checker, Library, SchemaProblem};
use rabita_sdk::{Finding, Kinds};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::country::{CountedFile, Country};
use crate::document::Document;
use crate::grant::Grants;
use crate::hosts::HostConfiguration;
use crate::node::{Agencies, Node};
use crate::report::{Located, Report, Severity};
use crate::schema;
use crate::system::System;
use crate::transparency::Transparency;

/// What loading came to.
pub struct Loaded {
    /// Everything that was found.
    pub report: Report,
    /// The configuration, where nothing is wrong with it.
    pub country: Option<Country>,
}

/// What loading a host's configuration came to.
pub struct LoadedHost {
    /// Everything that was found.
    pub report: Report,
    /// The configuration, where nothing is wrong with it.
    pub host: Option<HostConfiguration>,
}

/// Whether a directory is that of a host: it has a `host.yaml`.
#[must_use]
pub fn is_host(directory: &Path) -> bool {
    directory.join(files::HOST).is_file()
}

/// Loads the configuration directory of a host.
#[must_use]
pub fn load_host(directory: &Path, kinds: &Kinds, today: Date) -> LoadedHost {
    let mut loader = Loader::new(directory, kinds, today);
    let host = loader.host();
    loader.report.sort();
    let host = host.filter(|_| loader.report.is_good());
    LoadedHost { report: loader.report, host }
}

/// Loads a configuration directory. `today` decides which grants have ended.
#[must_use]
pub fn load(directory: &Path, kinds: &Kinds, today: Date) -> Loaded {
    let mut loader = Loader::new(directory, kinds, today);
    let country = loader.country();
    loader.report.sort();
    let country = country.filter(|_| loader.report.is_good());
    Loaded { report: loader.report, country }
}

struct Loader<'a> {
    directory: PathBuf,
    kinds: &'a Kinds,
    today: Date,
    report: Report,
    lost: Lost,
    /// The files that count, as they were read.
    files: BTreeMap<PathBuf, CountedFile>,
}

/// The names in documents that are not used because something is wrong with them: whoever names one of these made no
/// mistake.
#[derive(Default)]
struct Lost {
    /// By folder.
    names: BTreeSet<(String, String)>,
    /// The folders with a document of which not even the name is known.
    folders: BTreeSet<String>,
}

/// A document with what it means.
struct Read<T> {
    document: Document,
    is: T,
}

impl<'a> Loader<'a> {
    fn new(directory: &Path, kinds: &'a Kinds, today: Date) -> Self {
        Self {
            directory: directory.to_owned(),
            kinds,
            today,
            report: Report::default(),
            lost: Lost::default(),
            files: BTreeMap::new(),
        }
    }
}

impl Loader<'_> {
    fn country(&mut self) -> Option<Country> {
        let found = self.find_files()?;
        let library = self.library();
        let node: Option<Read<Node>> = self.read(&found.node, &schema::node());
        let agencies: Option<Read<Agencies>> = self.read(&found.agencies, &schema::agencies());
        let systems: Vec<Read<System>> = self.read_all(&found.systems, &schema::system());
        let grants: Vec<Read<Grants>> = self.read_all(&found.grants, &schema::grants());
        let transparency: Option<Read<Transparency>> =
            found.transparency.as_ref().and_then(|file| self.read(file, &schema::transparency()));
        let manifests = self.manifests(&found.registries);
        let registries = self.registries(manifests, &library);

        if let Some(node) = &node {
            self.check_node(node);
            self.check_journal(node);
            self.check_identity(node);
            self.check_signing(node);
            self.check_ledger(node);
            self.check_consents(node, &registries);
            self.check_hosts(node, &registries);
        }
        if let Some(agencies) = &agencies {
            self.check_names(agencies, &registries, &systems);
        }
        if let Some(transparency) = &transparency {
            self.check_transparency(transparency, agencies.as_ref(), &systems);
        }
        self.check_systems(&systems, node.as_ref());
        let spoken =
            grants::Spoken { node: node.as_ref(), agencies: agencies.as_ref(), registries: &registries, systems: &systems };
        self.check_grants(&grants, spoken);

        let agencies = agencies?.is;
        Some(Country {
            directory: self.directory.clone(),
            node: node?.is,
            agencies: agencies.agencies.into_iter().map(|agency| (agency.id.clone(), agency)).collect::<BTreeMap<_, _>>(),
            purposes: agencies.purposes.into_iter().map(|purpose| (purpose.id.clone(), purpose)).collect(),
            legal_bases: agencies.legal_bases.into_iter().map(|basis| (basis.id.clone(), basis)).collect(),
            groups: agencies.groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
            transparency: transparency.map(|read| read.is).unwrap_or_default(),
            registries: registries.into_iter().filter_map(|registry| registry.is).collect(),
            systems: systems.into_iter().map(|system| system.is).collect(),
            grants: grants
                .into_iter()
                .flat_map(|file| file.is.grants.into_iter().map(move |grant| (file.is.registry.clone(), grant)))
                .collect(),
            files: std::mem::take(&mut self.files).into_values().collect(),
        })
    }

    fn library(&mut self) -> Library {
        let own = self.directory.join("schemas");
        if !own.is_dir() {
            return Library::shipped();
        }
        self.count_folder(Path::new("schemas"));
        match Library::shipped().with_directory(&own) {
            Ok(library) => library,
            Err(problems) => {
                problems.iter().for_each(|problem| self.schema_problem(problem));
                Library::shipped()
            }
        }
    }

    /// Tells a problem of a schema file at its place: JSON is YAML too.
    fn schema_problem(&mut self, problem: &SchemaProblem) {
        let mut file = Path::new("schemas").join(&problem.name);
        if self.directory.join(&file).is_dir() {
            file.push("schema.json");
        }
        self.lost.folders.insert("schemas".to_owned());
        let text = std::fs::read_to_string(self.directory.join(&file)).unwrap_or_default();
        match Document::read(&file, text) {
            Ok(document) => self.find(&document, Finding::new(&problem.pointer, &problem.message)),
            Err(located) => self.report.findings.push(Located { message: problem.message.clone(), ..*located }),
        }
    }

    fn read_all<T: DeserializeOwned>(&mut self, files: &[PathBuf], schema: &Value) -> Vec<Read<T>> {
        let checker = checker(schema);
        files.iter().filter_map(|file| self.read_by(file, &checker)).collect()
    }

    /// Reads a document and holds it against its schema.
    fn read<T: DeserializeOwned>(&mut self, file: &Path, schema: &Value) -> Option<Read<T>> {
        self.read_by(file, &checker(schema))
    }

    fn read_by<T: DeserializeOwned>(&mut self, file: &Path, checker: &Checker) -> Option<Read<T>> {
        let document = self.document(file)?;
        if document.value.is_null() {
            self.find(&document, Finding::new("", "the document is empty").breaks(Rule::DocumentUnreadable));
            self.lose(&document);
            return None;
        }
        let holds = self.hold_by(&document, "", &document.value, checker);
        self.meaning(document, holds)
    }

    /// Reads a document as it is written.
    fn document(&mut self, file: &Path) -> Option<Document> {
        let document = self.try_document(file);
        if document.is_none() {
            self.lost.folders.insert(folder(file));
        }
        document
    }

    fn try_document(&mut self, file: &Path) -> Option<Document> {
        let text = match self.count(file, false) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.error_in(file, format!("cannot be read: {error}"));
                return None;
            }
        };
        let Ok(text) = String::from_utf8(text) else {
            self.error_in(file, "is not UTF-8");
            return None;
        };
        Document::read(file, text).map_err(|located| self.report.findings.push(*located)).ok()
    }

    /// What a document means, where its structure holds.
    fn meaning<T: DeserializeOwned>(&mut self, document: Document, holds: bool) -> Option<Read<T>> {
        let read = if holds { serde_path_to_error::deserialize(&document.value).map_err(Some) } else { Err(None) };
        match read {
            Ok(is) => Some(Read { document, is }),
            Err(error) => {
                if let Some(error) = error {
                    let pointer = pointer_of(error.path());
                    self.find(&document, Finding::new(pointer, error.inner().to_string()));
                }
                self.lose(&document);
                None
            }
        }
    }

    /// Remembers the name in a document that is not used.
    fn lose(&mut self, document: &Document) {
        let folder = folder(&document.file);
        let member = if folder == "registries" { "registry" } else { "system" };
        if let Some(name) = document.value.get(member).and_then(Value::as_str) {
            self.lost.names.insert((folder, name.to_owned()));
        } else {
            self.lost.folders.insert(folder);
        }
    }

    /// Whether a name that no document of a folder has may be that of one which is not used.
    fn may_be_lost(&self, folder: &str, name: &str) -> bool {
        self.lost.folders.contains(folder) || self.lost.names.contains(&(folder.to_owned(), name.to_owned()))
    }

    /// Holds a part of a document against a schema; tells whether it satisfies it.
    fn hold(&mut self, document: &Document, prefix: &str, part: &Value, schema: &Value) -> bool {
        self.hold_by(document, prefix, part, &checker(schema))
    }

    fn hold_by(&mut self, document: &Document, prefix: &str, part: &Value, checker: &Checker) -> bool {
        let faults = checker.faults(part);
        let is_good = faults.is_empty();
        for fault in faults {
            let value = part.pointer(&fault.pointer).and_then(Value::as_str);
            let pointer = format!("{prefix}{}", fault.pointer);
            let mut finding = match value {
                Some(_) if fault.keyword == "type" && is_secret(&pointer) => {
                    Finding::new(pointer, IN_THE_OPEN).breaks(Rule::SecretInTheOpen)
                }
                _ => Finding::new(pointer, fault.message).breaks(rules::of_keyword(fault.keyword)),
            };
            finding.at_name = fault.at_name;
            let word = fault.unknown.as_deref().or(value).filter(|_| !fault.candidates.is_empty());
            let finding = match word {
                Some(word) if fault.unknown.is_some() => finding.among(word, fault.candidates.iter().map(String::as_str)),
                Some(word) => finding.likely(word, fault.candidates.iter().map(String::as_str)),
                None => finding,
            };
            self.find(document, finding);
        }
        is_good
    }

    fn find(&mut self, document: &Document, finding: Finding) {
        let at = document.locate(&finding.pointer, finding.at_name);
        let severity = if finding.is_warning { Severity::Warning } else { Severity::Error };
        let rule = finding.rule.unwrap_or_else(|| rules::of_place(&document.file, &finding.pointer));
        let located = Located { severity, instead: finding.instead, ..Located::error(rule, &document.file, at, finding.message) };
        self.report.findings.push(located.with_line(&document.text));
    }

    fn error_in(&mut self, file: &Path, message: impl Into<String>) {
        self.report.findings.push(Located::error(Rule::FileUnreadable, file, (1, 1), message));
    }
}

fn checker(schema: &Value) -> Checker {
    Checker::compile(schema).expect("the schemas of the configuration are schemas")
}

const IN_THE_OPEN: &str = "a secret does not stand in the open: name where it is, `{ env: NAME }` or `{ file: PATH }`";

/// Whether a member by its name is a secret, which configuration only refers to.
fn is_secret(pointer: &str) -> bool {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    ["password", "token", "secret"].iter().any(|word| name.ends_with(word)) || pointer.ends_with("/api_key/value")
}

fn folder(file: &Path) -> String {
    file.parent().map(|parent| parent.display().to_string()).unwrap_or_default()
}

pub(crate) fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => rabita_sdk::finding::token(key),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}
