//! `rabita ledger evidence`: a bundle that proves what was asked and answered, and its check without any bus.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rabita_ledger::evidence::{Bundle, Check, Content, Verdict, is_about, verify};
use rabita_ledger::log::VerifierKey;
use rabita_model::{ExchangeId, Subject};

use super::order::Reach;
use super::remote::read;
use crate::command::{Failed, output};
use crate::node::ledger_desk::Act;
use crate::node::ledger_exchange::memory::replace;

/// What `evidence` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger evidence 01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e --config /etc/rabita --reason 'case 2-1(17)' \\
      --request asked.txt --answer answered.json --out evidence.json
  rabita ledger evidence --check evidence.json --key \"$(cat node-1.vkey)\"          anywhere, without a bus

The ledger holds digests alone: what was asked and answered comes from whoever kept it. A request is written as
`METHOD PATH?QUERY`, a line for each header that counts (`name: value`, sorted), an empty line, and the body.")]
pub(in crate::command) struct EvidenceArguments {
    /// The id of the exchange.
    #[arg(required_unless_present = "check", conflicts_with = "check")]
    exchange: Option<ExchangeId>,
    /// What was asked, as somebody kept it.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// What was answered: the body.
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Write the bundle here, and not to the standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Check a bundle. Exits with 1 when anything in it does not hold.
    #[arg(long, value_name = "BUNDLE")]
    check: Option<PathBuf>,
    /// The log's verifier key, as it was told by a way of its own.
    #[arg(long, value_name = "KEY", requires = "check")]
    key: Option<VerifierKey>,
    /// Check too that it is about the person whose number is in this file.
    #[arg(long, value_name = "FILE", requires = "check")]
    person: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

impl EvidenceArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        if let Some(file) = &self.check {
            return self.check(file);
        }
        let exchange = self.exchange.ok_or("the id of an exchange has to be given")?;
        let mut bundle: Bundle = serde_json::from_value(self.reach.order(Act::Evidence { exchange }).await?)?;
        self.add_contents(&mut bundle)?;
        let failed = verify(&bundle, None).into_iter().find(|check| matches!(check.verdict, Verdict::Fails(_)));
        if let Some(check) = failed {
            return Err(format!("this would be no evidence: {check}").into());
        }
        let text = serde_json::to_string_pretty(&bundle)?;
        match &self.out {
            Some(file) => replace(file, format!("{text}\n").as_bytes())?,
            None => output::say(text),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn check(&self, file: &Path) -> Result<ExitCode, Failed> {
        let bundle = serde_json::from_slice(&read(file)?);
        let mut bundle: Bundle = bundle.map_err(|error| format!("{} is no evidence: {error}", file.display()))?;
        self.add_contents(&mut bundle)?;
        let mut checks = verify(&bundle, self.key.as_ref());
        if let Some(file) = &self.person {
            let number = String::from_utf8(read(file)?).map_err(|_| format!("{} is no text", file.display()))?;
            checks.push(is_about(&bundle, &Subject::new(number.trim())));
        }
        Ok(told(&checks))
    }

    fn add_contents(&self, bundle: &mut Bundle) -> Result<(), Failed> {
        if let Some(file) = &self.request {
            bundle.request = Some(Content(read(file)?));
        }
        if let Some(file) = &self.answer {
            bundle.answer = Some(Content(read(file)?));
        }
        Ok(())
    }
}

/// Prints what was checked. Ends with failure where something does not hold.
pub(super) fn told(checks: &[Check]) -> ExitCode {
    checks.iter().for_each(output::say);
    let has_failed = checks.iter().any(|check| matches!(check.verdict, Verdict::Fails(_)));
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
