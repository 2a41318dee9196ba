//! Every key that a schema of the configuration knows is named in the guide to it.

use std::collections::BTreeSet;

use rabita_server::kinds;
use serde_json::Value;

use super::{blocks, indented, root, words};

/// The names in the guides: in backticks, and in the examples.
fn told(guides: &[&str]) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for guide in guides {
        let text = std::fs::read_to_string(root().join(guide)).expect("the guide is there");
        let shown = words(&text).into_iter().chain(indented(&text)).chain(blocks(&text, "yaml").into_iter().flatten());
        for part in shown {
            let names = part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            told.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    told
}

/// The names of all properties anywhere in a schema.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Object(properties) if name == "properties" => {
                        found.extend(properties.keys().cloned());
                        properties.values().for_each(|own| keys(own, found));
                    }
                    value => keys(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

fn untold(schemas: &[Value], guides: &[&str]) -> Vec<String> {
    let (mut known, told) = (BTreeSet::new(), told(guides));
    schemas.iter().for_each(|schema| keys(schema, &mut known));
    assert!(!known.is_empty(), "the schemas have keys");
    known.difference(&told).cloned().collect()
}

#[test]
fn the_guide_to_configuration_names_every_key() {
    use rabita_config::schema::{agencies, grants, node, system, transparency};
    assert_eq!(untold(&[node(), agencies(), system(), grants(), transparency()], &["config/README.md"]), [""; 0]);
}

#[test]
fn the_guide_to_manifests_names_every_key() {
    assert_eq!(untold(&[rabita_config::schema::manifest()], &["config/MANIFEST.md"]), [""; 0]);
}

#[test]
fn the_guide_to_hosts_names_every_key() {
    assert_eq!(untold(&[rabita_config::schema::host()], &["connectors/wire/README.md", "config/README.md"]), [""; 0]);
}

#[test]
fn the_guide_to_each_kind_names_every_key() {
    for kind in kinds::all().iter() {
        let own = format!("connectors/{}/README.md", kind.name());
        // What the kinds over HTTP have in common stands in one of them, and so does what those of databases have.
        let mut guides = vec![own.as_str()];
        guides.extend(match kind.name() {
            "files" | "queue" | "soap" | "wire" => Some("connectors/rest/README.md"),
            "odbc" => Some("connectors/sql/README.md"),
            _ => None,
        });
        let mut schemas = vec![rabita_config::schema::connector(&**kind), kind.entity_schema(), kind.fixture_schema()];
        schemas.extend(kind.action_schema().into_iter().chain(kind.changes_schema()).chain(kind.asked_schema()));
        assert_eq!(untold(&schemas, &guides), [""; 0], "{}", kind.name());
    }
}
