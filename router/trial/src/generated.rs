//! Tests that nobody wrote: records made up from the schema and rows made up from the codecs, through the mapping and,
//! where a stand-in stores what it is given, through the stand-in and the bus.
//!
//! The laws: what is written comes back as it was, or is refused at the field that it is wrong with; a legacy value that
//! a codec knows becomes one that the schema allows; nothing panics; no fault repeats a value. Cases are made of a seed,
//! and a case that breaks a law is made smaller while it still does.

mod created;
mod hostile;
mod laws;
mod legacy;
mod records;

use std::time::Instant;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rabita_config::Registry;
use rabita_model::{FieldName, Operation};
use rabita_schemas::cut;
use rabita_sdk::manifest::WriteSpec;
use rabita_sdk::plan::PlannedEntity;

use crate::results::{Case, Origin, Verdict};
use crate::stage::{Machine, Stage, name_of};

/// How often a case that breaks a law is tried to be made smaller.
const SHRINKS: u32 = 256;

/// What became of one made-up value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Held,
    /// It was refused as it should be.
    Refused,
    /// A law does not hold.
    Broken(String),
}

/// Runs the generated tests of a registry.
pub async fn run(stage: &Stage, seed: u64, cases: u32, machine: &Machine<'_>) -> Vec<Case> {
    let registry = stage.registry();
    let mut done = Vec::new();
    for entity in &registry.plan.entities {
        let maker = Maker { seed, cases, entity: name_of(entity) };
        for (operation, spec) in written(entity) {
            let what = format!("what `{operation}` writes comes back, or is refused");
            let records = made_up(registry, entity, &spec.fields);
            done.push(
                maker.case(&what, &records, async |record| laws::round_trip(entity, operation, &spec.fields, record)).await,
            );
        }
        if let (Some(create), Some(_)) = (&entity.manifest.operations.create, registry.kind.empty_fixture()) {
            let records = made_up(registry, entity, &create.fields);
            let what = "what `create` makes in the stand-in is read again, or is refused";
            done.push(maker.case(what, &records, async |record| created::read_again(stage, entity, record, machine).await).await);
        }
        let rows = legacy::Rows::of(registry, entity);
        done.push(
            maker
                .case("legacy rows become records of the contract, or are refused", &rows.strategy(), async |row| rows.law(row))
                .await,
        );
    }
    done.extend(legacy::codes(registry));
    done
}

/// The operations that write fields.
fn written(entity: &PlannedEntity) -> Vec<(Operation, &WriteSpec)> {
    let offered = &entity.manifest.operations;
    let all =
        [(Operation::Create, &offered.create), (Operation::Replace, &offered.replace), (Operation::Update, &offered.update)];
    all.into_iter().filter_map(|(operation, spec)| Some((operation, spec.as_ref()?))).collect()
}

/// Records with these fields, some of them with hostile values.
fn made_up(registry: &Registry, entity: &PlannedEntity, fields: &[FieldName]) -> BoxedStrategy<serde_json::Value> {
    let document = cut(registry.schemas[entity.index].1.document(), fields);
    hostile::spiced(records::of(&document))
}

/// Makes the cases of one entity.
struct Maker {
    seed: u64,
    cases: u32,
    entity: String,
}

impl Maker {
    /// Tries a law on as many values as there are cases.
    async fn case<T: Clone + std::fmt::Debug + serde::Serialize>(
        &self,
        what: &str,
        values: &BoxedStrategy<T>,
        law: impl AsyncFn(&T) -> Outcome,
    ) -> Case {
        let began = Instant::now();
        let (mut held, mut refused) = (0, 0);
        let mut verdict = Verdict::Passed;
        for nth in 0..u64::from(self.cases) {
            let seed = self.seed.wrapping_add(nth);
            match tried(seed, values, &law).await {
                Outcome::Held => held += 1,
                Outcome::Refused => refused += 1,
                Outcome::Broken(why) => {
                    let again = format!("again: --seed {seed} --cases 1");
                    verdict = Verdict::Failed { why: format!("{why}\n{again}") };
                    break;
                }
            }
        }
        let name = format!("{}: {what} (seed {}: {held} held, {refused} refused)", self.entity, self.seed);
        Case::new(&name, Some(&self.entity), Origin::Generated, verdict, began.elapsed())
    }
}

/// Tries a law on the value of a seed; one that breaks it is made smaller.
async fn tried<T: Clone + std::fmt::Debug + serde::Serialize>(
    seed: u64,
    values: &BoxedStrategy<T>,
    law: &impl AsyncFn(&T) -> Outcome,
) -> Outcome {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let mut tree = match values.new_tree(&mut runner) {
        Ok(tree) => tree,
        Err(why) => return Outcome::Broken(format!("no value of the schema could be made up: {why}")),
    };
    let first = tree.current();
    let mut why = match law(&first).await {
        Outcome::Broken(why) => why,
        fine => return fine,
    };
    let mut smallest = first;
    for _ in 0..SHRINKS {
        if !tree.simplify() {
            break;
        }
        let current = tree.current();
        match law(&current).await {
            Outcome::Broken(same) => (smallest, why) = (current, same),
            _ if !tree.complicate() => break,
            _ => {}
        }
    }
    let shown = serde_json::to_string(&smallest).unwrap_or_default();
    Outcome::Broken(format!("{why}\nwith {shown}"))
}
