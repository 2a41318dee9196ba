//! Whether what a program describes is what a manifest relies on.

use rabita_model::Operation;
use rabita_sdk::{Capabilities, Duplicates, Promise, RegistrySpec};

use crate::convert::plain;
use crate::digest;
use crate::message::{CapabilitiesMessage, EntityDescription, RegistryDescription};
use crate::names::Names;

/// For each entity of the specification: nothing, or why it is not asked of this program.
#[must_use]
pub fn fit(spec: &RegistrySpec, names: &Names, promise: Promise, described: &RegistryDescription) -> Vec<Option<String>> {
    let entity = |(at, names): (usize, &crate::names::EntityNames)| {
        let name = &names.entity;
        let Some(entity) = described.entities.iter().find(|entity| entity.entity == *name) else {
            let known: Vec<String> = described.entities.iter().map(|entity| plain(&entity.entity)).collect();
            return Some(format!("it does not serve `{name}`; it serves {}", known.join(", ")));
        };
        differs(spec, at, entity).or_else(|| falls_short(&promise.of(spec, at), name, &entity.capabilities))
    };
    names.entities.iter().enumerate().map(entity).collect()
}

fn differs(spec: &RegistrySpec, at: usize, entity: &EntityDescription) -> Option<String> {
    let parts = digest::differences(&digest::of(&spec.entities[at]), entity.manifest.as_ref()?);
    let parts: Vec<String> = parts.iter().map(|part| format!("`{}`", plain(part))).collect();
    let last = parts.last()?;
    let parts = match &parts[..parts.len() - 1] {
        [] => last.clone(),
        first => format!("{} and {last}", first.join(", ")),
    };
    let entity = &spec.entities[at].name;
    Some(format!(
        "its copy of the manifest is another: {entity} differs in {parts}; give both sides the same contract and mapping"
    ))
}

fn falls_short(relied: &Capabilities, name: &str, can: &CapabilitiesMessage) -> Option<String> {
    if let Some(operation) = relied.operations.iter().find(|operation| !can.operations.contains(operation)) {
        return Some(match operation {
            Operation::Subscribe => format!("`{name}`: the manifest has `changes`, and it finds none"),
            Operation::Act => format!("`{name}`: the manifest has actions, and it does none"),
            operation => format!("`{name}`: the manifest offers `{operation}`, and it does not"),
        });
    }
    let keeps_ids = |duplicates| match duplicates {
        Duplicates::Detected => 2,
        Duplicates::HandedOn => 1,
        Duplicates::Applied => 0,
    };
    if keeps_ids(relied.duplicates) > keeps_ids(can.duplicates) {
        let (said, is) = (word(relied.duplicates), word(can.duplicates));
        return Some(format!("`{name}`: the manifest says `duplicates: {said}`, and it is `{is}` there"));
    }
    if relied.checks_versions && !can.checks_versions {
        return Some(format!(
            "`{name}`: the manifest has a `version` that changes depend on, and it checks none; say `checks_versions: false` if that is meant"
        ));
    }
    if relied.streams_binary && !can.streams_binary {
        return Some(format!("`{name}`: the manifest has binary fields, and it serves none"));
    }
    None
}

const fn word(duplicates: Duplicates) -> &'static str {
    match duplicates {
        Duplicates::Detected => "detected",
        Duplicates::HandedOn => "handed_on",
        Duplicates::Applied => "applied",
    }
}
