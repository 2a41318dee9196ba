//! `rabita check`.

use std::path::Path;
use std::process::ExitCode;

use rabita_core::Clock as _;

use super::{Failed, output};
use crate::{kinds, machine::WallClock};

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// `file:line:column: error: ...`, with the line.
    Text,
    /// One JSON document.
    Json,
}

pub(super) fn run(directory: &Path, form: Form, strict: bool) -> Result<ExitCode, Failed> {
    let loaded = rabita_config::load(directory, &kinds::all(), WallClock.today());
    let report = &loaded.report;
    match form {
        Form::Json => output::say(serde_json::to_string_pretty(report)?),
        Form::Text => {
            if !report.findings.is_empty() {
                output::say(report.to_string().trim_end());
            }
            let told = match (report.errors(), report.warnings()) {
                (0, 0) => format!("{}: nothing is wrong", directory.display()),
                (errors, warnings) => {
                    format!(
                        "{}: {errors} error(s), {warnings} warning(s); `rabita explain RULE`, with a word in brackets, says more",
                        directory.display()
                    )
                }
            };
            output::say(told);
        }
    }
    let is_good = report.is_good() && (!strict || report.warnings() == 0);
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
