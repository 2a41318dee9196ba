//! `rabita schema`.

mod diff;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Failed, output};
use crate::kinds;

/// What `schema` is given.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct SchemaArguments {
    #[command(subcommand)]
    command: Option<SchemaCommand>,
    /// `rabita`, `agencies`, `registry`, `system`, `grants` or `transparency`, or `results` for those of `connector test`;
    /// without it, all are written into `--out`.
    document: Option<String>,
    /// Write `NAME.schema.json` files into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum SchemaCommand {
    /// Tell each difference of two schemas of records, and whether it breaks those who read or those who write. Exits
    /// with 1 where one does.
    Diff(diff::DiffArguments),
}

pub(super) fn run(arguments: &SchemaArguments) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Some(SchemaCommand::Diff(arguments)) => diff::run(arguments),
        None => print(arguments.document.as_deref(), arguments.out.as_deref()),
    }
}

fn print(document: Option<&str>, out: Option<&Path>) -> Result<ExitCode, Failed> {
    let mut all = rabita_config::schema::all(&kinds::all());
    all.push(("results", rabita_trial::report::json::schema()));
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let chosen: Vec<_> = all.iter().filter(|(name, _)| document.is_none_or(|wanted| wanted == *name)).collect();
    if chosen.is_empty() {
        return Err(format!("there is no such document; there is {}", names.join(", ")).into());
    }
    match (out, document) {
        (Some(directory), _) => {
            std::fs::create_dir_all(directory)?;
            for (name, schema) in chosen {
                let file = directory.join(format!("{name}.schema.json"));
                std::fs::write(&file, serde_json::to_string_pretty(schema)? + "\n")?;
                output::say(file.display());
            }
        }
        (None, Some(_)) => {
            for (_, schema) in chosen {
                output::say(serde_json::to_string_pretty(schema)?);
            }
        }
        (None, None) => return Err(format!("name a document ({}), or give --out DIR for all", names.join(", ")).into()),
    }
    Ok(ExitCode::SUCCESS)
}
