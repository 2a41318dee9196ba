//! `rabita schema`.

use std::path::Path;
use std::process::ExitCode;

use super::{Failed, output};
use crate::kinds;

pub(super) fn run(document: Option<&str>, out: Option<&Path>) -> Result<ExitCode, Failed> {
    let all = rabita_config::schema::all(&kinds::all());
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
