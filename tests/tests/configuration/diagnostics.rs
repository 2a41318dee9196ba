//! Golden diagnostics. Each directory in `bad/` holds what differs from `base/`, and in `expected.txt` what `rabita check`
//! then says, after its exit status. `BLESS=1` writes them anew: read what changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use rabita_tests::real::workspace;
use rabita_tests::scratch::Scratch;

use crate::RABITA;

const EXPECTED: &str = "expected.txt";

#[test]
fn everything_wrong_is_told_at_once_with_its_place_and_the_likely_word() {
    let bless = std::env::var_os("BLESS").is_some();
    let certificates = certificates();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 16, "there are cases");
    for case in cases {
        let told = told_of(&case, certificates.path());
        let file = case.join(EXPECTED);
        if bless {
            std::fs::write(&file, &told).expect("the directory of a case can be written");
            continue;
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if told != expected {
            wrong.push(format!("=== {}\n--- expected\n{expected}--- told\n{told}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nBLESS=1 takes what is told for what is expected", wrong.join("\n"));
}

#[test]
fn nothing_is_wrong_with_what_the_cases_differ_from() {
    let certificates = certificates();
    let told = told_of(&here().join("base"), certificates.path());
    assert_eq!(told, "exit status 0\n.: nothing is wrong\n");
}

#[test]
fn nothing_is_wrong_with_the_manifests_of_the_guide_to_odbc_and_their_tests_hold() {
    let certificates = certificates();
    let guide = std::fs::read_to_string(workspace().join("connectors/odbc/README.md")).expect("the guide");
    let mut manifests = 0;
    for block in guide.split("```yaml\n").skip(1) {
        let text = block.split("```").next().expect("a block");
        let file = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("the name of a file");
        let registry = text.lines().find_map(|line| line.strip_prefix("registry: ")).expect("a registry");
        let agency = text.lines().find_map(|line| line.strip_prefix("agency: ")).expect("an agency");
        let scratch = laid_out(&here().join("base"), certificates.path());
        std::fs::write(scratch.path().join(file), text).expect("a manifest");
        let agencies = scratch.path().join("agencies.yaml");
        let own = std::fs::read_to_string(&agencies).expect("the agencies");
        let added = own.replacen("agencies:\n", &format!("agencies:\n  - {{ id: {agency}, title: Another }}\n"), 1);
        std::fs::write(&agencies, added).expect("the agencies");
        std::fs::create_dir_all(scratch.path().join("secrets")).expect("a directory");
        std::fs::write(scratch.path().join("secrets/property-password"), "unused").expect("a secret");
        let run = |words: &[&str]| {
            let mut command = Command::new(RABITA);
            let done = command.args(words).current_dir(scratch.path()).env("VEHICLES_PASSWORD", "unused").output();
            let done = done.expect("the program can be run");
            let told = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            assert!(done.status.success(), "{file}: {words:?}: {told}");
            told
        };
        assert_eq!(run(&["check", "--strict", "."]), ".: nothing is wrong\n");
        run(&["connector", "test", ".", registry]);
        manifests += 1;
    }
    assert_eq!(manifests, 2);
}

#[test]
fn no_secret_that_stands_in_the_open_is_repeated_in_any_form() {
    let certificates = certificates();
    let scratch = laid_out(&here().join("bad/secrets"), certificates.path());
    for form in ["text", "json"] {
        let (status, told) = check(scratch.path(), &["--format", form]);
        assert_eq!(status, 1);
        assert!(told.contains("registries/people.yaml") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn every_finding_in_json_has_its_place() {
    let certificates = certificates();
    let scratch = laid_out(&here().join("bad/unknown-keys"), certificates.path());
    let (_, told) = check(scratch.path(), &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.len() > 10, "{told}");
    for finding in findings {
        assert!(
            finding["line"].as_u64().is_some_and(|line| line > 0) && finding["column"].as_u64().is_some_and(|column| column > 0)
        );
        assert!(finding["file"].as_str().is_some_and(|file| file.ends_with(".yaml")), "{finding}");
    }
    assert!(findings.iter().any(|finding| finding["instead"] == "certificate"), "{told}");
}

#[test]
fn a_warning_is_no_failure_unless_it_is_asked_to_be() {
    let certificates = certificates();
    let scratch = laid_out(&here().join("bad/warnings"), certificates.path());
    assert_eq!(check(scratch.path(), &[]).0, 0);
    assert_eq!(check(scratch.path(), &["--strict"]).0, 1);
}

pub(crate) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configuration")
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(here().join("bad")).expect("the cases");
    let mut cases: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// Certificates for all cases, as the script of the examples makes them.
pub(crate) fn certificates() -> Scratch {
    let scratch = Scratch::new("certificates");
    copy(&here().join("base"), scratch.path());
    let done = Command::new(workspace().join("config/examples/certificates")).arg(scratch.path()).output();
    assert!(done.is_ok_and(|done| done.status.success()), "the script makes certificates");
    scratch
}

/// A configuration that is right, in a directory of its own.
pub(crate) fn base_with_certificates() -> Scratch {
    certificates()
}

fn laid_out(case: &Path, certificates: &Path) -> Scratch {
    let scratch = Scratch::new("configuration");
    copy(&here().join("base"), scratch.path());
    copy(&certificates.join("tls"), &scratch.path().join("tls"));
    copy(case, scratch.path());
    let _ = std::fs::remove_file(scratch.path().join(EXPECTED));
    scratch
}

fn told_of(case: &Path, certificates: &Path) -> String {
    let scratch = laid_out(case, certificates);
    let (status, told) = check(scratch.path(), &[]);
    format!("exit status {status}\n{told}")
}

pub(crate) fn check(directory: &Path, words: &[&str]) -> (i32, String) {
    let done =
        Command::new(RABITA).arg("check").args(words).arg(".").current_dir(directory).output().expect("the program can be run");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
    (done.status.code().expect("it ended by itself"), String::from_utf8_lossy(&done.stdout).into_owned())
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a scratch directory can be written");
    for entry in std::fs::read_dir(from).expect("a directory of the tests").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("a scratch directory can be written");
        }
    }
}
