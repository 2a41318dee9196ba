//! `rabita demo`: a small country, run by a node in this process.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Failed, output, runtime};

/// What `demo` is given.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    /// The scratch directory; made anew if it holds a country already.
    #[arg(long, value_name = "DIR", default_value = "/tmp/rabita-demo")]
    directory: PathBuf,
    /// How many citizens live there.
    #[arg(long, default_value_t = 10_000)]
    citizens: usize,
    /// The port on which frontends call; 0 takes a free one.
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// The port of the admin listener; 0 takes a free one.
    #[arg(long, default_value_t = 9090)]
    admin_port: u16,
    /// Only write the country and start nothing.
    #[arg(long)]
    only_write: bool,
}

pub(super) fn run(arguments: &DemoArguments) -> Result<ExitCode, Failed> {
    output::say(format_args!("{arguments:?}"));
    runtime()?;
    Err("not yet".into())
}
