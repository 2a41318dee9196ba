//! The paths of the ledger.

use serde_json::{Value, json};

use super::Document;
use super::bus::{Call, in_path, in_query, json};
use super::components::BODY_PROBLEMS;
use super::reference;

/// Puts what every system may read of the log.
pub(super) fn describe(document: &mut Document) {
    let number = || json!({ "type": "integer", "minimum": 0 });
    let text = || json!({ "text/plain": { "schema": { "type": "string" } } });
    let bytes = || json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
    let of_index = |name, description| in_query(name, description, number());
    let reads: [(&str, &str, &str, Vec<Value>, Value); 7] = [
        ("/bus/ledger/checkpoint", "readCheckpoint", "The newest checkpoint of the log, a signed note", Vec::new(), text()),
        ("/bus/ledger/key", "readLedgerKey", "The verifier key of the log's checkpoints", Vec::new(), text()),
        (
            "/bus/ledger/tile/{level}/{n}",
            "readTile",
            "Hashes of the tree, as C2SP tlog-tiles has them; an `n` above 999 has further segments",
            ["level", "n"].map(in_path).to_vec(),
            bytes(),
        ),
        (
            "/bus/ledger/tile/entries/{n}",
            "readBundle",
            "Entries of the log, as C2SP tlog-tiles has them",
            vec![in_path("n")],
            bytes(),
        ),
        ("/bus/ledger/entries/{index}", "readLedgerEntry", "One entry of the log", vec![in_path("index")], json(entry())),
        (
            "/bus/ledger/proof",
            "proveInclusion",
            "That an entry, or every entry of an exchange, is in the log",
            vec![
                of_index("index", "The index of the entry"),
                of_index("size", "The size of the tree; without it, that of the newest checkpoint"),
                in_query("exchange", "Instead of an index: the exchange", json!({ "type": "string", "format": "uuid" })),
            ],
            json(json!({ "oneOf": [inclusion(), proofs()] })),
        ),
        (
            "/bus/ledger/consistency",
            "proveConsistency",
            "That the tree of a checkpoint is the beginning of that of a newer one",
            vec![
                json!({ "name": "from", "in": "query", "required": true, "description": "The older size", "schema": number() }),
                of_index("to", "The newer size; without it, that of the newest checkpoint"),
            ],
            json(consistency()),
        ),
    ];
    for (path, id, summary, parameters, content) in reads {
        document.call(path, "get", Call { id, summary, parameters, status: "200", content });
    }
    cosignatures(document);
}

fn cosignatures(document: &mut Document) {
    let path = "/bus/ledger/cosignatures";
    let text = |description: &str| json!({ "type": "string", "description": description });
    let cosigned = json!({
        "type": "object",
        "required": ["witness", "at", "size", "checkpoint"],
        "properties": {
            "witness": text("The verifier key of the witness"),
            "at": { "type": "string", "format": "date-time", "description": "When, as the witness says" },
            "size": { "type": "integer" },
            "checkpoint": text("The checkpoint with the line of the log and that of the witness"),
        },
    });
    let several = json!({ "cosignatures": { "type": "array", "items": cosigned } });
    let list = Call {
        id: "readCosignatures",
        summary: "The checkpoint that each witness cosigned last",
        parameters: Vec::new(),
        status: "200",
        content: json(json!({ "type": "object", "required": ["cosignatures"], "properties": several })),
    };
    document.call(path, "get", list);
    let accepted = json!({ "type": "array", "items": { "type": "string" }, "description": "The names of the witnesses" });
    let call = Call {
        id: "submitCosignatures",
        summary: "Brings cosignatures of a checkpoint (C2SP tlog-cosignature) from witnesses that the log knows",
        parameters: Vec::new(),
        status: "200",
        content: json(json!({ "type": "object", "required": ["accepted"], "properties": { "accepted": accepted } })),
    };
    document.call(path, "post", call);
    let item = &mut document.paths[path]["post"];
    let note = json!({ "type": "string", "description": "The checkpoint as a signed note, with lines of witnesses" });
    item["requestBody"] = json!({ "required": true, "content": { "text/plain": { "schema": note } } });
    for (status, name) in BODY_PROBLEMS {
        item["responses"][status] = reference("responses", name);
    }
}

fn hash(description: &str) -> Value {
    json!({ "type": "string", "contentEncoding": "base64", "description": description })
}

fn hashes() -> Value {
    json!({ "type": "array", "items": hash("A hash on the way, the lowest first") })
}

fn checkpoint() -> Value {
    json!({ "type": "string", "description": "The signed note of this tree, where it is the newest" })
}

fn entry() -> Value {
    json!({
        "type": "object",
        "required": ["index", "leaf", "bytes"],
        "properties": {
            "index": { "type": "integer" },
            "leaf": hash("The hash of the entry as a leaf (RFC 9162, 2.1.1)"),
            "entry": { "type": "object", "description": "The entry as it reads" },
            "bytes": { "type": "string", "contentEncoding": "base64", "description": "The very bytes that are hashed" },
        },
    })
}

fn inclusion() -> Value {
    json!({
        "type": "object",
        "required": ["index", "leaf", "size", "root", "hashes"],
        "properties": {
            "index": { "type": "integer" },
            "leaf": hash("The hash of the entry as a leaf"),
            "size": { "type": "integer", "description": "How many entries the tree has" },
            "root": hash("The root of the tree"),
            "hashes": hashes(),
            "checkpoint": checkpoint(),
        },
    })
}

fn proofs() -> Value {
    json!({
        "type": "object",
        "required": ["exchange", "proofs", "checkpoint"],
        "properties": {
            "exchange": { "type": "string", "format": "uuid" },
            "proofs": { "type": "array", "items": inclusion() },
            "checkpoint": checkpoint(),
        },
    })
}

fn consistency() -> Value {
    json!({
        "type": "object",
        "required": ["from", "to", "root", "hashes"],
        "properties": {
            "from": { "type": "integer" },
            "to": { "type": "integer" },
            "root": hash("The root of the newer tree"),
            "hashes": hashes(),
            "checkpoint": checkpoint(),
        },
    })
}
