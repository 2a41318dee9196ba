//! What the documents name exists: paths, commands with their flags, error codes, whole configuration documents.

mod battery;
mod deploy;
mod keys;

use std::path::{Path, PathBuf};
use std::process::Command;

use rabita_model::{Code, Rule};
use rabita_server::{command, kinds};
use serde_json::Value;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository").to_owned()
}

/// The documents with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .expect("git is there");
    let names = String::from_utf8(listed.stdout).expect("names are UTF-8");
    let read = |name: &str| std::fs::read_to_string(root().join(name)).ok().map(|text| (PathBuf::from(name), text));
    let documents: Vec<_> = names.lines().filter_map(read).collect();
    assert!(documents.len() > 10, "the documents are found");
    documents
}

/// What stands in backticks on the lines outside code blocks.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            words.extend(line.split('`').skip(1).step_by(2));
        }
    }
    words
}

/// Code blocks of a language, without their indentation.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<Vec<&'a str>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let body: Vec<&str> = lines
            .by_ref()
            .take_while(|line| !line.trim_start().starts_with("```"))
            .map(|line| line.get(indent..).unwrap_or(""))
            .collect();
        if info.trim() == language {
            blocks.push(body);
        }
    }
    blocks
}

/// The lines of blocks that stand apart by four blanks alone, without these.
fn indented(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            lines.extend(line.strip_prefix("    "));
        }
    }
    lines
}

const TOP: [&str; 7] = ["connectors/", "schemas/", "router/", "config/", "tests/", "deploy/", ".ci/"];

#[test]
fn every_path_of_the_repository_that_a_document_names_is_there() {
    let mut gone = Vec::new();
    let mut seen = 0;
    for (document, text) in documents() {
        for word in words(&text) {
            let is_root_file =
                word.ends_with(".md") && !word.contains('/') && word.chars().next().is_some_and(char::is_uppercase);
            let is_path = TOP.iter().any(|top| word.starts_with(top)) || is_root_file;
            // What stands for something else, or has an argument, is no path.
            if !is_path || word.contains(['<', '{', ' ', '…', '(']) {
                continue;
            }
            seen += 1;
            let fixed = word.split('*').next().unwrap_or(word);
            let fixed = if fixed.len() < word.len() { fixed.rsplit_once('/').map_or("", |(folder, _)| folder) } else { fixed };
            let beside = document.parent().unwrap_or(Path::new(""));
            if !root().join(fixed).exists() && !root().join(beside).join(fixed).exists() {
                gone.push(format!("{}: {word}", document.display()));
            }
        }
    }
    assert!(seen > 50, "paths are found: {seen}");
    assert!(gone.is_empty(), "{gone:#?}");
}

/// The commands of a block, each in one line.
fn commands(block: &[&str]) -> Vec<String> {
    block.join("\n").replace("\\\n", " ").lines().map(|line| line.trim_start_matches("$ ").to_owned()).collect()
}

/// Lines of shell that call the program, and such calls in backticks.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<String> = words(text).into_iter().map(str::to_owned).collect();
    for language in ["sh", "shell", "bash", "console"] {
        for block in blocks(text, language) {
            lines.extend(commands(&block));
        }
    }
    lines.extend(commands(&indented(text)));
    let call = |line: &String| {
        let line = line.split(" #").next().unwrap_or(line).split(['|', '>', ';', '&']).next().unwrap_or_default();
        // Before a command may stand what it finds in its environment.
        let words = line.split_whitespace().skip_while(|word| word.contains('='));
        let words: Vec<String> = words.map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            Some(first) if first == "rabita" || first.ends_with("/rabita") => Some(words[1..].to_vec()),
            Some("cargo") => {
                let dashes = words.iter().position(|word| word == "--")?;
                words.iter().any(|word| word == "rabita-server").then(|| words[dashes + 1..].to_vec())
            }
            _ => None,
        }
    };
    lines.iter().filter_map(call).collect()
}

#[test]
fn every_command_that_a_document_names_is_one_with_these_flags() {
    let cli = command::cli();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (document, text) in documents() {
        for call in calls(&text) {
            seen += 1;
            let mut own = &cli;
            for word in &call {
                if let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) {
                    let flag = flag.split('=').next().unwrap_or(flag).trim_end_matches([']', ',', '.']);
                    let known = own.get_arguments().any(|argument| argument.get_long() == Some(flag))
                        || ["help", "version"].contains(&flag);
                    if !known {
                        wrong.push(format!("{}: {} has no --{flag}", document.display(), own.get_name()));
                    }
                } else if let Some(sub) = own.find_subcommand(word) {
                    own = sub;
                } else if own.has_subcommands()
                    && own.get_positionals().next().is_none()
                    && word.chars().all(|c| c.is_ascii_lowercase())
                {
                    wrong.push(format!("{}: {} has no command {word}", document.display(), own.get_name()));
                }
            }
        }
    }
    assert!(seen > 20, "commands are found: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_contracts_table_of_codes_is_that_of_the_code() {
    let text = std::fs::read_to_string(root().join("router/contract/SPEC.md")).expect("there is a SPEC.md");
    let row = |code: Code| {
        let lower = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let blame = lower(serde_json::to_value(code.blame()).expect("a word"));
        let retry = lower(serde_json::to_value(code.retry()).expect("a word"));
        [format!("`{code}`"), rabita_contract::status(code).as_u16().to_string(), blame, retry]
    };
    let told: Vec<Vec<String>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .filter(|cells: &Vec<String>| cells.first().is_some_and(|cell| Code::parse(cell.trim_matches('`')).is_some()))
        .collect();
    for code in Code::ALL {
        let row = row(*code);
        let found = told.iter().find(|cells| cells[0] == row[0]).unwrap_or_else(|| panic!("{code} is not in the table"));
        assert_eq!(found[..4], row, "code, status, blame, retry");
    }
}

/// What stands for a code: after these words, and first in a column of what the caller gets.
fn named_codes(text: &str) -> Vec<String> {
    let is_of_word = |c: char| !(c.is_ascii_lowercase() || c == '_');
    let mut named = Vec::new();
    for before in ["urn:rabita:problem:", "expect_error: ", "rabita explain "] {
        let found = text.split(before).skip(1).map(|after| after.split(is_of_word).next().unwrap_or_default());
        named.extend(found.filter(|word| !word.is_empty()).map(str::to_owned));
    }
    let mut of_caller = false;
    for line in text.lines() {
        of_caller = line.starts_with('|') && (of_caller || line.contains("the caller gets"));
        if let Some(cell) = line.trim_end_matches('|').rsplit('|').next().filter(|_| of_caller) {
            named.extend(cell.split('`').nth(1).map(str::to_owned));
        }
    }
    named
}

#[test]
fn every_error_code_that_a_document_names_is_one() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (document, text) in documents() {
        let named = named_codes(&text);
        seen += named.len();
        wrong.extend(
            named
                .iter()
                .filter(|name| Code::parse(name).is_none() && Rule::parse(name).is_none())
                .map(|name| format!("{}: {name}", document.display())),
        );
    }
    assert!(seen > 20, "codes are found: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_worked_example_of_the_guide_to_manifests_is_one_manifest() {
    let text = std::fs::read_to_string(root().join("config/MANIFEST.md")).expect("there is a guide");
    let steps =
        text.split("## Plugging a registry in").nth(1).and_then(|rest| rest.split("## Every key").next()).expect("the steps");
    let lines: Vec<&str> = indented(steps).into_iter().filter(|line| !line.starts_with("rabita ")).collect();
    let shown =
        rabita_config::document::Document::read(Path::new("population.yaml"), lines.join("\n")).expect("the steps are YAML");
    let (_, schema) =
        rabita_config::schema::all(&kinds::all()).into_iter().find(|(name, _)| *name == "registry").expect("a schema");
    let validator = jsonschema::draft202012::options().offline().build(&schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(&shown.value).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_whole_configuration_document_that_is_shown_satisfies_its_schema() {
    let schemas = rabita_config::schema::all(&kinds::all());
    let kinds_of = [
        ("transparency.yaml", "transparency"),
        ("rabita.yaml", "rabita"),
        ("agencies.yaml", "agencies"),
        ("registries/", "registry"),
        ("systems/", "system"),
        ("grants/", "grants"),
    ];
    let mut seen = 0;
    for (document, text) in documents() {
        for block in blocks(&text, "yaml") {
            let Some(name) = block.first().and_then(|line| line.strip_prefix("# ")) else { continue };
            let Some((_, kind)) =
                kinds_of.iter().find(|(file, _)| name == *file || (file.ends_with('/') && name.starts_with(file)))
            else {
                continue;
            };
            seen += 1;
            let shown = rabita_config::document::Document::read(Path::new(name), block.join("\n"))
                .unwrap_or_else(|error| panic!("{}: {name}: {error}", document.display()));
            let (_, schema) = schemas.iter().find(|(own, _)| own == kind).expect("a schema of this name");
            let validator = jsonschema::draft202012::options().offline().build(schema).expect("a schema");
            let faults: Vec<String> = validator.iter_errors(&shown.value).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "{}: {name}: {faults:#?}", document.display());
        }
    }
    assert!(seen > 0, "whole documents are found");
}

#[test]
fn the_documentation_is_a_site_without_a_link_that_leads_nowhere() {
    let scratch = rabita_tests::scratch::Scratch::new("site");
    let build = Command::new(root().join("deploy/site/build"))
        .arg(env!("CARGO_BIN_EXE_rabita-under-test"))
        .arg(scratch.path())
        .output()
        .expect("the script can be run");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    for page in ["index.html", "guides/plug-in-sql.html", "guides/call.html", "reference/errors.html", "reference/kind-rest.html"]
    {
        assert!(scratch.path().join(page).is_file(), "{page}");
    }
    let guide = std::fs::read_to_string(scratch.path().join("guides/call.html")).expect("a page");
    assert!(guide.contains("href=\"../router/contract/SPEC.html\""), "documents that are named are links");
}
