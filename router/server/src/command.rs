//! The command line.

mod check;
mod connector_host;
mod connector_new;
mod connector_record;
mod connector_test;
mod demo;
mod explain;
mod grants;
mod ledger;
mod output;
mod reference;
mod schema;
mod serve;
mod try_call;
mod updates;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// The interoperability bus between government registries and the frontends that serve citizens.
#[derive(Debug, Parser)]
#[command(name = "rabita", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node on a configuration directory.
    Serve {
        /// The configuration directory.
        #[arg(long, value_name = "DIR")]
        config: PathBuf,
    },
    /// Tell everything that is wrong with a configuration directory. Exits with 1 when it cannot be used.
    Check {
        /// The configuration directory.
        directory: PathBuf,
        /// How findings are printed.
        #[arg(long, value_enum, default_value_t = check::Form::Text)]
        format: check::Form,
        /// Exit with 1 for warnings too.
        #[arg(long)]
        strict: bool,
        /// Also refuse what breaks callers within a version, as against this: a revision of git, or a directory.
        #[arg(long, value_name = "REV")]
        against: Option<String>,
    },
    /// Test connectors and their manifests.
    Connector {
        #[command(subcommand)]
        command: ConnectorCommand,
    },
    /// Call a registry as a given system, with that system's grants, without a running node.
    Try(try_call::TryArguments),
    /// See updates, and retry or discard parked ones, on a running node.
    Updates {
        #[command(subcommand)]
        command: updates::UpdatesCommand,
    },
    /// Check a ledger, prove what it holds, witness it, and forget whom it is about.
    Ledger {
        #[command(subcommand)]
        command: ledger::LedgerCommand,
    },
    /// See which grants decide a request, and who can see a field, in a configuration directory.
    Grants {
        #[command(subcommand)]
        command: grants::GrantsCommand,
    },
    /// Explain what a caller was answered or what `check` found, or list all codes and rules.
    Explain {
        /// The code, as in a problem's `code`, or the rule, in brackets in what `check` prints.
        code: Option<String>,
    },
    /// Run a small country in a scratch directory, and print commands to try on it.
    Demo(demo::DemoArguments),
    /// Print the JSON Schemas of the configuration's documents, for editors; or compare two schemas of records.
    Schema(schema::SchemaArguments),
    /// Write what the code knows of its own words (keys, codecs, errors, metrics, commands) as pages in Markdown.
    Reference {
        /// Write the pages into this directory.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print completions for a shell.
    Completions { shell: Shell },
}

#[derive(Debug, Subcommand)]
enum ConnectorCommand {
    /// Ask a legacy system what it holds, and write a manifest, schemas and tests for it.
    New(Box<connector_new::NewArguments>),
    /// Record a live exchange as a test of its manifest, with look-alikes in the place of real people.
    Record(connector_record::RecordArguments),
    /// Run the `tests:` of manifests: on stand-ins for the legacy systems, or with --live on the real ones.
    Test(connector_test::TestArguments),
    /// Run an agency's manifests beside its registries, and dial out to the bus: no port is opened.
    Host(connector_host::HostArguments),
}

/// The command line, for what holds documents against it.
#[must_use]
pub fn cli() -> clap::Command {
    Arguments::command()
}

/// Runs the command line.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Serve { config } => serve::run(&config),
        Command::Check { directory, format, strict, against } => check::run(&directory, format, strict, against.as_deref()),
        Command::Connector { command: ConnectorCommand::New(arguments) } => connector_new::run(&arguments),
        Command::Connector { command: ConnectorCommand::Record(arguments) } => connector_record::run(&arguments),
        Command::Connector { command: ConnectorCommand::Test(arguments) } => connector_test::run(&arguments),
        Command::Connector { command: ConnectorCommand::Host(arguments) } => connector_host::run(&arguments),
        Command::Try(arguments) => try_call::run(&arguments),
        Command::Updates { command } => updates::run(&command),
        Command::Ledger { command } => ledger::run(&command),
        Command::Grants { command } => grants::run(&command),
        Command::Explain { code } => explain::run(code.as_deref()),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Reference { out } => reference::run(&out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut cli(), "rabita", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        output::complain(&error.to_string());
        ExitCode::FAILURE
    })
}

/// Why a command ended early; its text is what the user sees.
type Failed = Box<dyn std::error::Error + Send + Sync>;

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Loads a configuration that must be right; prints what is wrong with it.
fn load(directory: &std::path::Path) -> Result<rabita_config::Country, Failed> {
    let today = rabita_core::Clock::today(&crate::machine::WallClock);
    let loaded = rabita_config::load(directory, &crate::kinds::all(), today);
    loaded.country.ok_or_else(|| {
        output::complain(loaded.report.to_string().trim_end());
        format!("{} error(s) in {}; nothing was started", loaded.report.errors(), directory.display()).into()
    })
}
