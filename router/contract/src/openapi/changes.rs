//! The operations that change records.

use rabita_model::Operation;
use rabita_model::catalogue::ActionEntry;
use serde_json::{Map, Value, json};

use super::bus::UPDATE;
use super::names::pascal;
use super::operations::{Describer, one_or};
use super::schema::Entity;
use super::{components, patch, reference};
use crate::request::PATCH_TYPES;

/// The schemas of what an entity's changes send and answer, as references.
#[derive(Default)]
struct Forms {
    create: Option<Value>,
    replace: Option<Value>,
    patch: Option<Value>,
    delete: bool,
    actions: Vec<ActionForm>,
}

/// An action with its schemas.
struct ActionForm {
    name: String,
    title: String,
    request: Value,
    /// Whether `{}` would do.
    is_optional: bool,
    reply: Value,
}

impl Describer<'_> {
    /// Puts the operations that change records: by the record's URL where it may hold identifiers, and by the body.
    pub(super) fn changes(&mut self) {
        let forms = self.forms();
        if let Some(record) = &forms.create {
            let content = json!({ "application/json": { "schema": record } });
            let operation = self.change(Operation::Create, "", "A new record", Vec::new(), made(), Some((content, true)));
            let path = self.path();
            self.document.put(path, "post", operation);
        }
        if self.entry.identifiers_in_url {
            self.by_record(&forms);
        }
        self.by_body(forms);
    }

    fn by_record(&mut self, forms: &Forms) {
        let path = self.record_path();
        if let Some(record) = &forms.replace {
            let content = json!({ "application/json": { "schema": record } });
            let summary = "A whole record in place of another";
            let operation =
                self.change(Operation::Replace, "", summary, self.key_in_path(), done(update_document()), Some((content, true)));
            self.document.put(path.clone(), "put", operation);
        }
        if let Some(fields) = &forms.patch {
            let content: Map<String, Value> =
                PATCH_TYPES.iter().map(|media_type| ((*media_type).to_owned(), json!({ "schema": fields }))).collect();
            let summary = "Some fields of a record (RFC 7396): what is left out stays, `null` takes a value away";
            let body = Some((Value::Object(content), true));
            let operation = self.change(Operation::Update, "", summary, self.key_in_path(), done(update_document()), body);
            self.document.put(path.clone(), "patch", operation);
        }
        if forms.delete {
            let operation =
                self.change(Operation::Delete, "", "The end of a record", self.key_in_path(), done(update_document()), None);
            self.document.put(path.clone(), "delete", operation);
        }
        for action in &forms.actions {
            let content = json!({ "application/json": { "schema": action.request } });
            let responses = done(action.reply.clone());
            let body = Some((content, !action.is_optional));
            let object = pascal(&[&action.name]);
            let operation = self.change(Operation::Act, &object, &action.title, self.key_in_path(), responses, body);
            self.document.put(format!("{path}/{}", action.name), "post", operation);
        }
    }

    fn by_body(&mut self, forms: Forms) {
        let mut bodies = Vec::new();
        let mut answers = vec![update_document()];
        let can_make = forms.create.is_some();
        let key = self.key();
        let form = |title: &str, operation: Operation, own: Vec<(&str, Value)>| change_form(title, operation, own);
        bodies.extend(forms.create.map(|record| form("A new record", Operation::Create, vec![("record", record)])));
        bodies.extend(forms.replace.map(|record| {
            form("A whole record in place of another", Operation::Replace, vec![("key", key.clone()), ("record", record)])
        }));
        bodies.extend(
            forms
                .patch
                .map(|fields| form("Some fields of a record", Operation::Update, vec![("key", key.clone()), ("patch", fields)])),
        );
        if forms.delete {
            bodies.push(form("The end of a record", Operation::Delete, vec![("key", key.clone())]));
        }
        for action in forms.actions {
            let own = vec![("key", key.clone()), ("action", json!({ "const": action.name })), ("input", action.request)];
            let mut body = form(&action.title, Operation::Act, own);
            if action.is_optional {
                body["required"] = json!(["operation", "key", "action"]);
            }
            bodies.push(body);
            if !answers.contains(&action.reply) {
                answers.push(action.reply);
            }
        }
        if bodies.is_empty() {
            return;
        }
        let mut responses = done(one_or(answers, "anyOf"));
        if can_make {
            responses.extend(made());
        }
        let content = json!({ "application/json": { "schema": one_or(bodies, "oneOf") } });
        let id = self.document.names.unique(&format!("change{}", self.noun));
        let summary = "The same with the record's key in the body";
        let operation = self.changing(id, summary, vec![reference("parameters", "IfMatch")], responses, Some((content, true)));
        self.document.put(format!("{}/change", self.path()), "post", operation);
    }

    fn change(
        &mut self,
        operation: Operation,
        object: &str,
        summary: &str,
        own: Vec<Value>,
        responses: Map<String, Value>,
        body: Option<(Value, bool)>,
    ) -> Value {
        let id = self.document.names.unique(&format!("{operation}{}{object}", self.noun));
        let mut parameters = own;
        if operation != Operation::Create {
            parameters.push(reference("parameters", "IfMatch"));
        }
        self.changing(id, summary, parameters, responses, body)
    }

    fn changing(
        &self,
        id: String,
        summary: &str,
        own: Vec<Value>,
        responses: Map<String, Value>,
        body: Option<(Value, bool)>,
    ) -> Value {
        let mut parameters = own;
        for name in ["IdempotencyKey", "Prefer", "ApplyUntil"] {
            parameters.push(reference("parameters", name));
        }
        let mut operation = self.operation(id, summary, parameters, responses);
        for (status, name) in components::CHANGE_PROBLEMS {
            operation["responses"][status] = reference("responses", name);
        }
        if let Some((content, required)) = body {
            operation["requestBody"] = json!({ "required": required, "content": content });
            for (status, name) in components::BODY_PROBLEMS {
                operation["responses"][status] = reference("responses", name);
            }
        }
        operation
    }

    /// Puts the schemas of what is sent, and says where they stand.
    fn forms(&mut self) -> Forms {
        let writes = &self.entry.writes;
        let document = |operation| writes.get(&operation).map(|cut| cut.document.as_ref());
        let create = document(Operation::Create).map(|document| self.body_schema("New", document));
        // The key stands in the URL or beside the record, and may be left out of it.
        let replace = document(Operation::Replace).map(|document| {
            let mut document = document.clone();
            let is_key = |name: &Value| self.entry.key.iter().any(|key| name == key.as_str());
            if let Some(required) = document.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|name| !is_key(name));
            }
            self.body_schema("Whole", &document)
        });
        let patch = document(Operation::Update).map(|document| self.body_schema("Patch", &patch::of(document)));
        let actions = self.entry.actions.iter().map(|action| self.action_form(action)).collect();
        Forms { create, replace, patch, delete: self.entry.operations.contains(&Operation::Delete), actions }
    }

    fn action_form(&mut self, action: &ActionEntry) -> ActionForm {
        let name = pascal(&[action.name.as_str()]);
        let reply = action.reply.as_ref().map(|reply| self.body_schema(&format!("{name}Reply"), reply));
        ActionForm {
            name: action.name.to_string(),
            title: action.title.clone().unwrap_or_else(|| format!("`{}` of a record", action.name)),
            request: self.body_schema(&name, &action.request),
            is_optional: action.request.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty),
            reply: reply.unwrap_or_else(update_document),
        }
    }

    /// Puts a schema of the entity's among the components, unless it is the record's own.
    fn body_schema(&mut self, suffix: &str, document: &Value) -> Value {
        if document == &*self.entry.document {
            return self.record();
        }
        let entity = Entity::new(document, &format!("{}{suffix}", self.noun), &mut self.document.names);
        entity.put(&mut self.document.schemas);
        reference("schemas", &entity.name)
    }
}

fn change_form(title: &str, operation: Operation, own: Vec<(&str, Value)>) -> Value {
    let mut properties = Map::from_iter([("operation".to_owned(), json!({ "const": operation }))]);
    properties.extend(own.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    let required: Vec<&String> = properties.keys().collect();
    json!({ "title": title, "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

fn update_document() -> Value {
    reference("schemas", UPDATE)
}

/// The answers to a change that was applied, and to one that is on its way.
fn done(schema: Value) -> Map<String, Value> {
    let mut responses = Map::new();
    responses.insert("200".into(), answer("It was applied", schema, &[]));
    responses.insert("202".into(), accepted());
    responses
}

fn made() -> Map<String, Value> {
    let mut responses = Map::new();
    responses.insert("201".into(), answer("The record was made", update_document(), &[("Location", "Location")]));
    responses.insert("202".into(), accepted());
    responses
}

fn accepted() -> Value {
    let own = [("Location", "Location"), ("Retry-After", "RetryAfter")];
    answer("It is on its way, and will be applied or come to an end that the update tells", update_document(), &own)
}

fn answer(description: &str, schema: Value, own: &[(&str, &str)]) -> Value {
    let mut headers = components::change_headers();
    headers.extend(own.iter().map(|(header, name)| ((*header).to_owned(), reference("headers", name))));
    json!({ "description": description, "headers": headers, "content": { "application/json": { "schema": schema } } })
}
