//! The draft of a registry: from a survey to the files.

mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use rabita_sdk::Kind;
use rabita_sdk::mapping::Mapping;
use rabita_sdk::survey::Survey;
use serde_json::{Map, Value};

use crate::entity::{DraftedEntity, Drafting};
use crate::names::{self, Taken};
use crate::trials::Trials;
use crate::yaml::{self, Comments};
use crate::{operations, schema, verify};
use writer::Writer;

/// What a draft is made with beside the survey.
#[derive(Debug, Clone, Copy)]
pub struct DraftOptions<'a> {
    /// The registry's name and its agency's.
    pub registry: &'a str,
    pub agency: &'a str,
    /// Says which codes are in force.
    pub today: Date,
    /// The secret that look-alikes depend on. With the same one, the same draft is made.
    pub seed: &'a [u8],
    /// What relative file names are relative to.
    pub directory: &'a Path,
    /// Whether changes are drafted too, where the legacy system takes them.
    pub writes: bool,
    /// Keys that a person named, by the legacy name of the entity.
    pub keys: &'a BTreeMap<String, Vec<String>>,
}

/// A drafted registry.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The manifest.
    pub manifest: Map<String, Value>,
    /// What stands above its lines.
    pub comments: Comments,
    /// The schemas, by name.
    pub schemas: Vec<(String, Value)>,
    /// What was not sure, in the order of the manifest.
    pub unsure: Vec<Unsure>,
    /// What the sampled records came to.
    pub samples: Vec<Held>,
}

/// How many sampled records of an entity the draft holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The entity's name in the contract.
    pub entity: String,
    /// Those that every codec takes and that keep to the schema.
    pub sound: usize,
    pub total: usize,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsure {
    /// Where it stands in the manifest, as a JSON Pointer.
    pub pointer: String,
    /// Why, in a sentence that holds no value of a record.
    pub why: String,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Nothing was found that could be an entity.
    #[error("there is nothing to draft{0}")]
    Nothing(String),
    /// The draft is wrong as a manifest. This is a fault of the draft and not of the registry.
    #[error("the draft does not hold: {pointer}: {message}")]
    Unsound { pointer: String, message: String },
}

/// Makes the draft.
///
/// # Errors
/// See [`DraftError`].
pub fn draft(kind: &dyn Kind, survey: &Survey, options: &DraftOptions<'_>) -> Result<Draft, DraftError> {
    let domain = names::slug(options.registry);
    let drafting = Drafting { survey, domain: &domain, today: options.today, keys: options.keys };
    let mut taken = Taken::default();
    let mut entities = Vec::new();
    let mut left_out = survey.unsure.clone();
    for entity in &survey.entities {
        match drafting.entity(entity, &mut taken) {
            Ok(drafted) if operations::operations(&drafted, options.writes).as_object().is_some_and(|own| !own.is_empty()) => {
                entities.push(drafted);
            }
            Ok(_) => left_out.push(format!("{} was left out: nothing can be done with it", entity.name)),
            Err(why) => left_out.push(format!("{} was left out: {why}", entity.name)),
        }
    }
    if entities.is_empty() {
        return Err(DraftError::Nothing(left_out.iter().map(|why| format!("; {why}")).collect()));
    }
    let mut writer = Writer { kind, survey, options, left_out };
    let plan = writer.settle(&mut entities)?;
    let trials = Trials { kind, survey, seed: options.seed };
    let tests: Vec<Value> =
        entities.iter().zip(&plan.entities).flat_map(|(entity, planned)| trials.of(entity, &planned.mapping)).collect();
    let mut manifest = writer.manifest(&entities);
    manifest.insert("tests".to_owned(), Value::Array(tests));
    let unsure = writer.unsure(&entities);
    let mut comments = Comments::new();
    for one in &unsure {
        comments.entry(one.pointer.clone()).or_default().push(format!("unsure: {}", one.why));
    }
    let schemas = entities.iter().map(|entity| (entity.schema_name.clone(), schema::document(entity))).collect();
    let samples = entities.iter().zip(&plan.entities).map(|(entity, planned)| held(entity, &planned.mapping)).collect();
    Ok(Draft { manifest, comments, schemas, unsure, samples })
}

fn held(entity: &DraftedEntity<'_>, mapping: &Mapping) -> Held {
    let rows = &entity.surveyed.samples.0;
    let checks = verify::Sound::of(entity);
    let sound = rows.iter().filter(|row| checks.record(mapping, row).is_some()).count();
    Held { entity: entity.name.clone(), sound, total: rows.len() }
}

impl Draft {
    /// The manifest's text.
    #[must_use]
    pub fn text(&self) -> String {
        yaml::document(&self.manifest, &self.comments)
    }

    /// The text of a schema.
    #[must_use]
    pub fn schema_text(schema: &Value) -> String {
        format!("{schema:#}\n")
    }

    /// Takes a test away that did not hold, and says why.
    pub fn drop_test(&mut self, name: &str, why: &str) {
        self.amend(name, why, |tests, at| {
            tests.remove(at);
        });
    }

    /// Keeps a test off the real registry, where it did not hold, and says why.
    pub fn keep_off(&mut self, name: &str, why: &str) {
        self.amend(name, why, |tests, at| {
            if let Some(test) = tests[at].as_object_mut() {
                test.shift_remove("live");
            }
        });
    }

    fn amend(&mut self, name: &str, why: &str, change: impl FnOnce(&mut Vec<Value>, usize)) {
        let Some(Value::Array(tests)) = self.manifest.get_mut("tests") else { return };
        let Some(at) = tests.iter().position(|test| test["name"] == name) else { return };
        change(tests, at);
        let unsure = Unsure { pointer: "/tests".to_owned(), why: format!("{name}: {why}") };
        self.comments.entry(unsure.pointer.clone()).or_default().push(format!("unsure: {}", unsure.why));
        self.unsure.push(unsure);
    }
}

#[cfg(test)]
mod tests;
