//! The paths of the bus itself.

use rabita_model::State;
use rabita_model::catalogue::Catalogue;
use serde_json::{Map, Value, json};

use super::components::{BUS_TAG, PROBLEMS};
use super::{Document, reference};
use crate::catalogue::changes;

/// The problems that a call of the bus itself can meet.
const BUS_PROBLEMS: &[&str] = &["400", "401", "404", "406", "422", "429", "500", "503"];

/// The schemas of an update and of several.
pub(super) const UPDATE: &str = "Update";
const UPDATES: &str = "Updates";

/// One call.
pub(super) struct Call<'a> {
    pub id: &'a str,
    pub summary: &'a str,
    pub parameters: Vec<Value>,
    pub status: &'a str,
    pub content: Value,
}

/// Puts what every system has, and what those have that may change records or follow events.
pub(super) fn describe(catalogue: &Catalogue, document: &mut Document) {
    documents(document);
    if catalogue.entities.iter().any(changes) {
        updates(document);
    }
    if catalogue.entities.iter().any(|entry| entry.events.is_some()) {
        events(document);
        subscriptions(document);
    }
}

/// Puts what the bus tells of updates and subscriptions.
pub(super) fn schemas(schemas: &mut Map<String, Value>) {
    schemas.insert(UPDATE.into(), update());
    let several = json!({
        "type": "object",
        "required": ["updates"],
        "properties": {
            "updates": { "type": "array", "items": reference("schemas", UPDATE) },
            "next": { "type": "string", "description": "The `cursor` of the next page; not there on the last" },
        },
    });
    schemas.insert(UPDATES.into(), several);
    schemas.insert("Subscription".into(), subscription());
}

fn update() -> Value {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let time = |description: &str| json!({ "type": "string", "format": "date-time", "description": description });
    let code = json!({ "type": "string", "description": "As in a problem" });
    let said = json!({ "code": code, "blame": code, "retry": code, "title": { "type": "string" } });
    let mut outcome = said.clone();
    outcome["at"] = time("When it ended");
    outcome["reason"] = json!({ "type": "string", "description": "The registry's own reason, where it gives one" });
    outcome["errors"] = json!({ "type": "array", "items": reference("schemas", "ProblemError") });
    outcome["reply"] = json!({ "description": "What an action answered" });
    json!({
        "type": "object",
        "description": "A change, and how it stands.",
        "required": [
            "id", "registry", "version", "entity", "operation", "state", "accepted_at", "attempts", "idempotency_key", "exchange",
        ],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "registry": { "type": "string" },
            "version": { "type": "string" },
            "entity": { "type": "string" },
            "operation": { "type": "string", "enum": ["create", "replace", "update", "delete", "act"] },
            "action": { "type": "string" },
            "state": { "type": "string", "enum": states },
            "accepted_at": time("When the bus took it on"),
            "apply_until": time("The latest time at which it may be applied"),
            "attempts": { "type": "integer", "description": "How often the registry was asked to apply it" },
            "next_at": time("When it is tried again"),
            "trouble": { "type": "object", "description": "What came in the way last", "properties": said },
            "outcome": { "type": "object", "description": "How it ended; without `code` it was applied", "properties": outcome },
            "idempotency_key": { "type": "string" },
            "exchange": { "type": "string", "format": "uuid", "description": "The exchange that brought it" },
        },
    })
}

fn subscription() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    json!({
        "type": "object",
        "description": "Where events are sent.",
        "required": ["id", "url", "created_at", "state"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "url": { "type": "string", "format": "uri" },
            "registry": { "type": "string" },
            "entity": { "type": "string" },
            "purpose": { "type": "string" },
            "created_at": time.clone(),
            "state": { "type": "string", "enum": ["active", "disabled"] },
            "disabled_at": time.clone(),
            "reason": { "type": "string", "enum": ["gone", "failing"], "description": "Why it is disabled" },
            "attempts": { "type": "integer", "description": "How often the event at hand was sent" },
            "next_at": time,
            "missed_at": { "type": "string", "format": "date-time", "description": "When events were gone before they could be sent" },
        },
    })
}

fn documents(document: &mut Document) {
    let object = |media_type: &str| json!({ media_type: { "schema": { "type": "object" } } });
    let schema_of = ["registry", "version", "entity"].map(in_path).to_vec();
    let calls = [
        ("/bus/catalogue", "readCatalogue", "What this system may see and call", "application/json", Vec::new()),
        ("/bus/keys", "readKeys", "The public keys that sign answers (RFC 7517)", "application/json", Vec::new()),
        ("/bus/openapi.json", "readOpenApi", "This document", "application/json", Vec::new()),
        ("/bus/asyncapi.json", "readAsyncApi", "The events that this system may follow", "application/json", Vec::new()),
        ("/bus/schemas", "readSchemas", "The schemas of the entities", "application/json", Vec::new()),
        (
            "/bus/schemas/{registry}/{version}/{entity}",
            "readSchema",
            "The JSON Schema of an entity, as this system may see it",
            "application/schema+json",
            schema_of,
        ),
    ];
    for (path, id, summary, media_type, parameters) in calls {
        document.call(path, "get", Call { id, summary, parameters, status: "200", content: object(media_type) });
    }
}

fn updates(document: &mut Document) {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let parameters = vec![
        in_query("state", "Only those that stand so", json!({ "type": "string", "enum": states })),
        in_query("registry", "Only those of this registry", json!({ "type": "string" })),
        in_query("since", "Only those accepted at this time or later", json!({ "type": "string", "format": "date-time" })),
        in_query("limit", "The most updates on the page", json!({ "type": "integer", "minimum": 1 })),
        reference("parameters", "Cursor"),
    ];
    let content = json(reference("schemas", UPDATES));
    let list = Call {
        id: "listUpdates",
        summary: "The changes that this system sent, in their order",
        parameters,
        status: "200",
        content,
    };
    document.call("/bus/updates", "get", list);
    let content = json(reference("schemas", UPDATE));
    let one = Call { id: "readUpdate", summary: "How a change stands", parameters: vec![id()], status: "200", content };
    document.call("/bus/updates/{id}", "get", one);
}

fn events(document: &mut Document) {
    let last = json!({
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The `id` of the last event that was seen: the stream goes on after it",
        "schema": { "type": "string" },
    });
    let parameters = [of_events(), vec![last, reference("parameters", "Purpose")]].concat();
    let content = json!({ "text/event-stream": { "schema": { "type": "string" } } });
    let summary = "Events as they happen; `/bus/asyncapi.json` describes them";
    document.call("/bus/events", "get", Call { id: "followEvents", summary, parameters, status: "200", content });
}

fn subscriptions(document: &mut Document) {
    let subscription = reference("schemas", "Subscription");
    let several = json!({
        "type": "object",
        "required": ["subscriptions"],
        "properties": { "subscriptions": { "type": "array", "items": subscription.clone() } },
    });
    let list = Call {
        id: "listSubscriptions",
        summary: "Where this system has events sent",
        parameters: Vec::new(),
        status: "200",
        content: json(several),
    };
    document.call("/bus/subscriptions", "get", list);
    let secret = json!({ "secret": { "type": "string", "description": "What signatures are made with; shown this once" } });
    let made = json!({ "allOf": [subscription.clone(), { "required": ["secret"], "properties": secret }] });
    let create = Call {
        id: "createSubscription",
        summary: "Has events sent to an address, signed as Standard Webhooks prescribes",
        parameters: vec![reference("parameters", "Purpose")],
        status: "201",
        content: json(made),
    };
    document.call("/bus/subscriptions", "post", create);
    let wanted = json!({
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "properties": {
            "url": { "type": "string", "format": "uri" },
            "registry": { "type": "string", "description": "Only events of this registry" },
            "entity": { "type": "string", "description": "Only events of this entity" },
        },
    });
    let item = &mut document.paths["/bus/subscriptions"]["post"];
    item["requestBody"] = json!({ "required": true, "content": json(wanted) });
    for (status, name) in super::components::BODY_PROBLEMS {
        item["responses"][status] = reference("responses", name);
    }
    item["responses"]["403"] = reference("responses", "Forbidden");
    one_subscription(document, subscription);
}

fn one_subscription(document: &mut Document, subscription: Value) {
    let path = "/bus/subscriptions/{id}";
    let call = |id, summary, status, content| Call { id, summary, parameters: vec![self::id()], status, content };
    document.call(path, "get", call("readSubscription", "One subscription", "200", json(subscription.clone())));
    document.call(path, "delete", call("deleteSubscription", "Ends a subscription", "204", Value::Null));
    let dead =
        json!({ "type": "object", "required": ["dead"], "properties": { "dead": { "type": "array", "items": dead_letter() } } });
    let dead = call("listDeadLetters", "The events that could not be sent", "200", json(dead));
    document.call(&format!("{path}/dead"), "get", dead);
    let again = "Sends the events again that could not be sent, and takes up a subscription that was laid aside";
    document.call(&format!("{path}/replay"), "post", call("replaySubscription", again, "202", json(subscription)));
}

fn dead_letter() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    json!({
        "type": "object",
        "required": ["event", "type", "time", "attempts", "at", "why"],
        "properties": {
            "event": { "type": "string", "format": "uuid" },
            "type": { "type": "string" },
            "time": time.clone(),
            "attempts": { "type": "integer" },
            "at": time,
            "why": { "type": "string" },
        },
    })
}

impl Document {
    pub(super) fn call(&mut self, path: &str, method: &str, call: Call<'_>) {
        let mut answer =
            json!({ "description": call.summary, "headers": { "Rabita-Exchange": reference("headers", "Exchange") } });
        if !call.content.is_null() {
            answer["content"] = call.content;
        }
        let mut responses = Map::from_iter([(call.status.to_owned(), answer)]);
        for (status, name) in PROBLEMS.iter().filter(|(status, _)| BUS_PROBLEMS.contains(status)) {
            responses.insert((*status).into(), reference("responses", name));
        }
        let mut operation = json!({ "operationId": self.names.unique(call.id), "summary": call.summary, "tags": [BUS_TAG] });
        if !call.parameters.is_empty() {
            operation["parameters"] = call.parameters.into();
        }
        operation["responses"] = Value::Object(responses);
        self.put(path.to_owned(), method, operation);
    }
}

pub(super) fn json(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn id() -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } })
}

pub(super) fn in_path(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

pub(super) fn in_query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn of_events() -> Vec<Value> {
    let text = json!({ "type": "string" });
    vec![
        in_query("registry", "Only events of this registry", text.clone()),
        in_query("entity", "Only events of this entity", text),
    ]
}
