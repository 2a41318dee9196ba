//! How the connector reaches a directory: TLS from the beginning and TLS that is started, passwords, certificates.

use std::sync::Arc;

use rabita_battery::world::{ample, update, whole};
use rabita_battery::{Need, Person, Subject, people};
use rabita_sdk::{Applied, Connector, Failure, SecretRef, SecretText, Secrets};
use rabita_tests::bus::Authority;
use rabita_tests::openldap::{BUS, BUS_PASSWORD};
use serde_json::{Value, json};

use super::{CLASS, People};

/// What the tests name by reference.
struct Safe;

impl Secrets for Safe {
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String> {
        let SecretRef::Env(named) = secret else { return Err("only variables here".to_owned()) };
        let authority = Authority::get();
        let text = match named.env.as_str() {
            "CA" => authority.certificate.clone(),
            "CERT" => authority.portal.certificate.clone(),
            "KEY" => authority.portal.key.clone(),
            "BUS" => BUS_PASSWORD.to_owned(),
            "WRONG" => "another".to_owned(),
            other => return Err(format!("there is no {other}")),
        };
        Ok(SecretText::new(text))
    }
}

fn simple(password: &str) -> Value {
    json!({ "simple": { "dn": BUS, "password": { "env": password } } })
}

async fn people_of_two() -> (People, Vec<Person>) {
    let people = Person::several(2);
    let subject = People::set_up(Need::Shared).await;
    subject.load(&people).await;
    (subject, people)
}

/// A connector with these settings.
async fn open(subject: &People, settings: Value) -> Arc<dyn Connector> {
    let from = json!({ "base": subject.base, "class": CLASS, "bump": "increment" });
    let spec = people::registry(settings, from);
    rabita_ldap::kind().open(spec, &Safe).await.expect("the connector opens")
}

async fn reads(connector: &Arc<dyn Connector>, person: &Person) {
    let row = connector.read(whole(&person.pin), &ample()).await.expect("a read").expect("the record");
    assert_eq!(Person::from_row(&row), *person);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_read_and_changed_under_tls_from_the_first_byte_on() {
    let (subject, people) = people_of_two().await;
    let url = format!("ldaps://localhost:{}", subject.server.secured_address().port());
    let connector = open(&subject, json!({ "url": url, "tls": { "ca_file": { "env": "CA" } }, "bind": simple("BUS") })).await;
    reads(&connector, &people[1]).await;
    assert_eq!(connector.apply(update(&people[0].pin, "family", "New".into()), &ample()).await, Ok(Applied::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_started_before_the_password_is_sent() {
    let (subject, people) = people_of_two().await;
    let url = format!("ldap://localhost:{}", subject.server.address().port());
    let tls = json!({ "start": true, "ca_file": { "env": "CA" }, "min_version": "1.3" });
    let connector = open(&subject, json!({ "url": url, "tls": tls, "bind": simple("BUS") })).await;
    reads(&connector, &people[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_or_name_is_not_trusted() {
    let (subject, people) = people_of_two().await;
    let secured = subject.server.secured_address().port();
    let named = |name: &str| json!({ "ca_file": { "env": "CA" }, "server_name": name });
    let wrong = [
        json!({ "url": format!("ldaps://localhost:{secured}"), "tls": {} }),
        json!({ "url": format!("ldaps://localhost:{secured}"), "tls": named("ldap.elsewhere.example") }),
        json!({ "url": format!("ldap://localhost:{}", subject.server.address().port()), "tls": { "start": true } }),
    ];
    for settings in wrong {
        let connector = open(&subject, settings.clone()).await;
        let read = connector.read(whole(&people[0].pin), &ample()).await;
        let Err(Failure::Unavailable { detail, .. }) = read else { panic!("{settings}: {read:?}") };
        assert!(detail.contains("certificate"), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_no_tls_is_found_to() {
    let (subject, people) = people_of_two().await;
    let url = format!("ldaps://localhost:{}", subject.server.address().port());
    let connector = open(&subject, json!({ "url": url, "tls": { "ca_file": { "env": "CA" } } })).await;
    let read = connector.read(whole(&people[0].pin), &ample()).await;
    assert!(matches!(read, Err(Failure::Unavailable { .. })), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_is_known_by_its_certificate_alone() {
    let (subject, people) = people_of_two().await;
    let url = format!("ldaps://localhost:{}", subject.server.secured_address().port());
    let tls = json!({ "ca_file": { "env": "CA" }, "cert_file": { "env": "CERT" }, "key_file": { "env": "KEY" } });
    let connector = open(&subject, json!({ "url": url, "tls": tls, "bind": { "external": {} } })).await;
    reads(&connector, &people[1]).await;
    // Nobody else may write.
    assert_eq!(connector.apply(update(&people[0].pin, "family", "New".into()), &ample()).await, Ok(Applied::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_no_fault_of_the_caller() {
    let (subject, people) = people_of_two().await;
    let url = format!("ldap://{}", subject.server.address());
    let connector = open(&subject, json!({ "url": url, "bind": simple("WRONG") })).await;
    for outcome in [
        connector.read(whole(&people[0].pin), &ample()).await.map(|_| ()),
        connector.probe(&ample()).await,
        connector.apply(update(&people[0].pin, "family", "New".into()), &ample()).await.map(|_| ()),
    ] {
        let Err(Failure::Unavailable { detail, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(detail.contains("invalidCredentials") && !detail.contains("another"), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_bind_reads_and_may_not_write() {
    let (subject, people) = people_of_two().await;
    let connector = open(&subject, json!({ "url": format!("ldap://{}", subject.server.address()) })).await;
    reads(&connector, &people[1]).await;
    let outcome = connector.apply(update(&people[0].pin, "family", "New".into()), &ample()).await;
    // OpenLDAP asks a stranger to bind before it says that it may not.
    assert!(matches!(outcome, Err(Failure::Unavailable { .. } | Failure::Unsupported { .. })), "{outcome:?}");
    assert_eq!(subject.people().await, people);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_directory_would_not_take_is_not_sent() {
    let (subject, people) = people_of_two().await;
    let url = format!("ldap://{}", subject.server.address());
    let connector = open(&subject, json!({ "url": url, "bind": simple("BUS"), "request_max_bytes": 2000 })).await;
    let long = "x".repeat(2000);
    let outcome = connector.apply(update(&people[0].pin, "notes", long.as_str().into()), &ample()).await;
    assert!(matches!(outcome, Err(Failure::Refused { .. })), "{outcome:?}");
    let outcome = connector.read(whole(&long), &ample()).await;
    assert!(matches!(outcome, Err(Failure::Refused { .. })), "{outcome:?}");
    reads(&connector, &people[1]).await;
}
