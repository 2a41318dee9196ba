//! Whether the contract of a configuration can take the place of an earlier one before those who call it.
//!
//! Within a version a contract may grow and not break: what was answered is answered still, what was taken is taken
//! still. What breaks is told with its place in the present configuration, whom it breaks, and what to do instead. The
//! law for schemas is [`rabita_schemas::compare()`]'s.

mod actions;
mod entity;
mod offered;
mod schemas;

use std::path::{Path, PathBuf};

use rabita_model::Rule;
use rabita_sdk::finding::token;

use crate::document::Document;
use crate::report::{Located, Report};
use offered::{Contract, Offered, OfferedRegistry};

/// Tells what in the configuration of `directory` breaks callers of the earlier one, which lies in `earlier` and is
/// called `called` (a revision). Both have to be readable as far as the contract goes.
///
/// # Errors
/// Why one of them cannot be read.
pub fn compatible(directory: &Path, earlier: &Path, called: &str) -> Result<Report, Report> {
    let old = Contract::read(earlier).map_err(|report| of_earlier(report, called))?;
    let new = Contract::read(directory)?;
    let mut gate = Gate { called, report: Report::default() };
    for registry in &old.registries {
        gate.registry(registry, &new);
    }
    gate.report.sort();
    Ok(gate.report)
}

/// The findings of a configuration that lies elsewhere under another name.
fn of_earlier(mut report: Report, called: &str) -> Report {
    for finding in &mut report.findings {
        finding.file = PathBuf::from(format!("{called}:{}", finding.file.display()));
    }
    report
}

struct Gate<'a> {
    called: &'a str,
    report: Report,
}

/// Whom a change of the contract breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Readers,
    Writers,
    Everyone,
}

impl Whom {
    const fn words(self) -> &'static str {
        match self {
            Self::Readers => "those who read",
            Self::Writers => "those who write",
            Self::Everyone => "everyone who calls it",
        }
    }
}

/// A change that breaks callers.
struct Break {
    whom: Whom,
    /// What was, and is no longer.
    what: String,
    /// What it does to them.
    why: String,
}

impl Break {
    fn new(whom: Whom, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { whom, what: what.into(), why: why.into() }
    }
}

/// A place in the present configuration.
struct At<'a> {
    document: &'a Document,
    pointer: String,
    at_name: bool,
}

impl Gate<'_> {
    fn registry(&mut self, old: &OfferedRegistry, new: &Contract) {
        let Some(now) = new.registries.iter().find(|registry| registry.name == old.name) else {
            let message = format!(
                "the registry `{}` is withdrawn, which breaks everyone who calls it: their calls are refused; keep it until no grant names it",
                old.name
            );
            self.report.findings.push(Located::error(Rule::ContractBroken, &old.document.file, (1, 1), message));
            return;
        };
        for offered in &old.entities {
            match now.entities.iter().find(|own| own.version == offered.version && own.name == offered.name) {
                Some(present) => self.entity(offered, old, present, now),
                None => self.withdrawn(offered, old, now),
            }
        }
    }

    /// An entity that is no more; told once for a whole version.
    fn withdrawn(&mut self, offered: &Offered, old: &OfferedRegistry, now: &OfferedRegistry) {
        let whole = now.entities.iter().all(|own| own.version != offered.version);
        let first = old.entities.iter().find(|own| own.version == offered.version);
        if whole && first.is_some_and(|first| first.name != offered.name) {
            return;
        }
        let (what, pointer) = if whole {
            (format!("the version `{}` is withdrawn", offered.version), "/contract".to_owned())
        } else {
            (format!("the entity `{}/{}` is withdrawn", offered.version, offered.name), format!("/contract/{}", offered.version))
        };
        let (line, _) = old.document.locate(&offered.pointer, true);
        let found = format!("it was at {}:{line} in {}", old.document.file.display(), self.called);
        let message = format!(
            "{what}, which breaks {}: their calls are refused; keep it beside the newer version until no grant names it ({found})",
            Whom::Everyone.words()
        );
        self.tell(&At { document: &now.document, pointer, at_name: true }, message);
    }

    /// Tells a break, with the remedy.
    fn refuse(&mut self, at: &At<'_>, offered: &Offered, broken: &Break) {
        let next = u32::from(offered.version.number()) + 1;
        let message = format!(
            "{}/{}: {}, which breaks {}: {}; take it back, or put the change into a new version `v{next}` beside `{}`",
            offered.version,
            offered.name,
            broken.what,
            broken.whom.words(),
            broken.why,
            offered.version
        );
        self.tell(at, message);
    }

    fn tell(&mut self, at: &At<'_>, message: String) {
        let place = at.document.locate(&at.pointer, at.at_name);
        let located = Located::error(Rule::ContractBroken, &at.document.file, place, message);
        self.report.findings.push(located.with_line(&at.document.text));
    }
}

/// The pointer of a part of an entity.
fn within(offered: &Offered, part: &str) -> String {
    format!("{}/{part}", offered.pointer)
}

/// The pointer of a field's mapping.
fn field_place(offered: &Offered, field: &str) -> String {
    within(offered, &format!("fields/{}", token(field)))
}

#[cfg(test)]
mod tests;
