//! What is the same for every system: problems, headers, parameters.

use std::collections::BTreeSet;

use http::StatusCode;
use rabita_model::Code;
use serde_json::{Map, Value, json};

use super::{bus, reference};
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

/// The problems that only a change can meet.
pub(super) const CHANGE_PROBLEMS: &[(&str, &str)] = &[("409", "Conflict"), ("412", "PreconditionFailed")];

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
            "detail": { "type": "string", "description": "What is missing, in one sentence, where more can be told than the title" },
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
    let mut schemas = Map::from_iter([("Problem".to_owned(), problem), ("ProblemError".to_owned(), error)]);
    bus::schemas(&mut schemas);
    schemas
}

pub(super) fn parameters() -> Value {
    let header = |name: &str, description: &str| json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string", "minLength": 1, "maxLength": 200 } });
    json!({
        "Purpose": header("Rabita-Purpose", "Why the data is asked for"),
        "User": header("Rabita-User", "The official or citizen on whose behalf; in ASCII, UTF-8, or as `UTF-8''percent-encoded`"),
        "Case": header("Rabita-Case", "The case or application this belongs to; written as `Rabita-User`"),
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": true,
            "description": "The caller's name for the change, the same at each repeat of it",
            "schema": { "type": "string", "pattern": "^[!-~]{1,200}$" },
            "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "description": "The `ETag` of the record on which the change rests, or `*`",
            "schema": { "type": "string" },
        },
        "Prefer": {
            "name": "Prefer",
            "in": "header",
            "description": "`respond-async`, or `wait=` and seconds: how long to wait for the outcome (RFC 7240)",
            "schema": { "type": "string" },
        },
        "ApplyUntil": {
            "name": "Rabita-Apply-Until",
            "in": "header",
            "description": "The latest time at which the change may be applied",
            "schema": { "type": "string", "format": "date-time" },
        },
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
        "Update": { "description": "The update's id", "schema": { "type": "string", "format": "uuid" } },
        "Replayed": {
            "description": "The change was accepted under the same key before",
            "schema": { "type": "string", "const": "true" },
        },
        "Location": text("Where the record, or the update, is found"),
        "PreferenceApplied": text("The preference that shaped the answer"),
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

/// The headers of the answer to a change.
pub(super) fn change_headers() -> Map<String, Value> {
    let mut headers = answer_headers();
    headers.retain(|name, _| !["Age", "Rabita-Stale", "Rabita-Observed"].contains(&name.as_str()));
    let own = [("Rabita-Update", "Update"), ("Idempotency-Replayed", "Replayed"), ("Preference-Applied", "PreferenceApplied")];
    headers.extend(own.map(|(header, name)| (header.to_owned(), reference("headers", name))));
    headers
}

pub(super) fn responses() -> Value {
    let mut responses = Map::new();
    let not_modified = json!({
        "description": "The caller has this version already",
        "headers": { "ETag": reference("headers", "ETag"), "Rabita-Exchange": reference("headers", "Exchange") },
    });
    responses.insert("NotModified".into(), not_modified);
    for (number, name) in PROBLEMS.iter().chain(BODY_PROBLEMS).chain(CHANGE_PROBLEMS) {
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
