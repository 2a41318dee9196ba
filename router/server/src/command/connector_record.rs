//! `rabita connector record`: a live exchange as a test of its manifest.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rabita_config::document::Document;
use rabita_model::FieldName;
use rabita_trial::record::{Wish, appended, record};
use rabita_trial::{Machine, Stage};

use super::{Failed, load, output, runtime};
use crate::machine::{MachineSecrets, WallClock, new_exchange};

/// What `connector record` is given.
#[derive(Debug, clap::Args)]
pub(super) struct RecordArguments {
    /// The configuration directory.
    directory: PathBuf,
    /// The registry that is asked.
    registry: String,
    /// The entity, as `v1/persons`; may be left out where the contract has only one.
    #[arg(long)]
    entity: Option<String>,
    /// The key of the record to read; several parts one after the other.
    #[arg(long, value_name = "KEY", num_args = 1.., required_unless_present = "search")]
    read: Vec<String>,
    /// The records to search for, by equal values; may be given several times.
    #[arg(long, value_name = "FIELD=VALUE", conflicts_with = "read", value_parser = filter)]
    search: Vec<(String, String)>,
    /// The fields to ask for, with commas; all without it.
    #[arg(long, value_delimiter = ',')]
    fields: Option<Vec<String>>,
    /// The test's name.
    #[arg(long)]
    name: Option<String>,
    /// Print the manifest with the test, and write nothing.
    #[arg(long)]
    print: bool,
}

pub(super) fn run(arguments: &RecordArguments) -> Result<ExitCode, Failed> {
    let country = load(&arguments.directory)?;
    let known: Vec<String> = country.registries.iter().map(|own| own.manifest.registry.to_string()).collect();
    let registry = country.registries.into_iter().find(|own| own.manifest.registry.as_str() == arguments.registry);
    let registry =
        registry.ok_or_else(|| format!("there is no registry `{}`; there is {}", arguments.registry, known.join(", ")))?;
    let fields = arguments.fields.as_ref().map(|fields| fields.iter().map(|name| FieldName::new(name)).collect::<Result<_, _>>());
    let wish = Wish {
        entity: arguments.entity.clone(),
        read: arguments.read.clone(),
        search: arguments.search.clone(),
        fields: fields.transpose()?,
        name: arguments.name.clone(),
    };
    let secrets = MachineSecrets::new(&country.directory);
    let machine = Machine { clock: Arc::new(WallClock), new_exchange, secrets: &secrets };
    let stage = Stage::new(registry, &country.directory);
    let test = runtime()?.block_on(record(&stage, &wish, secret()?, &machine))?;
    let file = manifest_of(&arguments.directory, &arguments.registry)?;
    let text = std::fs::read_to_string(&file)?;
    let new = appended(&text, &test).map_err(|why| format!("{}: {why}", file.display()))?;
    if arguments.print {
        output::say(new.trim_end());
    } else {
        std::fs::write(&file, new).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
        let name = test["name"].as_str().unwrap_or_default();
        output::say(format_args!("{}: \"{name}\" was added; look at it before you commit it", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The manifest's file.
fn manifest_of(directory: &Path, registry: &str) -> Result<PathBuf, Failed> {
    for entry in std::fs::read_dir(directory.join("registries"))? {
        let file = entry?.path();
        if file.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let document = Document::read(&file, std::fs::read_to_string(&file)?);
        if document.is_ok_and(|document| document.value["registry"] == registry) {
            return Ok(file);
        }
    }
    Err(format!("the manifest of `{registry}` is no longer there").into())
}

/// What look-alikes depend on, thrown away with the process.
fn secret() -> Result<[u8; 32], Failed> {
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| "the machine gives no random bytes")?;
    Ok(secret)
}

fn filter(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("a filter is written FIELD=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}
