//! `rabita serve`.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::{Failed, load, output, runtime};
use crate::node::{Node, telemetry};

pub(super) fn run(directory: &Path) -> Result<ExitCode, Failed> {
    let country = load(directory)?;
    runtime()?.block_on(async {
        let _log = telemetry::log(&country.node.telemetry)?;
        let node = Node::start(&country).await?;
        for address in &node.addresses {
            tracing::info!(%address, registries = country.registries.len(), "listening");
        }
        if let Some(address) = node.hosts {
            tracing::info!(%address, "hosts may dial in");
        }
        tracing::info!(address = %node.admin, "admin listening");
        drop(country);
        wait_for_stop().await?;
        tracing::info!("stopping: finishing what is under way");
        if !node.stop().await {
            output::complain("not all exchanges were finished in time");
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Waits for a terminal's interrupt or a supervisor's request to end.
pub(super) async fn wait_for_stop() -> Result<(), Failed> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
