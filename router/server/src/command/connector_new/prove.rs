//! Runs the tests of a draft before it is written, so that what is written is green.

use std::path::Path;
use std::sync::Arc;

use rabita_config::Registry;
use rabita_core::Clock as _;
use rabita_draft::Draft;
use rabita_schemas::{Library, RecordSchema};
use rabita_sdk::Kind;
use rabita_sdk::manifest::Manifest;
use rabita_sdk::plan::Plan;
use serde_json::Value;

use crate::command::connector_test;
use crate::command::{Failed, output};
use crate::machine::WallClock;

/// What came of it.
pub(super) struct Proof {
    samples: Vec<rabita_draft::Held>,
    offline: usize,
    live: Option<usize>,
    dropped: usize,
    kept_off: usize,
}

/// Holds a draft against stand-ins, and against the real registry. A test that does not hold is taken out of the draft,
/// or off the real registry, with a word on it.
pub(super) async fn hold(made: &mut Draft, kind: &Arc<dyn Kind>, directory: &Path, live: bool) -> Result<Proof, Failed> {
    let mut proof = Proof { samples: made.samples.clone(), offline: 0, live: None, dropped: 0, kept_off: 0 };
    let registry = registry(made, kind, directory)?;
    for (name, result) in connector_test::results(registry, directory, false).await {
        match result {
            Ok(()) => proof.offline += 1,
            Err(why) => {
                proof.dropped += 1;
                made.drop_test(&name, &format!("left out, since the stand-in answered otherwise ({})", first_line(&why)));
            }
        }
    }
    if live {
        let mut passed = 0;
        let registry = self::registry(made, kind, directory)?;
        for (name, result) in connector_test::results(registry, directory, true).await {
            match result {
                Ok(()) => passed += 1,
                Err(why) => {
                    proof.kept_off += 1;
                    made.keep_off(
                        &name,
                        &format!("not `live: true`, since the registry answered otherwise ({})", first_line(&why)),
                    );
                }
            }
        }
        proof.live = Some(passed);
    }
    Ok(proof)
}

/// The first line says what happened; those after it can hold what was answered.
fn first_line(why: &str) -> &str {
    let line = why.lines().next().unwrap_or_default();
    if line.starts_with("expected") { "another answer" } else { line }
}

/// The registry as it would be loaded.
fn registry(made: &Draft, kind: &Arc<dyn Kind>, directory: &Path) -> Result<Registry, Failed> {
    let manifest: Manifest = serde_json::from_value(Value::Object(made.manifest.clone()))?;
    let plan = Plan::compile(&manifest, directory, WallClock.today()).map_err(|findings| {
        findings.iter().map(|finding| format!("{}: {}\n", finding.pointer, finding.message)).collect::<String>()
    })?;
    let library = Library::shipped();
    let compiled = |(name, document): &(String, Value)| {
        let schema = RecordSchema::compile(document, &library);
        schema.map(|schema| (name.clone(), Arc::new(schema))).map_err(|problems| {
            problems.iter().map(|problem| format!("{name}{}: {}\n", problem.pointer, problem.message)).collect::<String>()
        })
    };
    let schemas = made.schemas.iter().map(compiled).collect::<Result<Vec<_>, _>>()?;
    let actions = plan.entities.iter().map(|_| Vec::new()).collect();
    Ok(Registry { manifest, kind: Arc::clone(kind), plan, schemas, actions })
}

impl Proof {
    /// Whether there is something to hold the registry against, and it holds.
    pub(super) const fn holds(&self) -> bool {
        self.offline > 0
    }

    pub(super) fn tell(&self) {
        for held in self.samples.iter().filter(|held| held.total > 0) {
            output::say(format_args!(
                "sampled {}: {} of {} records hold against schema and codecs",
                held.entity, held.sound, held.total
            ));
        }
        let live = self
            .live
            .map_or_else(|| ", the real registry was not asked".to_owned(), |live| format!(", {live} on the real registry"));
        output::say(format_args!("tests that hold: {} on stand-ins{live}", self.offline));
        if self.dropped + self.kept_off > 0 {
            output::say(format_args!(
                "{} did not and were left out, {} do not hold of the real registry",
                self.dropped, self.kept_off
            ));
        }
    }
}
