//! `rabita reference`: what the code itself knows of its words, as pages for the documentation.

mod commands;
mod keys;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use rabita_model::{Code, Rule};
use serde_json::Value;

use super::{Failed, output};
use crate::kinds;
use crate::node::METRICS;

/// Writes all pages into a directory.
pub(super) fn run(out: &Path) -> Result<ExitCode, Failed> {
    std::fs::create_dir_all(out)?;
    for (name, page) in pages() {
        let file = out.join(format!("{name}.md"));
        std::fs::write(&file, page)?;
        output::say(file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn pages() -> Vec<(String, String)> {
    let kinds = kinds::all();
    let manifest = rabita_config::schema::manifest();
    let own: Vec<String> = kinds.iter().map(|kind| format!("[{0}](kind-{0}.md)", kind.name())).collect();
    let text = format!("`registries/*.yaml`, whatever the kind of connector. The keys of each kind: {}.", own.join(", "));
    let mut pages = vec![
        ("configuration".to_owned(), configuration()),
        ("manifest".to_owned(), keys::page("Keys of a manifest", &text, &manifest)),
        ("codecs".to_owned(), codecs(&manifest)),
        ("errors".to_owned(), errors()),
        ("rules".to_owned(), rules()),
        ("metrics".to_owned(), metrics()),
        ("commands".to_owned(), commands::page(&super::cli())),
    ];
    pages.extend(kinds.iter().map(|kind| (format!("kind-{}", kind.name()), of_kind(&**kind))));
    pages
}

fn configuration() -> String {
    let documents = [
        ("`rabita.yaml`", rabita_config::schema::node()),
        ("`agencies.yaml`", rabita_config::schema::agencies()),
        ("`systems/*.yaml`", rabita_config::schema::system()),
        ("`grants/*.yaml`, `grants/{agency}/*.yaml`", rabita_config::schema::grants()),
        ("`transparency.yaml`", rabita_config::schema::transparency()),
        ("`host.yaml`", rabita_config::schema::host()),
    ];
    let mut page =
        String::from("# Keys of a configuration\n\nMade from the schemas by which `rabita check` reads each document.\n");
    for (document, schema) in &documents {
        let _ = write!(page, "\n## {document}\n\n{}", keys::tables(schema));
    }
    page
}

fn codecs(manifest: &Value) -> String {
    let text = "Each codec is a pair: what it reads it can write again, or refuses. `codec: WORD` where it needs no options, else\
                \n`codec: { WORD: OPTIONS }`; several stand in a list, in the order of reading.";
    let definitions = manifest["$defs"].as_object().into_iter().flatten();
    let own: serde_json::Map<String, Value> = definitions.map(|(name, schema)| (name.clone(), schema.clone())).collect();
    let mut page = format!("# Codecs\n\n{text}\n\n");
    page.push_str(&keys::reachable(&own, "Codec"));
    page
}

fn of_kind(kind: &dyn rabita_sdk::Kind) -> String {
    let name = kind.name();
    let mut page = format!(
        "# Kind `{name}`\n\nMade from the schemas by which `rabita check` reads the parts of a manifest that are the kind's own.\n"
    );
    let mut part = |title: &str, schema: Option<Value>| {
        if let Some(schema) = schema {
            let _ = write!(page, "\n## {title}\n\n{}", keys::tables(&schema));
        }
    };
    part("`connector:`", Some(kind.settings_schema()));
    part("`from:` of an entity", Some(kind.entity_schema()));
    part("`from:` of an action", kind.action_schema());
    part("`from:` of `changes`", kind.changes_schema());
    part("`legacy:` of a test", Some(kind.fixture_schema()));
    page
}

fn errors() -> String {
    let mut page = String::from(
        "# Errors\n\nEach refusal of the bus has one of these codes. `rabita explain CODE` prints a page of them.\n",
    );
    for code in Code::ALL {
        let blame = word(serde_json::to_value(code.blame()));
        let retry = word(serde_json::to_value(code.retry()));
        let status = rabita_contract::status(*code).as_u16();
        let text = below(code.page());
        let _ =
            write!(page, "\n## `{code}`\n\n{} Status {status}, blame: {blame}, retry: {retry}.\n{text}", code.public_message());
    }
    page
}

fn rules() -> String {
    let mut page = String::from(
        "# What `rabita check` finds\n\nEach finding names the rule that is broken. `rabita explain RULE` prints a page of them.\n",
    );
    for rule in Rule::ALL {
        let _ = write!(page, "\n## `{}`\n\n{}\n{}", rule.as_str(), rule.message(), below(rule.page()));
    }
    page
}

fn metrics() -> String {
    let mut page = String::from(
        "# Metrics\n\nOf the admin listener, `/metrics`, in the format of Prometheus.\n\n| metric | kind | what it tells |\n|---|---|---|\n",
    );
    for (name, kind, text) in METRICS {
        let _ = writeln!(page, "| `{name}` | {kind} | {text} |");
    }
    page
}

/// A page of its own as a part of a larger one: without its title, its headings two levels down.
fn below(page: &str) -> String {
    let lines = page.lines().skip(1).map(|line| if line.starts_with('#') { format!("##{line}\n") } else { format!("{line}\n") });
    lines.collect()
}

fn word(value: Result<Value, serde_json::Error>) -> String {
    value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn every_page_says_something_and_none_has_an_empty_table() {
        let pages = pages();
        assert!(pages.len() > 9);
        for (name, page) in pages {
            assert!(page.starts_with("# ") && page.len() > 200, "{name}");
            assert!(!page.contains("|---|\n\n"), "{name}: a table without rows");
        }
    }

    #[test]
    fn the_page_of_codecs_has_each_of_them() {
        let (_, page) = pages().into_iter().find(|(name, _)| name == "codecs").expect("the page");
        for word in ["trim", "date", "decimal", "codes", "boolean", "split_list"] {
            assert!(page.contains(&format!("`{word}`")), "{word}");
        }
    }
}
