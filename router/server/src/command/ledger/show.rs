//! `rabita ledger show` and `rabita ledger forget`.

use std::process::ExitCode;

use jiff::civil::Date;
use rabita_model::ExchangeId;
use serde_json::Value;

use super::order::Reach;
use crate::command::{Failed, output};
use crate::node::ledger_desk::Act;

/// An entry by its index, or all entries of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Index(u64),
    Exchange(ExchangeId),
}

impl std::str::FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let index = text.parse().map(Self::Index);
        index
            .or_else(|_| text.parse().map(Self::Exchange))
            .map_err(|_| format!("`{text}` is neither an index nor an exchange's id"))
    }
}

/// What `show` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger show 20852 --config /etc/rabita --reason 'complaint 2026/17'
  rabita ledger show 01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e --admin http://127.0.0.1:9090

That somebody looked is itself recorded in the ledger, before anything is shown.")]
pub(in crate::command) struct ShowArguments {
    /// The index of an entry, or the id of an exchange.
    #[arg(value_name = "INDEX|EXCHANGE")]
    what: What,
    #[command(flatten)]
    reach: Reach,
}

impl ShowArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let act = match self.what {
            What::Index(index) => Act::Show { index },
            What::Exchange(exchange) => Act::ShowExchange { exchange },
        };
        output::say(format_args!("{:#}", self.reach.order(act).await?));
        Ok(ExitCode::SUCCESS)
    }
}

/// What `forget` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger forget --agency interior --before 2024-01-01 --config /etc/rabita          tells what would be destroyed
  rabita ledger forget --agency interior --before 2024-01-01 --config /etc/rabita \\
      --reason 'retention of the Registers Act' --destroy

What is destroyed cannot be had back: nobody can then tell whom these exchanges were about. That they happened, and that it
was ordered, stays in the ledger.")]
pub(in crate::command) struct ForgetArguments {
    /// The agency whose registries were asked, or `_bus` for what was asked of the bus itself.
    #[arg(long, value_name = "AGENCY")]
    agency: String,
    /// Keys of periods that had ended by this day.
    #[arg(long, value_name = "DATE")]
    before: Date,
    /// Destroy them. Without this it is only told what would be.
    #[arg(long)]
    destroy: bool,
    #[command(flatten)]
    reach: Reach,
}

impl ForgetArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let act = Act::Forget { agency: self.agency.clone(), before: self.before, dry_run: !self.destroy };
        let told = self.reach.order(act).await?;
        let keys = told["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        for key in keys.iter().filter_map(Value::as_str) {
            output::say(key);
        }
        let what = if self.destroy { "destroyed" } else { "would be destroyed; --destroy does it" };
        output::complain(&format!("{} pseudonym key(s) {what}", keys.len()));
        Ok(ExitCode::SUCCESS)
    }
}
