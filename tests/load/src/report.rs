//! What was measured, as Markdown.

use std::fmt;
use std::time::Duration;

use crate::Plan;
use crate::caller::Outcome;

/// Tables and figures, in the order in which they were measured.
pub struct Report {
    head: String,
    tables: String,
    figures: String,
}

impl Report {
    pub fn new(plan: &Plan) -> Self {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        let head = format!(
            "Measured on {}, {processors} processors ({}), {} rounds of {} s.",
            crate::country::today(),
            model(),
            plan.rounds,
            plan.measured.as_secs()
        );
        Self { head, tables: String::new(), figures: String::new() }
    }

    /// Says how one run went, while others are still to come.
    pub fn progress(&self, name: &str, round: usize, outcome: &Outcome, measured: Duration) {
        let others = if outcome.usage.machine.is_zero() {
            String::new()
        } else {
            format!(", others used {:.2} processors", outcome.usage.others(measured))
        };
        println!(
            "{round} {name}: {:.0}/s, p50 {}, p99 {}, {:.1} µs{others}",
            outcome.per_second,
            ms(outcome.quantile_ms(0.5)),
            ms(outcome.quantile_ms(0.99)),
            outcome.subject_us(),
        );
    }

    /// Begins a table.
    pub fn table(&mut self, title: &str, columns: &[&str]) {
        self.tables += &format!("\n### {title}\n| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    }

    /// Adds a row to the last table.
    pub fn row(&mut self, cells: &[&str]) {
        self.tables += &format!("| {} |\n", cells.join(" | "));
    }

    /// Adds a figure to the summary, with what is wanted of it.
    pub fn figure(&mut self, name: &str, value: &str, wanted: &str) {
        self.figures += &format!("| {name} | {value} | {wanted} |\n");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.head, self.tables)?;
        write!(f, "### Summary\n| figure | measured | wanted |\n|---|---|---|\n{}", self.figures)
    }
}

/// The middle of some figures.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => figures[odd / 2],
        even => f64::midpoint(figures[even / 2 - 1], figures[even / 2]),
    }
}

/// Milliseconds as text.
pub fn ms(figure: f64) -> String {
    format!("{figure:.3} ms")
}

/// A ratio as text.
pub fn ratio(figure: f64) -> String {
    format!("{figure:.2}")
}

fn model() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    line.map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}
