//! `soap` on a registry that runs on Node.js, in SOAP 1.1.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_model::Operation;
use rabita_sdk::{Kind, RegistrySpec};
use rabita_tests::NodeServer;
use serde_json::{Map, Value, json};

rabita_battery::battery!(People);

struct People {
    server: NodeServer,
    direct: reqwest::Client,
}

impl People {
    fn state(&self) -> String {
        format!("http://{}/_state", self.server.address())
    }
}

#[async_trait]
impl Subject for People {
    /// The server holds one registry, so each test has a server.
    async fn set_up(_need: Need) -> Self {
        let server = tokio::task::spawn_blocking(|| NodeServer::start("soap", &["people"])).await.expect("a server");
        Self { server, direct: reqwest::Client::new() }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        Arc::new(rabita_soap::Soap)
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("the server has an address");
        let settings = json!({
            "url": format!("http://{address}/people"),
            "namespaces": { "p": "urn:example:people" },
            "faults": { "ALREADY_EXISTS": "conflict", "VERSION_CONFLICT": "conflict", "NOT_FOUND": "absent", "INVALID_INPUT": "refused" },
        });
        let from = json!({
            "read": call("getPerson", json!({ "p:pin": "{pin}" }), json!({ "element": "p:getPersonResponse", "record": "p:person" })),
            "search": {
                "action": "urn:example:people/listPeople",
                "request": { "p:listPeople": {
                    "p:family": "{family?}",
                    "p:familyPrefix": "{family:prefix?}",
                    "p:given": "{given?}",
                    "p:bornFrom": "{born:from?}",
                    "p:bornTo": "{born:to?}",
                    "p:offset": "{$offset}",
                    "p:limit": "{$limit}",
                } },
                "response": { "element": "p:listPeopleResponse", "records": "p:people.p:person", "total": "p:total" },
                "paging": "offset",
            },
            "create": change("createPerson", whole()),
            "replace": change("replacePerson", whole()),
            "update": change("updatePerson", whole()),
            "delete": change("deletePerson", json!({ "p:pin": "{pin}" })),
            "binary": {
                "photo": call("getPhoto", json!({ "p:pin": "{pin}" }), json!({ "element": "p:getPhotoResponse", "record": "p:photo" })),
            },
        });
        let mut spec = people::registry(settings, from);
        let person = json!({ "p:pin": "{pin}", "p:family": "{new_family}" });
        let mut rename = change("renamePerson", person);
        rename["response"]["reply"] = json!("p:person");
        people::add_rename(&mut spec, rename);
        // Nobody can ask a SOAP service what others changed.
        spec.entities[0].operations.remove(&Operation::Subscribe);
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    async fn load(&self, people: &[Person]) {
        let photos: Map<String, Value> = people
            .iter()
            .filter_map(|person| Some((person.pin.clone(), STANDARD.encode(person.photo.as_ref()?).into())))
            .collect();
        let people: Vec<Value> = people.iter().map(super::rest::document).collect();
        let answer = self.direct.put(self.state()).json(&json!({ "people": people, "photos": photos })).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    async fn people(&self) -> Vec<Person> {
        let answer = self.direct.get(self.state()).send().await.expect("an answer");
        let mut state: Value = answer.json().await.expect("JSON");
        let photos = state["photos"].take();
        let all = state["people"].as_array_mut().expect("people");
        for person in all.iter_mut() {
            let pin = person["pin"].as_str().expect("a pin").to_owned();
            person["photo"] = photos[&pin].clone();
        }
        all.iter().map(super::rest::person).collect()
    }

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }

    /// The library that the server is made with sends a text that looks like a CDATA section as one.
    fn keeps(&self, text: &str) -> bool {
        !(text.starts_with("<![CDATA[") && text.ends_with("]]>"))
    }
}

fn call(operation: &str, request: Value, response: Value) -> Value {
    json!({
        "action": format!("urn:example:people/{operation}"),
        "request": { format!("p:{operation}"): request },
        "response": response,
    })
}

fn change(operation: &str, person: Value) -> Value {
    let request = json!({ "p:messageId": "{$message_id}", "p:expectedVersion": "{$version?}", "p:person": person });
    let words = json!({ "CREATED": "done", "REPLACED": "done", "UPDATED": "done", "DELETED": "done", "RENAMED": "done", "DUPLICATE": "before" });
    let response = json!({ "element": format!("p:{operation}Response"), "status": { "path": "p:status", "words": words } });
    call(operation, request, response)
}

fn whole() -> Value {
    json!({
        "p:pin": "{pin}",
        "p:family": "{family?}",
        "p:given": "{given?}",
        "p:born": "{born?}",
        "p:notes": "{notes!nil}",
    })
}
