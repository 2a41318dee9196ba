//! `/bus/asyncapi.json`: AsyncAPI 3.0 of the events that one system may follow.
//!
//! - Each entity has two channels: the stream, which the system opens, and the webhook, whose address it gives with a
//!   subscription. Both have the same message, a CloudEvent in JSON.
//! - What an event tells of a record is the entity's schema, cut down to the fields that the system's grants cover for
//!   events. Nothing of it is required: an event tells what changed.
//! - The bus is what is described, so it sends.

use rabita_model::catalogue::{Catalogue, Cut, Entry};
use serde_json::{Map, Value, json};

use crate::catalogue::address;
use crate::event::MEDIA_TYPE;
use crate::openapi::names::{Names, pascal};
use crate::openapi::patch;
use crate::openapi::schema::Entity;

const BINDING: &str = "0.3.0";

/// The document. `version` is the bus's own.
#[must_use]
pub fn asyncapi(catalogue: &Catalogue, version: &str) -> Value {
    let mut document = Document::default();
    for entry in &catalogue.entities {
        if let Some(cut) = &entry.events {
            document.entity(entry, cut);
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": format!("Events of Rabita for {}", catalogue.system),
            "version": version,
            "description": "The events that this system may follow, and no more.",
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": document.channels,
        "operations": document.operations,
        "components": { "schemas": document.schemas, "messages": document.messages },
    })
}

/// The document on its way.
#[derive(Default)]
struct Document {
    names: Names,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    schemas: Map<String, Value>,
    messages: Map<String, Value>,
}

impl Document {
    fn entity(&mut self, entry: &Entry, cut: &Cut) {
        let noun = self.names.unique(&pascal(&[entry.registry.as_str(), &entry.version.to_string(), entry.entity.as_str()]));
        let shown = patch::of(&cut.document);
        let record = Entity::new(&shown, &format!("{noun}Changed"), &mut self.names);
        record.put(&mut self.schemas);
        self.messages.insert(noun.clone(), message(entry, &record.name));
        let stream = json!({
            "address": "/bus/events",
            "title": format!("Changes of {}, as a stream", address(entry)),
            "description": "Server-sent events: `id` is the position, `event` the type, `data` the CloudEvent",
        });
        let query = json!({
            "type": "object",
            "properties": { "registry": { "const": entry.registry }, "entity": { "const": entry.entity } },
        });
        let binding = json!({ "method": "GET", "query": query, "bindingVersion": BINDING });
        self.channel(&noun, &format!("{noun}Stream"), stream, binding);
        let webhook = json!({
            "address": null,
            "title": format!("Changes of {}, sent to a subscription's address", address(entry)),
            "description": "Signed as Standard Webhooks prescribes, in `webhook-id`, `webhook-timestamp` and `webhook-signature`",
        });
        self.channel(&noun, &format!("{noun}Webhook"), webhook, json!({ "method": "POST", "bindingVersion": BINDING }));
    }

    fn channel(&mut self, message: &str, name: &str, mut channel: Value, binding: Value) {
        channel["messages"] = json!({ message: { "$ref": format!("#/components/messages/{message}") } });
        self.channels.insert(name.to_owned(), channel);
        let operation = json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{name}") },
            "messages": [{ "$ref": format!("#/channels/{name}/messages/{message}") }],
            "bindings": { "http": binding },
        });
        self.operations.insert(format!("send{name}"), operation);
    }
}

fn message(entry: &Entry, record: &str) -> Value {
    let fields = entry.events.iter().flat_map(|cut| &cut.fields);
    let changed = json!({
        "type": "array",
        "description": "The fields that were written or read anew, of those that this system may see",
        "items": { "type": "string", "examples": fields.collect::<Vec<_>>() },
    });
    let record = json!({ "$ref": format!("#/components/schemas/{record}") });
    let data = json!({
        "type": "object",
        "required": ["changed", "record"],
        "properties": { "key": record.clone(), "changed": changed, "record": record },
    });
    let kind = format!("rabita.{}.{}.{}", entry.registry, entry.version, entry.entity);
    json!({
        "name": kind,
        "title": format!("A change of a record of {}", address(entry)),
        "contentType": MEDIA_TYPE,
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "data"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": { "type": "string", "format": "uuid" },
                "source": { "const": format!("/api/{}", address(entry)) },
                "type": {
                    "type": "string",
                    "pattern": format!("^{}\\.(created|replaced|updated|deleted|changed|acted\\..+)$", kind.replace('.', "\\.")),
                },
                "time": { "type": "string", "format": "date-time" },
                "datacontenttype": { "const": "application/json" },
                "dataschema": { "const": format!("/bus/schemas/{}", address(entry)) },
                "rabitaupdate": { "type": "string", "format": "uuid", "description": "The update, where this system sent it" },
                "traceparent": { "type": "string" },
                "data": data,
            },
        },
    })
}
