//! The commands of the program that need no country.

use rabita_model::Code;
use rabita_tests::scratch::Scratch;
use serde_json::Value;

use crate::running::rabita;

#[tokio::test]
async fn every_code_is_explained_and_a_misspelt_one_is_guessed() {
    let list = rabita(&["explain"]).await;
    assert!(list.status.success());
    for code in Code::ALL {
        assert!(list.out.lines().any(|line| line.split_whitespace().next() == Some(code.as_str())), "{code} is not listed");
        let page = rabita(&["explain", code.as_str()]).await;
        assert!(page.status.success() && page.out.starts_with(&format!("# {code}\n")), "{}{}", page.out, page.err);
        assert!(page.out.contains("## What the caller does"), "{}", page.out);
    }
    let misspelt = rabita(&["explain", "registry_timeot"]).await;
    assert_eq!((misspelt.status.code(), misspelt.out.as_str()), (Some(1), ""));
    assert!(misspelt.err.contains("did you mean `registry_timeout`?"), "{}", misspelt.err);
}

#[tokio::test]
async fn each_shell_completes_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let completions = rabita(&["completions", shell]).await;
        assert!(completions.status.success(), "{}", completions.err);
        for command in ["serve", "check", "demo", "ledger", "grants"] {
            assert!(completions.out.contains(command), "{shell} does not know `{command}`");
        }
    }
}

#[tokio::test]
async fn the_schemas_of_all_documents_are_written_for_editors() {
    let scratch = Scratch::new("schemas");
    let directory = scratch.path().join("new/schemas");
    let written = rabita(&["schema", "--out", directory.to_str().expect("a path in UTF-8")]).await;
    assert!(written.status.success(), "{}", written.err);
    let names = ["rabita", "agencies", "registry", "system", "grants", "transparency", "host", "results"];
    assert_eq!(written.out.lines().count(), names.len(), "{}", written.out);
    for name in names {
        let file = directory.join(format!("{name}.schema.json"));
        assert!(written.out.lines().any(|line| line == file.to_string_lossy()), "{}", written.out);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let schema: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["type"], "object", "{name}");
        let printed = rabita(&["schema", name]).await;
        assert_eq!(printed.out, text, "{name}");
    }
}
