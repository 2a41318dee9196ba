//! The draft of a registry: from a survey to the files.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use rabita_sdk::finding::token;
use rabita_sdk::manifest::Manifest;
use rabita_sdk::mapping::Mapping;
use rabita_sdk::plan::Plan;
use rabita_sdk::survey::Survey;
use rabita_sdk::{Finding, Kind, Source};
use serde_json::{Map, Value, json};

use crate::entity::{DraftedEntity, DraftedField, Drafting, Shape};
use crate::names::{self, Taken};
use crate::propose::{self, ListOf};
use crate::trials::Trials;
use crate::yaml::{self, Comments};
use crate::{operations, schema, verify};

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

/// How often a draft is mended before what still does not hold is given up.
const ROUNDS: usize = 6;

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

struct Writer<'a> {
    kind: &'a dyn Kind,
    survey: &'a Survey,
    options: &'a DraftOptions<'a>,
    left_out: Vec<String>,
}

impl Writer<'_> {
    /// Mends the entities until the manifest compiles and every sample holds against it.
    fn settle(&mut self, entities: &mut [DraftedEntity<'_>]) -> Result<Plan, DraftError> {
        for _ in 0..ROUNDS {
            let plan = self.plan(entities)?;
            let findings = self.kind.check(&plan.spec);
            let mut mended = findings.iter().any(|finding| drop_filter(entities, finding));
            if let Some(finding) = findings.into_iter().find(|finding| !finding.is_warning && !mended) {
                return Err(DraftError::Unsound { pointer: finding.pointer, message: finding.message });
            }
            for (entity, planned) in entities.iter_mut().zip(&plan.entities) {
                mended |= verify::mend(entity, &planned.mapping);
            }
            if !mended {
                return Ok(plan);
            }
        }
        self.plan(entities)
    }

    fn plan(&self, entities: &[DraftedEntity<'_>]) -> Result<Plan, DraftError> {
        let unsound = |pointer: String, message: String| DraftError::Unsound { pointer, message };
        let manifest: Manifest = serde_json::from_value(Value::Object(self.manifest(entities)))
            .map_err(|error| unsound(String::new(), error.to_string()))?;
        let plan = Plan::compile(&manifest, self.options.directory, self.options.today).map_err(|findings| {
            let first = findings.into_iter().next();
            first.map_or_else(|| unsound(String::new(), String::new()), |finding| unsound(finding.pointer, finding.message))
        })?;
        for table in &self.survey.code_tables {
            if let Some(list) = plan.codes.get(&names::word(&table.name)) {
                let _ = list.load(propose::code_rows(table), self.options.today);
            }
        }
        Ok(plan)
    }

    fn manifest(&self, entities: &[DraftedEntity<'_>]) -> Map<String, Value> {
        let mut manifest = Map::new();
        manifest.insert("registry".to_owned(), json!(self.options.registry));
        manifest.insert("agency".to_owned(), json!(self.options.agency));
        if let Some(title) = &self.survey.title {
            manifest.insert("title".to_owned(), json!(title));
        }
        let mut connector = Map::from_iter([("kind".to_owned(), json!(self.kind.name()))]);
        connector.extend(self.survey.settings.clone());
        manifest.insert("connector".to_owned(), Value::Object(connector));
        // Few at once, until somebody knows what the registry bears.
        manifest.insert("limits".to_owned(), json!({ "requests_per_second": 20, "concurrency": 4, "timeout_ms": 5000 }));
        let contract: Map<String, Value> = entities.iter().map(|entity| (entity.name.clone(), self.entity(entity))).collect();
        manifest.insert("contract".to_owned(), json!({ "v1": contract }));
        let codes = self.codes(entities);
        if !codes.is_empty() {
            manifest.insert("codes".to_owned(), Value::Object(codes));
        }
        manifest
    }

    fn entity(&self, entity: &DraftedEntity<'_>) -> Value {
        let mut written = Map::new();
        if let Some(comment) = &entity.surveyed.comment {
            written.insert("title".to_owned(), json!(comment));
        }
        written.insert("schema".to_owned(), json!(entity.schema_name));
        let name = |source: &Source| entity.fields.iter().find(|field| field.source == *source).map(|field| field.name.clone());
        let key: Vec<String> = entity.key.iter().filter_map(name).collect();
        written.insert("key".to_owned(), if key.len() == 1 { json!(key[0]) } else { json!(key) });
        if !entity.surveyed.samples.0.is_empty() {
            written.insert("identifiers_in_url".to_owned(), json!(false));
        }
        if !entity.observe.is_empty() {
            written.insert("replies".to_owned(), json!("observe"));
        }
        written.insert("from".to_owned(), entity.surveyed.from.clone());
        let fields: Map<String, Value> = entity.fields.iter().map(|field| (field.name.clone(), field.rule())).collect();
        written.insert("fields".to_owned(), Value::Object(fields));
        written.insert("operations".to_owned(), operations::operations(entity, self.options.writes));
        if let Some(from) = &entity.surveyed.offers.changes {
            written.insert("changes".to_owned(), json!({ "every_ms": 60_000, "from": from }));
        }
        if let (Some(version), true) = (&entity.surveyed.offers.version, self.options.writes) {
            written.insert("version".to_owned(), json!(version.as_str()));
        }
        Value::Object(written)
    }

    fn codes(&self, entities: &[DraftedEntity<'_>]) -> Map<String, Value> {
        let mut codes = Map::new();
        for list in lists(entities) {
            let spec = match &list.of {
                ListOf::Inline(values) => values.clone(),
                ListOf::Table(at) => propose::table_spec(&self.survey.code_tables[*at]),
            };
            codes.entry(list.name.clone()).or_insert(spec);
        }
        codes
    }

    fn unsure(&self, entities: &[DraftedEntity<'_>]) -> Vec<Unsure> {
        let mut unsure = Vec::new();
        let mut add = |pointer: &str, whys: &[String]| {
            for why in whys {
                let one = Unsure { pointer: pointer.to_owned(), why: why.clone() };
                if !unsure.contains(&one) {
                    unsure.push(one);
                }
            }
        };
        add("/contract", &self.left_out);
        for entity in entities {
            let place = format!("/contract/v1/{}", token(&entity.name));
            add(&place, &entity.unsure);
            add(&format!("{place}/replies"), &entity.observe);
            for field in &entity.fields {
                let place = format!("{place}/fields/{}", token(&field.name));
                add(&place, &field.unsure);
                if let Shape::Group(fields) = &field.shape {
                    for inner in fields {
                        add(&format!("{place}/fields/{}", token(&inner.name)), &inner.unsure);
                    }
                }
            }
        }
        for list in lists(entities) {
            add(&format!("/codes/{}", token(&list.name)), &list.unsure);
        }
        unsure
    }
}

fn lists<'a>(entities: &'a [DraftedEntity<'_>]) -> impl Iterator<Item = &'a propose::List> {
    entities
        .iter()
        .flat_map(|entity| entity.fields.iter())
        .flat_map(DraftedField::proposals)
        .filter_map(|proposal| proposal.list.as_ref())
}

/// Takes a filter away that the kind finds it cannot serve.
fn drop_filter(entities: &mut [DraftedEntity<'_>], finding: &Finding) -> bool {
    let mut parts = finding.pointer.split('/').skip(1);
    let (Some("contract"), Some("v1"), Some(name)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let rest: Vec<&str> = parts.collect();
    let ["operations", "search", "by", field, ..] = rest.as_slice() else { return false };
    let Some(entity) = entities.iter_mut().find(|entity| entity.name == name) else { return false };
    let is_new = !entity.no_filters.iter().any(|own| own == field);
    entity.no_filters.push((*field).to_owned());
    is_new
}

#[cfg(test)]
mod tests;
