//! `rabita grants`: what the grants of a configuration directory say, without a node.

mod told;

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use rabita_core::Access;
use serde_json::json;

use super::{Failed, load, output};
use crate::node::grants_desk::{EMPTY, Imagined, who};

#[derive(Debug, clap::Subcommand)]
pub(super) enum GrantsCommand {
    /// Tell which grants decide a request, and what its answer would hold.
    Explain(Explain),
    /// List everyone who can see a field.
    Who(Who),
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The system that would ask.
    #[arg(long, value_name = "SYSTEM")]
    system: String,
    /// The configuration directory.
    #[arg(long, value_name = "DIR", default_value = ".")]
    config: PathBuf,
    /// A header of the request, as in `-H 'Rabita-Purpose: birth-registration'`.
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The body of the request.
    #[arg(long, value_name = "JSON", default_value = EMPTY)]
    body: String,
    /// The time at which it would be asked; now where it is not given.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// `GET`, `POST`, ...
    method: String,
    /// The path with its query, as in `/api/population/v1/persons/5ZJBKH7?fields=name`.
    path: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Who {
    /// The field, as in `population/v1/persons.pin`. `*` stands for any part; without a field, any.
    #[arg(long, value_name = "FIELD")]
    field: String,
    /// The configuration directory.
    #[arg(long, value_name = "DIR", default_value = ".")]
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &GrantsCommand) -> Result<ExitCode, Failed> {
    match command {
        GrantsCommand::Explain(explain) => explain.run(),
        GrantsCommand::Who(who) => who.run(),
    }
}

impl Explain {
    fn run(&self) -> Result<ExitCode, Failed> {
        let access = Access::of(&load(&self.config)?);
        let imagined =
            Imagined { system: &self.system, method: &self.method, path: &self.path, headers: &self.headers, body: &self.body };
        let explanation = imagined.explain(&access, self.at.unwrap_or_else(Timestamp::now))?;
        output::say(match self.json {
            true => serde_json::to_string_pretty(&explanation)?,
            false => told::explanation(&explanation),
        });
        Ok(if explanation.is_permitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Who {
    fn run(&self) -> Result<ExitCode, Failed> {
        let access = Access::of(&load(&self.config)?);
        let holders = who(&access, &self.field)?;
        if self.json {
            output::say(serde_json::to_string_pretty(&json!({ "holders": holders }))?);
        } else if holders.is_empty() {
            output::say(format_args!("nobody is granted {}", self.field));
        } else {
            output::say(told::holders(&holders));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
