//! The manifest of drafted entities, mended until it holds.

use rabita_sdk::finding::token;
use rabita_sdk::manifest::Manifest;
use rabita_sdk::plan::Plan;
use rabita_sdk::survey::Survey;
use rabita_sdk::{Finding, Kind, Source};
use serde_json::{Map, Value, json};

use super::{DraftError, DraftOptions, Unsure};
use crate::entity::{DraftedEntity, DraftedField, Shape};
use crate::propose::{self, ListOf};
use crate::{names, operations, verify};

/// How often a draft is mended before what still does not hold is given up.
const ROUNDS: usize = 6;

/// Writes the manifest of drafted entities.
pub(super) struct Writer<'a> {
    pub(super) kind: &'a dyn Kind,
    pub(super) survey: &'a Survey,
    pub(super) options: &'a DraftOptions<'a>,
    /// What there is no draft of, and why.
    pub(super) left_out: Vec<String>,
}

impl Writer<'_> {
    /// Mends the entities until the manifest compiles and every sample holds against it.
    pub(super) fn settle(&mut self, entities: &mut [DraftedEntity<'_>]) -> Result<Plan, DraftError> {
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

    /// The manifest, without its tests.
    pub(super) fn manifest(&self, entities: &[DraftedEntity<'_>]) -> Map<String, Value> {
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
        if let Some(version) = &entity.surveyed.offers.version {
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

    /// What is not sure, in the order of the manifest.
    pub(super) fn unsure(&self, entities: &[DraftedEntity<'_>]) -> Vec<Unsure> {
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
