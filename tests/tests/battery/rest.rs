//! `rest` on a registry that runs on Node.js.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_sdk::{Kind, RegistrySpec};
use rabita_tests::NodeServer;
use serde_json::{Value, json};

rabita_battery::battery!(People);

struct People {
    server: NodeServer,
    direct: reqwest::Client,
}

impl People {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }
}

#[async_trait]
impl Subject for People {
    /// The server holds one registry, so each test has a server.
    async fn set_up(_need: Need) -> Self {
        let server = tokio::task::spawn_blocking(|| NodeServer::start("rest", &[])).await.expect("a server");
        Self { server, direct: reqwest::Client::new() }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_rest::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("the server has an address");
        let settings = json!({
            "url": format!("http://{address}"),
            "idempotency_header": "Idempotency-Key",
            "probe": { "path": "/health" },
        });
        let from = json!({
            "read": { "path": "/people/{pin}" },
            "read_many": { "path": "/people", "keys_param": "pins", "records": "items", "max": 50, "fixed": { "limit": 50 } },
            "search": {
                "path": "/people",
                "records": "items",
                "filters": {
                    "family": { "equals": "family", "prefix": "family_prefix" },
                    "given": "given",
                    "born": { "from": "born_from", "to": "born_to" },
                },
                "paging": { "offset": { "param": "offset", "limit_param": "limit", "size_max": 1000, "total": "total" } },
            },
            "fields_param": { "name": "fields" },
            "create": { "path": "/people" },
            "replace": { "path": "/people/{pin}" },
            "update": { "path": "/people/{pin}", "media_type": "application/merge-patch+json" },
            "delete": { "path": "/people/{pin}" },
            "version": { "if_match": true },
            "binary": { "photo": { "path": "/people/{pin}/photo" } },
        });
        let mut spec = people::registry(settings, from);
        let template = json!({ "person": { "family": "{new_family}" }, "reason": "by request" });
        let rename = json!({ "path": "/people/{pin}/rename", "template": template, "reply": "renamed" });
        people::add_rename(&mut spec, rename);
        let changes = json!({
            "path": "/changes",
            "since_param": "from",
            "inclusive": true,
            "size_param": "size",
            "records": "changes",
            "place": "number",
            "key": { "pin": "whom.pin" },
            "kind": "what",
            "gone": ["deleted"],
        });
        people::add_changes(&mut spec, changes);
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    async fn load(&self, people: &[Person]) {
        let people: Vec<Value> = people.iter().map(document).collect();
        let answer = self.direct.post(self.url("/__reset")).json(&json!({ "people": people })).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    async fn people(&self) -> Vec<Person> {
        let answer = self.direct.get(self.url("/__people")).send().await.expect("an answer");
        let all: Value = answer.json().await.expect("JSON");
        all["people"].as_array().expect("people").iter().map(person).collect()
    }

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }
}

/// A person as the server's own interface for tests takes it.
pub(crate) fn document(person: &Person) -> Value {
    json!({
        "pin": person.pin,
        "family": person.family,
        "given": person.given,
        "born": person.born,
        "notes": person.notes,
        "version": person.version,
        "photo": person.photo.as_ref().map(|photo| STANDARD.encode(photo)),
    })
}

/// A person as the server's own interface for tests gives it.
pub(crate) fn person(document: &Value) -> Person {
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    Person {
        pin: text("pin").expect("a pin"),
        family: text("family").expect("a family"),
        given: text("given").expect("a given name"),
        born: text("born").expect("a date"),
        notes: text("notes"),
        version: document["version"].as_i64().expect("a version"),
        photo: text("photo").map(|photo| STANDARD.decode(photo).expect("Base64")),
    }
}
