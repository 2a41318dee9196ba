//! `rabita ledger`: whether a log is as it was written, what it proves, and what is forgotten.

mod archive;
mod evidence;
mod key;
mod mirror;
mod order;
mod prove;
mod remote;
mod show;
mod stamps;
mod verify;
mod witness;

use std::process::ExitCode;

use super::{Failed, runtime};

#[derive(Debug, clap::Subcommand)]
pub(super) enum LedgerCommand {
    /// Check every hash and signature of a log, in a directory or behind an address. Exits with 1 when anything was changed.
    Verify(verify::VerifyArguments),
    /// Show that an entry, or every entry of an exchange, is in a log.
    Prove(prove::ProveArguments),
    /// Make a bundle that proves to a court what was asked and answered, or check one without any bus.
    Evidence(evidence::EvidenceArguments),
    /// Show an entry, with what is sealed in it. That somebody looked is recorded.
    Show(show::ShowArguments),
    /// Write the entries of one agency for it to keep, before its keys are destroyed; or check such an archive.
    Archive(archive::ArchiveArguments),
    /// Destroy the pseudonym keys of an agency, so that nobody can tell any more whom old exchanges were about.
    Forget(show::ForgetArguments),
    /// Remember the checkpoints of a log, and cosign those that take nothing back.
    Witness(witness::WitnessArguments),
    /// Make the key of a witness, or print the verifier key of a private key.
    Key(key::KeyArguments),
}

pub(super) fn run(command: &LedgerCommand) -> Result<ExitCode, Failed> {
    runtime()?.block_on(async {
        match command {
            LedgerCommand::Verify(arguments) => arguments.run().await,
            LedgerCommand::Prove(arguments) => arguments.run().await,
            LedgerCommand::Evidence(arguments) => arguments.run().await,
            LedgerCommand::Show(arguments) => arguments.run().await,
            LedgerCommand::Archive(arguments) => arguments.run().await,
            LedgerCommand::Forget(arguments) => arguments.run().await,
            LedgerCommand::Witness(arguments) => arguments.run().await,
            LedgerCommand::Key(arguments) => arguments.run(),
        }
    })
}
