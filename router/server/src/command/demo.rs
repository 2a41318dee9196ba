//! `rabita demo`: a small country, run by a node in this process.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use rabita_core::Clock as _;
use rabita_demo::{Command, Country, Options};

use super::{Failed, load, output, runtime, serve};
use crate::machine::WallClock;
use crate::node::{Node, telemetry};

/// What `demo` is given.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    /// The scratch directory; made anew if it holds a country already, unless it is kept.
    #[arg(long, value_name = "DIR", default_value = "/tmp/rabita-demo")]
    directory: PathBuf,
    /// How many citizens live there.
    #[arg(long, default_value_t = 10_000)]
    citizens: usize,
    /// The port on which frontends call.
    #[arg(long, default_value_t = 8443, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The port of the admin listener.
    #[arg(long, default_value_t = 9090, value_parser = clap::value_parser!(u16).range(1..))]
    admin_port: u16,
    /// Take up the country that is in the directory as it was left, with its ports.
    #[arg(long, conflicts_with_all = ["citizens", "port", "admin_port", "only_write"])]
    keep: bool,
    /// Only write the country and start nothing.
    #[arg(long)]
    only_write: bool,
}

pub(super) fn run(arguments: &DemoArguments) -> Result<ExitCode, Failed> {
    let mut options = Options::new(WallClock.today());
    options.citizens = arguments.citizens;
    options.bus_port = arguments.port;
    options.admin_port = arguments.admin_port;
    runtime()?.block_on(country(arguments, options))
}

async fn country(arguments: &DemoArguments, options: Options) -> Result<ExitCode, Failed> {
    if arguments.keep {
        output::complain(&format!("taking up the country in {} ...", arguments.directory.display()));
        return live(rabita_demo::keep(&arguments.directory).await?).await;
    }
    if !arguments.only_write {
        for (flag, port) in [("--port", arguments.port), ("--admin-port", arguments.admin_port)] {
            is_free(flag, port)?;
        }
    }
    output::complain(&format!("writing a country of {} citizens to {} ...", options.citizens, arguments.directory.display()));
    let country = rabita_demo::build(&arguments.directory, &options).await?;
    if arguments.only_write {
        output::say(country.config.display());
        return Ok(ExitCode::SUCCESS);
    }
    live(country).await
}

/// Runs the country until it is told to end.
async fn live(mut country: Country) -> Result<ExitCode, Failed> {
    let configuration = load(&country.config)?;
    let registries = country.serve_registries();
    let _log = telemetry::log(&configuration.node.telemetry)?;
    let node = Node::start(&configuration).await?;
    output::say(format_args!(
        "A small country is up: {} registries of {} agencies behind https://{}.\nIts configuration is {}. Paste into another terminal:",
        configuration.registries.len(),
        configuration.registries.iter().map(|registry| &registry.manifest.agency).collect::<BTreeSet<_>>().len(),
        node.addresses.first().map(ToString::to_string).unwrap_or_default(),
        country.config.display(),
    ));
    let program = std::env::current_exe()?;
    tell(&country.commands());
    tell(&country.commands_of(&program));
    output::say(
        "\nA scene, to be played in this order: the ledger is forged and found out, a grant is withdrawn and given back.",
    );
    tell(&country.scene_of_trust(&program));
    output::say(
        "\nAnd another scene, to be played in this order: a change of a register that is closed, and the bus killed meanwhile.",
    );
    tell(&country.scene(&program, std::process::id()));
    output::say(format_args!("\nHealth and metrics: http://{}/readyz, /metrics. Ctrl-C ends it.", node.admin));
    drop(configuration);
    serve::wait_for_stop().await?;
    node.stop().await;
    registries.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn tell(commands: &[Command]) {
    for Command { title, command } in commands {
        output::say(format_args!("\n# {title}\n{command}"));
    }
}

/// Told before the country is written, which takes a while, and in the words of this command rather than of `serve`.
fn is_free(flag: &str, port: u16) -> Result<(), Failed> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot listen on port {port}: {error}; choose another with `{flag}`").into()),
    }
}
