//! Finds the documents of a configuration directory, and what lies there in vain.

use std::path::{Path, PathBuf};

use rabita_model::Rule;

use super::Loader;
use crate::report::{Located, Severity};

/// The documents, relative to the directory, in order.
pub(super) struct Found {
    pub node: PathBuf,
    pub agencies: PathBuf,
    /// Where there is one.
    pub transparency: Option<PathBuf>,
    pub registries: Vec<PathBuf>,
    pub systems: Vec<PathBuf>,
    pub grants: Vec<PathBuf>,
}

/// The documents of a host, relative to the directory, in order.
pub(super) struct FoundHost {
    pub host: PathBuf,
    pub registries: Vec<PathBuf>,
}

/// What makes a directory that of a host.
pub(super) const HOST: &str = "host.yaml";
const TRANSPARENCY: &str = "transparency.yaml";
const FOLDERS: [&str; 3] = ["registries", "systems", "grants"];

impl Loader<'_> {
    pub(super) fn find_host_files(&mut self) -> Option<FoundHost> {
        self.find_directory()?;
        self.warn_of_lookalikes(&[HOST]);
        Some(FoundHost { host: HOST.into(), registries: self.documents(FOLDERS[0]) })
    }

    fn find_directory(&mut self) -> Option<()> {
        if !self.directory.is_dir() {
            let directory = self.directory.clone();
            self.error_in(&directory, "is not a directory; a configuration is one: see the guide to configuration");
            return None;
        }
        Some(())
    }

    pub(super) fn find_files(&mut self) -> Option<Found> {
        self.find_directory()?;
        let documents = ["rabita.yaml", "agencies.yaml", TRANSPARENCY, FOLDERS[1], FOLDERS[2]];
        self.warn_of_lookalikes(&documents);
        let found = Found {
            node: "rabita.yaml".into(),
            agencies: "agencies.yaml".into(),
            transparency: Some(PathBuf::from(TRANSPARENCY)).filter(|file| self.directory.join(file).exists()),
            registries: self.documents(FOLDERS[0]),
            systems: self.documents(FOLDERS[1]),
            grants: self.grant_documents(),
        };
        Some(found)
    }

    /// The grants of the folder itself, and of the folders of agencies in it.
    fn grant_documents(&mut self) -> Vec<PathBuf> {
        let folder = Path::new(FOLDERS[2]);
        let (folders, files): (Vec<String>, Vec<String>) =
            self.names(folder).into_iter().partition(|name| self.directory.join(folder).join(name).is_dir());
        let mut documents = self.documents_of(folder, files);
        for name in folders.into_iter().filter(|name| !name.starts_with('.')) {
            documents.extend(self.documents(folder.join(name)));
        }
        documents
    }

    fn documents(&mut self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let names = self.names(folder.as_ref());
        self.documents_of(folder.as_ref(), names)
    }

    fn documents_of(&mut self, folder: &Path, names: Vec<String>) -> Vec<PathBuf> {
        let mut documents = Vec::new();
        for name in names {
            let file = folder.join(&name);
            if name.ends_with(".yaml") {
                documents.push(file);
            } else if !name.starts_with('.') {
                self.warn(&file, "is not read: a document's name ends in `.yaml`");
            }
        }
        documents
    }

    fn warn_of_lookalikes(&mut self, documents: &[&str]) {
        let known: Vec<&str> = documents.iter().copied().chain([FOLDERS[0], "schemas", "codes", "secrets", "tls"]).collect();
        for name in self.names(Path::new("")) {
            if known.contains(&name.as_str()) || name.starts_with('.') {
                continue;
            }
            if let Some(likely) = rabita_sdk::finding::likely(&name, known.iter().copied()) {
                self.warn(Path::new(&name), format!("is not read; was `{likely}` meant?"));
            }
        }
    }

    fn names(&mut self, folder: &Path) -> Vec<String> {
        let entries = match std::fs::read_dir(self.directory.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.error_in(folder, format!("cannot be read: {error}"));
                return Vec::new();
            }
        };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    fn warn(&mut self, file: &Path, message: impl Into<String>) {
        let warning = Located { severity: Severity::Warning, ..Located::error(Rule::FileUnused, file, (1, 1), message) };
        self.report.findings.push(warning);
    }
}
