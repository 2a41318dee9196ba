//! Every shipped schema is judged by its examples: the valid ones hold, each invalid one has exactly the fault it names.

use std::path::{Path, PathBuf};

use rabita_schemas::{Library, RecordSchema};
use serde_json::Value;

const VALID_MIN: usize = 2;
const INVALID_MIN: usize = 3;

fn examples(name: &str, kind: &str) -> Vec<(PathBuf, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("examples").join(kind);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let files = entries.map(|entry| entry.expect("the directory can be read").path());
    files
        .map(|file| {
            let text = std::fs::read(&file).expect("the example can be read");
            let value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            (file, value)
        })
        .collect()
}

fn each_schema(judge: impl Fn(&str, &RecordSchema)) {
    let library = Library::shipped();
    for name in library.names() {
        let document = library.get(name).expect("it is listed");
        judge(name, &RecordSchema::compile(document, &library).expect("it compiles"));
    }
}

#[test]
fn every_schema_that_lies_here_is_shipped() {
    let library = Library::shipped();
    let mut found = 0;
    for domain in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the crate's directory") {
        let domain = domain.expect("an entry").path();
        for entity in std::fs::read_dir(&domain).into_iter().flatten().filter_map(Result::ok) {
            for version in std::fs::read_dir(entity.path()).into_iter().flatten().filter_map(Result::ok) {
                if version.path().join("schema.json").is_file() {
                    let path = version.path();
                    let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the crate").display().to_string();
                    assert!(library.get(&name).is_some(), "{name} is not listed in src/shipped.rs");
                    found += 1;
                }
            }
        }
    }
    assert_eq!(found, library.names().count());
}

#[test]
fn valid_examples_are_valid() {
    each_schema(|name, schema| {
        let examples = examples(name, "valid");
        assert!(examples.len() >= VALID_MIN, "{name} has {} valid examples", examples.len());
        for (file, record) in examples {
            assert_eq!(schema.faults(&record), [], "{}", file.display());
            assert!(schema.is_valid(&record));
        }
    });
}

#[test]
fn invalid_examples_have_the_one_fault_that_they_name() {
    each_schema(|name, schema| {
        let examples = examples(name, "invalid");
        assert!(examples.len() >= INVALID_MIN, "{name} has {} invalid examples", examples.len());
        for (file, example) in examples {
            let faults = schema.faults(&example["record"]);
            let told: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
            let expected =
                [(example["fault"]["pointer"].as_str().expect("a pointer"), example["fault"]["code"].as_str().expect("a code"))];
            assert_eq!(told, expected, "{}: {faults:?}", file.display());
            assert!(!schema.is_valid(&example["record"]));
        }
    });
}

#[test]
fn every_field_says_what_it_is() {
    fn told(schema: &Value, pointer: &str) {
        for (name, one) in schema["properties"].as_object().into_iter().flatten() {
            let pointer = format!("{pointer}/{name}");
            assert!(
                one.get("title").is_some() || one.get("$ref").is_some() || *one == Value::Bool(false),
                "{pointer} has no title"
            );
            told(one, &pointer);
            told(&one["items"], &pointer);
        }
    }
    let library = Library::shipped();
    for name in library.names() {
        let document = library.get(name).expect("it is listed");
        assert!(document["title"].is_string() && document["description"].is_string(), "{name}");
        told(document, name);
        for definition in document["$defs"].as_object().into_iter().flat_map(|definitions| definitions.values()) {
            told(definition, name);
        }
    }
}

#[test]
fn every_object_is_closed() {
    fn closed(schema: &Value, pointer: &str) {
        match schema {
            Value::Object(members) => {
                if members.get("type").is_some_and(|word| word == "object") {
                    assert_eq!(members.get("additionalProperties"), Some(&Value::Bool(false)), "{pointer}");
                }
                members.iter().for_each(|(name, one)| closed(one, &format!("{pointer}/{name}")));
            }
            Value::Array(list) => list.iter().for_each(|one| closed(one, pointer)),
            _ => {}
        }
    }
    let library = Library::shipped();
    for name in library.names() {
        closed(library.get(name).expect("it is listed"), name);
    }
}
