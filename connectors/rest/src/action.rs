//! Named actions: what the manifest says of them, made ready, and one of them sent.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use rabita_http::Outgoing;
use rabita_model::Rule;

use rabita_sdk::finding::token;
use rabita_sdk::reply::{Dotted, record};
use rabita_sdk::{Act, ActSpec, Acted, Applied, Call, Failure, Finding, Legacy, Row, Source};
use serde_json::Value;

use crate::answer::json;
use crate::change::{Carried, nested};
use crate::connector::Rest;
use crate::from::{self, ActionFrom};
use crate::path::Path;
use crate::plan::{Faults, Plan};
use crate::settings::Meaning;

/// An action, ready to be sent.
pub struct ActionPlan {
    method: Method,
    path: Path,
    media_type: HeaderValue,
    body: Body,
    /// Where the reply stands in the answer; none where none is wanted.
    reply: Option<Dotted>,
}

/// What the request holds.
enum Body {
    None,
    /// The values, at this place.
    Values(Dotted),
    /// A text with places for values.
    Template(Value),
}

impl ActionPlan {
    /// Takes what the manifest says of an action apart, or tells everything that can't be used.
    pub fn new(spec: &ActSpec, key: &[Source]) -> Result<Self, Vec<Finding>> {
        let from: ActionFrom = match serde_json::from_value(spec.from.clone()) {
            Ok(from) => from,
            Err(wrong) => return Err(vec![Finding::new(&spec.pointer, wrong.to_string())]),
        };
        let mut faults = Faults { at: &spec.pointer, found: Vec::new() };
        let names = names(spec, key);
        let path = faults.path_with("/path", &from.path, &names, "value");
        let media_type = faults.header_value("/media_type", &from.media_type);
        if from.template.is_some() && !from.body.is_empty() {
            faults.found.push(Finding::at_name(format!("{}/body", spec.pointer), "`template` is the whole body already"));
        }
        let mut named = from.path.clone();
        if let Some(template) = &from.template {
            strangers(template, &format!("{}/template", spec.pointer), &names, &mut faults.found);
            named.push_str(&template.to_string());
            for (source, pointer) in &spec.values {
                if !named.contains(&format!("{{{source}}}")) {
                    let message =
                        format!("`{{{source}}}` stands neither in `path` nor in `template`, so this value would be lost");
                    faults.found.push(Finding::new(pointer, message).breaks(Rule::ValueLost));
                }
            }
        }
        let body = match from.template {
            Some(template) => Body::Template(template),
            None if spec.values.is_empty() => Body::None,
            None => Body::Values(Dotted::new(&from.body)),
        };
        let method = match from.method {
            from::Method::Post => Method::POST,
            from::Method::Put => Method::PUT,
            from::Method::Patch => Method::PATCH,
            from::Method::Delete => Method::DELETE,
        };
        let reply = spec.reply.as_ref().map(|_| Dotted::new(&from.reply));
        match (path, media_type) {
            (Some(path), Some(media_type)) if faults.found.is_empty() => Ok(Self { method, path, media_type, body, reply }),
            _ => Err(faults.found),
        }
    }

    fn body(&self, values: &Row, named: impl Fn(&str) -> Option<Legacy>) -> Result<Option<Vec<u8>>, Failure> {
        let written = match &self.body {
            Body::None => return Ok(None),
            Body::Values(at) => serde_json::to_vec(&at.wrap(nested(values))),
            Body::Template(template) => serde_json::to_vec(&filled(template, &named)),
        };
        written.map(Some).map_err(|_| Failure::refused("the action's request can't be written as JSON"))
    }
}

/// The names that can stand in a path and in a template: the key's, then the request's.
fn names(spec: &ActSpec, key: &[Source]) -> Vec<Source> {
    key.iter().chain(spec.values.iter().map(|(source, _)| source)).cloned().collect()
}

/// The name in a text that is nothing but `{name}`.
fn place(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))
}

fn strangers(template: &Value, pointer: &str, names: &[Source], found: &mut Vec<Finding>) {
    match template {
        Value::String(text) => {
            if let Some(name) = place(text).filter(|name| !names.iter().any(|own| own.as_str() == *name)) {
                found.push(Finding::unknown(pointer, "value", name, names.iter().map(Source::as_str)));
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| strangers(item, &format!("{pointer}/{at}"), names, found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| strangers(value, &format!("{pointer}/{}", token(name)), names, found));
        }
        _ => {}
    }
}

/// A template with its places filled; what was not given is null.
fn filled(template: &Value, named: &impl Fn(&str) -> Option<Legacy>) -> Legacy {
    match template {
        Value::String(text) => match place(text) {
            Some(name) => named(name).unwrap_or_default(),
            None => Legacy::Text(text.clone()),
        },
        Value::Array(items) => Legacy::List(items.iter().map(|item| filled(item, named)).collect()),
        Value::Object(members) => {
            Legacy::Group(members.iter().map(|(name, value)| (name.as_str(), filled(value, named))).collect())
        }
        other => serde_json::from_value(other.clone()).unwrap_or_default(),
    }
}

impl Rest {
    /// Sends an action, once.
    pub(crate) async fn send_action(&self, plan: &Plan, act: Act, call: &Call) -> Result<Acted, Failure> {
        let (spec, how) = plan.actions.get(act.action).ok_or_else(|| Failure::unsupported("there is no such action"))?;
        let named = |name: &str| {
            let of_key = plan.key.iter().position(|source| source.as_str() == name).and_then(|at| act.key.get(at));
            of_key.or_else(|| act.values.find(&Source::new(name))).cloned()
        };
        let body = how.body(&act.values, named)?;
        let carried = Carried { id: act.id, expected_version: act.expected_version.as_ref() };
        let mut headers = self.carried_headers(plan, &carried)?;
        if body.is_some() {
            headers.insert(CONTENT_TYPE, how.media_type.clone());
        }
        let places: Vec<Legacy> =
            names(spec, &plan.key).iter().map(|source| named(source.as_str()).unwrap_or_default()).collect();
        let path = how.path.fill(&places)?;
        let body = body.map(Into::into);
        let answer = self.client.send(Outgoing { method: how.method.clone(), path, headers, body, changes: true }, call).await?;
        let applied = match self.statuses.of_change(answer.status) {
            Meaning::Ok => Applied::Done,
            Meaning::Conflict => Applied::Conflict,
            Meaning::Absent => Applied::Absent,
            meaning => return Err(self.statuses.failure(meaning, &answer)),
        };
        // The status says that it was done; an answer without the reply takes nothing of that back.
        let reply = how.reply.as_ref().filter(|_| applied == Applied::Done);
        let reply = reply.and_then(|at| record(json(&answer).ok()?, at).ok().flatten());
        Ok(Acted { applied, reply })
    }
}
