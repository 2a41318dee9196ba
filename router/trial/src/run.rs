//! One run: the written tests of each registry, then the generated ones.

use std::path::Path;
use std::time::Instant;

use rabita_config::Registry;
use rabita_sdk::manifest::Test;

use crate::coverage::Touched;
use crate::results::{Case, Origin, Results, Suite, Verdict};
use crate::stage::{Machine, Stage};
use crate::{coverage, generated};

/// What is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// On the real registries: the tests that say `live: true`, and none that are generated.
    pub live: bool,
    /// Whether coverage is told.
    pub coverage: bool,
    /// How many generated cases there are of each entity and direction.
    pub cases: u32,
    /// What the first of them is made of; the next has the next number.
    pub seed: u64,
}

/// Runs the tests of these registries of the configuration in `directory`. A suite is handed to `tell` when it is through.
pub async fn run(
    directory: &Path,
    registries: Vec<Registry>,
    options: Options,
    machine: &Machine<'_>,
    mut tell: impl FnMut(&Suite),
) -> Results {
    let mut results = Results::default();
    let mut told = options.coverage.then(coverage::Coverage::default);
    for registry in registries {
        let touched = Touched::new(&registry);
        let mut stage = Stage::new(registry, directory);
        let mut suite = written(&mut stage, options.live, machine, &touched).await;
        if options.cases > 0 && !options.live {
            suite.cases.extend(generated::run(&stage, options.seed, options.cases, machine).await);
        }
        if let Some(coverage) = &mut told {
            coverage.registries.push(touched.told(stage.registry()));
        }
        tell(&suite);
        results.suites.push(suite);
    }
    results.coverage = told;
    results
}

async fn written(stage: &mut Stage, live: bool, machine: &Machine<'_>, touched: &Touched) -> Suite {
    let registry: &Registry = stage.registry();
    let name = registry.manifest.registry.to_string();
    let tests = registry.manifest.tests.clone();
    let mut cases = Vec::with_capacity(tests.len());
    for test in &tests {
        let began = Instant::now();
        let verdict = match skipped(test, live) {
            Some(why) => Verdict::Skipped { why: why.to_owned() },
            None => {
                touched.begin();
                let result = stage.run(test, live, machine, touched).await;
                touched.end(test, result.is_ok());
                result.into()
            }
        };
        cases.push(Case::new(&test.name, test.entity.as_deref(), Origin::Written, verdict, began.elapsed()));
    }
    Suite { registry: name, cases }
}

fn skipped(test: &Test, live: bool) -> Option<&'static str> {
    match (live, test.live, test.legacy.is_some()) {
        (true, false, _) => Some("runs only without --live"),
        (false, _, false) => Some("runs only with --live"),
        _ => None,
    }
}
