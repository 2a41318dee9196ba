//! `rabita connector new`: from a legacy system, or from what describes it, to a registry that holds, in one command.

mod asked;
mod databases;
mod directories;
mod documents;
mod drivers;
mod dutch;
mod files;
mod writes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rabita_tests::scratch::Scratch;
use serde_json::Value;

use crate::RABITA;

/// A place for a configuration directory that is not there yet.
struct Place(Scratch);

impl Place {
    fn new() -> Self {
        Self(Scratch::new("new"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("config")
    }

    /// Runs the command line with this place for `INTO`.
    fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
        let into = self.path();
        let into = into.to_str().expect("a path in UTF-8");
        let words = words.iter().map(|word| if *word == "INTO" { into } else { word });
        let done = Command::new(RABITA).args(words).envs(environment.iter().copied()).output().expect("the program can be run");
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.success(), said)
    }

    /// Runs what must succeed.
    fn good(&self, words: &[&str], environment: &[(&str, &str)]) -> String {
        let (is_good, said) = self.run(words, environment);
        assert!(is_good, "{words:?}: {said}");
        said
    }

    fn manifest(&self, registry: &str) -> String {
        self.text(&format!("registries/{registry}.yaml"))
    }

    fn text(&self, file: &str) -> String {
        let path = self.path().join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Holds what was written: `check`, and the tests on stand-ins and on the real registry.
    fn holds(&self, registry: &str, environment: &[(&str, &str)]) {
        let told = self.good(&["check", "--strict", "INTO"], environment);
        assert!(told.contains("nothing is wrong"), "{told}");
        let told = self.good(&["connector", "test", "INTO", registry], environment);
        assert!(!told.starts_with("0 passed"), "{told}");
        self.good(&["connector", "test", "INTO", registry, "--live"], environment);
    }

    /// None of these values, which point to somebody, is in what was written.
    fn has_no_trace_of(&self, personal: &BTreeSet<String>) {
        for (path, text) in self.texts() {
            let mut found = Vec::new();
            scalars(&read(&text), &mut found);
            let leaked: Vec<&String> = found.iter().filter(|text| personal.contains(text.as_str())).collect();
            assert!(leaked.is_empty(), "{}: {leaked:?}", path.display());
            let comments: String = text.lines().filter(|line| line.trim_start().starts_with('#')).collect();
            let leaked = personal.iter().find(|value| value.len() > 7 && comments.contains(value.as_str()));
            assert_eq!(leaked, None, "{}", path.display());
        }
    }

    /// The texts of all files that were written, keys and certificates aside.
    fn texts(&self) -> Vec<(PathBuf, String)> {
        let mut texts = Vec::new();
        collect(&self.path(), &mut texts);
        texts
    }
}

fn collect(directory: &Path, texts: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "json") {
            let text = std::fs::read_to_string(&path).expect("a text");
            texts.push((path, text));
        }
    }
}

/// The document of a manifest.
fn read(text: &str) -> Value {
    rabita_config::document::Document::read(Path::new("manifest.yaml"), text.to_owned()).expect("YAML").value
}

/// The scalars of a document, as text.
fn scalars(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.trim().to_owned()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, found)),
        Value::Object(members) => members.values().for_each(|member| scalars(member, found)),
        Value::Null | Value::Bool(_) => {}
    }
}
