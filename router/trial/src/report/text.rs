//! Results for a person.

use crate::coverage::{Coverage, Part};
use crate::results::{Results, Suite, Verdict};

/// How many names of what is untouched are listed.
const LISTED: usize = 12;

/// The lines of a suite: what was run, and why it failed.
#[must_use]
pub fn suite(suite: &Suite) -> String {
    let mut lines = Vec::new();
    for case in &suite.cases {
        match &case.verdict {
            Verdict::Passed => lines.push(format!("ok      {}: {}", suite.registry, case.name)),
            Verdict::Failed { why } => lines.push(format!("FAILED  {}: {}\n{}", suite.registry, case.name, indented(why))),
            Verdict::Skipped { .. } => {}
        }
    }
    lines.join("\n")
}

/// The last line: sums, and what was left out.
#[must_use]
pub fn sums(results: &Results, live: bool) -> String {
    let (passed, failed, skipped) = results.counted();
    let where_to = if live { "without --live" } else { "with --live" };
    let rest = if skipped > 0 { format!(", {skipped} run only {where_to}") } else { String::new() };
    format!("{passed} passed, {failed} failed{rest}")
}

/// What is touched, and what is not.
#[must_use]
pub fn coverage(coverage: &Coverage) -> String {
    let mut lines = Vec::new();
    for registry in &coverage.registries {
        lines.push(format!("coverage of {}:", registry.registry));
        lines.extend(registry.parts.iter().map(part));
    }
    lines.push(format!("{:.1} % of fields, codes, operations, filters and faults are touched by tests", coverage.percent()));
    lines.join("\n")
}

fn part(part: &Part) -> String {
    let Part { sort, of, total, untouched } = part;
    let line = format!("  {:<10} {of}: {} of {total}", sort.as_str(), total - untouched.len());
    if untouched.is_empty() {
        return line;
    }
    let shown = untouched.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if untouched.len() > LISTED { format!(" and {} more", untouched.len() - LISTED) } else { String::new() };
    format!("{line}; untouched: {shown}{more}")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}
