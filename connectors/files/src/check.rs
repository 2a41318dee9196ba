//! Everything wrong with a registry that the schemas can't say.

use rabita_model::Operation;
use rabita_sdk::{EntitySpec, Finding, RegistrySpec, TableSpec};

use crate::plan::Plan;
use crate::settings::{Origin, Place, Settings, Sftp};

/// Where the settings stand in a manifest.
const CONNECTOR: &str = "/connector";

/// Checks settings, entities and tables of codes.
pub fn check(spec: &RegistrySpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let settings: Option<Settings> = match serde_json::from_value(spec.settings.clone()) {
        Ok(settings) => Some(settings),
        Err(wrong) => {
            findings.push(Finding::new(CONNECTOR, wrong.to_string()));
            None
        }
    };
    if let Some(marker) = settings.as_ref().and_then(|settings| settings.arrival.marker.as_ref())
        && marker.matches("{name}").count() != 1
    {
        let message = "the marker's name is made of the file's: it has `{name}` once";
        findings.push(Finding::new(format!("{CONNECTOR}/arrival/marker"), message));
    }
    if let Some(settings) = &settings {
        check_places(settings, &mut findings);
    }
    for entity in &spec.entities {
        check_entity(entity, spec, settings.as_ref(), &mut findings);
    }
    for table in &spec.tables {
        if let Err(found) = Plan::new(&as_entity(table), spec) {
            findings.extend(found);
        }
    }
    findings
}

/// A table of codes as an entity without a key.
pub fn as_entity(table: &TableSpec) -> EntitySpec {
    EntitySpec {
        name: format!("codes/{}", table.name),
        pointer: table.pointer.clone(),
        from: table.from.clone(),
        key: Vec::new(),
        wanted: rabita_sdk::Wanted { sources: table.columns.clone(), groups: Vec::new() },
        places: Vec::new(),
        binary: Vec::new(),
        filters: Vec::new(),
        operations: [Operation::Search].into(),
        written: Vec::new(),
        version: None,
        actions: Vec::new(),
        changes: None,
    }
}

fn check_places(settings: &Settings, findings: &mut Vec<Finding>) {
    match &settings.source {
        Origin::Sftp(sftp) => check_sftp(sftp, "/source/sftp", findings),
        Origin::Http(http) => {
            findings.extend(http.at.check(&format!("{CONNECTOR}/source/http/at")));
            for (at, name) in
                http.files.iter().enumerate().filter(|(_, name)| name.contains(['/', '?', '#', '%']) || name.is_empty())
            {
                let message = format!("`{name}` is no name of a file: what stands before the last slash belongs to the address");
                findings.push(Finding::new(format!("{CONNECTOR}/source/http/files/{at}"), message));
            }
        }
        Origin::Directory(_) => {}
    }
    if let Some(Place::Sftp(sftp)) = settings.outgoing.as_ref().map(|outgoing| &outgoing.to) {
        check_sftp(sftp, "/outgoing/to/sftp", findings);
    }
}

fn check_sftp(sftp: &Sftp, at: &str, findings: &mut Vec<Finding>) {
    if russh::keys::PublicKey::from_openssh(sftp.host_key.trim()).is_err() {
        let message = "this is no public key of SSH: it is two words, such as `ssh-ed25519 AAAA...`";
        findings.push(Finding::new(format!("{CONNECTOR}{at}/host_key"), message));
    }
    if sftp.key.is_some() == sftp.password.is_some() {
        findings.push(Finding::new(format!("{CONNECTOR}{at}"), "say how the bus shows who it is: either `key` or `password`"));
    }
}

fn check_entity(spec: &EntitySpec, registry: &RegistrySpec, settings: Option<&Settings>, findings: &mut Vec<Finding>) {
    let plan = match Plan::new(spec, registry) {
        Ok(plan) => plan,
        Err(found) => return findings.extend(found),
    };
    for action in &spec.actions {
        findings.push(Finding::new(&action.pointer, "files know no actions: leave this out"));
    }
    check_changes(spec, &plan, settings, findings);
    let at = format!("{}/write", spec.pointer);
    let Some(write) = &plan.write else { return };
    if !["{number}", "{id}"].iter().any(|word| write.name.contains(word)) {
        let message = "each file needs a name of its own: put `{number}` or `{id}` into it";
        findings.push(Finding::new(format!("{at}/name"), message));
    }
    if plan.matches(&write.name) {
        let message = "a file of changes would be taken for a drop: give it a name that `file` does not match";
        findings.push(Finding::new(format!("{at}/name"), message));
    }
    let operation = &write.operation;
    let words = [&operation.create, &operation.update, &operation.delete];
    if words[0] == words[1] || words[1] == words[2] || words[0] == words[2] {
        let message = "the words for what is done have to differ: `create`, `update` and `delete`";
        findings.push(Finding::new(format!("{at}/operation"), message));
    }
    if let Some(writer) = plan.layout.writer()
        && !writer.columns().contains(&operation.column)
        && !plan.layout.takes_front()
    {
        let known = writer.columns().iter().map(rabita_sdk::Source::as_str);
        findings.push(Finding::unknown(format!("{at}/operation/column"), "column", operation.column.as_str(), known));
    }
}

/// What changes need.
fn check_changes(spec: &EntitySpec, plan: &Plan, settings: Option<&Settings>, findings: &mut Vec<Finding>) {
    let changing = [Operation::Create, Operation::Replace, Operation::Update, Operation::Delete];
    let offered: Vec<Operation> = changing.into_iter().filter(|operation| spec.operations.contains(operation)).collect();
    let Some(first) = offered.first() else { return };
    let offers = format!("`{}` offers {first}", spec.name);
    if settings.is_some_and(|settings| settings.outgoing.is_none()) {
        findings.push(Finding::new(CONNECTOR, format!("{offers}, and nothing says where changes go: add `outgoing`")));
    }
    if plan.write.is_none() {
        findings.push(Finding::new(&spec.pointer, format!("{offers}, and nothing says how it is written: add `write`")));
    } else if plan.layout.writer().is_none() {
        let why = "this layout can only be read; delimited files need all their `columns` named, and records with children can't be written";
        findings.push(Finding::new(format!("{}/format", spec.pointer), format!("{offers}, and {why}")));
    }
    if spec.version.is_none() {
        return;
    }
    if plan.write.as_ref().is_some_and(|write| write.bump == crate::from::Bump::None) {
        let message = "the version stays as it is at a change, until a drop comes: say how it changes with `bump`";
        findings.push(Finding::warning(format!("{}/write", spec.pointer), message));
    }
}
