//! Surveys of small documents; that of a real register is in the integration tests.

use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::survey::{Documents, Foreseen, Question};
use rabita_sdk::{Legacy, Row};

use super::*;

struct One(&'static str);

#[async_trait]
impl Documents for One {
    async fn get(&self, _: &str) -> Result<Vec<u8>, SurveyError> {
        Ok(self.0.as_bytes().to_vec())
    }
}

async fn surveyed(document: &'static str) -> Survey {
    let source = SurveySource {
        address: TextOrSecret::Text("https://taxes.example/openapi.yaml".to_owned()),
        shown: "https://taxes.example/openapi.yaml".to_owned(),
        path: None,
        head: document.as_bytes().to_vec(),
        settings: Map::new(),
        only: Vec::new(),
        narrow: None,
        directory: std::path::PathBuf::from("/"),
        documents: Arc::new(One(document)),
    };
    assert_eq!(recognises(&source), Recognised::Surely);
    survey(&source, &SurveyLimits::default()).await.expect("a survey")
}

const THREE: &str = r##"
openapi: 3.1.0
info: { title: Companies, version: "1" }
servers: [{ url: /api }]
security: [{ key: [] }]
components:
  securitySchemes: { key: { type: apiKey, in: header, name: X-Key } }
  schemas:
    Company:
      type: object
      required: [tin, name]
      properties:
        tin: { type: string, pattern: "^[0-9]{10}$", description: The number. }
        name: { type: string, maxLength: 200 }
        founded: { type: [string, "null"], format: date }
        status: { type: string, enum: [active, ended] }
        director: { type: object, properties: { pin: { type: string } } }
        branches: { type: array, items: { type: object, properties: { city: { type: string } } } }
        tags: { type: array, items: { type: string } }
paths:
  /companies:
    get:
      parameters:
        - { name: name, in: query, schema: { type: string } }
        - { name: foundedFrom, in: query, schema: { type: string } }
        - { name: page, in: query, schema: { type: integer, minimum: 1 } }
        - { name: pageSize, in: query, schema: { type: integer, maximum: 50 } }
      responses:
        "200":
          content:
            application/json:
              schema:
                type: object
                properties:
                  items: { type: array, items: { $ref: "#/components/schemas/Company" } }
                  paging: { type: object, properties: { totalPages: { type: integer } } }
    post: { responses: { "201": { description: made } } }
  /companies/{tin}:
    get:
      summary: One company
      responses:
        "200": { content: { application/json: { schema: { type: object, properties: { data: { $ref: "#/components/schemas/Company" } } } } } }
        "410": { description: gone }
  /changes/companies:
    get:
      parameters: [{ name: number, in: query, schema: { type: integer } }]
      responses:
        "200": { content: { application/json: { schema: { type: array, items: { type: object, properties: { number: { type: integer }, tin: { type: string } } } } } } }
"##;

#[tokio::test]
async fn finds_records_searches_pages_credentials_changes_and_a_feed() {
    let survey = surveyed(THREE).await;
    assert_eq!(survey.settings["url"], "https://taxes.example/api");
    assert_eq!(survey.settings["auth"], json!({ "api_key": { "value": { "env": "REGISTRY_KEY" }, "header": "X-Key" } }));
    assert_eq!(survey.settings["errors"], json!({ "410": "absent" }));
    let [company] = survey.entities.as_slice() else { panic!("one entity: {:?}", survey.entities) };
    assert_eq!((company.name.as_str(), company.key.as_slice()), ("companies", &[Source::new("tin")][..]));
    let expected = json!({
        "read": { "path": "/companies/{tin}", "record": "data" },
        "search": {
            "path": "/companies", "records": "items", "filters": { "name": "name", "founded": { "from": "foundedFrom" } },
            "paging": { "page": { "param": "page", "size_param": "pageSize", "size_max": 50, "first": 1, "total_pages": "paging.totalPages" } },
        },
        "create": { "path": "/companies", "method": "POST" },
    });
    assert_eq!(company.from, expected);
    let types: Vec<(&str, &ValueType, bool)> =
        company.columns.iter().map(|column| (column.source.as_str(), &column.value, column.nullable)).collect();
    assert_eq!(types[0], ("tin", &ValueType::Text { max: None, fixed: false }, false));
    assert_eq!(types[2], ("founded", &ValueType::Date, true));
    assert_eq!(types[4].0, "director.pin");
    assert!(matches!(types[5].1, ValueType::Group(columns) if columns.len() == 1));
    assert!(matches!(types[6].1, ValueType::List(_)));
    let feed = json!({ "path": "/changes/companies", "since_param": "number", "records": "", "place": "number" });
    assert_eq!(company.offers.changes, Some(feed));
}

#[tokio::test]
async fn reads_swagger_two_as_well() {
    let survey = surveyed(
        r##"{"swagger": "2.0", "info": {"title": "Old"}, "host": "old.example", "basePath": "/v2", "schemes": ["http"],
        "paths": {"/pets/{petId}": {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/Pet"}}}}}},
        "definitions": {"Pet": {"allOf": [{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
        {"type": "object", "properties": {"name": {"type": "string"}}}]}}}"##,
    )
    .await;
    assert_eq!(survey.settings["url"], "http://old.example/v2");
    assert_eq!(survey.entities[0].from, json!({ "read": { "path": "/pets/{id}" } }));
    assert!(survey.entities[0].unsure[0].contains("{petId}"), "{:?}", survey.entities[0].unsure);
}

#[tokio::test]
async fn a_fixture_answers_the_request_that_is_made() {
    let survey = surveyed(THREE).await;
    let row: Row = serde_json::from_value(json!({ "tin": "1403778211", "name": "Nar" })).expect("a row");
    let key = [Legacy::from("1403778211")];
    let mut foreseen = Foreseen {
        settings: &survey.settings,
        entity: &survey.entities[0],
        question: Question::Read(&key),
        rows: std::slice::from_ref(&row),
        tables: &[],
    };
    let expected = json!([{
        "request": { "method": "GET", "path": "/companies/1403778211" },
        "response": { "json": { "data": { "tin": "1403778211", "name": "Nar" } } },
    }]);
    assert_eq!(fixture(&foreseen), Some(expected));
    foreseen.rows = &[];
    assert_eq!(fixture(&foreseen).expect("a fixture")[0]["response"], json!({ "status": 404 }));
}

/// Changes as documents describe them: with a key that the registry gives, patches of another sort, envelopes.
const CHANGES: &str = r##"
openapi: 3.0.3
info: { title: Dogs, version: "1" }
servers: [{ url: https://dogs.example }]
components:
  parameters: { once: { name: Idempotency-Key, in: header, schema: { type: string } } }
  schemas:
    DogData: { type: object, required: [name], properties: { name: { type: string }, secret: { type: string, writeOnly: true } } }
    Dog:
      allOf:
        - { $ref: "#/components/schemas/DogData" }
        - type: object
          required: [id]
          properties:
            id: { type: integer, readOnly: true }
            chips: { type: array, items: { type: object, properties: { number: { type: string } } } }
    Owner: { type: object, required: [no, name], properties: { no: { type: string }, name: { type: string }, since: { type: string, format: date } } }
paths:
  /dogs:
    post:
      parameters: [{ $ref: "#/components/parameters/once" }]
      requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/Dog" } } } }
      responses: {}
  /dogs/{id}:
    parameters: [{ $ref: "#/components/parameters/once" }]
    get: { responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Dog" } } } } } }
    put: { requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/Dog" } } } }, responses: {} }
    patch: { requestBody: { content: { application/json-patch+json: { schema: { type: array } } } }, responses: {} }
  /owners:
    post:
      parameters: [{ $ref: "#/components/parameters/once" }]
      requestBody: { content: { application/json: { schema: { type: object, properties: { data: { $ref: "#/components/schemas/Owner" } } } } } }
      responses: {}
  /owners/{no}:
    parameters:
      - { $ref: "#/components/parameters/once" }
      - { name: If-Match, in: header, schema: { type: string } }
    get: { responses: { "200": { headers: { ETag: {} }, content: { application/json: { schema: { $ref: "#/components/schemas/Owner" } } } } } }
    put: { requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/Owner" } } } }, responses: {} }
    patch: { requestBody: { content: { application/json: { schema: { type: object, properties: { since: { type: string } } } } } }, responses: {} }
    delete: { responses: {} }
"##;

#[tokio::test]
async fn changes_are_offered_as_the_document_describes_them_and_no_others() {
    let survey = surveyed(CHANGES).await;
    assert_eq!(survey.settings["idempotency_header"], "Idempotency-Key");
    let [dogs, owners] = survey.entities.as_slice() else { panic!("two entities: {:?}", survey.entities) };
    assert_eq!(dogs.from, json!({ "read": { "path": "/dogs/{id}" } }));
    assert!(dogs.column(&Source::new("secret")).is_none(), "what is only written is in no record");
    for (what, why) in
        [("POST", "gives a new record its key"), ("PUT", "take chips away"), ("PATCH", "application/json-patch+json")]
    {
        assert!(dogs.unsure.iter().any(|own| own.starts_with(what) && own.contains(why)), "{what}: {:?}", dogs.unsure);
    }

    let sources = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect::<Vec<_>>();
    assert_eq!(owners.from["create"], json!({ "path": "/owners", "method": "POST", "body": "data" }));
    assert_eq!(owners.from["version"], json!({ "header": "ETag", "if_match": true }));
    let offers = &owners.offers;
    assert_eq!((&offers.create, &offers.replace), (&sources(&["no", "name", "since"]), &sources(&["no", "name", "since"])));
    assert_eq!((&offers.update, offers.delete), (&sources(&["since"]), true));
    assert!(owners.unsure.iter().any(|why| why.contains("merge patch")), "{:?}", owners.unsure);
}
