//! `rabita check --against`: the configuration as it was, in git or in a directory. And `rabita schema diff`.

use std::path::Path;
use std::process::{Command, Output};

use rabita_tests::scratch::Scratch;

use crate::RABITA;
use crate::diagnostics::{base_with_certificates, copy};

const MANIFEST: &str = "registries/people.yaml";

/// Runs a program in a directory.
fn run(directory: &Path, program: &str, words: &[&str]) -> Output {
    Command::new(program).args(words).current_dir(directory).output().expect("the program can be run")
}

fn git(directory: &Path, words: &[&str]) {
    let as_somebody = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
    let done = run(directory, "git", &[&as_somebody[..], words].concat());
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn told(directory: &Path, words: &[&str]) -> (i32, String, String) {
    let done = run(directory, RABITA, words);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().expect("it ended by itself"), text(&done.stdout), text(&done.stderr))
}

/// A repository with the configuration in a directory of it, committed.
fn repository() -> Scratch {
    let scratch = base_with_certificates();
    let repository = Scratch::new("repository");
    copy(scratch.path(), &repository.path().join("country"));
    git(repository.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(repository.path(), &["add", "--all"]);
    git(repository.path(), &["commit", "--quiet", "--message=before"]);
    repository
}

fn change(directory: &Path, file: &str, from: &str, to: &str) {
    let file = directory.join(file);
    let text = std::fs::read_to_string(&file).expect("the file is there");
    assert!(text.contains(from), "{from}");
    std::fs::write(file, text.replacen(from, to, 1)).expect("it can be written");
}

#[test]
fn what_breaks_callers_is_refused_with_its_place_and_the_work_tree_stays_as_it_is() {
    let repository = repository();
    let country = repository.path().join("country");
    let same = told(&country, &["check", ".", "--against", "main"]);
    assert_eq!(same, (0, ".: nothing is wrong, and nothing breaks callers of main\n".to_owned(), String::new()));
    change(&country, MANIFEST, "search: { by: [name.family, born_on] }", "search: { by: [name.family] }");
    change(&country, MANIFEST, "        name.given: p.GIVEN\n", "");
    change(&country, MANIFEST, "name: { family: A, given: B }", "name: { family: A }");
    let status = run(repository.path(), "git", &["status", "--porcelain"]).stdout;
    let (code, out, _) = told(&country, &["check", ".", "--against", "HEAD"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("registries/people.yaml:10:7: error[contract_broken]: v1/persons: `name.given` is answered no longer, which breaks those who read: they find it missing; take it back, or put the change into a new version `v2` beside `v1`\n  10 |       fields:"), "{out}");
    assert!(out.contains("the filter `born_on` is withdrawn, which breaks those who read"), "{out}");
    assert!(out.contains(".: 2 error(s), 0 warning(s)"), "{out}");
    assert_eq!(run(repository.path(), "git", &["status", "--porcelain"]).stdout, status);
    assert_eq!(told(&country, &["check", "."]).0, 0, "without --against it is as good as any other");
}

#[test]
fn a_schema_in_the_directory_is_compared_with_the_one_of_the_revision() {
    let repository = repository();
    let country = repository.path().join("country");
    let schema = "schemas/people/person/v1/schema.json";
    let text = std::fs::read_to_string(country.join(schema)).expect("the schema is there");
    let widened = text.replacen("\"male\"", "\"male\", \"other\"", 1);
    assert_ne!(text, widened, "the schema lists the sexes");
    std::fs::write(country.join(schema), widened).expect("it can be written");
    let (code, out, _) = told(&country, &["check", ".", "--against", "main", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let finding = &report["findings"][0];
    assert_eq!((code, &finding["file"], &finding["severity"]), (1, &schema.into(), &"error".into()), "{out}");
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("`sex` can be \"other\" now")), "{out}");
    let before = Scratch::new("before");
    git(repository.path(), &["worktree", "add", "--quiet", "--detach", &before.path().join("it").display().to_string(), "main"]);
    let earlier = before.path().join("it/country").display().to_string();
    let (code, out, _) = told(&country, &["schema", "diff", &earlier, "."]);
    assert_eq!(code, 1, "{out}");
    assert!(out.starts_with("people/person/v1:\n  breaks readers") && out.contains("value_added: can be \"other\" now"), "{out}");
    assert_eq!(told(&country, &["check", ".", "--against", &earlier]).0, 1, "a directory does as well");
}

#[test]
fn what_there_is_nothing_to_compare_with_is_told_in_a_sentence() {
    let alone = base_with_certificates();
    let (code, _, complaint) = told(alone.path(), &["check", ".", "--against", "main"]);
    assert_eq!(code, 1);
    assert!(complaint.contains("lies in no work tree of git"), "{complaint}");
    let repository = repository();
    let country = repository.path().join("country");
    for word in ["no-such-branch", "--output=/tmp/x", "HEAD; ls"] {
        let (code, _, complaint) = told(&country, &["check", ".", &format!("--against={word}")]);
        assert_eq!(code, 1);
        assert!(complaint.contains(&format!("git knows no revision `{word}`")), "{complaint}");
    }
}

#[test]
fn two_shipped_schemas_differ_in_what_their_versions_changed() {
    let scratch = Scratch::new("schemas");
    let (code, out, _) = told(scratch.path(), &["schema", "diff", "person/v1", "civil/person/v1"]);
    assert_eq!((code, out.as_str()), (0, "person/v1 -> civil/person/v1: no difference\n"));
    let write = |name: &str, text: &str| std::fs::write(scratch.path().join(name), text).expect("it can be written");
    write("old.json", r#"{ "properties": { "a": { "type": "string" } }, "additionalProperties": false }"#);
    write(
        "new.json",
        r#"{ "properties": { "a": { "type": "string" }, "b": {} }, "required": ["b"], "additionalProperties": false }"#,
    );
    let (code, out, _) = told(scratch.path(), &["schema", "diff", "old.json", "new.json", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let changes = report["schemas"][0]["changes"].as_array().expect("changes");
    let breaking: Vec<_> = changes.iter().filter(|change| change["breaks_writers"] == true).collect();
    assert_eq!((code, breaking.len()), (1, 1), "{out}");
    assert_eq!((&breaking[0]["pointer"], &breaking[0]["kind"]), (&"/properties/b".into(), &"requirement_added".into()));
    assert!(changes.iter().all(|change| change["breaks_readers"] == false), "{out}");
    let (code, _, complaint) = told(scratch.path(), &["schema", "diff", "civil/persn/v1", "old.json"]);
    assert_eq!(code, 1);
    assert!(complaint.contains("did you mean `civil/person/v1`?"), "{complaint}");
}
