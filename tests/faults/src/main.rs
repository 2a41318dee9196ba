//! `rabita-faults`: runs trials of the bus, and judges the evidence of trials that were run.
//!
//! `tests/faults/README.md` says what each mode does; the trials themselves are in `tests/src/faults/`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that reports to a terminal")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rabita_tests::faults::checker::Verdict;
use rabita_tests::faults::{Mode, Options, Plant, trial};

const USAGE: &str = "usage: rabita-faults MODE --rabita PROGRAM [--kills N] [--callers N] [--seed N] [--evidence DIRECTORY]
       rabita-faults check DIRECTORY
MODE is embedded, kafka, proxy, disk, ledger-disk, clock, or planted, which has to find the faults that it builds in";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, directory] = arguments.as_slice()
        && word == "check"
    {
        let verdict = trial::judge(Path::new(directory));
        println!("{verdict}");
        return if verdict.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match parse(&arguments) {
        Ok((Some(mode), options)) => run(&Options { mode, ..options }),
        Ok((None, options)) => planted(&options),
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// A trial in which nothing may be found.
fn run(options: &Options) -> ExitCode {
    let verdict = verdict(options);
    let weak = trial::weaknesses(options, &verdict);
    for weakness in &weak {
        println!("the trial proves too little: {weakness}");
    }
    let is_good = verdict.faults.is_empty() && weak.is_empty();
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Trials with faults built in, which have to be found.
fn planted(options: &Options) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for plant in [Plant::Twice, Plant::Amnesia] {
        let evidence = options.evidence.join(format!("{plant:?}").to_lowercase());
        let verdict = verdict(&Options { plant: Some(plant), evidence, ..options.clone() });
        if trial::is_found(plant, &verdict) {
            println!("as it should be: the fault that was built in was found ({plant:?})");
        } else {
            println!("THE CHECKER IS BLIND: the fault that was built in was not found ({plant:?})");
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn verdict(options: &Options) -> Verdict {
    println!("seed {}, evidence in {}", options.seed, options.evidence.display());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let verdict = runtime.block_on(trial::run(options));
    println!("{verdict}");
    verdict
}

/// The mode, `None` for the planted faults, and the rest.
fn parse(arguments: &[String]) -> Result<(Option<Mode>, Options), String> {
    let process = u64::from(std::process::id());
    let mut options = Options {
        program: PathBuf::new(),
        mode: Mode::Embedded,
        plant: None,
        kills: 200,
        callers: 12,
        seed: process,
        evidence: std::env::temp_dir().join(format!("rabita-faults.{process}")),
        report: |line| println!("{line}"),
    };
    let mut mode = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{argument} takes a whole number"));
        let count = |text: &str| text.parse::<usize>().map_err(|_| format!("{argument} takes a whole number"));
        match argument.as_str() {
            "--rabita" => options.program = value()?.into(),
            "--kills" => options.kills = count(value()?)?,
            "--callers" => options.callers = count(value()?)?,
            "--seed" => options.seed = number(value()?)?,
            "--evidence" => options.evidence = value()?.into(),
            "embedded" => mode = Some(Some(Mode::Embedded)),
            "kafka" => mode = Some(Some(Mode::Kafka)),
            "proxy" => mode = Some(Some(Mode::Proxy)),
            "disk" => mode = Some(Some(Mode::Disk)),
            "ledger-disk" => mode = Some(Some(Mode::LedgerDisk)),
            "clock" => mode = Some(Some(Mode::Clock)),
            "planted" => mode = Some(None),
            other => return Err(format!("`{other}` is not known here")),
        }
    }
    if !options.program.is_file() {
        return Err("--rabita names no program".to_owned());
    }
    Ok((mode.ok_or("a mode is missing")?, options))
}
