//! The operations of an entity.

use rabita_model::catalogue::Entry;
use rabita_model::{Comparison, FieldName, Operation};
use serde_json::{Map, Value, json};

use super::names::pascal;
use super::schema::Entity;
use super::{Document, components, reference};
use crate::catalogue::address;
use crate::request::parameter_name;

pub(super) fn describe(entry: &Entry, document: &mut Document) {
    let noun = pascal(&[entry.registry.as_str(), &entry.version.to_string(), entry.entity.as_str()]);
    let entity = Entity::new(&entry.document, &noun, &mut document.names);
    entity.put(&mut document.schemas);
    let mut describer = Describer { entry, noun, entity, document };
    let reads = entry.operations.contains(&Operation::Read);
    let searches = entry.operations.contains(&Operation::Search);
    if reads {
        describer.put_many();
    }
    if searches {
        describer.put_page();
    }
    if entry.identifiers_in_url {
        if searches {
            describer.search();
        } else if reads && entry.key.len() == 1 {
            describer.read_many();
        }
        if reads {
            describer.read();
            describer.binaries();
        }
    }
    if reads || searches {
        describer.query(reads, searches);
    }
    describer.changes();
}

pub(super) struct Describer<'a> {
    pub(super) entry: &'a Entry,
    /// `PopulationV1Persons`.
    pub(super) noun: String,
    entity: Entity<'a>,
    pub(super) document: &'a mut Document,
}

impl Describer<'_> {
    fn read(&mut self) {
        let mut parameters = self.key_in_path();
        parameters.push(self.fields_in_url());
        let mut responses = ok("The record", json!({ "application/json": { "schema": self.record() } }), true);
        responses.insert("304".into(), reference("responses", "NotModified"));
        let operation = self.reading("read", "", "One record", parameters, responses);
        self.document.put(self.record_path(), "get", operation);
    }

    fn binaries(&mut self) {
        for (field, media_type) in &self.entry.binary {
            let responses = ok("The binary value", json!({ media_type: { "schema": {} } }), false);
            let summary = format!("`{field}` of one record");
            let operation = self.reading("read", &pascal(&[field.as_str()]), &summary, self.key_in_path(), responses);
            self.document.put(format!("{}/{field}", self.record_path()), "get", operation);
        }
    }

    fn search(&mut self) {
        let mut parameters: Vec<Value> = self
            .entry
            .filters
            .iter()
            .flat_map(|(field, comparisons)| comparisons.iter().map(|comparison| self.filter_in_url(field, *comparison)))
            .collect();
        parameters.push(self.limit_in_url());
        parameters.push(reference("parameters", "Cursor"));
        parameters.push(self.fields_in_url());
        let responses = ok("A page of records", json!({ "application/json": { "schema": self.page() } }), false);
        let operation = self.reading("search", "", "Records by filters, all of which must hold", parameters, responses);
        self.document.put(self.path(), "get", operation);
    }

    fn read_many(&mut self) {
        let key = json!({
            "name": "key",
            "in": "query",
            "required": true,
            "description": "The keys of the records",
            "schema": {
                "type": "array",
                "minItems": 1,
                "maxItems": self.entry.keys_max,
                "items": self.key_field(&self.entry.key[0]),
            },
        });
        let parameters = vec![key, self.fields_in_url()];
        let responses =
            ok("The records in the order of the keys", json!({ "application/json": { "schema": self.several() } }), false);
        let operation = self.reading("readMany", "", "Several records by their keys", parameters, responses);
        self.document.put(self.path(), "get", operation);
    }

    fn query(&mut self, reads: bool, searches: bool) {
        let mut forms = Vec::new();
        let mut answers = Vec::new();
        if reads {
            forms.push(self.form("One record", "key", self.key(), &["fields"]));
            let keys = json!({ "type": "array", "minItems": 1, "maxItems": self.entry.keys_max, "items": self.key() });
            forms.push(self.form("Several records", "keys", keys, &["fields"]));
            answers.extend([self.record(), self.several()]);
        }
        if searches {
            forms.push(self.form("A search", "where", self.conditions(), &["fields", "limit", "cursor"]));
            answers.push(self.page());
        }
        let mut content = Map::new();
        content.insert("application/json".into(), json!({ "schema": one_or(answers, "anyOf") }));
        if reads && !self.entry.binary.is_empty() {
            let names: Vec<&FieldName> = self.entry.binary.keys().collect();
            let mut form = self.form("A binary field of one record", "key", self.key(), &[]);
            form["properties"]["field"] = json!({ "enum": names });
            form["required"] = json!(["key", "field"]);
            forms.push(form);
            for media_type in self.entry.binary.values() {
                content.insert(media_type.clone(), json!({ "schema": {} }));
            }
        }
        let responses = ok("What was asked for", Value::Object(content), true);
        let mut operation = self.reading("query", "", "The same with its arguments in the body", Vec::new(), responses);
        let body = json!({ "required": true, "content": { "application/json": { "schema": one_or(forms, "oneOf") } } });
        operation["requestBody"] = body;
        for (status, name) in components::BODY_PROBLEMS {
            operation["responses"][status] = reference("responses", name);
        }
        self.document.put(format!("{}/query", self.path()), "post", operation);
    }

    fn reading(&mut self, verb: &str, object: &str, summary: &str, own: Vec<Value>, responses: Map<String, Value>) -> Value {
        let id = self.document.names.unique(&format!("{verb}{}{object}", self.noun));
        self.operation(id, summary, own, responses)
    }

    pub(super) fn operation(&self, id: String, summary: &str, own: Vec<Value>, responses: Map<String, Value>) -> Value {
        let mut parameters = own;
        parameters.push(self.purpose());
        parameters.push(reference("parameters", "User"));
        parameters.push(reference("parameters", "Case"));
        let mut responses = responses;
        for (status, name) in components::PROBLEMS {
            responses.insert((*status).into(), reference("responses", name));
        }
        json!({
            "operationId": id,
            "summary": summary,
            "tags": [self.entry.registry],
            "parameters": parameters,
            "responses": responses,
        })
    }

    /// `/api/population/v1/persons`.
    pub(super) fn path(&self) -> String {
        format!("/api/{}", address(self.entry))
    }

    pub(super) fn record_path(&self) -> String {
        let keys: Vec<String> = self.entry.key.iter().map(|field| format!("{{{field}}}")).collect();
        format!("{}/{}", self.path(), keys.join(","))
    }

    pub(super) fn record(&self) -> Value {
        reference("schemas", &self.entity.name)
    }

    fn several(&self) -> Value {
        reference("schemas", &self.entity.several)
    }

    fn page(&self) -> Value {
        reference("schemas", &self.entity.page)
    }

    fn put_many(&mut self) {
        let schema = json!({
            "type": "object",
            "description": "The records in the order of the keys; `null` where there is none.",
            "required": ["records"],
            "properties": { "records": { "type": "array", "items": { "anyOf": [self.record(), { "type": "null" }] } } },
        });
        self.document.schemas.insert(self.entity.several.clone(), schema);
    }

    fn put_page(&mut self) {
        let schema = json!({
            "type": "object",
            "description": "One page of a search.",
            "required": ["records"],
            "properties": {
                "records": { "type": "array", "items": self.record() },
                "next": { "type": "string", "description": "The `cursor` of the next page; not there on the last" },
            },
        });
        self.document.schemas.insert(self.entity.page.clone(), schema);
    }

    pub(super) fn key_in_path(&self) -> Vec<Value> {
        let parameter = |field| json!({ "name": field, "in": "path", "required": true, "schema": self.key_field(field) });
        self.entry.key.iter().map(parameter).collect()
    }

    /// A key's value. A list or an object is none, so nothing but the schema of the field itself is taken.
    fn key_field(&self, field: &FieldName) -> Value {
        self.entity.field(field)
    }

    pub(super) fn key(&self) -> Value {
        if let [field] = self.entry.key.as_slice() {
            return self.key_field(field);
        }
        let fields: Vec<Value> = self.entry.key.iter().map(|field| self.key_field(field)).collect();
        let names: Vec<&str> = self.entry.key.iter().map(FieldName::as_str).collect();
        json!({
            "type": "array",
            "description": format!("The values of {}, in this order", names.join(", ")),
            "prefixItems": fields,
            "minItems": fields.len(),
            "maxItems": fields.len(),
        })
    }

    fn filter(&self, field: &FieldName, comparison: Comparison) -> Value {
        match comparison {
            Comparison::Prefix => json!({ "type": "string", "minLength": 1 }),
            Comparison::Equals | Comparison::From | Comparison::To => self.entity.field(field),
        }
    }

    fn filter_in_url(&self, field: &FieldName, comparison: Comparison) -> Value {
        let description = match comparison {
            Comparison::Equals => format!("`{field}` has this value"),
            Comparison::Prefix => format!("`{field}` begins so"),
            Comparison::From => format!("`{field}` has this value or a later one"),
            Comparison::To => format!("`{field}` has this value or an earlier one"),
        };
        json!({
            "name": parameter_name(field, comparison),
            "in": "query",
            "description": description,
            "schema": self.filter(field, comparison),
        })
    }

    fn conditions(&self) -> Value {
        let conditions = self.entry.filters.iter().map(|(field, comparisons)| {
            let by: Map<String, Value> =
                comparisons.iter().map(|comparison| (comparison.as_str().to_owned(), self.filter(field, *comparison))).collect();
            let compared = json!({ "type": "object", "minProperties": 1, "additionalProperties": false, "properties": by });
            let mut forms = vec![compared];
            if comparisons.contains(&Comparison::Equals) {
                forms.insert(0, self.entity.field(field));
            }
            (field.to_string(), one_or(forms, "anyOf"))
        });
        json!({
            "type": "object",
            "description": "The fields with the values that they must have, or with comparisons. All must hold.",
            "additionalProperties": false,
            "properties": conditions.collect::<Map<_, _>>(),
        })
    }

    fn form(&self, title: &str, member: &str, schema: Value, others: &[&str]) -> Value {
        let mut properties = Map::new();
        properties.insert(member.into(), schema);
        for other in others {
            let schema = match *other {
                "fields" => json!({ "type": "array", "minItems": 1, "items": { "enum": self.field_names() } }),
                "limit" => self.limit(),
                _ => json!({ "type": "string", "minLength": 1, "description": "The `next` of the page before" }),
            };
            properties.insert((*other).into(), schema);
        }
        json!({ "title": title, "type": "object", "required": [member], "additionalProperties": false, "properties": properties })
    }

    fn limit(&self) -> Value {
        let mut schema = json!({ "type": "integer", "minimum": 1 });
        if let Some(most) = self.entry.page_max {
            schema["maximum"] = most.into();
        }
        schema
    }

    fn limit_in_url(&self) -> Value {
        json!({ "name": "limit", "in": "query", "description": "The most records on the page", "schema": self.limit() })
    }

    fn fields_in_url(&self) -> Value {
        json!({
            "name": "fields",
            "in": "query",
            "description": "The fields wanted, each with all that lies within it; all that are permitted if left out",
            "style": "form",
            "explode": false,
            "schema": { "type": "array", "minItems": 1, "items": { "type": "string", "enum": self.field_names() } },
        })
    }

    /// The permitted fields, and what they lie within.
    fn field_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for field in &self.entry.fields {
            let text = field.as_str();
            let ends = text.match_indices('.').map(|(dot, _)| dot).chain([text.len()]);
            for name in ends.map(|end| &text[..end]) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }

    fn purpose(&self) -> Value {
        let purposes = &self.entry.purposes;
        if purposes.is_empty() {
            return reference("parameters", "Purpose");
        }
        json!({
            "name": "Rabita-Purpose",
            "in": "header",
            "required": true,
            "description": "Why the data is asked for",
            "schema": { "type": "string", "enum": purposes },
            "example": purposes[0],
        })
    }
}

/// The answer when all went well, with the headers that it has.
fn ok(description: &str, content: Value, has_tag: bool) -> Map<String, Value> {
    let mut headers = components::answer_headers();
    if has_tag {
        headers.insert("ETag".into(), reference("headers", "ETag"));
    }
    let mut responses = Map::new();
    responses.insert("200".into(), json!({ "description": description, "headers": headers, "content": content }));
    responses
}

pub(super) fn one_or(mut schemas: Vec<Value>, keyword: &str) -> Value {
    if schemas.len() == 1 { schemas.remove(0) } else { json!({ keyword: schemas }) }
}
