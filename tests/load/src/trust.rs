//! What it costs to be held to one's word: the same read through the bus with the durable ledger and signed answers, with
//! one of the two, and with neither; and how long it takes to verify a log of a million entries.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::note::SignatureKind;
use rabita_ledger::log::{Log, LogOptions, VerifierKey};
use rabita_tests::scratch::Scratch;
use tokio::runtime::Runtime;

use crate::Plan;
use crate::caller::{self, CONNECTIONS, Outcome, Pace, Target};
use crate::country::{self, Bus, COMPANIES, COMPANY_FIELDS, Country, Trust};
use crate::report::{Report, median, ms, ratio};
use crate::signer::Signer;
use crate::upstream;

/// What is compared, by its name; whether its requests are signed.
const SUBJECTS: [(&str, Trust, bool); 5] = [
    ("a neither", Trust::OFF, false),
    ("b ledger", Trust { records: true, signs: false }, false),
    ("c signed answers", Trust { records: false, signs: true }, false),
    ("d both", Trust { records: true, signs: true }, false),
    ("e both, and signed requests", Trust { records: true, signs: true }, true),
];

/// Entries of the log that is verified, and the bytes of each, which is what a read takes.
const ENTRIES: usize = 1_000_000;
const ENTRY_BYTES: usize = 1_000;
/// So many are appended side by side.
const WRITERS: usize = 2_048;

/// One way to the record.
struct Subject {
    name: &'static str,
    target: Target,
    bus: Bus,
}

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let upstream = upstream::start(scratch.path());
    let signer = Arc::new(Signer::new());
    let subjects: Vec<Subject> = SUBJECTS
        .iter()
        .enumerate()
        .map(|(number, (name, trust, is_signed))| {
            let country = Country::trusting(&scratch, &format!("trust-{number}"), upstream.plain, *trust);
            let connector = format!("{{ kind: rest, url: \"http://127.0.0.1:{}\", probe: {{ path: /health }} }}", upstream.plain);
            country.registry("companies", &connector, &about_persons());
            country.grant("companies", "companies", COMPANY_FIELDS, &["asan-portal".to_owned()]);
            let mut target = country.target(&scratch, "companies", "companies", country::tin);
            if *is_signed {
                country.signed_by(&signer);
                target.signer = Some(Arc::clone(&signer));
            }
            Subject { name, target, bus: country.run(plan) }
        })
        .collect();
    let saturated = by_turns(plan, &subjects, Pace::Saturating, report);
    table(report, "Trust at saturation, 64 connections", &subjects, &saturated);
    for at in 1..subjects.len() {
        let by_round: Vec<f64> =
            saturated[at].iter().zip(&saturated[0]).map(|(other, neither)| other.per_second / neither.per_second).collect();
        let told: Vec<String> = by_round.iter().map(|one| ratio(*one)).collect();
        let wanted = if at == 3 { "at least 0.8" } else { "" };
        let name = format!("throughput, {} to a neither (by round: {})", subjects[at].name, told.join(" "));
        report.figure(&name, &ratio(median(by_round)), wanted);
    }
    let of = |runs: &[Outcome], figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
    for at in 1..subjects.len() {
        let more = of(&saturated[at], Outcome::subject_us) - of(&saturated[0], Outcome::subject_us);
        report.figure(&format!("processor time for one call that {} adds", subjects[at].name), &format!("{more:.1} µs"), "");
    }
    let rate = of(&saturated[3], |run| run.per_second) / 2.0;
    let half = by_turns(plan, &subjects, Pace::PerSecond(rate), report);
    table(report, &format!("Trust at half of d's load, {rate:.0}/s"), &subjects, &half);
    for at in 1..subjects.len() {
        let added = |share: f64| {
            let of = |at: usize| median(half[at].iter().map(|run: &Outcome| run.quantile_ms(share)));
            ms(of(at) - of(0))
        };
        report.figure(&format!("p50 and p99 that {} adds", subjects[at].name), &format!("{}, {}", added(0.5), added(0.99)), "");
    }
    drop(subjects);
    verify(plan, &scratch, report);
}

/// The benchmark's companies, of which the ledger is told whom they are about.
fn about_persons() -> String {
    COMPANIES.replace("      key: tin\n", "      key: tin\n      subject: director.pin\n")
}

/// Runs the subjects by turns; the outcomes of each.
fn by_turns(plan: &Plan, subjects: &[Subject], pace: Pace, report: &Report) -> Vec<Vec<Outcome>> {
    let mut outcomes = vec![Vec::new(); subjects.len()];
    for round in 1..=plan.rounds {
        for (subject, runs) in subjects.iter().zip(&mut outcomes) {
            let outcome = caller::run(&subject.target, CONNECTIONS, pace, plan.measured, || subject.bus.server.usage());
            report.progress(subject.name, round, &outcome, plan.measured);
            runs.push(outcome);
        }
    }
    outcomes
}

fn table(report: &mut Report, title: &str, subjects: &[Subject], outcomes: &[Vec<Outcome>]) {
    report.table(title, &["", "answers/s", "p50", "p99", "processor time of the bus for one call", "memory of the bus"]);
    for (subject, runs) in subjects.iter().zip(outcomes) {
        let of = |figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
        let cells = [
            subject.name.to_owned(),
            format!("{:.0}", of(|run| run.per_second)),
            ms(of(|run| run.quantile_ms(0.5))),
            ms(of(|run| run.quantile_ms(0.99))),
            format!("{:.1} µs", of(Outcome::subject_us)),
            format!("{:.0} MB", subject.bus.server.resident_mb()),
        ];
        report.row(&cells.each_ref().map(String::as_str));
    }
}

/// Makes a log, and has the program verify it.
fn verify(plan: &Plan, scratch: &Scratch, report: &mut Report) {
    let directory = scratch.path().join("million");
    let (key, _) = SigningKey::generate("million", Algorithm::Ed25519).expect("random bytes");
    let verifier = VerifierKey::new("million", SignatureKind::Ed25519, key.verifying()).expect("a verifier key");
    let appended = append(&directory, Arc::new(key));
    let began = Instant::now();
    let mut program = Command::new(&plan.rabita);
    program.args(["ledger", "verify"]).arg(&directory).args(["--key", &verifier.to_string()]);
    let said = program.output().expect("the program runs");
    let took = began.elapsed().as_secs_f64();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    report.figure(
        &format!("a log appended to by {WRITERS} writers, entries of {ENTRY_BYTES} bytes"),
        &format!("{appended:.0}/s"),
        "",
    );
    report.figure(&format!("`rabita ledger verify` of {ENTRIES} entries"), &format!("{took:.1} s"), "seconds");
}

/// Appends the entries; how many in a second.
fn append(directory: &Path, key: Arc<SigningKey>) -> f64 {
    let runtime = Runtime::new().expect("a runtime");
    let options = LogOptions { directory: directory.to_owned(), origin: "million".to_owned(), key };
    let log = Arc::new(Log::open(options).expect("a log can be made"));
    let began = Instant::now();
    runtime.block_on(async {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    for number in (writer..ENTRIES).step_by(WRITERS) {
                        log.append(format!("{number:0ENTRY_BYTES$}").into_bytes()).await.expect("the disk takes it");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no writer panics");
        }
    });
    let per_second = ENTRIES as f64 / began.elapsed().as_secs_f64();
    runtime.block_on(log.close());
    per_second
}
