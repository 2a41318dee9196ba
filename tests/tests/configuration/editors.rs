//! The schemas that `rabita schema --out` writes for editors: valid themselves, and satisfied by the examples.

use std::path::{Path, PathBuf};
use std::process::Command;

use rabita_config::document::Document;
use rabita_tests::real::{examples, workspace};
use rabita_tests::scratch::Scratch;
use serde_json::Value;

use crate::RABITA;

#[test]
fn every_published_schema_is_valid_and_accepts_the_documents_of_the_examples() {
    let scratch = Scratch::new("schemas");
    let done = Command::new(RABITA).args(["schema", "--out"]).arg(scratch.path()).output().expect("the program can be run");
    assert!(done.status.success());
    let mut held = 0;
    for (document, files) in documents() {
        let schema =
            std::fs::read_to_string(scratch.path().join(format!("{document}.schema.json"))).expect("a schema was written");
        let schema: Value = serde_json::from_str(&schema).expect("JSON");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{document}");
        let valid = jsonschema::draft202012::meta::validate(&schema);
        assert!(valid.is_ok(), "{document}: {valid:?}");
        let schema = jsonschema::draft202012::new(&schema).expect("a schema that can be used");
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a document of an example");
            let read = Document::read(&file, text).expect("YAML");
            let faults: Vec<String> =
                schema.iter_errors(&read.value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
            assert!(faults.is_empty(), "{}:\n{}", file.display(), faults.join("\n"));
            held += 1;
        }
    }
    assert!(held >= 5 * examples().len(), "{held} documents");
}

/// The documents of all examples and of the demo, by the name of their schema.
fn documents() -> Vec<(&'static str, Vec<PathBuf>)> {
    let mut directories: Vec<PathBuf> = examples().iter().map(|name| workspace().join("config/examples").join(name)).collect();
    directories.push(workspace().join("config/demo/country"));
    let all = |what: &dyn Fn(&Path) -> Vec<PathBuf>| directories.iter().flat_map(|directory| what(directory)).collect::<Vec<_>>();
    vec![
        ("rabita", all(&|directory| vec![directory.join("rabita.yaml")])),
        ("agencies", all(&|directory| vec![directory.join("agencies.yaml")])),
        ("registry", all(&|directory| in_folder(&directory.join("registries")))),
        ("system", all(&|directory| in_folder(&directory.join("systems")))),
        ("grants", all(&|directory| in_folder(&directory.join("grants")))),
    ]
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect()
}
