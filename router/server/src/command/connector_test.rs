//! `rabita connector test`: the tests in manifests, on stand-ins or on the real registries, through all stages.

mod watch;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rabita_config::Registry;
use rabita_trial::report::{json, junit, text};
use rabita_trial::{Machine, Options, Results, Verdict};

use super::{Failed, connector_host, load, output, runtime};
use crate::machine::{MachineSecrets, WallClock, new_exchange};

/// What `connector test` is given.
#[derive(Debug, clap::Args)]
pub(super) struct TestArguments {
    /// The configuration directory, or that of a host.
    directory: PathBuf,
    /// Only this registry.
    registry: Option<String>,
    /// On the real registries: the tests that say `live: true`.
    #[arg(long, conflicts_with_all = ["cases", "seed"])]
    live: bool,
    /// Also so many cases generated from the schema, of each entity and direction.
    #[arg(long, value_name = "N", default_value_t = 0)]
    cases: u32,
    /// What generated cases are made of: the same seed makes the same cases. Without it, another one each time.
    #[arg(long, value_name = "N", requires = "cases")]
    seed: Option<u64>,
    /// Tell which fields, codes, operations, filters and faults no test touches.
    #[arg(long)]
    coverage: bool,
    /// Exit with 1 when tests touch less of them.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    min_coverage: Option<f64>,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Write the results into this file, and text for a person to the screen.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Run again whenever something in the directory changes.
    #[arg(long, conflicts_with = "live")]
    watch: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One line for each test, for a person.
    Text,
    /// JUnit XML.
    Junit,
    /// JSON in the form of `rabita schema results`.
    Json,
}

pub(super) fn run(arguments: &TestArguments) -> Result<ExitCode, Failed> {
    if arguments.watch {
        watch::run(&arguments.directory, arguments.output.as_deref(), || once(arguments))
    } else {
        once(arguments)
    }
}

fn once(arguments: &TestArguments) -> Result<ExitCode, Failed> {
    let (directory, mut registries) = load_registries(&arguments.directory)?;
    if let Some(registry) = &arguments.registry {
        let known: Vec<String> = registries.iter().map(|own| own.manifest.registry.to_string()).collect();
        registries.retain(|own| own.manifest.registry.as_str() == registry);
        if registries.is_empty() {
            return Err(format!("there is no registry `{registry}`; there is {}", known.join(", ")).into());
        }
    }
    let registries = without_hosted(registries, arguments.registry.is_some())?;
    let secrets = MachineSecrets::new(&directory);
    let machine = Machine { clock: Arc::new(WallClock), new_exchange, secrets: &secrets };
    let options = Options {
        live: arguments.live,
        coverage: arguments.coverage || arguments.min_coverage.is_some(),
        cases: arguments.cases,
        seed: arguments.seed.unwrap_or_else(any_seed),
    };
    let on_screen = arguments.format == Form::Text || arguments.output.is_some();
    let tell = |suite: &_| {
        let lines = text::suite(suite);
        if on_screen && !lines.is_empty() {
            output::say(lines);
        }
    };
    let results = runtime()?.block_on(rabita_trial::run(&directory, registries, options, &machine, tell));
    if on_screen {
        results.coverage.iter().for_each(|coverage| output::say(text::coverage(coverage)));
        output::say(text::sums(&results, options.live));
    }
    write(arguments, &results)?;
    judged(arguments, &results)
}

/// The registries of a configuration directory, or of a host's, and what relative file names are relative to.
fn load_registries(directory: &Path) -> Result<(PathBuf, Vec<Registry>), Failed> {
    if rabita_config::is_host(directory) {
        let host = connector_host::load(directory)?;
        return Ok((host.directory, host.registries));
    }
    let country = load(directory)?;
    Ok((country.directory, country.registries))
}

/// The registries whose tests can run here. The bus's copy of a manifest with `at: host` has no settings of its kind: that
/// is said, and is an error where such a registry was asked for by its name.
fn without_hosted(registries: Vec<Registry>, is_named: bool) -> Result<Vec<Registry>, Failed> {
    let (hosted, own): (Vec<_>, Vec<_>) = registries.into_iter().partition(|own| own.manifest.connector.at.is_some());
    for registry in hosted {
        let (name, kind) = (&registry.manifest.registry, &registry.manifest.connector.kind);
        let why = format!(
            "{name}: not tested: its connector runs in a host, and this copy of the manifest has no settings of kind `{kind}`; \
             run `rabita connector test DIR {name}` with the host's directory"
        );
        if is_named {
            return Err(why.into());
        }
        output::complain(&why);
    }
    Ok(own)
}

/// What came of each test of a registry that has not been written down yet: of those on stand-ins, or of the live ones.
pub(super) async fn results(registry: Registry, directory: &Path, live: bool) -> Vec<(String, Result<(), String>)> {
    let secrets = MachineSecrets::new(directory);
    let machine = Machine { clock: Arc::new(WallClock), new_exchange, secrets: &secrets };
    let options = Options { live, ..Options::default() };
    let results = rabita_trial::run(directory, vec![registry], options, &machine, |_| {}).await;
    let cases = results.suites.into_iter().flat_map(|suite| suite.cases);
    cases
        .filter_map(|case| match case.verdict {
            Verdict::Passed => Some((case.name, Ok(()))),
            Verdict::Failed { why } => Some((case.name, Err(why))),
            Verdict::Skipped { .. } => None,
        })
        .collect()
}

/// The results as a file, or on the screen where they are no text.
fn write(arguments: &TestArguments, results: &Results) -> Result<(), Failed> {
    let written = match arguments.format {
        Form::Text => {
            let suites: Vec<String> = results.suites.iter().map(text::suite).filter(|lines| !lines.is_empty()).collect();
            let coverage = results.coverage.iter().map(text::coverage);
            let lines: Vec<String> = suites.into_iter().chain(coverage).chain([text::sums(results, arguments.live)]).collect();
            lines.join("\n") + "\n"
        }
        Form::Junit => junit::written(results)?,
        Form::Json => serde_json::to_string_pretty(&json::written(results))? + "\n",
    };
    match &arguments.output {
        Some(file) => {
            std::fs::write(file, written).map_err(|error| format!("{} cannot be written: {error}", file.display()).into())
        }
        None if arguments.format == Form::Text => Ok(()),
        None => {
            output::say(written.trim_end());
            Ok(())
        }
    }
}

fn judged(arguments: &TestArguments, results: &Results) -> Result<ExitCode, Failed> {
    let (_, failed, _) = results.counted();
    if let (Some(min), Some(coverage)) = (arguments.min_coverage, &results.coverage)
        && coverage.percent() < min
    {
        output::complain(&format!("tests touch {:.1} %, {min} % is asked for by --min-coverage", coverage.percent()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').parse().map_err(|_| "this is no number".to_owned())?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("a percentage is from 0 to 100".to_owned()) }
}

/// A seed that nobody chose; it is told, so that the same cases can be made again.
fn any_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 >> 32
}

/// Makes the screen empty, where there is one.
fn clear_screen() {
    let mut screen = std::io::stdout();
    if screen.is_terminal() {
        // What cannot be cleared is merely longer.
        let _longer = screen.write_all(b"\x1b[2J\x1b[3J\x1b[H").and_then(|()| screen.flush());
    }
}

/// A path that may be a link, as it really is.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
