//! Where an order for the ledger goes: to the node that runs, or to the ledger at rest. Both record it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use crate::command::updates::desk::Desk;
use crate::command::{Failed, load, updates};
use crate::machine::MachineSecrets;
use crate::node::ledger_desk::{Act, LedgerDesk, Order};
use crate::node::ledger_open;

/// Which ledger, and who orders it.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    /// The admin listener of the node whose ledger it is: `http://HOST:PORT`.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    admin: Option<String>,
    /// The configuration directory of the node. Where the node does not run, its ledger is opened here.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Who orders it, for the record; the user of the operating system where it is not given.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Reach {
    /// Has an order recorded and done.
    pub(super) async fn order(&self, act: Act) -> Result<Value, Failed> {
        let operator = self.operator.clone().or_else(updates::user).ok_or("--operator has to be given: who orders it?")?;
        let order = Order { operator, reason: self.reason.clone(), act };
        let desk = Desk::at(self.admin.as_deref(), self.config.as_deref());
        match (desk, &self.config) {
            (Ok(desk), Some(config)) if !desk.is_there().await => at_rest(config, order).await,
            (Err(_), Some(config)) => at_rest(config, order).await,
            (desk, _) => desk?.post("/ledger/orders", &serde_json::to_value(&order)?).await,
        }
    }
}

async fn at_rest(config: &Path, order: Order) -> Result<Value, Failed> {
    let country = load(config)?;
    let directory = country.directory.join(&country.node.ledger.directory);
    if !directory.join("log").is_dir() {
        return Err(format!("{} holds no ledger, and no node answers", directory.display()).into());
    }
    let secrets = MachineSecrets::new(&country.directory);
    let opened = ledger_open::open(&country, &secrets)?.ok_or("the configuration has the ledger off")?;
    let done = LedgerDesk::new(opened.ledger.clone(), &opened.directory).carry_out(order, Timestamp::now()).await;
    opened.ledger.close().await;
    done.map_err(|refused| refused.message.into())
}
