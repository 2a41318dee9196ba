//! Reads a WSDL 1.1 with its XML Schemas and tells what records are behind the service.
//!
//! An operation whose request has nothing required but what its answer has as well reads a record by that; one that
//! answers a list searches. Operations that change something are told of and not drafted: what they do is in no
//! description.

mod description;
mod faults;
mod fixture;
mod operations;
mod schema;

use rabita_sdk::survey::{Offers, Recognised, Survey, SurveyError, SurveyLimits, SurveySource, SurveyedEntity};
use rabita_sdk::{Source, TextOrSecret};
use serde_json::{Map, Value, json};

use description::{Described, Description};
pub(crate) use fixture::fixture;
use operations::{Call, Offered};
use schema::Schemas;

/// Whether this is a WSDL.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    let head = String::from_utf8_lossy(&source.head);
    if head.contains("http://schemas.xmlsoap.org/wsdl/") {
        Recognised::Surely
    } else if source.has_ending(&["wsdl", "asmx", "svc"]) {
        Recognised::Perhaps
    } else {
        Recognised::No
    }
}

/// The survey.
pub(crate) async fn survey(source: &SurveySource, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
    let TextOrSecret::Text(address) = &source.address else {
        return Err(SurveyError::Unsuitable("a WSDL is no secret: name its address or its file".to_owned()));
    };
    let place = source.path.as_ref().map_or_else(|| address.clone(), |path| path.display().to_string());
    let texts = description::fetched(&place, &*source.documents).await?;
    let documents = description::parsed(&texts)?;
    let schemas = Schemas::of(&documents);
    let description = Description::of(&documents, &schemas);
    let service = description.service().ok_or_else(|| SurveyError::Unreadable {
        place: place.clone(),
        message: "it describes no port of SOAP 1.1 or 1.2 (document/literal)".to_owned(),
    })?;
    let mut survey = Survey { title: Some(service.name.clone()), unsure: service.unsure.clone(), ..Survey::default() };
    let mut prefixes = Prefixes::default();
    for described in &service.operations {
        if !source.wants(&described.name) {
            continue;
        }
        match operations::offered(described) {
            Ok(offered) if survey.entities.len() < limits.entities => add(&mut survey, described, offered, &mut prefixes),
            Ok(_) => survey.unsure.push(format!("{} was left out: there are too many", described.name)),
            Err(why) => survey.unsure.push(format!("the operation {} was left out: {why}", described.name)),
        }
    }
    survey.settings = settings(source, &service.location, service.version, &prefixes, &documents, &mut survey.unsure);
    let knows_absence =
        survey.settings.get("faults").and_then(Value::as_object).is_some_and(|own| own.values().any(|word| word == "absent"));
    if !knows_absence && !survey.entities.is_empty() {
        survey.unsure.push(
            "nothing says how the service tells that there is no such record: name that fault in `faults` as `absent`".to_owned(),
        );
    }
    Ok(survey)
}

fn settings(
    source: &SurveySource,
    location: &str,
    version: &str,
    prefixes: &Prefixes,
    documents: &[roxmltree::Document<'_>],
    unsure: &mut Vec<String>,
) -> Map<String, Value> {
    let mut settings = Map::new();
    settings.insert("url".to_owned(), json!(location));
    if version != "1.1" {
        settings.insert("version".to_owned(), json!(version));
    }
    let namespaces: Map<String, Value> =
        prefixes.0.iter().enumerate().map(|(at, uri)| (Prefixes::name(at), json!(uri))).collect();
    settings.insert("namespaces".to_owned(), Value::Object(namespaces));
    let faults = faults::named(documents);
    if !faults.is_empty() {
        unsure.push(format!("{} faults are named in the description; what each means is taken from its name", faults.len()));
        settings.insert("faults".to_owned(), Value::Object(faults));
    }
    settings.extend(source.settings.clone());
    settings
}

/// Adds what an operation offers: to the entity that has the same records, or as one of its own.
fn add(survey: &mut Survey, described: &Described, offered: Offered, prefixes: &mut Prefixes) {
    let call = call(&offered.call, prefixes);
    let name = offered.record_type.clone().unwrap_or_else(|| described.name.clone());
    let searches = offered.call.is_search;
    if let Some(entity) = survey.entities.iter_mut().find(|entity| offered.record_type.is_some() && entity.name == name) {
        let word = if searches { "search" } else { "read" };
        if entity.from.get(word).is_some() {
            entity.unsure.push(format!("{} does the same as an operation before it, and was left out", described.name));
            return;
        }
        entity.from[word] = call;
        entity.offers.search.extend(offered.search);
        entity.offers.read |= !searches;
        if entity.key.is_empty() {
            entity.key = offered.key;
        }
        return;
    }
    let mut from = json!({ if searches { "search" } else { "read" }: call });
    if !offered.repeated.is_empty() {
        from["repeated"] = json!(offered.repeated);
    }
    survey.entities.push(SurveyedEntity {
        name,
        comment: described.comment.clone(),
        from,
        columns: offered.columns,
        key: offered.key,
        offers: Offers { read: !searches, search: offered.search, ..Offers::default() },
        unsure: offered.unsure,
        ..SurveyedEntity::default()
    });
}

/// A call, as the manifest writes it.
fn call(call: &Call, prefixes: &mut Prefixes) -> Value {
    let mut written = Map::new();
    if !call.action.is_empty() {
        written.insert("action".to_owned(), json!(call.action));
    }
    written.insert("request".to_owned(), call.request.written(prefixes));
    let mut response = json!({ "element": prefixes.qualified(call.response.0.as_deref(), &call.response.1) });
    if !call.records.is_empty() {
        response[if call.is_search { "records" } else { "record" }] = json!(call.records);
    }
    if let Some(total) = &call.total {
        response["total"] = json!(total);
    }
    written.insert("response".to_owned(), response);
    if let Some(paging) = call.paging {
        written.insert("paging".to_owned(), json!(paging));
    }
    Value::Object(written)
}

/// The namespaces that names of the manifest have, each with a prefix.
#[derive(Default)]
pub(super) struct Prefixes(Vec<String>);

impl Prefixes {
    fn name(at: usize) -> String {
        if at == 0 { "t".to_owned() } else { format!("t{}", at + 1) }
    }

    pub(super) fn qualified(&mut self, namespace: Option<&str>, name: &str) -> String {
        let Some(uri) = namespace.filter(|uri| !uri.is_empty()) else { return name.to_owned() };
        let at = self.0.iter().position(|own| own == uri).unwrap_or_else(|| {
            self.0.push(uri.to_owned());
            self.0.len() - 1
        });
        format!("{}:{name}", Self::name(at))
    }
}

/// A name without capitals and signs, to compare names by.
pub(super) fn plain(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    last.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A source by its dotted path.
pub(super) fn source(path: &str) -> Source {
    Source::new(path)
}

#[cfg(test)]
mod tests;
