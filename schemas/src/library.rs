//! The schemas that a manifest can name: the shipped ones and those of a configuration directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::{RecordSchema, SchemaProblem, shipped};

/// The file that holds a schema, in the directory that its name gives.
const FILE: &str = "schema.json";
/// How many directories its name goes down.
const DIRECTORIES: usize = 3;
/// The largest schema file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Schemas by name: `civil/person/v1`.
#[derive(Debug, Clone, Default)]
pub struct Library {
    schemas: BTreeMap<String, Arc<Value>>,
}

impl Library {
    /// The schemas that the binary brings along.
    #[must_use]
    pub fn shipped() -> Self {
        let schemas = shipped::ALL.iter().map(|(name, text)| {
            let document = serde_json::from_str(text).expect("a test reads every shipped schema");
            ((*name).to_owned(), Arc::new(document))
        });
        Self { schemas: schemas.collect() }
    }

    /// Adds the schemas of a directory, which lie there in `<domain>/<entity>/v<N>/schema.json`. They may refer to
    /// shipped ones and to each other. A directory that does not exist holds none.
    ///
    /// # Errors
    /// Everything that is wrong with them: unreadable, not JSON, not a schema, a name that is taken or has another
    /// form, a reference that leads nowhere.
    pub fn with_directory(mut self, directory: &Path) -> Result<Self, Vec<SchemaProblem>> {
        let mut problems = Vec::new();
        let mut added = Vec::new();
        let mut files = Vec::new();
        find(directory, DIRECTORIES, &mut files, &mut problems);
        for file in files {
            match self.read(directory, &file) {
                Ok((name, document)) => {
                    self.schemas.insert(name.clone(), Arc::new(document));
                    added.push(name);
                }
                Err(problem) => problems.push(problem),
            }
        }
        for name in added {
            let document = &self.schemas[&name];
            if let Err(found) = RecordSchema::compile(document, &self) {
                problems.extend(found.into_iter().map(|problem| problem.within(&name)));
            }
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }

    /// The document of this name, as its authors wrote it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Value>> {
        self.schemas.get(name)
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.schemas.keys().map(String::as_str)
    }

    fn read(&self, directory: &Path, file: &Path) -> Result<(String, Value), SchemaProblem> {
        let shown = file.strip_prefix(directory).unwrap_or(file);
        let problem = |message: String| SchemaProblem::at("", message).within(&shown.display().to_string());
        let name = name_of(shown).ok_or_else(|| {
            problem(format!("a schema lies in `<domain>/<entity>/v<N>/{FILE}`, in lower-case letters, digits and `-`"))
        })?;
        if self.schemas.contains_key(&name) {
            return Err(problem(format!("`{name}` is taken by a schema that is shipped: choose another domain or version")));
        }
        let length = file.metadata().map_err(|error| problem(format!("can't be read: {error}")))?.len();
        if length > FILE_BYTES_MAX {
            return Err(problem(format!("is larger than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read(file).map_err(|error| problem(format!("can't be read: {error}")))?;
        let document = serde_json::from_slice(&text).map_err(|error| problem(format!("is not JSON: {error}")))?;
        Ok((name, document))
    }
}

/// The schema files below a directory, sorted, without what lies in `examples` or is hidden. Links are followed,
/// since mounted configuration consists of them; the depth keeps them from leading round in circles.
fn find(directory: &Path, depth: usize, files: &mut Vec<PathBuf>, problems: &mut Vec<SchemaProblem>) {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            problems.push(SchemaProblem::at("", format!("can't be read: {error}")).within(&directory.display().to_string()));
            return;
        }
    };
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "examples" {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                find(&path, depth - 1, files, problems);
            }
        } else if name == FILE {
            files.push(path);
        }
    }
}

/// `civil/person/v1` of `civil/person/v1/schema.json`.
fn name_of(file: &Path) -> Option<String> {
    let parts: Vec<&str> = file.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    let [domain, entity, version, FILE] = parts[..] else { return None };
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_version = rabita_model::Version::new(version).is_ok();
    (is_word(domain) && is_word(entity) && is_version).then(|| format!("{domain}/{entity}/{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("the directory is made");
            std::fs::write(path, text).expect("the file is written");
        }
        directory
    }

    #[test]
    fn every_shipped_schema_compiles_and_names_itself() {
        let library = Library::shipped();
        assert!(library.names().count() >= 6);
        for name in library.names() {
            let document = &library.get(name).expect("it is listed");
            let schema = RecordSchema::compile(document, &library);
            assert!(schema.is_ok(), "{name}: {:?}", schema.err());
            assert_eq!(document["$id"], format!("rabita:{name}"));
        }
    }

    #[test]
    fn adds_the_schemas_of_a_directory_which_may_refer_to_any_other() {
        let added = directory(&[
            ("nl/person/v1/schema.json", r#"{ "properties": { "home": { "$ref": "rabita:civil/person/v1#/$defs/address" } } }"#),
            ("nl/couple/v2/schema.json", r#"{ "properties": { "first": { "$ref": "rabita:nl/person/v1" } } }"#),
            ("nl/couple/v2/examples/valid/schema.json", "not looked at"),
            ("nl/README.md", "not looked at"),
        ]);
        let library = Library::shipped().with_directory(added.path()).expect("all is well");
        assert!(library.get("nl/person/v1").is_some() && library.get("nl/couple/v2").is_some());
        assert!(Library::shipped().with_directory(&added.path().join("absent")).is_ok());
    }

    #[test]
    fn tells_everything_that_is_wrong_with_a_directory() {
        let added = directory(&[
            ("civil/person/v1/schema.json", "{}"),
            ("nl/a/v1/schema.json", "{ not json"),
            ("nl/b/v1/schema.json", r#"{ "$ref": "rabita:nl/nothing/v1" }"#),
            ("nl/c/v1/schema.json", r#"{ "type": 7 }"#),
            ("nl/schema.json", "{}"),
        ]);
        let problems = Library::shipped().with_directory(added.path()).expect_err("five are wrong");
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        for expected in [
            "civil/person/v1/schema.json: `civil/person/v1` is taken",
            "nl/a/v1/schema.json: is not JSON",
            "nl/b/v1",
            "nl/c/v1#/type",
            "nl/schema.json: a schema lies in",
        ] {
            assert!(told.iter().any(|one| one.starts_with(expected)), "{expected}: {told:#?}");
        }
    }
}
