//! Questions on a terminal, each with a good default.

use std::io::IsTerminal as _;

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, MultiSelect, Select};
use rabita_draft::Draft;
use rabita_sdk::Survey;

use super::write::Place;
use crate::command::{Failed, output};

/// More entities than this nobody ticks off one by one.
const LISTED: usize = 60;

/// Asks, where somebody is there to answer.
pub(super) struct Questions {
    somebody: bool,
    theme: ColorfulTheme,
}

impl Questions {
    pub(super) fn new(yes: bool) -> Self {
        let somebody = !yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { somebody, theme: ColorfulTheme::default() }
    }

    /// A text; the default where nobody is there.
    pub(super) fn text(&self, question: &str, default: Option<&str>) -> Result<Option<String>, Failed> {
        if !self.somebody {
            return Ok(default.map(str::to_owned));
        }
        let mut input = Input::<String>::with_theme(&self.theme).with_prompt(question);
        if let Some(default) = default {
            input = input.default(default.to_owned());
        }
        Ok(Some(input.interact_text()?))
    }

    /// One of several; `None` where nobody is there to choose.
    pub(super) fn choose(&self, question: &str, among: &[&str]) -> Result<Option<String>, Failed> {
        if !self.somebody || among.is_empty() {
            return Ok(None);
        }
        let chosen = Select::with_theme(&self.theme).with_prompt(question).items(among).default(0).interact()?;
        Ok(among.get(chosen).map(|word| (*word).to_owned()))
    }

    /// Leaves out the entities that are not wanted; all are, where nobody says otherwise.
    pub(super) fn choose_entities(&self, survey: &mut Survey) -> Result<(), Failed> {
        if !self.somebody || survey.entities.len() < 2 || survey.entities.len() > LISTED {
            return Ok(());
        }
        let items: Vec<(String, bool)> = survey
            .entities
            .iter()
            .map(|entity| {
                let rows = entity.rows.map_or_else(String::new, |rows| format!(", about {rows} records"));
                (format!("{} ({} columns{rows})", entity.name, entity.columns.len()), true)
            })
            .collect();
        let chosen = MultiSelect::with_theme(&self.theme)
            .with_prompt("What is wanted? (space takes one away, enter goes on)")
            .items_checked(items)
            .interact()?;
        let mut at = 0;
        survey.entities.retain(|_| {
            at += 1;
            chosen.contains(&(at - 1))
        });
        Ok(())
    }

    /// Whether to write, once it is told what.
    pub(super) fn may_write(&self, place: &Place, registry: &str, made: &Draft) -> Result<bool, Failed> {
        if !self.somebody {
            return Ok(true);
        }
        output::complain(&format!(
            "registry {registry}: {} entities, {} tests, {} places to look at",
            made.schemas.len(),
            made.manifest.get("tests").and_then(serde_json::Value::as_array).map_or(0, Vec::len),
            made.unsure.len(),
        ));
        let question = format!("Write it into {}?", place.directory.display());
        Ok(Confirm::with_theme(&self.theme).with_prompt(question).default(true).interact()?)
    }
}
