//! `ldap` on OpenLDAP. The connector counts versions in an attribute of the entry.

mod searches;
mod security;
mod survey;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_sdk::{Ignore, Kind, RegistrySpec, SecretRef, SecretText, Secrets};
use rabita_tests::Openldap;
use rabita_tests::openldap::{BUS, BUS_PASSWORD, ldif};
use serde_json::json;

use super::server::{Server, own_name};

rabita_battery::battery!(People);

const CLASS: &str = "registryPerson";

struct People {
    server: Server<Openldap>,
    base: String,
}

#[async_trait]
impl Subject for People {
    async fn set_up(need: Need) -> Self {
        let server = Server::of(need, Openldap::shared, Openldap::start);
        let base = server.branch(&own_name());
        Self { server, base }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_ldap::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("OpenLDAP has an address");
        let settings =
            json!({ "url": format!("ldap://{address}"), "bind": { "simple": { "dn": BUS, "password": { "env": "BUS" } } } });
        let from = json!({
            "base": self.base,
            "class": CLASS,
            "ignores": ["case", "outer_spaces"],
            "bump": "increment",
            "create": { "rdn": "pin={pin}", "classes": ["top", CLASS] },
        });
        let mut spec = people::registry(settings, from);
        people::add_changes(&mut spec, json!({}));
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec
    }

    fn secrets(&self) -> Box<dyn Secrets> {
        Box::new(Password)
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    async fn load(&self, people: &[Person]) {
        self.server.clear(&self.base, CLASS);
        let ldif: String = people.iter().map(|person| entry(person, &self.base)).collect();
        if !ldif.is_empty() {
            self.server.modify(&ldif);
        }
    }

    async fn people(&self) -> Vec<Person> {
        self.server.entries(&self.base, CLASS).into_iter().map(person).collect()
    }

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }
}

/// The password of the bus's entry.
pub(crate) struct Password;

impl Secrets for Password {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Ok(SecretText::new(BUS_PASSWORD.to_owned()))
    }
}

fn entry(person: &Person, base: &str) -> String {
    let mut text = format!("dn: pin={},{base}\nchangetype: add\nobjectClass: {CLASS}\n", person.pin);
    let version = person.version.to_string();
    for (name, value) in [
        ("pin", &person.pin),
        ("family", &person.family),
        ("given", &person.given),
        ("born", &person.born),
        ("version", &version),
    ] {
        text.push_str(&ldif(name, value.as_bytes()));
    }
    text.extend(person.notes.iter().map(|notes| ldif("notes", notes.as_bytes())));
    text.extend(person.photo.iter().map(|photo| ldif("photo", photo)));
    text + "\n"
}

fn person(entry: Vec<(String, Vec<u8>)>) -> Person {
    let bytes = |name: &str| entry.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let text = |name: &str| bytes(name).map(|value| String::from_utf8(value).expect("UTF-8"));
    Person {
        pin: text("pin").expect("a pin"),
        family: text("family").expect("a family"),
        given: text("given").expect("a given name"),
        born: text("born").expect("a date"),
        notes: text("notes"),
        version: text("version").expect("a version").parse().expect("a number"),
        photo: bytes("photo"),
    }
}
