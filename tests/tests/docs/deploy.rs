//! What lies in `deploy/` holds together: alerts and runbooks, metrics and the code that counts them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::root;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The alert rules.
fn alerts() -> Vec<Value> {
    let file = rabita_config::document::Document::read(Path::new("alerts.yaml"), read("deploy/monitoring/alerts.yaml"));
    let groups = file.expect("YAML").value["groups"].clone();
    let rules = groups.as_array().expect("groups").iter().flat_map(|group| group["rules"].as_array().expect("rules").clone());
    rules.collect()
}

/// The files below a directory that end so.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, ending)),
            false if path.to_string_lossy().ends_with(ending) => found.push(path),
            false => {}
        }
    }
    found
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let named: BTreeSet<String> = alerts().iter().map(|rule| rule["alert"].as_str().expect("a name").to_owned()).collect();
    let pages = files(&root().join("deploy/runbooks"), ".md");
    let pages: BTreeSet<String> = pages
        .iter()
        .map(|page| page.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    assert!(named.len() >= 8, "{named:?}");
    assert_eq!(named, pages);
    let index = read("deploy/runbooks/README.md");
    for rule in alerts() {
        let name = rule["alert"].as_str().expect("a name");
        assert_eq!(rule["annotations"]["runbook"], format!("deploy/runbooks/{name}.md"));
        assert!(index.contains(&format!("({name}.md)")), "the index of the runbooks does not name {name}");
        let page = read(&format!("deploy/runbooks/{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}: the page begins with its name");
        for part in ["## Look", "## Do", "## Over when"] {
            assert!(page.contains(part), "{name}: no {part}");
        }
    }
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with("rabita_"));
    let base =
        |word: &str| ["_bucket", "_sum", "_count"].iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word).to_owned();
    words.map(base).collect()
}

#[test]
fn every_metric_that_monitoring_and_runbooks_name_is_counted_somewhere() {
    let mut sources = [files(&root().join("router"), ".rs"), files(&root().join("connectors"), ".rs")].concat();
    // There metrics are described, whether or not anything counts them.
    sources.retain(|path| !path.ends_with("node/telemetry.rs"));
    let code: String = sources.iter().map(|path| std::fs::read_to_string(path).expect("a source")).collect();
    let (mut absent, mut seen) = (Vec::new(), BTreeSet::new());
    let monitoring = files(&root().join("deploy/monitoring"), "");
    for path in monitoring.into_iter().chain(files(&root().join("deploy/runbooks"), ".md")) {
        for metric in metrics(&std::fs::read_to_string(&path).expect("a text")) {
            // A pattern for grep names the beginnings of several.
            let is_counted =
                code.contains(&format!("\"{metric}\"")) || (metric.ends_with('_') && code.contains(&format!("\"{metric}")));
            if !is_counted {
                absent.push(format!("{}: {metric}", path.display()));
            }
            seen.insert(metric);
        }
    }
    assert!(seen.len() >= 10, "{seen:?}");
    assert!(absent.is_empty(), "{absent:#?}");
}
