//! `rabita schema diff`: two schemas of records, or those of two configuration directories.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rabita_schemas::{Change, Library, RecordSchema, compare};
use serde_json::{Value, json};

use crate::command::{Failed, check::Form, output};

/// What `schema diff` is given.
#[derive(Debug, clap::Args)]
pub(super) struct DiffArguments {
    /// The earlier one: a file, a name such as `civil/person/v1` or `person/v1`, or a configuration directory.
    old: String,
    /// The later one, of the same sort.
    new: String,
    /// Where names that are not shipped are looked up: a configuration directory.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// How differences are printed.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

pub(super) fn run(arguments: &DiffArguments) -> Result<ExitCode, Failed> {
    let DiffArguments { old, new, config, .. } = arguments;
    let compared = match (Path::new(old).is_dir(), Path::new(new).is_dir()) {
        (true, true) => of_directories(Path::new(old), Path::new(new))?,
        (false, false) => {
            let library = library(config.as_deref())?;
            vec![Compared::of(format!("{old} -> {new}"), &schema(old, &library)?, &schema(new, &library)?)]
        }
        _ => return Err("compare two schemas, or two configuration directories".into()),
    };
    match arguments.format {
        Form::Json => output::say(serde_json::to_string_pretty(
            &json!({ "schemas": compared.iter().map(Compared::json).collect::<Vec<_>>() }),
        )?),
        Form::Text => compared.iter().for_each(Compared::say),
    }
    let is_broken = compared.iter().any(Compared::breaks);
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Two schemas, and what differs.
struct Compared {
    what: String,
    /// Where one of the two is not there, which.
    alone: Option<&'static str>,
    changes: Vec<Change>,
}

impl Compared {
    fn of(what: String, old: &RecordSchema, new: &RecordSchema) -> Self {
        Self { what, alone: None, changes: compare(old.document(), new.document()) }
    }

    fn breaks(&self) -> bool {
        self.alone == Some(REMOVED) || self.changes.iter().any(|change| change.breaks_readers || change.breaks_writers)
    }

    fn say(&self) {
        if let Some(alone) = self.alone {
            output::say(format_args!("{}: {alone}", self.what));
            return;
        }
        let told = if self.changes.is_empty() { "no difference" } else { "" };
        output::say(format_args!("{}: {told}", self.what).to_string().trim_end());
        for change in &self.changes {
            let pointer = if change.pointer.is_empty() { "/" } else { &change.pointer };
            output::say(format_args!("  {:<24} {pointer}  {}: {}", breaks(change), change.kind, change.message));
        }
    }

    fn json(&self) -> Value {
        json!({ "schema": self.what, "status": self.alone.unwrap_or("compared"), "changes": self.changes })
    }
}

const REMOVED: &str = "removed";
const ADDED: &str = "added";

fn breaks(change: &Change) -> &'static str {
    match (change.breaks_readers, change.breaks_writers) {
        (true, true) => "breaks readers, writers",
        (true, false) => "breaks readers",
        (false, true) => "breaks writers",
        (false, false) => "breaks nobody",
    }
}

fn of_directories(old: &Path, new: &Path) -> Result<Vec<Compared>, Failed> {
    let (before, after) = (library(Some(old))?, library(Some(new))?);
    let names: BTreeSet<&str> = before.names().chain(after.names()).collect();
    let mut compared = Vec::new();
    for name in names {
        let (known, present) = (before.get(name), after.get(name));
        let alone = match (known, present) {
            (Some(_), None) => Some(REMOVED),
            (None, Some(_)) => Some(ADDED),
            _ => None,
        };
        if alone.is_some() {
            compared.push(Compared { what: name.to_owned(), alone, changes: Vec::new() });
        } else if known != present {
            compared.push(Compared::of(name.to_owned(), &schema(name, &before)?, &schema(name, &after)?));
        }
    }
    if compared.is_empty() {
        output::complain("no schema differs");
    }
    Ok(compared)
}

fn library(config: Option<&Path>) -> Result<Library, Failed> {
    let Some(config) = config else { return Ok(Library::shipped()) };
    Library::shipped().with_directory(&config.join("schemas")).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.join("\n").into()
    })
}

/// The schema of a name or in a file.
fn schema(word: &str, library: &Library) -> Result<RecordSchema, Failed> {
    let ending = format!("/{word}");
    let mut ends_so = library.names().filter(|name| name.ends_with(&ending));
    let whole = match (ends_so.next(), ends_so.next()) {
        (Some(one), None) => one,
        _ => word,
    };
    let written = if let Some(known) = library.get(whole) {
        Value::clone(known)
    } else if Path::new(word).is_file() {
        serde_json::from_slice(&std::fs::read(word)?).map_err(|error| format!("{word} is not JSON: {error}"))?
    } else {
        let likely = rabita_sdk::finding::likely(word, library.names());
        let likely = likely.map(|likely| format!("; did you mean `{likely}`?")).unwrap_or_default();
        return Err(format!("there is no file `{word}`, and no schema of this name{likely}").into());
    };
    RecordSchema::compile(&written, library).map_err(|problems| {
        let told: Vec<String> = problems.into_iter().map(|problem| problem.within(word).to_string()).collect();
        told.join("\n").into()
    })
}
