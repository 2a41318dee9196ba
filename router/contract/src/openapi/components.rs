//! What is the same for every system: problems, headers, parameters, and the paths of the bus itself.

use std::collections::BTreeSet;

use http::StatusCode;
use rabita_model::Code;
use serde_json::{Map, Value, json};

use super::{Document, reference};
use crate::problem::{TYPE, status};

pub(super) const BUS_TAG: &str = "bus";

/// The problems that any call of an entity can meet: their statuses with the names of their responses.
pub(super) const PROBLEMS: &[(&str, &str)] = &[
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("404", "NotFound"),
    ("406", "NotAcceptable"),
    ("422", "UnprocessableEntity"),
    ("429", "TooManyRequests"),
    ("500", "InternalServerError"),
    ("502", "BadGateway"),
    ("503", "ServiceUnavailable"),
    ("504", "GatewayTimeout"),
];

/// The problems that only a call with a body can meet.
pub(super) const BODY_PROBLEMS: &[(&str, &str)] = &[("413", "PayloadTooLarge"), ("415", "UnsupportedMediaType")];

/// The problems that a call of the bus itself can meet.
const BUS_PROBLEMS: &[&str] = &["400", "401", "404", "406", "422", "429", "500", "503"];

pub(super) fn schemas() -> Map<String, Value> {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let problem = json!({
        "type": "object",
        "description": "Why the bus said no (RFC 9457).",
        "required": ["type", "title", "status", "code", "blame", "retry", "exchange"],
        "properties": {
            "type": { "type": "string", "description": format!("`{TYPE}` and the code") },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "enum": codes },
            "blame": { "type": "string", "enum": ["caller", "bus", "registry"], "description": "Whose doing it is" },
            "retry": {
                "type": "string",
                "enum": ["safe", "after", "never"],
                "description": "Whether the same request may succeed later: at once, after `Retry-After`, or not without a change",
            },
            "exchange": { "type": "string", "format": "uuid", "description": "What to quote to the bus's operators" },
            "reason": { "type": "string", "description": "The registry's own reason, where it gives one" },
            "errors": { "type": "array", "items": reference("schemas", "ProblemError") },
        },
    });
    let error = json!({
        "type": "object",
        "description": "One thing that is wrong.",
        "required": ["code"],
        "properties": {
            "pointer": { "type": "string", "description": "Where in the body (RFC 6901)" },
            "parameter": { "type": "string", "description": "The query parameter or header at fault" },
            "code": { "type": "string" },
            "message": { "type": "string" },
        },
    });
    Map::from_iter([("Problem".to_owned(), problem), ("ProblemError".to_owned(), error)])
}

pub(super) fn parameters() -> Value {
    let header = |name: &str, description: &str| json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string", "minLength": 1, "maxLength": 200 } });
    json!({
        "Purpose": header("Rabita-Purpose", "Why the data is asked for"),
        "User": header("Rabita-User", "The official or citizen on whose behalf; in ASCII, UTF-8, or as `UTF-8''percent-encoded`"),
        "Case": header("Rabita-Case", "The case or application this belongs to; written as `Rabita-User`"),
        "Cursor": {
            "name": "cursor",
            "in": "query",
            "description": "The `next` of the page before",
            "schema": { "type": "string", "minLength": 1 },
        },
    })
}

pub(super) fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let count = |description: &str| json!({ "description": description, "schema": { "type": "integer" } });
    json!({
        "Exchange": { "description": "The exchange's id", "schema": { "type": "string", "format": "uuid" } },
        "ServerTiming": text("The time that the bus and the registry took, in milliseconds"),
        "Age": count("How many seconds old the answer from the bus's cache is"),
        "Stale": { "description": "The answer is older than it should be", "schema": { "type": "string", "const": "true" } },
        "Observed": count("How many faults of the registry were let through"),
        "RateLimit": text("What is left of each limit"),
        "RateLimitPolicy": text("The limits that hold for this call"),
        "ETag": text("The version of the record as answered"),
        "RetryAfter": count("In how many seconds to try again"),
        "Challenge": text("How to say who is calling"),
    })
}

/// The headers of an entity's answer.
pub(super) fn answer_headers() -> Map<String, Value> {
    let names = [
        ("Rabita-Exchange", "Exchange"),
        ("Server-Timing", "ServerTiming"),
        ("Age", "Age"),
        ("Rabita-Stale", "Stale"),
        ("Rabita-Observed", "Observed"),
        ("RateLimit", "RateLimit"),
        ("RateLimit-Policy", "RateLimitPolicy"),
    ];
    names.into_iter().map(|(header, name)| (header.to_owned(), reference("headers", name))).collect()
}

pub(super) fn responses() -> Value {
    let mut responses = Map::new();
    let not_modified = json!({
        "description": "The caller has this version already",
        "headers": { "ETag": reference("headers", "ETag"), "Rabita-Exchange": reference("headers", "Exchange") },
    });
    responses.insert("NotModified".into(), not_modified);
    for (number, name) in PROBLEMS.iter().chain(BODY_PROBLEMS) {
        responses.insert((*name).into(), problem_response(number));
    }
    Value::Object(responses)
}

fn problem_response(number: &str) -> Value {
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| status(*code).as_str() == number).collect();
    let lines: Vec<String> = codes.iter().map(|code| format!("- `{code}`: {}", code.public_message())).collect();
    let mut headers = Map::new();
    headers.insert("Rabita-Exchange".into(), reference("headers", "Exchange"));
    if codes.iter().any(|code| code.retry() == rabita_model::Retry::After) {
        headers.insert("Retry-After".into(), reference("headers", "RetryAfter"));
    }
    if number == StatusCode::UNAUTHORIZED.as_str() {
        headers.insert("WWW-Authenticate".into(), reference("headers", "Challenge"));
    }
    let examples: Map<String, Value> = codes.iter().map(|code| (code.to_string(), json!({ "value": example(*code) }))).collect();
    json!({
        "description": lines.join("\n"),
        "headers": headers,
        "content": { "application/problem+json": { "schema": reference("schemas", "Problem"), "examples": examples } },
    })
}

fn example(code: Code) -> Value {
    json!({
        "type": format!("{TYPE}{code}"),
        "title": code.public_message(),
        "status": status(code).as_u16(),
        "code": code.as_str(),
        "blame": code.blame(),
        "retry": code.retry(),
        "exchange": "018f3a5c-7b1e-7c3d-9a2b-4d5e6f708192",
    })
}

/// The paths under `/bus` that are there for every system.
pub(super) fn bus_paths(document: &mut Document) {
    let parts = ["registry", "version", "entity"]
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let paths = [
        ("/bus/catalogue", "readCatalogue", "What this system may see and call", "application/json", &[][..]),
        ("/bus/openapi.json", "readOpenApi", "This document", "application/json", &[][..]),
        ("/bus/schemas", "readSchemas", "The schemas of the entities", "application/json", &[][..]),
        (
            "/bus/schemas/{registry}/{version}/{entity}",
            "readSchema",
            "The JSON Schema of an entity, as this system may see it",
            "application/schema+json",
            &parts[..],
        ),
    ];
    for (path, id, summary, media_type, parameters) in paths {
        let mut responses = Map::new();
        let content = json!({ media_type: { "schema": { "type": "object" } } });
        let headers = json!({ "Rabita-Exchange": reference("headers", "Exchange") });
        responses.insert("200".into(), json!({ "description": summary, "headers": headers, "content": content }));
        for (status, name) in PROBLEMS.iter().filter(|(status, _)| BUS_PROBLEMS.contains(status)) {
            responses.insert((*status).into(), reference("responses", name));
        }
        let mut operation = json!({ "operationId": document.names.unique(id), "summary": summary, "tags": [BUS_TAG] });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        operation["responses"] = Value::Object(responses);
        document.put(path.to_owned(), "get", operation);
    }
}

/// Leaves out the components that nothing refers to: what a system may not call needs none.
pub(super) fn prune(document: &mut Value) {
    loop {
        let mut wanted = BTreeSet::new();
        collect(document, &mut wanted);
        let Some(components) = document["components"].as_object_mut() else { return };
        let mut pruned = false;
        for (kind, named) in components.iter_mut().filter(|(kind, _)| *kind != "securitySchemes") {
            let Some(named) = named.as_object_mut() else { continue };
            let before = named.len();
            named.retain(|name, _| wanted.contains(&format!("{kind}/{name}")));
            pruned |= named.len() < before;
        }
        if !pruned {
            return;
        }
    }
}

/// The components that are referred to, as `kind/name`.
fn collect(value: &Value, wanted: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(place) = members.get("$ref").and_then(|r| r.as_str()?.strip_prefix("#/components/")) {
                wanted.insert(place.splitn(3, '/').take(2).collect::<Vec<_>>().join("/"));
            }
            members.values().for_each(|member| collect(member, wanted));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, wanted)),
        _ => {}
    }
}
