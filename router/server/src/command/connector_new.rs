//! `rabita connector new`: asks a legacy system what it holds, and writes what plugs it in.

mod ask;
mod documents;
mod prove;
mod source;
mod starter;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use rabita_core::Clock as _;
use rabita_draft::{Draft, DraftOptions, draft};
use rabita_sdk::survey::{Recognised, SurveyLimits};
use rabita_sdk::{Kind, Survey, SurveySource};

use super::{Failed, output, runtime};
use crate::machine::{MachineSecrets, WallClock};

/// What `connector new` is given. What is missing is asked for on a terminal, unless `--yes` is there.
#[derive(Debug, clap::Args)]
pub(super) struct NewArguments {
    /// The legacy system or what describes it: a database's URL, or an address or a file of a WSDL, an OpenAPI document,
    /// a table. Without a password in it.
    #[arg(long, value_name = "URL|FILE")]
    from: Option<String>,
    /// The environment variable that holds the address, where that is a secret.
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    from_env: Option<String>,
    /// The kind of legacy technology, where the address does not tell.
    #[arg(long)]
    kind: Option<String>,
    /// A setting of the manifest's `connector:`, such as `user=rabita` or `password.env=BRP_PASSWORD`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The registry's name. Made of the address where it is left out.
    #[arg(long)]
    registry: Option<String>,
    /// The agency that owns it. The only one of the configuration where it is left out.
    #[arg(long)]
    agency: Option<String>,
    /// A table, resource or class that is wanted; may be repeated. All that there are where it is left out.
    #[arg(long = "entity", visible_alias = "table", value_name = "NAME")]
    entities: Vec<String>,
    /// Which records are wanted, in the words of the legacy system: a condition of SQL, a filter of LDAP.
    #[arg(long = "where", value_name = "CONDITION")]
    narrow: Option<String>,
    /// What identifies a record, where the legacy system does not say it: `TABLE=COLUMN[,COLUMN]`; may be repeated.
    #[arg(long = "key", value_name = "ENTITY=SOURCE")]
    keys: Vec<String>,
    /// The configuration directory. One that is not there is made, with certificates to try it on this machine.
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Also a system by this name that may read everything of the registry, to begin with.
    #[arg(long, value_name = "SYSTEM")]
    grant: Option<String>,
    /// Offer changes too, where the legacy system takes them.
    #[arg(long)]
    writes: bool,
    /// Records that are sampled of each entity, at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    samples: usize,
    /// The longest that one question to the legacy system may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    question_ms: u64,
    /// Draws the made-up values of tests from this number, so that they are the same each time. Whoever knows it can try
    /// out which real values they stand for.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Try the tests that hold of the real registry too, where only a document was read.
    #[arg(long, conflicts_with = "no_live")]
    live: bool,
    /// Do not ask the real registry when the tests are tried.
    #[arg(long)]
    no_live: bool,
    /// Print what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write over files that are there.
    #[arg(long)]
    force: bool,
    /// Ask nothing: take the defaults.
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn run(arguments: &NewArguments) -> Result<ExitCode, Failed> {
    runtime()?.block_on(make(arguments))
}

async fn make(arguments: &NewArguments) -> Result<ExitCode, Failed> {
    let asks = ask::Questions::new(arguments.yes);
    let place = write::Place::open(&arguments.into, arguments.force)?;
    let source = source::of(arguments, &asks, &place).await?;
    let kind = kind(arguments, &asks, &source)?;
    let registry = write::registry_name(arguments, &asks, &source)?;
    let agency = place.agency(arguments.agency.as_deref(), &asks)?;
    place.is_free(&registry, arguments.dry_run)?;

    output::complain(&format!("asking {} by kind {} ...", source.shown, kind.name()));
    let mut survey = survey(arguments, &*kind, &source).await?;
    asks.choose_entities(&mut survey)?;
    let seed = seed(arguments.seed)?;
    let keys = keys(&arguments.keys)?;
    let options = DraftOptions {
        registry: &registry,
        agency: &agency,
        today: WallClock.today(),
        seed: &seed,
        directory: &place.directory,
        writes: arguments.writes,
        keys: &keys,
    };
    let mut made = draft(&*kind, &survey, &options)?;
    let is_live = !arguments.no_live && (arguments.live || source.head.is_empty() || is_data(&source, &survey));
    let proof = prove::hold(&mut made, &kind, &place.directory, is_live).await?;
    if arguments.dry_run {
        show(&made);
        proof.tell();
        return Ok(ExitCode::SUCCESS);
    }
    if !asks.may_write(&place, &registry, &made)? {
        return Ok(ExitCode::FAILURE);
    }
    let written = place.write(&registry, &agency, &made, arguments.grant.as_deref())?;
    written.tell(&made);
    proof.tell();
    let checked = super::check::run(&place.directory, super::check::Form::Text, false, None)?;
    written.tell_next(&registry, arguments.grant.as_deref(), is_live);
    Ok(if proof.holds() { checked } else { ExitCode::FAILURE })
}

/// A document describes a system that is elsewhere; a file that holds records is the system itself.
fn is_data(source: &SurveySource, survey: &Survey) -> bool {
    source.path.is_some() && survey.entities.iter().any(|entity| entity.rows.is_some())
}

/// The kind that was named, or the one that the address is of.
fn kind(arguments: &NewArguments, asks: &ask::Questions, source: &SurveySource) -> Result<Arc<dyn Kind>, Failed> {
    let kinds = crate::kinds::all();
    let known: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    if let Some(name) = &arguments.kind {
        return kinds.get(name).map(Arc::clone).ok_or_else(|| {
            let likely = rabita_sdk::finding::likely(name, known.iter().copied());
            let meant = likely.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
            format!("there is no connector kind `{name}`; there is {}{meant}", known.join(", ")).into()
        });
    }
    let best = kinds.iter().map(|kind| kind.recognises(source)).max().unwrap_or(Recognised::No);
    let likely: Vec<&Arc<dyn Kind>> =
        kinds.iter().filter(|kind| best != Recognised::No && kind.recognises(source) == best).collect();
    match likely.as_slice() {
        [one] => Ok(Arc::clone(one)),
        several => {
            let among: Vec<&str> = if several.is_empty() { known } else { several.iter().map(|kind| kind.name()).collect() };
            let name = asks.choose("Which kind of legacy system is it?", &among)?;
            let none = format!("no kind knows {} by its form; name it with --kind: {}", source.shown, among.join(", "));
            name.and_then(|name| kinds.get(&name).map(Arc::clone)).ok_or_else(|| none.into())
        }
    }
}

async fn survey(arguments: &NewArguments, kind: &dyn Kind, source: &SurveySource) -> Result<Survey, Failed> {
    let limits = SurveyLimits {
        samples: arguments.samples.clamp(1, 10_000),
        question: Duration::from_millis(arguments.question_ms.max(100)),
        ..SurveyLimits::default()
    };
    let secrets = MachineSecrets::new(&source.directory);
    kind.survey(source, &secrets, &limits).await.map_err(|error| format!("{}: {error}", source.shown).into())
}

/// The secret behind the made-up values: drawn anew each time, and kept nowhere.
fn seed(given: Option<u64>) -> Result<Vec<u8>, Failed> {
    if let Some(number) = given {
        return Ok(number.to_be_bytes().to_vec());
    }
    let mut seed = vec![0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| "this machine gives no random numbers")?;
    Ok(seed)
}

/// Keys that were named, by entity.
fn keys(given: &[String]) -> Result<BTreeMap<String, Vec<String>>, Failed> {
    given
        .iter()
        .map(|one| {
            let (entity, sources) =
                one.split_once('=').ok_or_else(|| format!("--key {one} is not of the form TABLE=COLUMN[,COLUMN]"))?;
            Ok((entity.to_owned(), sources.split(',').map(str::to_owned).collect()))
        })
        .collect()
}

fn show(made: &Draft) {
    output::say(made.text().trim_end());
    for (name, schema) in &made.schemas {
        output::say(format_args!("\n# schemas/{name}/schema.json\n{}", Draft::schema_text(schema).trim_end()));
    }
}
