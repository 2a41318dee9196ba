//! The commands with their arguments, as `--help` tells them.

use std::fmt::Write as _;

use clap::Command;

/// The page of all commands.
pub(super) fn page(cli: &Command) -> String {
    let mut page = String::from("# Commands\n");
    let mut cli = cli.clone();
    cli.build();
    for command in shown(&cli) {
        add(&mut page, command);
    }
    page
}

fn add(page: &mut String, command: &Command) {
    let mut command = command.clone();
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    if shown(&command).next().is_none() {
        let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", command.render_long_help().to_string().trim_end());
    }
    for own in shown(&command) {
        add(page, own);
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|own| own.get_name() != "help" && !own.is_hide_set())
}
