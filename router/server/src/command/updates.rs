//! `rabita updates`: what operators do with updates, over the admin listener of a running node.

pub(super) mod desk;
mod told;

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use rabita_model::{Code, RegistryId, State, SystemId, UpdateId};
use serde_json::{Map, Value, json};

use super::{Failed, output, runtime};
use desk::Desk;

/// The most updates of one page, and of one order.
const PAGE: usize = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum UpdatesCommand {
    /// List updates in the order of their acceptance.
    List(List),
    /// Show all that is known of one update.
    Show(Show),
    /// Send parked updates on their way again.
    Retry(Order),
    /// End parked updates without applying them. Their callers see `update_discarded`.
    Discard(Order),
    /// List what operators did, the newest first.
    Acts(Acts),
}

/// Which node.
#[derive(Debug, clap::Args)]
struct Node {
    /// The node's admin listener: `http://HOST:PORT`.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    admin: Option<String>,
    /// Take the admin listener from this configuration directory instead.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which updates. What is not given does not narrow.
#[derive(Debug, clap::Args)]
struct Filters {
    /// Of this registry.
    #[arg(long, value_parser = registry)]
    registry: Option<RegistryId>,
    /// With this code: what came in the way, or why it was not applied.
    #[arg(long, value_parser = code)]
    code: Option<Code>,
    /// From this system.
    #[arg(long, value_parser = system)]
    system: Option<SystemId>,
    /// Accepted so long ago or longer: a number with s, m, h or d, such as `2h`.
    #[arg(long, value_name = "AGE", value_parser = seconds)]
    older_than: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    filters: Filters,
    /// In this state.
    #[arg(long, value_parser = state)]
    state: Option<State>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All of them, however many.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    #[command(flatten)]
    node: Node,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The update's id.
    #[arg(value_parser = id)]
    id: UpdateId,
    #[command(flatten)]
    node: Node,
}

#[derive(Debug, clap::Args)]
pub(super) struct Order {
    /// The ids of parked updates.
    #[arg(value_parser = id, conflicts_with = "all")]
    ids: Vec<UpdateId>,
    /// All parked updates that the filters leave.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filters: Filters,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Who orders it, for the record; the user of the operating system where it is not given.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Why, for the record. Needed to discard.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    node: Node,
}

#[derive(Debug, clap::Args)]
pub(super) struct Acts {
    /// At most so many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(command: &UpdatesCommand) -> Result<ExitCode, Failed> {
    runtime()?.block_on(async {
        match command {
            UpdatesCommand::List(list) => list.run().await,
            UpdatesCommand::Show(show) => show.run().await,
            UpdatesCommand::Retry(order) => order.run("retry").await,
            UpdatesCommand::Discard(order) => order.run("discard").await,
            UpdatesCommand::Acts(acts) => acts.run().await,
        }
    })
}

impl List {
    async fn run(&self) -> Result<ExitCode, Failed> {
        let desk = Desk::of(&self.node)?;
        let mut wanted = self.filters.members();
        if let Some(state) = self.state {
            wanted.insert("state".into(), state.as_str().into());
        }
        let most = if self.all { usize::MAX } else { self.limit as usize };
        let mut updates = Vec::new();
        loop {
            wanted.insert("limit".into(), (most - updates.len()).min(PAGE).into());
            let mut page = desk.get("/updates", &wanted).await?;
            if let Value::Array(more) = page["updates"].take() {
                updates.extend(more);
            }
            match page["next"].take() {
                Value::String(next) if updates.len() < most => wanted.insert("cursor".into(), next.into()),
                next => return Ok(self.tell(updates, !next.is_null())),
            };
        }
    }

    fn tell(&self, updates: Vec<Value>, has_more: bool) -> ExitCode {
        if self.node.json {
            output::say(format_args!("{:#}", json!({ "updates": updates, "has_more": has_more })));
        } else if updates.is_empty() {
            output::complain("no update matches");
        } else {
            output::say(told::table(&updates, Timestamp::now()));
            if has_more {
                output::complain(&format!("there are more than these {}: --limit or --all shows them", updates.len()));
            }
        }
        ExitCode::SUCCESS
    }
}

impl Show {
    async fn run(&self) -> Result<ExitCode, Failed> {
        let update = Desk::of(&self.node)?.get(&format!("/updates/{}", self.id), &Map::new()).await?;
        output::say(if self.node.json { format!("{update:#}") } else { told::whole(&update) });
        Ok(ExitCode::SUCCESS)
    }
}

impl Order {
    async fn run(&self, verb: &'static str) -> Result<ExitCode, Failed> {
        if verb == "discard" && self.reason.is_none() {
            return Err("an update is discarded for a reason: give it with --reason".into());
        }
        if self.ids.is_empty() && !self.all {
            return Err(format!("which updates? Name their ids, or {verb} --all that the filters leave").into());
        }
        if !self.all && !self.filters.members().is_empty() {
            return Err("filters choose among all parked updates: use them with --all, and without ids".into());
        }
        let operator = self.operator.clone().or_else(user).ok_or("who orders it? Say so with --operator")?;
        let desk = Desk::of(&self.node)?;
        let mut all = told::Results::default();
        let mut body = json!({ "operator": operator, "reason": self.reason, "dry_run": self.dry_run });
        if self.all {
            let mut filter = self.filters.members();
            filter.insert("limit".into(), PAGE.into());
            loop {
                body["filter"] = filter.clone().into();
                let mut told = desk.post(&format!("/updates/{verb}"), &body).await?;
                let next = told["next"].take();
                all.add(told);
                if next.is_null() {
                    break;
                }
                filter.insert("cursor".into(), next);
            }
        } else {
            for ids in self.ids.chunks(PAGE) {
                body["ids"] = ids.iter().map(ToString::to_string).collect();
                all.add(desk.post(&format!("/updates/{verb}"), &body).await?);
            }
        }
        Ok(all.tell(verb, self.dry_run, self.node.json))
    }
}

impl Acts {
    async fn run(&self) -> Result<ExitCode, Failed> {
        let mut wanted = Map::new();
        wanted.insert("limit".into(), self.limit.into());
        let acts = Desk::of(&self.node)?.get("/updates/acts", &wanted).await?;
        output::say(if self.node.json { format!("{acts:#}") } else { told::acts(&acts["acts"]) });
        Ok(ExitCode::SUCCESS)
    }
}

impl Filters {
    /// In the words of the admin listener.
    fn members(&self) -> Map<String, Value> {
        let texts = [
            ("registry", self.registry.as_ref().map(ToString::to_string)),
            ("code", self.code.map(|code| code.to_string())),
            ("system", self.system.as_ref().map(ToString::to_string)),
        ];
        let mut members: Map<String, Value> =
            texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect();
        if let Some(seconds) = self.older_than {
            members.insert("older_than_s".into(), seconds.into());
        }
        members
    }
}

/// The person at the terminal: behind `sudo`, the one who called it.
pub(super) fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|user| !user.is_empty())
}

fn id(text: &str) -> Result<UpdateId, String> {
    text.parse().map_err(|error: rabita_model::BadId| error.to_string())
}

fn registry(text: &str) -> Result<RegistryId, String> {
    RegistryId::new(text).map_err(|error| error.to_string())
}

fn system(text: &str) -> Result<SystemId, String> {
    SystemId::new(text).map_err(|error| error.to_string())
}

fn code(text: &str) -> Result<Code, String> {
    Code::parse(text).ok_or_else(|| {
        let likely = rabita_sdk::finding::likely(text, Code::ALL.iter().map(|code| code.as_str()));
        format!("there is no such code{}", likely.map(|likely| format!("; did you mean `{likely}`?")).unwrap_or_default())
    })
}

fn state(text: &str) -> Result<State, String> {
    State::parse(text).ok_or_else(|| format!("a state is one of {}", State::ALL.map(State::as_str).join(", ")))
}

/// `90`, `90s`, `15m`, `2h`, `7d`, in seconds.
fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let factor = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds = number.parse::<u32>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    seconds.ok_or_else(|| "an age is a number with s, m, h or d, such as `2h`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_unit_or_is_in_seconds() {
        assert_eq!(["90", "90s", "15m", "2h", "7d"].map(seconds), [Ok(90), Ok(90), Ok(900), Ok(7_200), Ok(604_800)]);
        for wrong in ["", "h", "2w", "-1h", "1.5h", "9999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_code_is_guessed() {
        assert_eq!(code("registry_timeout"), Ok(Code::RegistryTimeout));
        assert!(code("registry_timeot").is_err_and(|told| told.contains("`registry_timeout`")));
    }
}
