//! What can be done with a drafted entity.

use rabita_model::Comparison;
use rabita_sdk::Source;
use rabita_sdk::codec::{Codec, CodecSpec};
use rabita_sdk::codes::CodeBook;
use rabita_sdk::survey::{Offers, Searchable, SurveyedEntity};
use serde_json::{Map, Value, json};

use crate::entity::{DraftedEntity, DraftedField, Shape};
use crate::propose::Proposal;

/// The most records of a page, where the legacy system does not say less.
const PAGE: u32 = 100;

/// The manifest's `operations:`. Changes only where they were asked for.
pub(crate) fn operations(entity: &DraftedEntity<'_>, writes: bool) -> Value {
    let offers = &entity.surveyed.offers;
    let mut operations = Map::new();
    if offers.read {
        let many = offers.read_many.map_or(1, |many| many.min(50));
        operations.insert("read".to_owned(), json!({ "max_keys": many }));
    }
    let filters = filters(entity);
    if !filters.is_empty() {
        let max = offers.search_max.map_or(PAGE, |most| most.min(PAGE));
        operations.insert("search".to_owned(), json!({ "by": filters, "max": max }));
    }
    if writes {
        operations.extend(changes(entity, offers));
    }
    if offers.changes.is_some() {
        operations.insert("subscribe".to_owned(), json!({}));
    }
    Value::Object(operations)
}

/// So many rows a registry goes through without an index that helps.
const FEW: u64 = 100_000;

/// The fields that records are found by, each with its comparisons. Blanks around values have to be overlooked, or nothing
/// would be found; no plain index helps with that, so it is left out where there are many rows.
pub(crate) fn filters(entity: &DraftedEntity<'_>) -> Map<String, Value> {
    let is_whole_key = |source: &Source| entity.key.len() == 1 && entity.key[0] == *source && entity.surveyed.offers.read;
    let offered = entity.surveyed.offers.search.iter().filter(|search| search.cheap && !is_whole_key(&search.source));
    offered
        .filter_map(|search| {
            let (field, proposal) = single(entity, &search.source)?;
            let compared = comparisons(search, proposal)?;
            let filter = match proposal.has_outer_spaces {
                true if !overlooks_spaces(entity.surveyed) => return None,
                true => json!({ "compare": compared, "ignore": ["outer_spaces"] }),
                false => json!(compared),
            };
            (!entity.no_filters.contains(&field.name)).then(|| (field.name.clone(), filter))
        })
        .collect()
}

/// Whether a search may overlook blanks around values, which costs the registry a look at each row.
pub(crate) fn overlooks_spaces(entity: &SurveyedEntity) -> bool {
    entity.rows.is_some_and(|rows| rows <= FEW)
}

fn single<'a>(entity: &'a DraftedEntity<'_>, source: &Source) -> Option<(&'a DraftedField, &'a Proposal)> {
    entity.fields.iter().find_map(|field| match &field.shape {
        Shape::One(proposal) if field.source == *source => Some((field, proposal.as_ref())),
        _ => None,
    })
}

/// The comparisons that go through the field's codec.
fn comparisons(search: &Searchable, proposal: &Proposal) -> Option<Vec<&'static str>> {
    let codec = chain(proposal).filter(|_| proposal.read.is_none())?;
    let is_text = proposal.schema.get("type") == Some(&json!("string")) && proposal.schema.get("format").is_none();
    let holds = |comparison: &Comparison| match comparison {
        Comparison::Equals => codec.is_invertible(),
        Comparison::Prefix => is_text && codec.keeps_prefix(),
        Comparison::From | Comparison::To => codec.keeps_order() && proposal.list.is_none(),
    };
    let kept: Vec<&str> =
        search.comparisons.iter().filter(|comparison| holds(comparison)).map(|comparison| comparison.as_str()).collect();
    (!kept.is_empty()).then_some(kept)
}

/// The compiled codec; what stands in its code list makes no difference to what it can do.
fn chain(proposal: &Proposal) -> Option<Codec> {
    let specs: Vec<CodecSpec> =
        proposal.codec.iter().map(|spec| serde_json::from_value(spec.clone())).collect::<Result<_, _>>().ok()?;
    let codes = match &proposal.list {
        Some(list) => crate::propose::book(&list.name, &json!({ "a": "a" }), None, jiff::civil::date(2000, 1, 1))?,
        None => CodeBook::default(),
    };
    Codec::compile(&specs, &codes).ok()
}

fn changes(entity: &DraftedEntity<'_>, offers: &Offers) -> Map<String, Value> {
    let fields_of = |sources: &[Source], with_key: bool| {
        let writable = |field: &&DraftedField| {
            matches!(&field.shape, Shape::One(proposal) if proposal.read.is_none())
                && sources.contains(&field.source)
                && (with_key || !entity.key.contains(&field.source))
        };
        entity.fields.iter().filter(writable).map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    let mut changes = Map::new();
    for (operation, sources, with_key) in
        [("create", &offers.create, true), ("replace", &offers.replace, true), ("update", &offers.update, false)]
    {
        let fields = fields_of(sources, with_key);
        if !fields.is_empty() {
            changes.insert(operation.to_owned(), json!({ "fields": fields }));
        }
    }
    if offers.delete {
        changes.insert("delete".to_owned(), json!({}));
    }
    changes
}
