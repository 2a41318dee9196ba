//! `rabita connector test` as a program: forms, files, coverage, generated cases, and runs after changes.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::RABITA;
use crate::diagnostics::base_with_certificates;

fn told(directory: &std::path::Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(RABITA);
    let done = command.args(["connector", "test", "."]).args(words).current_dir(directory).output().expect("it can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().expect("it ended by itself"), text(&done.stdout), text(&done.stderr))
}

#[test]
fn results_are_text_on_the_screen_and_junit_or_json_where_it_is_asked_for() {
    let base = base_with_certificates();
    let (code, out, _) = told(base.path(), &[]);
    assert_eq!((code, out.as_str()), (0, "ok      people: a person\n1 passed, 0 failed\n"));
    let (code, out, _) = told(base.path(), &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON and nothing else");
    assert_eq!((code, &json["passed"]), (0, &1.into()));
    let (code, out, _) = told(base.path(), &["--format", "junit", "--output", "results.xml"]);
    assert_eq!((code, out.as_str()), (0, "ok      people: a person\n1 passed, 0 failed\n"));
    let xml = std::fs::read_to_string(base.path().join("results.xml")).expect("it is written");
    assert!(xml.contains("<testcase name=\"a person\" classname=\"people\""), "{xml}");
}

#[test]
fn coverage_below_what_is_asked_for_fails() {
    let base = base_with_certificates();
    let (code, out, _) = told(base.path(), &["--coverage"]);
    assert_eq!(code, 0);
    assert!(out.contains("  codes      sexes: 1 of 2; untouched: M\n"), "{out}");
    assert_eq!(told(base.path(), &["--min-coverage", "20"]).0, 0);
    let (code, _, complaint) = told(base.path(), &["--min-coverage", "90%"]);
    assert_eq!(code, 1);
    assert!(complaint.contains("90 % is asked for by --min-coverage"), "{complaint}");
}

#[test]
fn generated_cases_of_the_base_hold() {
    let base = base_with_certificates();
    let (code, out, _) = told(base.path(), &["--cases", "40", "--seed", "11"]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("ok      people: v1/persons: legacy rows become records of the contract, or are refused (seed 11: "),
        "{out}"
    );
}

#[test]
fn a_watched_directory_is_tested_again_when_something_in_it_changes() {
    let base = base_with_certificates();
    let mut command = Command::new(RABITA);
    command.args(["connector", "test", ".", "--watch"]).current_dir(base.path());
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
    let mut screen = BufReader::new(running.stdout.take().expect("it has an output")).lines();
    let mut waiting = BufReader::new(running.stderr.take().expect("it has one for complaints")).lines();
    let mut next_sums = || screen.by_ref().map_while(Result::ok).find(|line| line.contains(" passed, "));
    assert_eq!(next_sums().as_deref(), Some("1 passed, 0 failed"));
    // It says when it watches; a change before that could pass unseen.
    assert!(waiting.by_ref().map_while(Result::ok).any(|line| line.starts_with("waiting for a change in .")));
    let manifest = base.path().join("registries/people.yaml");
    let text = std::fs::read_to_string(&manifest).expect("the manifest");
    std::fs::write(&manifest, text.replace("sex: female }", "sex: male }")).expect("it can be written");
    assert_eq!(next_sums().as_deref(), Some("0 passed, 1 failed"));
    running.kill().expect("it runs");
    running.wait().expect("it ends");
}
