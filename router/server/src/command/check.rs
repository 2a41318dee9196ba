//! `rabita check`.

mod against;

use std::path::Path;
use std::process::ExitCode;

use rabita_config::Report;
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

pub(super) fn run(directory: &Path, form: Form, strict: bool, against: Option<&str>) -> Result<ExitCode, Failed> {
    let mut report = if rabita_config::is_host(directory) {
        rabita_config::load_host(directory, &kinds::all(), WallClock.today()).report
    } else {
        rabita_config::load(directory, &kinds::all(), WallClock.today()).report
    };
    if let Some(earlier) = against.filter(|_| report.is_good()) {
        report.findings.extend(against::compared(directory, earlier)?.findings);
    }
    tell(directory, &report, form, against)?;
    let is_good = report.is_good() && (!strict || report.warnings() == 0);
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(directory: &Path, report: &Report, form: Form, against: Option<&str>) -> Result<(), Failed> {
    if form == Form::Json {
        output::say(serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    if !report.findings.is_empty() {
        output::say(report.to_string().trim_end());
    }
    let told = match (report.errors(), report.warnings()) {
        (0, 0) => format!("{}: nothing is wrong", directory.display()),
        (errors, warnings) => format!(
            "{}: {errors} error(s), {warnings} warning(s); `rabita explain RULE`, with a word in brackets, says more",
            directory.display()
        ),
    };
    let compared = against.filter(|_| report.is_good()).map(|earlier| format!(", and nothing breaks callers of {earlier}"));
    output::say(told + &compared.unwrap_or_default());
    Ok(())
}
