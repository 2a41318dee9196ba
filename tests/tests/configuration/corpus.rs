//! A corpus of small mistakes. Each file of `corpus/` has cases: what is written into a good configuration, one that uses
//! most of what there is, and what `rabita check` then says. `BLESS=1` writes what is said anew: read what changed.
//!
//! A case begins with `=== NAME`. `@ FILE` names a file, `-` lines the text in it that is replaced (it stands there once),
//! `+` lines what comes in its place, or the whole file where there is no `-`; `!` takes the file away. What is said follows
//! `---`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rabita_tests::scratch::Scratch;

use crate::diagnostics::{certificates, check, copy, here};

/// Fewer cases are a mistake of whoever moved them.
const LEAST: usize = 200;

#[test]
fn every_mistake_is_told_with_its_place_its_rule_and_what_would_be_right() {
    let bless = std::env::var_os("BLESS").is_some();
    let base = base();
    let files = files();
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in &files {
        let cases = cases(&std::fs::read_to_string(file).expect("a file of cases"));
        count += cases.len();
        let told = told_of_all(&cases, base.path());
        for (case, told) in cases.iter().zip(&told) {
            if !bless && *told != case.said {
                wrong.push(format!("=== {}: {}\n--- expected\n{}--- told\n{told}", file.display(), case.name, case.said));
            }
        }
        if bless {
            std::fs::write(file, written(&cases, &told)).expect("the cases can be written");
        }
    }
    assert!(count >= LEAST, "only {count} cases");
    assert!(wrong.is_empty(), "{}\nBLESS=1 takes what is told for what is expected", wrong.join("\n"));
}

#[test]
fn nothing_is_wrong_with_what_the_corpus_differs_from() {
    assert_eq!(check(base().path(), &[]), (0, ".: nothing is wrong\n".to_owned()));
}

#[test]
fn no_case_ends_in_a_crash_or_without_a_word() {
    for file in files() {
        for case in cases(&std::fs::read_to_string(&file).expect("a file of cases")) {
            let told = &case.said;
            assert!(told.starts_with("exit status 0\n") || told.starts_with("exit status 1\n"), "{}: {told}", case.name);
            assert!(told.contains(": error[") || told.contains(": warning["), "{}: nothing is found: {told}", case.name);
            assert!(!told.contains("hunter2") && !told.contains("panicked"), "{}: {told}", case.name);
        }
    }
}

struct Case {
    name: String,
    edits: Vec<Edit>,
    /// As it is written.
    text: String,
    said: String,
}

#[derive(Default)]
struct Edit {
    file: PathBuf,
    old: Option<String>,
    new: Option<String>,
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(here().join("corpus")).expect("the corpus");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn cases(text: &str) -> Vec<Case> {
    text.split("=== ").skip(1).map(case).collect()
}

fn case(text: &str) -> Case {
    let (head, said) = text.split_once("\n---\n").expect("`---` before what is said");
    let mut lines = head.lines();
    let name = lines.next().expect("a name").to_owned();
    let mut edits: Vec<Edit> = Vec::new();
    for line in lines {
        if let Some(file) = line.strip_prefix("@ ") {
            edits.push(Edit { file: file.into(), ..Edit::default() });
            continue;
        }
        let edit = edits.last_mut().expect("`@ FILE` before its lines");
        let part = match line.as_bytes().first() {
            Some(b'-') => &mut edit.old,
            Some(b'+') => &mut edit.new,
            _ => {
                assert_eq!(line, "!", "{name}: no line of a case");
                continue;
            }
        };
        let line = line.get(2..).unwrap_or_default();
        *part = Some(part.take().map_or_else(|| line.to_owned(), |part| format!("{part}\n{line}")));
    }
    Case { name, edits, text: head.to_owned(), said: said.trim_end().to_owned() + "\n" }
}

/// The configuration that cases are written into, with certificates.
fn base() -> Scratch {
    let scratch = Scratch::new("corpus");
    copy(&here().join("base"), scratch.path());
    copy(&certificates().path().join("tls"), &scratch.path().join("tls"));
    copy(&here().join("corpus/base"), scratch.path());
    scratch
}

/// What is told of each case, by two threads.
fn told_of_all(cases: &[Case], base: &Path) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let mut told = vec![String::new(); cases.len()];
    let work = || {
        let mut own = Vec::new();
        while let Some((at, case)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?))) {
            own.push((at, told_of(case, base)));
        }
        own
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        for (at, text) in threads.into_iter().flat_map(|thread| thread.join().expect("no case panics")) {
            told[at] = text;
        }
    });
    told
}

fn told_of(case: &Case, base: &Path) -> String {
    let scratch = Scratch::new("case");
    copy(base, scratch.path());
    case.edits.iter().for_each(|edit| edit.make(&case.name, scratch.path()));
    let (status, told) = check(scratch.path(), &[]);
    format!("exit status {status}\n{told}")
}

impl Edit {
    fn make(&self, case: &str, directory: &Path) {
        let file = directory.join(&self.file);
        let Some(new) = &self.new else {
            return std::fs::remove_file(&file).unwrap_or_else(|error| panic!("{case}: {}: {error}", file.display()));
        };
        std::fs::create_dir_all(file.parent().expect("a file in a directory")).expect("a scratch directory");
        let text = match &self.old {
            None => new.clone(),
            Some(old) => {
                let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{case}: {}: {error}", file.display()));
                assert_eq!(text.matches(old).count(), 1, "{case}: {old:?} in {}", file.display());
                text.replace(old, new)
            }
        };
        std::fs::write(&file, text).expect("a scratch directory can be written");
    }
}

fn written(cases: &[Case], told: &[String]) -> String {
    let mut text = String::new();
    for (case, told) in cases.iter().zip(told) {
        write!(text, "=== {}\n---\n{told}\n", case.text).expect("text grows");
    }
    text
}
