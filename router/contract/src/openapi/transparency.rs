//! The paths that tell who used data: counts for every system, the rest for systems that may ask.

use rabita_model::catalogue::Transparency;
use rabita_model::{Code, Operation};
use serde_json::{Value, json};

use super::bus::{Call, in_query, json};
use super::components::BODY_PROBLEMS;
use super::{Document, reference};
use crate::request::{DAYS_MAX, LIMIT_MAX, USAGES, USAGES_MAX};

/// Puts what this system may ask.
pub(super) fn describe(rights: &Transparency, document: &mut Document) {
    statistics(document);
    if !rights.subjects.is_empty() {
        subjects(document);
        data_tracker(document);
    }
    if !rights.agencies.is_empty() {
        agencies(rights, document);
    }
}

fn statistics(document: &mut Document) {
    let summary = "How often registries were used, by day, agency, service, caller, purpose and hour";
    let day = || json!({ "type": "string", "format": "date" });
    let parameters = vec![
        in_query("from", &format!("The first day, in UTC; at most {DAYS_MAX} days are told of"), day()),
        in_query("to", "The last day; without it, the last that is published", day()),
    ];
    let content = json(counts());
    document.call("/bus/statistics", "get", Call { id: "readStatistics", summary, parameters, status: "200", content });
}

fn subjects(document: &mut Document) {
    let path = "/bus/subjects/accesses";
    let call = Call {
        id: "findAccesses",
        summary: "Who used the data of one person, when and why, with a proof of each use",
        parameters: ["Purpose", "User", "Case"].map(|name| reference("parameters", name)).to_vec(),
        status: "200",
        content: json(accesses(true)),
    };
    document.call(path, "post", call);
    let item = &mut document.paths[path]["post"];
    let wanted = json!({
        "type": "object",
        "required": ["subject"],
        "additionalProperties": false,
        "properties": {
            "subject": { "type": "string", "minLength": 1, "maxLength": 64, "description": "The personal number" },
            "from": time(),
            "to": time(),
            "limit": limit(),
            "cursor": { "type": "string", "minLength": 1, "description": "The `next` of the page before" },
        },
    });
    item["requestBody"] = json!({ "required": true, "content": json(wanted) });
    for (status, name) in BODY_PROBLEMS {
        item["responses"][status] = reference("responses", name);
    }
    item["responses"]["403"] = reference("responses", "Forbidden");
}

fn agencies(rights: &Transparency, document: &mut Document) {
    let path = "/bus/agencies/{agency}/accesses";
    let agency = json!({
        "name": "agency",
        "in": "path",
        "required": true,
        "schema": { "type": "string", "enum": rights.agencies },
    });
    let parameters = vec![
        agency,
        in_query("from", "Uses at this time or later", time()),
        in_query("to", "Uses at this time or earlier", time()),
        in_query("limit", "The most uses on the page", limit()),
        reference("parameters", "Cursor"),
    ];
    let summary = "Who used the registries of an agency, without the persons";
    let content = json(accesses(false));
    document.call(path, "get", Call { id: "findAgencyAccesses", summary, parameters, status: "200", content });
    document.paths[path]["get"]["responses"]["403"] = reference("responses", "Forbidden");
}

/// As the Data Tracker's own description has it, version 2.
fn data_tracker(document: &mut Document) {
    let number = |least: u32, most: u32, unsaid: u32| json!({ "type": "integer", "format": "int32", "minimum": least, "maximum": most, "default": unsaid });
    let user = json!({
        "name": "X-Road-UserId",
        "in": "header",
        "required": true,
        "description": "The personal code of whoever asks",
        "schema": { "type": "string" },
    });
    let code = json!({
        "name": "userCode",
        "in": "query",
        "required": true,
        "description": "The personal number of the person whose data was used",
        "schema": { "type": "string" },
    });
    let parameters = vec![
        user,
        code,
        in_query("periodStart", "Uses at this time or later", time()),
        in_query("periodEnd", "Uses at this time or earlier", time()),
        in_query("offset", "How many of the newest are passed over", number(0, i32::MAX.unsigned_abs(), 0)),
        in_query("limit", "How many are told at most", number(0, USAGES_MAX, USAGES)),
        reference("parameters", "Purpose"),
    ];
    let calls = [
        ("findUsage", "Who used the data of one person, in the form of Estonia's Data Tracker", parameters, usages()),
        ("usagePeriod", "Since when uses are known", Vec::new(), period()),
        ("heartbeat", "Whether uses can be told", Vec::new(), heartbeat()),
    ];
    for (id, summary, parameters, schema) in calls {
        let path = format!("/bus/datatracker/v2/{id}");
        document.call(&path, "get", Call { id, summary, parameters, status: "200", content: json(schema) });
        document.paths[path.as_str()]["get"]["responses"]["403"] = reference("responses", "Forbidden");
    }
}

fn usages() -> Value {
    let text = || json!({ "type": "string" });
    let usage = json!({
        "type": "object",
        "required": ["logtime", "action", "receiverCode", "receiverSystem"],
        "properties": {
            "logtime": time(),
            "action": { "type": "string", "description": "Why, for people" },
            "receiverCode": { "type": "string", "description": "The agency that was given the data" },
            "receiverName": text(),
            "receiverSystem": text(),
        },
    });
    let total =
        json!({ "type": "integer", "format": "int32", "description": "How many there are, whatever `offset` and `limit` say" });
    json!({
        "type": "object",
        "required": ["totalUsages", "usages"],
        "properties": { "totalUsages": total, "usages": { "type": "array", "items": usage } },
    })
}

fn period() -> Value {
    json!({ "type": "object", "required": ["periodStart"], "properties": { "periodStart": time() } })
}

fn heartbeat() -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "properties": { "status": { "type": "string", "enum": ["OK", "FAIL"] }, "message": { "type": "string" } },
    })
}

fn accesses(with_persons: bool) -> Value {
    json!({
        "type": "object",
        "required": ["accesses", "checkpoint", "logs"],
        "properties": {
            "accesses": { "type": "array", "items": access(with_persons), "description": "Newest first" },
            "checkpoint": { "type": "string", "description": "The signed note that the proofs are of" },
            "logs": { "type": "array", "items": { "type": "string" }, "description": "The logs that were looked through" },
            "behind": { "type": "integer", "description": "So many of the newest entries were not looked through yet" },
            "next": { "type": "string", "description": "The `cursor` of the next page; not there on the last" },
        },
    })
}

fn access(with_persons: bool) -> Value {
    let text = || json!({ "type": "string" });
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let operations = Operation::ALL.map(Operation::as_str);
    let hash = || json!({ "type": "string", "contentEncoding": "base64" });
    let basis = json!({
        "type": "object",
        "required": ["id"],
        "properties": { "id": text(), "title": text(), "url": { "type": "string", "format": "uri" } },
    });
    let mut access = json!({
        "type": "object",
        "required": ["at", "kind", "fields", "records", "outcome", "exchange", "receipt", "proof"],
        "properties": {
            "at": time(),
            "kind": { "type": "string", "enum": ["exchange", "conclusion", "events"] },
            "system": text(),
            "system_title": text(),
            "agency": text(),
            "agency_title": text(),
            "purpose": { "type": "object", "required": ["id"], "properties": { "id": text(), "title": text(), "basis": basis } },
            "registry": text(),
            "registry_title": text(),
            "version": text(),
            "entity": text(),
            "operation": { "type": "string", "enum": operations },
            "action": text(),
            "service": { "type": "string", "description": "Where the bus itself was asked and no registry" },
            "fields": { "type": "array", "items": text(), "description": "The fields that were given" },
            "records": { "type": "integer", "description": "How many records were given" },
            "outcome": { "type": "string", "enum": ["allowed", "refused", "failed"] },
            "code": { "type": "string", "enum": codes, "description": "Why it was not answered as asked" },
            "exchange": { "type": "string", "format": "uuid" },
            "update": { "type": "string", "format": "uuid" },
            "receipt": {
                "type": "object",
                "required": ["log", "index", "leaf"],
                "properties": {
                    "log": text(),
                    "index": { "type": "integer" },
                    "leaf": hash(),
                },
            },
            "proof": {
                "type": "object",
                "required": ["size", "hashes"],
                "properties": { "size": { "type": "integer" }, "hashes": { "type": "array", "items": hash() } },
            },
        },
    });
    if with_persons {
        let by = json!({
            "type": "string",
            "enum": ["claim", "assertion"],
            "description": "Whether the identity provider signed it, or the system says so",
        });
        access["properties"]["on_behalf"] =
            json!({ "type": "object", "required": ["user", "by"], "properties": { "user": text(), "by": by } });
        access["properties"]["case"] = text();
        access["properties"]["receipt"]["properties"]["bytes"] =
            json!({ "type": "string", "contentEncoding": "base64", "description": "The entry: the leaf is its hash" });
    }
    access
}

/// A day's counts are a tree; each level counts what is below it.
fn counts() -> Value {
    let text = || json!({ "type": "string" });
    let hour = level(json!({ "hour": { "type": "integer", "minimum": 0, "maximum": 23 } }), None);
    let purpose = level(json!({ "purpose": text() }), Some(("hours", hour)));
    let caller = level(json!({ "agency": text() }), Some(("purposes", purpose)));
    let operations = Operation::ALL.map(Operation::as_str);
    let service = json!({
        "registry": text(),
        "version": text(),
        "entity": text(),
        "operation": { "type": "string", "enum": operations },
    });
    let service = level(service, Some(("callers", caller)));
    let agency = level(json!({ "agency": text() }), Some(("services", service)));
    let day = level(json!({ "date": { "type": "string", "format": "date" } }), Some(("agencies", agency)));
    json!({
        "type": "object",
        "required": ["smallest", "days", "logs"],
        "properties": {
            "smallest": { "type": "integer", "description": "The smallest count that is told" },
            "days": { "type": "array", "items": day },
            "logs": { "type": "array", "items": text() },
        },
    })
}

fn level(mut properties: Value, below: Option<(&str, Value)>) -> Value {
    let number = || json!({ "type": "integer" });
    properties["count"] = json!({
        "type": "object",
        "oneOf": [
            { "required": ["exact"], "properties": { "exact": number() } },
            { "required": ["less_than"], "properties": { "less_than": number() } },
        ],
        "description": "How often; where that is hidden, only what it is less than",
    });
    if let Some((name, items)) = below {
        properties[name] = json!({ "type": "array", "items": items });
    }
    json!({ "type": "object", "required": ["count"], "properties": properties })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn limit() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX })
}
