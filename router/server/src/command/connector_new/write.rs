//! Writes a draft into a configuration directory, over nothing that is there.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rabita_config::document::Document;
use rabita_core::Clock as _;
use rabita_draft::Draft;
use rabita_model::{AgencyId, RegistryId, SystemId};
use rabita_sdk::SurveySource;
use serde_json::Value;

use super::ask::Questions;
use super::{NewArguments, source, starter};
use crate::command::{Failed, output};
use crate::machine::WallClock;

/// The places to look at that are listed; all stand in the file.
const LISTED: usize = 12;

/// A configuration directory that is written into.
pub(super) struct Place {
    pub(super) directory: PathBuf,
    /// Whether there was one before.
    exists: bool,
    force: bool,
}

/// What was written.
pub(super) struct Written {
    directory: PathBuf,
    files: Vec<PathBuf>,
    manifest: PathBuf,
}

impl Place {
    pub(super) fn open(directory: &Path, force: bool) -> Result<Self, Failed> {
        let directory = std::path::absolute(directory)?;
        let exists = directory.join("rabita.yaml").is_file();
        let is_other = !exists && std::fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some());
        if is_other {
            return Err(format!(
                "{} holds files and is no configuration directory, since it has no rabita.yaml: name another with --into",
                directory.display()
            )
            .into());
        }
        Ok(Self { directory, exists, force })
    }

    /// The agency that was named, the only one there is, or one that is asked for.
    pub(super) fn agency(&self, named: Option<&str>, asks: &Questions) -> Result<String, Failed> {
        let known = self.agencies()?;
        let agency = match (named, known.as_slice()) {
            (Some(named), _) => named.to_owned(),
            (None, [one]) => one.clone(),
            (None, []) => asks.text("Which agency owns the registry?", Some("agency"))?.unwrap_or_default(),
            (None, several) => {
                let among: Vec<&str> = several.iter().map(String::as_str).collect();
                let missing = format!("say which agency owns the registry: --agency with one of {}", among.join(", "));
                asks.choose("Which agency owns the registry?", &among)?.ok_or(missing)?
            }
        };
        AgencyId::new(&agency).map_err(|error| format!("the agency `{agency}`: {error}"))?;
        if self.exists && !known.contains(&agency) {
            let line = format!("  - {{ id: {agency}, title: ... }}");
            return Err(
                format!("agencies.yaml has no agency `{agency}`; add it there first, as a line of `agencies:`\n{line}").into()
            );
        }
        Ok(agency)
    }

    fn agencies(&self) -> Result<Vec<String>, Failed> {
        if !self.exists {
            return Ok(Vec::new());
        }
        let file = self.directory.join("agencies.yaml");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let document = Document::read(Path::new("agencies.yaml"), text).map_err(|found| format!("{found}"))?;
        let ids = document.value["agencies"].as_array().into_iter().flatten().filter_map(|agency| agency["id"].as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    /// Refuses early what could not be written in the end.
    pub(super) fn is_free(&self, registry: &str, dry_run: bool) -> Result<(), Failed> {
        let manifest = self.directory.join(manifest_of(registry));
        if manifest.exists() && !self.force && !dry_run {
            return Err(format!(
                "{} is there already: name another registry with --registry, or write over it with --force",
                manifest.display()
            )
            .into());
        }
        Ok(())
    }

    /// Writes everything, or nothing where a file is in the way.
    pub(super) fn write(&self, registry: &str, agency: &str, made: &Draft, grant: Option<&str>) -> Result<Written, Failed> {
        let mut files: Vec<(String, String)> = Vec::new();
        if !self.exists {
            files.extend(starter::files(agency));
        }
        files.push((manifest_of(registry), made.text()));
        let schemas =
            made.schemas.iter().map(|(name, schema)| (format!("schemas/{name}/schema.json"), Draft::schema_text(schema)));
        files.extend(schemas);
        if let Some(system) = grant {
            SystemId::new(system).map_err(|error| format!("the system `{system}`: {error}"))?;
            let file = format!("systems/{system}.yaml");
            if !self.directory.join(&file).exists() {
                files.push((file, format!("system: {system}\nagency: {agency}\ncertificates: [{{ common_name: {system} }}]\n")));
            }
            files.push((format!("grants/{registry}.yaml"), grants(registry, system, made, &self.purpose()?)));
        }
        let in_the_way: Vec<&str> = files
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !self.force && self.directory.join(name).exists())
            .collect();
        if !in_the_way.is_empty() {
            return Err(format!(
                "nothing was written, since these are there already: {}; --force writes over them",
                in_the_way.join(", ")
            )
            .into());
        }
        if !self.exists {
            starter::write_certificates(&self.directory.join("tls"), grant, WallClock.today())?;
        }
        let mut written = Vec::new();
        for (name, text) in files {
            let path = self.directory.join(&name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let mut file = std::fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            file.write_all(text.as_bytes())?;
            written.push(PathBuf::from(name));
        }
        Ok(Written { directory: self.directory.clone(), files: written, manifest: self.directory.join(manifest_of(registry)) })
    }

    /// The purpose that a starter grant is for: the first that the country has.
    fn purpose(&self) -> Result<String, Failed> {
        if !self.exists {
            return Ok(starter::PURPOSE.to_owned());
        }
        let text = std::fs::read_to_string(self.directory.join("agencies.yaml"))?;
        let document = Document::read(Path::new("agencies.yaml"), text).map_err(|found| format!("{found}"))?;
        let first = document.value.pointer("/purposes/0/id").and_then(Value::as_str);
        first.map(str::to_owned).ok_or_else(|| "agencies.yaml has no purpose that a grant could be for".into())
    }
}

fn manifest_of(registry: &str) -> String {
    format!("registries/{registry}.yaml")
}

/// Grants of everything that can be read.
fn grants(registry: &str, system: &str, made: &Draft, purpose: &str) -> String {
    let mut text =
        format!("# To begin with: narrow the fields before anybody but a tester gets this.\nregistry: {registry}\ngrants:\n");
    let entities = made.manifest["contract"]["v1"].as_object().into_iter().flatten();
    for (name, entity) in entities {
        let operations = entity["operations"].as_object().into_iter().flatten().map(|(word, _)| word.as_str());
        let reads: Vec<&str> = operations.filter(|word| matches!(*word, "read" | "search" | "subscribe")).collect();
        text.push_str(&format!(
            "  - {{ system: {system}, version: v1, entity: {name}, operations: [{}], fields: all, purposes: [{purpose}] }}\n",
            reads.join(", ")
        ));
    }
    text
}

/// The name that was given, or one that the address suggests.
pub(super) fn registry_name(arguments: &NewArguments, asks: &Questions, source: &SurveySource) -> Result<String, Failed> {
    let name = match &arguments.registry {
        Some(name) => name.clone(),
        None => asks.text("What is the registry called?", Some(&source::name_of(source)))?.unwrap_or_default(),
    };
    RegistryId::new(&name).map_err(|error| format!("the registry's name `{name}`: {error}"))?;
    Ok(name)
}

impl Written {
    /// Says what there is, and what a person has to look at.
    pub(super) fn tell(&self, made: &Draft) {
        for file in &self.files {
            output::say(format_args!("wrote {}", self.directory.join(file).display()));
        }
        if made.unsure.is_empty() {
            return;
        }
        output::say(format_args!("\n{} places to look at, marked `# unsure:` in {}", made.unsure.len(), self.manifest.display()));
        for unsure in made.unsure.iter().take(LISTED) {
            output::say(format_args!("  {}: {}", unsure.pointer, unsure.why));
        }
        if made.unsure.len() > LISTED {
            output::say(format_args!("  ... and {} more", made.unsure.len() - LISTED));
        }
        output::say("");
    }

    /// Says what comes next.
    pub(super) fn tell_next(&self, registry: &str, grant: Option<&str>, live: bool) {
        let directory = self.directory.display();
        output::say(format_args!("\nnext:\n  rabita check {directory}\n  rabita connector test {directory} {registry}"));
        if live {
            output::say(format_args!("  rabita connector test {directory} {registry} --live"));
        }
        match grant {
            Some(_) => output::say(format_args!("  rabita serve --config {directory}")),
            None => output::say(format_args!("  grant it in {directory}/grants/{registry}.yaml")),
        }
    }
}
