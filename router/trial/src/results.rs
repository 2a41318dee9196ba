//! What running came to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::coverage::Coverage;

/// The results of a run; [`crate::report::json`] writes them as they are here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Results of `rabita connector test`")]
pub struct Results {
    /// One for each registry, in the order of their manifests.
    pub suites: Vec<Suite>,
    /// What the tests that passed touch; only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// The tests of one registry.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    pub registry: String,
    pub cases: Vec<Case>,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// As the manifest has it, or what is generated.
    pub name: String,
    /// `v1/persons`, where it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    pub origin: Origin,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

/// Where a test comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The manifest.
    Written,
    /// The schema.
    Generated,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "verdict")]
pub enum Verdict {
    Passed,
    Failed {
        /// What was expected and what came, in lines.
        why: String,
    },
    /// It was not run.
    Skipped {
        /// Why not.
        why: String,
    },
}

impl Results {
    /// How many passed, failed and were skipped.
    #[must_use]
    pub fn counted(&self) -> (usize, usize, usize) {
        self.suites.iter().map(Suite::counted).fold((0, 0, 0), |all, one| (all.0 + one.0, all.1 + one.1, all.2 + one.2))
    }
}

impl Suite {
    /// How many passed, failed and were skipped.
    #[must_use]
    pub fn counted(&self) -> (usize, usize, usize) {
        let count = |is: fn(&Verdict) -> bool| self.cases.iter().filter(|case| is(&case.verdict)).count();
        (
            count(|verdict| matches!(verdict, Verdict::Passed)),
            count(|verdict| matches!(verdict, Verdict::Failed { .. })),
            count(|verdict| matches!(verdict, Verdict::Skipped { .. })),
        )
    }
}

impl Case {
    pub(crate) fn new(name: &str, entity: Option<&str>, origin: Origin, verdict: Verdict, took: Duration) -> Self {
        // Microseconds are more than enough, and keep the number short.
        let took_ms = (took.as_secs_f64() * 1_000_000.0).round() / 1000.0;
        Self { name: name.to_owned(), entity: entity.map(str::to_owned), origin, verdict, took_ms }
    }
}

impl From<Result<(), String>> for Verdict {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(why) => Self::Failed { why },
        }
    }
}
