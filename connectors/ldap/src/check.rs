//! What can be wrong with a registry beyond what the schemas say, found without the directory.

use rabita_model::{Operation, Rule};
use rabita_sdk::{EntitySpec, Finding, RegistrySpec, Source, TextOrSecret};

use crate::origin::Bump;
use crate::plan::{Plan, as_entity};
use crate::settings::{Address, Bind, Settings};
use crate::values::DN;

pub(crate) const IN_CLEAR: &str =
    "records and passwords would go over the network in clear: use `ldaps://`, or `tls: { start: true }`";

/// Everything wrong with a registry.
pub(crate) fn findings(spec: &RegistrySpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let settings: Settings = match serde_json::from_value(spec.settings.clone()) {
        Ok(settings) => settings,
        Err(wrong) => return vec![Finding::new("/connector", wrong.to_string())],
    };
    check_settings(&settings, spec, &mut findings);
    for entity in &spec.entities {
        match Plan::new(entity) {
            Ok(plan) => check_entity(&plan, &settings, &mut findings),
            Err(wrong) => findings.extend(wrong),
        }
    }
    for table in &spec.tables {
        findings.extend(Plan::new(&as_entity(table)).err().into_iter().flatten());
    }
    findings
}

fn check_settings(settings: &Settings, spec: &RegistrySpec, findings: &mut Vec<Finding>) {
    let tls = &settings.tls;
    if let TextOrSecret::Text(url) = &settings.url {
        match Address::parse(url) {
            Err(wrong) if url.contains('@') => {
                findings.push(Finding::new("/connector/url", wrong).breaks(Rule::SecretInTheOpen));
            }
            Err(wrong) => findings.push(Finding::new("/connector/url", wrong)),
            Ok(address) if address.secured && tls.start => {
                findings.push(Finding::new("/connector/tls/start", "an `ldaps://` address is secured from the first byte on"));
            }
            Ok(address) => {
                let is_secured = address.secured || tls.start;
                if !is_secured && !tls.dangerously_speak_in_clear && !address.is_loopback() {
                    findings.push(Finding::new("/connector/url", IN_CLEAR));
                }
                if !is_secured && (tls.ca_file.is_some() || tls.cert_file.is_some()) {
                    let message = "certificates without `ldaps://` or `start: true` do nothing";
                    findings.push(Finding::warning("/connector/tls", message).breaks(Rule::WithoutEffect));
                }
            }
        }
    }
    if tls.dangerously_speak_in_clear {
        let message = "anyone on the way to the directory can read and change everything: use `ldaps://`, or `start: true`";
        findings.push(Finding::warning("/connector/tls/dangerously_speak_in_clear", message).breaks(Rule::GuardWeakened));
    }
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        findings.push(Finding::new("/connector/tls", "`cert_file` and `key_file` go together"));
    }
    if matches!(settings.bind, Some(Bind::External(_))) && tls.cert_file.is_none() {
        let message = "the directory knows the bus by its certificate: add `tls: { cert_file: ..., key_file: ... }`";
        findings.push(Finding::new("/connector/bind", message));
    }
    if settings.idle_connections.is_some_and(|idle| idle > spec.concurrency) {
        findings.push(Finding::new("/connector/idle_connections", "more than `limits.concurrency`, the most that are ever open"));
    }
}

fn check_entity(plan: &Plan, settings: &Settings, findings: &mut Vec<Finding>) {
    let spec = &plan.spec;
    let at = |below: &str| format!("{}/{below}", spec.pointer);
    for source in &spec.key {
        if source.as_str() == DN {
            findings.push(Finding::new(
                place(spec, source),
                "the name of an entry changes when it is moved: take an attribute as the key",
            ));
        }
        if plan.origin.lists.contains(source) {
            findings.push(Finding::new(place(spec, source), "a key is one value: leave it out of `lists`"));
        }
        if plan.binary.contains(source) {
            findings.push(Finding::new(place(spec, source), "a key is text: bytes can be none"));
        }
    }
    for group in spec.wanted.groups.iter().filter(|group| !group.sources.is_empty()) {
        let message =
            format!("the values of `{}` have no members: write `item: {{ codec: trim }}` in place of `fields`", group.name);
        findings.push(Finding::new(place(spec, &group.name), message));
    }
    for filter in &spec.filters {
        if filter.source.as_str() == DN {
            findings.push(Finding::new(&filter.pointer, "the directory does not compare the names of entries"));
        }
        for ignore in filter.ignore.iter().filter(|ignore| !plan.origin.ignores.contains(ignore)) {
            let word = serde_json::to_value(ignore).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
            let message = format!(
                "the connector can't overlook this difference; if the directory's rule for `{}` does, say `ignores: [{word}]` in `from`",
                filter.source
            );
            findings.push(Finding::new(&filter.pointer, message));
        }
    }
    for (_, _, pointer) in spec.written.iter().filter(|(_, source, _)| source.as_str() == DN) {
        findings.push(Finding::new(pointer, "the name of an entry is made by `create`, and stays"));
    }
    check_version(plan, settings, findings);
    check_create(plan, findings);
    if plan.origin.binary.iter().any(|source| source.as_str() == DN) {
        findings.push(Finding::new(at("binary"), "the name of an entry is text"));
    }
}

fn check_version(plan: &Plan, settings: &Settings, findings: &mut Vec<Finding>) {
    let spec = &plan.spec;
    if plan.origin.bump != Bump::None && spec.version.is_none() {
        findings.push(Finding::new(format!("{}/bump", spec.pointer), "the entity has no version to change"));
    }
    let changes = [Operation::Replace, Operation::Update, Operation::Delete];
    if spec.version.is_some() && !settings.assertions && changes.iter().any(|operation| spec.operations.contains(operation)) {
        let message = "changes do not depend on the version: the directory is said to check no assertions";
        findings.push(Finding::warning("/connector/assertions", message));
    }
}

fn check_create(plan: &Plan, findings: &mut Vec<Finding>) {
    let spec = &plan.spec;
    let Some(create) = &plan.create else {
        if spec.operations.contains(&Operation::Create) {
            let message = format!("`{}` offers create, and nothing says what new entries are like: add `create`", spec.name);
            findings.push(Finding::new(&spec.pointer, message));
        }
        return;
    };
    if !spec.operations.contains(&Operation::Create) {
        return;
    }
    let written = spec.written.iter().filter(|(operation, ..)| *operation == Operation::Create).map(|(_, source, _)| source);
    let known: Vec<&str> = written.chain(&spec.key).map(Source::as_str).collect();
    let mut check = |name: &str, below: &str| {
        if !known.contains(&name) {
            let pointer = format!("{}/create/{below}", spec.pointer);
            findings.push(Finding::unknown(pointer, "source that `create` writes, as", name, known.iter().copied()));
        }
    };
    create.rdn.names().for_each(|name| check(name, "rdn"));
    for (attribute, template) in &create.set {
        template.names().for_each(|name| check(name, &format!("set/{}", rabita_sdk::finding::token(attribute))));
    }
}

/// Where the manifest names a source.
fn place(spec: &EntitySpec, source: &Source) -> String {
    let place = spec.places.iter().find(|(own, _)| own == source).map(|(_, place)| place.clone());
    place.unwrap_or_else(|| spec.pointer.clone())
}
