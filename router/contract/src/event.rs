//! Events as subscribers see them: CloudEvents 1.0 in JSON, and the frames of a stream of them.
//!
//! A subscriber sees of an event what its grants cover, field by field. The record's key is shown whole or not at all.
//! An event that changed nothing the subscriber may see is not given: that it happened is told by it, too.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use rabita_model::{Event, FieldName};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Frame;

/// The media type of an event that is sent by itself.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// What keeps a quiet stream open: a comment, which clients pass over.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// What of an event one subscriber sees.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'a> {
    /// The fields that its grants cover, none of them binary.
    pub fields: &'a [FieldName],
    /// Whether the subscriber's own system made the update.
    pub is_own: bool,
}

/// The event as the subscriber sees it; `None` where it sees nothing of it.
#[must_use]
pub fn event(event: &Event, view: &EventView<'_>) -> Option<Value> {
    #[derive(Serialize)]
    struct CloudEvent<'a> {
        specversion: &'static str,
        id: String,
        source: String,
        r#type: String,
        time: String,
        datacontenttype: &'static str,
        dataschema: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        rabitaupdate: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        traceparent: Option<&'a str>,
        data: Data,
    }
    let target = &event.target;
    let shown = CloudEvent {
        specversion: "1.0",
        id: event.id.to_string(),
        source: event.source(),
        r#type: event.kind(),
        time: event.at.to_string(),
        datacontenttype: "application/json",
        dataschema: format!("/bus/schemas/{target}"),
        rabitaupdate: event.update.filter(|_| view.is_own).map(|id| id.to_string()),
        traceparent: event.traceparent.as_deref(),
        data: Data::of(event, view.fields)?,
    };
    Some(serde_json::to_value(shown).expect("names are text"))
}

/// One event as a frame of a stream (the server-sent events of HTML). `position` is what `Last-Event-ID` takes.
#[must_use]
pub fn stream_frame(position: &str, event: &Value) -> Bytes {
    let kind = event["type"].as_str().unwrap_or_default();
    // JSON on one line holds no line break.
    Bytes::from(format!("id: {position}\nevent: {kind}\ndata: {event}\n\n"))
}

/// The head of a stream of events.
#[must_use]
pub fn stream_head(frame: &Frame<'_>) -> Response<()> {
    let mut headers = HeaderMap::with_capacity(16);
    frame.put(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    response
}

/// What an event tells.
#[derive(Serialize)]
struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Value>,
    changed: Vec<FieldName>,
    record: Map<String, Value>,
}

impl Data {
    fn of(event: &Event, granted: &[FieldName]) -> Option<Self> {
        let key = cut(&event.key, granted);
        let key = (!key.is_empty() && key == event.key).then_some(Value::Object(key));
        let changed = covered(&event.changed, granted);
        let sees_something = if event.changed.is_empty() { key.is_some() } else { !changed.is_empty() };
        sees_something.then(|| Self { key, changed, record: cut(&event.record, granted) })
    }
}

/// The fields that are granted; of a field that is granted in part, the parts.
fn covered(fields: &[FieldName], granted: &[FieldName]) -> Vec<FieldName> {
    let mut seen = BTreeSet::new();
    let mut covered: Vec<FieldName> = Vec::new();
    for field in fields {
        let parts: Vec<&FieldName> = if granted.iter().any(|grant| grant.covers(field)) {
            vec![field]
        } else {
            granted.iter().filter(|grant| field.covers(grant)).collect()
        };
        covered.extend(parts.into_iter().filter(|part| seen.insert((*part).clone())).cloned());
    }
    covered
}

/// What is granted of a record. A field within a list is meant of each of its items.
fn cut(record: &Map<String, Value>, granted: &[FieldName]) -> Map<String, Value> {
    let paths: Vec<Vec<&str>> = granted.iter().map(|field| field.members().collect()).collect();
    let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    cut_object(record, &paths)
}

fn cut_object(object: &Map<String, Value>, paths: &[&[&str]]) -> Map<String, Value> {
    let shown = object.iter().filter_map(|(member, value)| {
        let within: Vec<&[&str]> = paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| *first == member)
            .map(|(_, rest)| rest)
            .collect();
        cut_value(value, &within).map(|value| (member.clone(), value))
    });
    shown.collect()
}

fn cut_value(value: &Value, paths: &[&[&str]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    match value {
        _ if paths.is_empty() => None,
        Value::Object(object) => Some(cut_object(object, paths)).filter(|object| !object.is_empty()).map(Value::Object),
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(|item| cut_value(item, paths)).collect())),
        // That a group is absent says no more than that each field in it is.
        Value::Null => Some(Value::Null),
        _ => None,
    }
}
