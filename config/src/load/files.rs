//! Finds the documents of a configuration directory, and what lies there in vain.

use std::path::{Path, PathBuf};

use super::Loader;
use crate::report::{Located, Severity};

/// The documents, relative to the directory, in order.
pub(super) struct Found {
    pub node: PathBuf,
    pub agencies: PathBuf,
    pub registries: Vec<PathBuf>,
    pub systems: Vec<PathBuf>,
    pub grants: Vec<PathBuf>,
}

const FOLDERS: [&str; 3] = ["registries", "systems", "grants"];

impl Loader<'_> {
    pub(super) fn find_files(&mut self) -> Option<Found> {
        if !self.directory.is_dir() {
            let directory = self.directory.clone();
            self.error_in(&directory, "is not a directory; a configuration is one: see the guide to configuration");
            return None;
        }
        self.warn_of_lookalikes();
        let found = Found {
            node: "rabita.yaml".into(),
            agencies: "agencies.yaml".into(),
            registries: self.documents(FOLDERS[0]),
            systems: self.documents(FOLDERS[1]),
            grants: self.documents(FOLDERS[2]),
        };
        Some(found)
    }

    fn documents(&mut self, folder: &str) -> Vec<PathBuf> {
        let mut documents = Vec::new();
        for name in self.names(Path::new(folder)) {
            let file = Path::new(folder).join(&name);
            if name.ends_with(".yaml") {
                documents.push(file);
            } else if !name.starts_with('.') {
                self.warn(&file, "is not read: a document's name ends in `.yaml`");
            }
        }
        documents
    }

    fn warn_of_lookalikes(&mut self) {
        let known = ["rabita.yaml", "agencies.yaml", "registries", "systems", "grants", "schemas", "codes", "secrets", "tls"];
        for name in self.names(Path::new("")) {
            if known.contains(&name.as_str()) || name.starts_with('.') {
                continue;
            }
            if let Some(likely) = rabita_sdk::finding::likely(&name, known) {
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
        let warning = Located { severity: Severity::Warning, ..Located::error(file, 1, 1, message) };
        self.report.findings.push(warning);
    }
}
