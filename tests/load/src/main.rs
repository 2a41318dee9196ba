//! `rabita-load`: what the bus costs, as ratios against baselines of the same run on the same machine.
//!
//! Every part starts its own servers on free ports of the loopback and stops them. Nothing is asserted of time: the
//! tables at the end say what was measured. `tests/load/README.md` says what each figure means. Start with [`gateway`].
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that reports to a terminal")]

mod backlog;
mod bank;
mod caller;
mod country;
mod durable;
mod gateway;
mod kafka;
mod latency;
mod nginx;
mod report;
mod scale;
mod server;
mod signer;
mod sql;
mod start;
mod trust;
mod updates;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use report::Report;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `rabita` program that is measured.
    pub rabita: PathBuf,
    /// How long each run is measured.
    pub measured: Duration,
    /// How often each subject runs, by turns with the others.
    pub rounds: usize,
    /// The parts to run.
    pub parts: Vec<String>,
}

const PARTS: [&str; 9] = ["gateway", "trust", "scale", "start", "sql", "updates", "kafka", "latency", "backlog"];

const USAGE: &str = "usage: rabita-load --rabita PROGRAM [--seconds N] [--rounds N] [PART ...]
PART is gateway, trust, scale, start, sql, updates, kafka, latency or backlog";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "upstream") {
        return upstream::main(&arguments[1..]);
    }
    match Plan::parse(&arguments) {
        Ok(plan) => {
            run(&plan);
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: &Plan) {
    let mut report = Report::new(plan);
    for part in &plan.parts {
        match part.as_str() {
            "gateway" => gateway::measure(plan, &mut report),
            "trust" => trust::measure(plan, &mut report),
            "scale" => scale::measure(plan, &mut report),
            "start" => start::measure(plan, &mut report),
            "sql" => sql::measure(plan, &mut report),
            "updates" => updates::measure(plan, &mut report),
            "kafka" => kafka::measure(plan, &mut report),
            "latency" => latency::measure(plan, &mut report),
            _ => backlog::measure(plan, &mut report),
        }
    }
    println!("\n{report}");
}

impl Plan {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self { rabita: PathBuf::new(), measured: Duration::from_secs(5), rounds: 3, parts: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--rabita" => plan.rabita = value()?.into(),
                "--seconds" => {
                    plan.measured = Duration::from_secs(value()?.parse().map_err(|_| "--seconds takes a whole number")?)
                }
                "--rounds" => plan.rounds = value()?.parse().map_err(|_| "--rounds takes a whole number")?,
                part if PARTS.contains(&part) => plan.parts.push(part.to_owned()),
                other => return Err(format!("`{other}` is not known here")),
            }
        }
        if plan.rounds == 0 || plan.measured.is_zero() {
            return Err("there is nothing to measure in no time".to_owned());
        }
        if !plan.rabita.is_file() {
            return Err("--rabita names no program".to_owned());
        }
        if plan.parts.is_empty() {
            plan.parts = PARTS.map(str::to_owned).into();
        }
        Ok(plan)
    }
}
