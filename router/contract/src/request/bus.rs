//! What is asked of the bus itself: updates, events and subscriptions.

use http::HeaderMap;
use http::Uri;
use jiff::Timestamp;
use rabita_model::{EntityName, Fault, Purpose, Refusal, RegistryId, State};
use serde_json::{Map, Value};

use super::headers::words;
use super::query::{self, Pair};
use super::{body, invalid};
use crate::likely::did_you_mean;

const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Longer than the position of any journal.
const POSITION_MAX: usize = 500;
const URL_MAX: usize = 2000;

/// Which of its own updates a caller lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdatesQuery {
    pub state: Option<State>,
    pub registry: Option<RegistryId>,
    /// Accepted at or after.
    pub since: Option<Timestamp>,
    /// From 1 on.
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// Which events a caller follows, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventsQuery {
    /// Why, for grants that name purposes.
    pub purpose: Option<Purpose>,
    pub registry: Option<RegistryId>,
    pub entity: Option<EntityName>,
    /// `Last-Event-ID`: the position after which the stream begins. Printable ASCII without blanks.
    pub after: Option<String>,
}

/// A subscription as its caller wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscription {
    /// Where the events are sent: an absolute `https` or `http` URL with a host, without user and fragment.
    pub url: String,
    /// Why, for grants that name purposes.
    pub purpose: Option<Purpose>,
    pub registry: Option<RegistryId>,
    pub entity: Option<EntityName>,
}

pub(super) fn updates(uri: &Uri) -> Result<UpdatesQuery, Refusal> {
    let mut faults = Vec::new();
    let mut found = UpdatesQuery::default();
    let mut parameters = Parameters::of(uri, &mut faults)?;
    found.state = parameters.take("state", "enum", "a state of an update", State::parse);
    found.registry = parameters.registry();
    found.since = parameters.take("since", "format", "a time as in RFC 3339: `2027-03-01T09:00:00Z`", |text| text.parse().ok());
    found.limit =
        parameters.take("limit", "type", "a whole number from 1 on", |text| text.parse().ok().filter(|limit| *limit > 0));
    found.cursor = parameters.take("cursor", "empty", "the `next` of the page before", |text| Some(text.to_owned()));
    parameters.end(&["state", "registry", "since", "limit", "cursor"]);
    if faults.is_empty() { Ok(found) } else { Err(invalid(faults)) }
}

pub(super) fn events(uri: &Uri, headers: &HeaderMap) -> Result<EventsQuery, Refusal> {
    let mut faults = Vec::new();
    let mut found = EventsQuery { purpose: words(headers, &mut faults).purpose, ..EventsQuery::default() };
    let mut parameters = Parameters::of(uri, &mut faults)?;
    found.registry = parameters.registry();
    found.entity = parameters.entity();
    parameters.end(&["registry", "entity"]);
    if let Some(value) = headers.get(LAST_EVENT_ID) {
        let text = value.to_str().ok().map(str::trim);
        // A browser's client sends an empty one when it has seen no event yet.
        match text.filter(|text| text.len() <= POSITION_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())) {
            Some(text) => found.after = Some(text.to_owned()).filter(|text| !text.is_empty()),
            None => faults.push(Fault::parameter(LAST_EVENT_ID, "header_text", "this is the `id` of no event")),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(invalid(faults)) }
}

pub(super) fn subscription(headers: &HeaderMap, bytes: &[u8]) -> Result<NewSubscription, Refusal> {
    let mut faults = Vec::new();
    let purpose = words(headers, &mut faults).purpose;
    let Value::Object(members) = body::value(bytes)? else {
        return Err(invalid(vec![Fault::at("", "type", "the body is a JSON object with `url`")]));
    };
    body::unknown_members(&members, &["url", "registry", "entity"], "", &mut faults);
    let url = match members.get("url") {
        None => {
            faults.push(Fault::at("", "required", "`url` has to be given: where the events are sent"));
            None
        }
        Some(url) => {
            let url = url.as_str().filter(|url| is_address(url));
            if url.is_none() {
                faults.push(Fault::at("/url", "format", "`url` is an absolute URL with a host, without user and fragment"));
            }
            url.map(str::to_owned)
        }
    };
    let registry = word(&members, "registry", "the name of a registry", |text| RegistryId::new(text).ok(), &mut faults);
    let entity = word(&members, "entity", "the name of an entity", |text| EntityName::new(text).ok(), &mut faults);
    match url {
        Some(url) if faults.is_empty() => Ok(NewSubscription { url, purpose, registry, entity }),
        _ => Err(invalid(faults)),
    }
}

fn is_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    is_web && has_host && !has_user && !text.contains('#') && text.len() <= URL_MAX
}

fn word<T>(
    members: &Map<String, Value>,
    name: &str,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let value = members.get(name)?;
    let found = value.as_str().and_then(read);
    if found.is_none() {
        faults.push(Fault::at(format!("/{name}"), "format", format!("`{name}` is {what}")));
    }
    found
}

/// The parameters of a URL, taken one by one.
pub(super) struct Parameters<'a, 'f> {
    pairs: Vec<Pair<'a>>,
    faults: &'f mut Vec<Fault>,
}

impl<'a, 'f> Parameters<'a, 'f> {
    pub(super) fn of(uri: &'a Uri, faults: &'f mut Vec<Fault>) -> Result<Self, Refusal> {
        Ok(Self { pairs: query::pairs(uri.query().unwrap_or_default())?, faults })
    }

    pub(super) fn take<T>(&mut self, name: &str, code: &'static str, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut given = self.pairs.extract_if(.., |pair| pair.name() == name);
        let value = given.next()?.value();
        if given.count() > 0 {
            self.faults.push(Fault::parameter(name, "duplicate", "this parameter stands twice"));
        }
        let found = Some(value).filter(|value| !value.is_empty()).and_then(|value| read(&value));
        if found.is_none() {
            self.faults.push(Fault::parameter(name, code, format!("`{name}` is {what}")));
        }
        found
    }

    fn registry(&mut self) -> Option<RegistryId> {
        self.take("registry", "format", "the name of a registry", |text| RegistryId::new(text).ok())
    }

    fn entity(&mut self) -> Option<EntityName> {
        self.take("entity", "format", "the name of an entity", |text| EntityName::new(text).ok())
    }

    /// What was not taken is not known here.
    pub(super) fn end(self, known: &[&str]) {
        let listed = known.join(", ");
        let fault = |pair: &Pair<'_>| {
            let message = format!("there is no such parameter{}; there are {listed}", did_you_mean(pair.name(), known));
            query::unexpected(pair.name(), &message, &[])
        };
        self.faults.extend(self.pairs.iter().map(fault));
    }
}
