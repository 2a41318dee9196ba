//! `rabita ledger archive`: the entries of one agency for it to keep, and their check without any bus.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;
use rabita_ledger::archive::verify;
use rabita_ledger::log::VerifierKey;
use rabita_model::AgencyId;

use super::evidence::told;
use super::order::Reach;
use crate::command::{Failed, output};
use crate::node::ledger_desk::Act;

/// What `archive` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger archive --agency interior --before 2024-01-01 --config /etc/rabita --reason 'yearly archive'
  rabita ledger archive --check interior-before-2024-01-01-1767225600.jsonl --key \"$(cat node-1.vkey)\"

The archive is put into `archives/` of the ledger's directory. It opens what it holds for ever: hand it to the agency and
remove it. That it was made, and its digest, are recorded in the ledger.")]
pub(in crate::command) struct ArchiveArguments {
    /// The agency whose registries were asked.
    #[arg(long, value_name = "AGENCY", value_parser = agency, required_unless_present = "check", conflicts_with = "check")]
    agency: Option<AgencyId>,
    /// Entries of days before this one.
    #[arg(long, value_name = "DATE", required_unless_present = "check", conflicts_with = "check")]
    before: Option<Date>,
    /// Check an archive. Exits with 1 when anything in it does not hold.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// The log's verifier key, as it was told by a way of its own.
    #[arg(long, value_name = "KEY", requires = "check")]
    key: Option<VerifierKey>,
    #[command(flatten)]
    reach: Reach,
}

impl ArchiveArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        if let Some(file) = &self.check {
            let open = std::fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let checks = verify(BufReader::new(open), self.key.as_ref());
            return Ok(told(&checks.map_err(|error| format!("{}: {error}", file.display()))?));
        }
        let (Some(agency), Some(before)) = (self.agency.clone(), self.before) else {
            return Err("--agency and --before have to be given".into());
        };
        let told = self.reach.order(Act::Archive { agency, before }).await?;
        output::say(told["file"].as_str().unwrap_or_default());
        output::complain(&format!("{} entries, SHA-256 {}", told["entries"], told["sha256"].as_str().unwrap_or_default()));
        Ok(ExitCode::SUCCESS)
    }
}

fn agency(text: &str) -> Result<AgencyId, String> {
    AgencyId::new(text).map_err(|error| error.to_string())
}
