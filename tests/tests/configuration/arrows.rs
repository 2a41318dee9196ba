//! The arrows between the crates point one way, and there is one TLS.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rabita_tests::real::workspace;
use serde_json::Value;

/// What each crate may use of the workspace, in production. A crate that is not here is told.
const ALLOWED: [(&str, &[&str]); 28] = [
    ("model", &[]),
    ("schemas", &["model"]),
    ("sdk", &["model"]),
    ("contract", &["model"]),
    ("tls", &["sdk"]),
    ("http", &["model", "sdk", "tls"]),
    ("relational", &["model", "sdk"]),
    ("sql", &["model", "sdk", "relational"]),
    ("odbc", &["model", "sdk", "relational"]),
    ("rest", &["model", "sdk", "http"]),
    ("soap", &["model", "sdk", "http"]),
    ("queue", &["model", "sdk", "http"]),
    ("ldap", &["model", "sdk", "tls"]),
    ("files", &["model", "sdk", "http"]),
    ("wire", &["model", "sdk", "http"]),
    ("battery", &["model", "sdk"]),
    // Names no kind: it takes what all of them tell.
    ("draft", &["model", "schemas", "sdk"]),
    ("keys", &[]),
    ("ledger", &["model", "keys"]),
    ("identity", &["model"]),
    // Knows keys to tell of one that cannot be used.
    ("config", &["model", "schemas", "sdk", "keys"]),
    ("journal", &["model"]),
    // Makes what the bus finds, as an agency would: it knows no crate of the bus.
    ("demo", &[]),
    ("core", &["model", "schemas", "sdk", "config", "journal", "ledger"]),
    ("trial", &["model", "schemas", "sdk", "config", "core", "draft"]),
    (
        "server",
        &[
            "model", "schemas", "contract", "config", "core", "demo", "draft", "identity", "journal", "keys", "ledger", "sdk",
            "http", "sql", "odbc", "rest", "soap", "queue", "ldap", "files", "trial", "wire",
        ],
    ),
    (
        "fuzz",
        &[
            "battery", "config", "contract", "core", "files", "identity", "keys", "ldap", "ledger", "model", "queue", "rest",
            "sdk", "server", "soap",
        ],
    ),
    ("tests", &["battery", "journal", "config", "demo", "draft", "keys", "ledger", "model", "sdk", "server"]),
];

/// Crates that bring another TLS, or another library of cryptography, than rustls with aws-lc-rs.
const REFUSED: [&str; 5] = ["openssl", "native-tls", "ring", "schannel", "security-framework"];

/// The C library of OpenSSL is built into librdkafka, which knows no other TLS, and is used by nothing else.
const WITHIN_KAFKA: (&str, &str) = ("openssl-sys", "rdkafka-sys");

/// The crates of the workspace, each with the others that it uses in production.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let short = |name: &Value| name.as_str().and_then(|name| name.strip_prefix("rabita-")).map(str::to_owned);
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let used = package["dependencies"].as_array().expect("dependencies").iter();
            let used = used.filter(|dependency| dependency["kind"].is_null()).filter_map(|dependency| short(&dependency["name"]));
            (short(&package["name"]).expect("a crate of ours"), used.collect())
        })
        .collect()
}

#[test]
fn a_crate_uses_only_what_lies_below_it() {
    let arrows = arrows();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    for (name, used) in &arrows {
        let Some(allowed) = allowed.get(name.as_str()) else { panic!("say in ALLOWED what `{name}` may use") };
        let more: Vec<&String> = used.iter().filter(|used| !allowed.contains(&used.as_str())).collect();
        assert!(more.is_empty(), "`{name}` may not use {more:?}");
    }
    for name in allowed.keys() {
        assert!(arrows.contains_key(*name), "there is no crate `{name}` any more");
    }
}

#[test]
fn only_the_binary_names_the_kinds_of_connectors() {
    for (name, used) in arrows() {
        let kinds: Vec<&String> = used
            .iter()
            .filter(|used| ["sql", "odbc", "rest", "soap", "queue", "ldap", "files", "wire"].contains(&used.as_str()))
            .collect();
        assert!(kinds.is_empty() || ["server", "fuzz"].contains(&name.as_str()), "`{name}` names {kinds:?}");
    }
}

#[test]
fn there_is_one_tls_in_all_that_is_built() {
    // What `cargo metadata` resolves has optional crates in it that nothing turns on; `cargo tree` has what is built.
    let words =
        ["tree", "--workspace", "--locked", "--offline", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(&words);
    let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("rustls") && built.contains("aws-lc-rs"), "what is looked for is found");
    let refused: Vec<&&str> = REFUSED.iter().filter(|name| built.contains(**name)).collect();
    assert!(refused.is_empty(), "{refused:?} is in the tree: `cargo tree -i {}` tells by whom", refused[0]);
}

#[test]
fn openssl_is_used_by_the_kafka_client_alone() {
    let (library, client) = WITHIN_KAFKA;
    let words = ["tree", "--workspace", "--locked", "--offline", "--edges", "normal,build,dev", "--prefix", "depth"];
    let tree = cargo(&[&words[..], &["--invert", library, "--depth", "1", "--format", "{p}"]].concat());
    let users: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.strip_prefix('1')).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(users, BTreeSet::from([client]), "{tree}");
}

fn cargo(words: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo).args(words).current_dir(workspace()).output().expect("cargo can be run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}
