//! Reads an OpenAPI document (2.0, 3.0, 3.1) and tells what records are behind the API.
//!
//! A record is what a GET answers at a path that ends in one parameter. The path before it is where records are
//! searched. What the document leaves open is guessed by the habits of such APIs, and said to be a guess.

mod changes;
mod document;
mod fixture;
mod paging;
mod shape;

use rabita_model::Comparison;
use rabita_sdk::survey::{
    Offers, Recognised, Searchable, Survey, SurveyError, SurveyLimits, SurveySource, SurveyedColumn, SurveyedEntity, ValueType,
};
use rabita_sdk::{Source, TextOrSecret};
use serde_json::{Map, Value, json};

use document::{Document, Operation, Parameter};
pub(crate) use fixture::fixture;
use shape::{Shape, Side};

/// Whether this is an OpenAPI document.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    let head = String::from_utf8_lossy(&source.head);
    let has =
        |word: &str| head.contains(&format!("\"{word}\"")) || head.lines().any(|line| line.starts_with(&format!("{word}:")));
    if has("openapi") || has("swagger") {
        Recognised::Surely
    } else if has("paths") {
        Recognised::Perhaps
    } else {
        Recognised::No
    }
}

/// The survey.
pub(crate) async fn survey(source: &SurveySource, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
    let TextOrSecret::Text(address) = &source.address else {
        return Err(SurveyError::Unsuitable("an OpenAPI document is no secret: name its address or its file".to_owned()));
    };
    let place = source.path.as_ref().map_or_else(|| address.clone(), |path| path.display().to_string());
    let bytes = source.documents.get(&place).await?;
    let document = Document::read(&place, &bytes)?;
    let mut survey = Survey { title: document.title(), ..Survey::default() };
    survey.settings = settings(&document, source, address, &mut survey.unsure);
    for item in items(&document) {
        if survey.entities.len() >= limits.entities {
            survey.unsure.push(format!("only the first {} kinds of records were looked at", limits.entities));
            break;
        }
        let name = item.name();
        if !source.wants(&name) {
            continue;
        }
        match entity(&document, &item, name) {
            Ok(entity) => survey.entities.push(entity),
            Err(why) => survey.unsure.push(format!("{} was left out: {why}", item.path)),
        }
    }
    add_feeds(&document, &mut survey);
    Ok(survey)
}

/// The manifest's `connector:`.
fn settings(document: &Document, source: &SurveySource, address: &str, unsure: &mut Vec<String>) -> Map<String, Value> {
    let mut settings = Map::new();
    let base = document.base(address);
    if base.is_none() && !source.settings.contains_key("url") {
        unsure.push("the document does not say where the API is: put its address into `url`".to_owned());
    }
    settings.insert("url".to_owned(), json!(base.unwrap_or_else(|| "https://api.example".to_owned())));
    if let Some((auth, why)) = document.auth() {
        settings.insert("auth".to_owned(), auth);
        unsure.push(why);
    }
    if source.settings.contains_key("auth") {
        settings.shift_remove("auth");
    }
    let gone = document.gets().filter(|(path, _)| path.ends_with('}')).any(|(_, get)| get.statuses().contains(&"410".to_owned()));
    if gone {
        settings.insert("errors".to_owned(), json!({ "410": "absent" }));
    }
    if let Some(header) = changes::idempotency_header(document) {
        settings.insert("idempotency_header".to_owned(), json!(header));
    }
    settings.extend(source.settings.clone());
    settings
}

/// A GET that answers one record.
pub(super) struct Item<'a> {
    path: &'a str,
    operation: Operation<'a>,
}

impl Item<'_> {
    /// The path's parameter.
    fn parameter(&self) -> &str {
        self.path.rsplit_once('{').map_or("", |(_, last)| last.trim_end_matches('}'))
    }

    /// Where records of this sort are searched.
    fn collection(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(before, _)| before)
    }

    /// The last word of the path before the parameter.
    fn name(&self) -> String {
        self.collection().rsplit('/').find(|part| !part.is_empty() && !part.starts_with('{')).unwrap_or("records").to_owned()
    }
}

fn items(document: &Document) -> Vec<Item<'_>> {
    document
        .gets()
        .filter(|(path, _)| {
            path.ends_with('}')
                && path.matches('{').count() == 1
                && path.rsplit('/').next().is_some_and(|last| last.starts_with('{'))
        })
        .map(|(path, operation)| Item { path, operation })
        .collect()
}

fn entity(document: &Document, item: &Item<'_>, name: String) -> Result<SurveyedEntity, String> {
    let schema = item.operation.answer().ok_or("the document does not say what it answers")?;
    let (wrapper, schema) = shape::unwrapped(document, schema);
    let mut unsure = Vec::new();
    let shape = Shape::of(document, &schema, Side::Answer, &mut unsure);
    if shape.columns.is_empty() {
        return Err("the document does not say what is in its answer".to_owned());
    }
    let mut columns = shape.columns;
    let key =
        key_of(item, &columns, &mut unsure).ok_or_else(|| format!("nothing in its answer could be {{{}}}", item.parameter()))?;
    if let Some(column) = columns.iter_mut().find(|column| column.source == key) {
        column.nullable = false;
        column.unique = true;
    }
    let mut read = json!({ "path": format!("{}/{{{key}}}", item.collection()) });
    if !wrapper.is_empty() {
        read["record"] = json!(wrapper);
    }
    let mut from = json!({ "read": read });
    let mut offers = Offers { read: true, ..Offers::default() };
    if let Some(collection) = document.get(item.collection()) {
        let found = paging::search(document, item, &collection, &columns, shape.has_links, &mut unsure);
        if let Some(found) = found {
            offers.search_max = found.size_max;
            offers.search = found
                .filters
                .iter()
                .map(|(source, comparisons)| Searchable { source: source.clone(), comparisons: comparisons.clone(), cheap: true })
                .collect();
            from["search"] = found.from;
        }
    }
    let mut found = changes::Found { columns: &columns, key: &key, from: &mut from, offers: &mut offers, unsure: &mut unsure };
    changes::add(document, item, &mut found);
    let comment = item.operation.summary();
    Ok(SurveyedEntity { name, comment, from, columns, key: vec![key], offers, unsure, ..SurveyedEntity::default() })
}

/// The member that the path's parameter is: of its name, else one that is called an id.
fn key_of(item: &Item<'_>, columns: &[SurveyedColumn], unsure: &mut Vec<String>) -> Option<Source> {
    let scalar = |column: &&SurveyedColumn| {
        !column.source.as_str().contains('.')
            && matches!(column.value, ValueType::Text { .. } | ValueType::Integer { .. } | ValueType::Uuid)
    };
    let parameter = plain(item.parameter());
    let mut candidates = columns.iter().filter(scalar);
    if let Some(same) = candidates.clone().find(|column| plain(column.source.as_str()) == parameter) {
        return Some(same.source.clone());
    }
    let ends = |column: &&SurveyedColumn| {
        let own = plain(column.source.as_str());
        parameter.ends_with(&own) || own.ends_with(&parameter)
    };
    let named = candidates.clone().find(ends).or_else(|| candidates.clone().find(|column| plain(column.source.as_str()) == "id"));
    let found = named.or_else(|| candidates.next())?;
    unsure.push(format!("nothing says which member the path's {{{}}} is: {} is taken for it", item.parameter(), found.source));
    Some(found.source.clone())
}

/// A name without capitals and signs, to compare names by.
fn plain(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Lists that tell of changes: one of their members is a number by which they can be asked, another a record's key.
fn add_feeds(document: &Document, survey: &mut Survey) {
    for (path, operation) in document.gets().filter(|(path, _)| !path.contains('{')) {
        let last = path.rsplit('/').next().unwrap_or_default();
        let collection = |entity: &SurveyedEntity| entity.from["search"]["path"].as_str() == Some(path);
        let Some(at) = survey.entities.iter().position(|entity| entity.name == last && !collection(entity)) else { continue };
        let parameters = operation.parameters();
        let numbers: Vec<&Parameter> =
            parameters.iter().filter(|own| own.is_integer() && !paging::is_paging(&own.name)).collect();
        let entity = &mut survey.entities[at];
        let key = entity.key[0].clone();
        let found = paging::list(document, &operation).and_then(|(records, item)| {
            let mut ignored = Vec::new();
            let shape = Shape::of(document, &item, Side::Answer, &mut ignored);
            let place = numbers.iter().find(|number| shape.columns.iter().any(|column| column.source.as_str() == number.name))?;
            let has_key = shape.columns.iter().any(|column| column.source == key);
            has_key.then(|| json!({ "path": path, "since_param": place.name, "records": records, "place": place.name }))
        });
        match found {
            Some(feed) if entity.offers.changes.is_none() => {
                entity.offers.changes = Some(feed);
                entity.unsure.push(format!(
                    "{path} is taken for a list of changes in the order of their numbers, after the one that is asked for"
                ));
            }
            _ if !numbers.is_empty() => {
                entity.unsure.push(format!(
                    "{path} may be a list of changes, and the document does not say what is in it: see `changes:`"
                ));
            }
            _ => {}
        }
    }
}

/// The comparisons of a filter, each with its parameter.
pub(super) type Filters = Vec<(Source, Vec<Comparison>)>;

#[cfg(test)]
mod tests;
