//! The directory of the guide to the kind `ldap`, as its manifest there says, on OpenLDAP and behind the whole bus.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rabita_tests::bus::{Authority, Bus, Caller, Country, Program};
use rabita_tests::openldap::{BUS_PASSWORD, SUFFIX, ldif};
use rabita_tests::{Openldap, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::lifecycle::RABITA;
use super::people::Stream;

const OFFICIALS: &str = "/api/officials/v1/officials";

/// Everything of the officials, for the portal.
const ALL: &str = "{ system: portal, version: v1, entity: officials, fields: all, purposes: any, \
     operations: [read, search, create, update, delete, subscribe] }";

const PHOTO: [u8; 6] = [0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10];

/// The manifest of the guide, with the port and the secrets of a server of the tests.
fn manifest(port: u16) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/ldap/README.md");
    let guide = std::fs::read_to_string(guide).expect("the kind has a guide");
    let shown = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a whole manifest");
    let replaced = [
        ("ldaps://ldap.interior.example", format!("ldaps://localhost:{port}")),
        ("tls/interior-ca.pem", "tls/ca.pem".to_owned()),
        ("{ env: OFFICIALS_PASSWORD }", "{ file: tls/officials-password }".to_owned()),
        ("every_ms: 5000", "every_ms: 200".to_owned()),
    ];
    replaced.iter().fold(shown.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the guide has {from}");
        text.replace(from, to)
    })
}

/// A country with the registry behind this port.
fn country(port: u16) -> Country {
    let country = Country::new();
    country.file("tls/officials-password", BUS_PASSWORD);
    country.file("registries/officials.yaml", &manifest(port));
    country.grants("officials", &[ALL]);
    country
}

/// A bus before a directory with two officials in service and one who retired.
async fn desk() -> (Openldap, Country, Bus) {
    let server = Openldap::start();
    let _officials = server.branch("officials");
    let _units = server.branch("units");
    server.modify(&format!(
        "dn: ou=12,ou=units,{SUFFIX}\nchangetype: add\nobjectClass: organizationalUnit\nou: 12\ndescription: passports\n\n\
         dn: ou=13,ou=units,{SUFFIX}\nchangetype: add\nobjectClass: organizationalUnit\nou: 13\ndescription: registers\n"
    ));
    let people =
        [("leyla", "Əliyeva", "12", "permanent"), ("anar", "Əliyev", "13", "permanent"), ("old", "Əliyeva", "13", "retired")];
    for (uid, family, unit, employment) in people {
        let (names, photo) = (ldif("sn", family.as_bytes()) + &ldif("cn", family.as_bytes()), ldif("jpegPhoto", &PHOTO));
        server.modify(&format!(
            "dn: uid={uid},ou=officials,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: official\nuid: {uid}\n\
             {names}{photo}departmentNumber: {unit}\nemployeeType: {employment}\nserving: TRUE\nborn: 19780301\n\
             mail: {uid}@interior.example\nmail: {uid}@reserve.example\n"
        ));
    }
    let country = country(server.secured_address().port());
    let bus = country.start().await;
    // A table of codes is read with the first probe.
    let portal = bus.portal();
    let reads = async || portal.get(&format!("{OFFICIALS}/leyla")).await.status == 200;
    eventually("the directory is read", Duration::from_secs(20), reads).await;
    (server, country, bus)
}

async fn changed(caller: &Caller, method: Method, path: &str, tag: Option<&str>, body: &Value) -> u16 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let key = format!("officials-change-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut request = caller.request(method, path).header("Idempotency-Key", key).header("Prefer", "wait=10");
    if let Some(tag) = tag {
        request = request.header("If-Match", tag);
    }
    let request = if body.is_null() { request } else { request.json(body) };
    caller.sent(request).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_officials_is_read_searched_and_changed() {
    let (server, _country, bus) = desk().await;
    let portal = bus.caller(&Authority::get().portal);
    let answer = portal.get(&format!("{OFFICIALS}/leyla")).await.good();
    let tag = answer.header("etag").to_owned();
    let mut record = answer.json();
    let changed_at = record["changed_at"].take();
    assert!(changed_at.as_str().is_some_and(|time| time.ends_with('Z')), "{changed_at}");
    record["mail"].as_array_mut().expect("a list").sort_by_key(|address| address.as_str().map(str::to_owned));
    let expected = json!({
        "login": "leyla",
        "name": { "family": "Əliyeva" },
        "unit": "passports",
        "mail": ["leyla@interior.example", "leyla@reserve.example"],
        "serving": true,
        "born": "1978-03-01",
        "changed_at": null,
    });
    assert_eq!(record, expected);
    assert_eq!(portal.get(&format!("{OFFICIALS}/leyla/photo")).await.good().body, PHOTO.as_slice());
    // Who retired is no official any more, and a name in other capitals is another's.
    let _ = portal.get(&format!("{OFFICIALS}/old")).await.refused(404, "record_absent");
    let _ = portal.get(&format!("{OFFICIALS}/LEYLA")).await.refused(404, "record_absent");

    let found = async |conditions: Value| {
        let answer =
            portal.post(&format!("{OFFICIALS}/query"), &json!({ "where": conditions, "fields": ["login"] })).await.good();
        let records = answer.json();
        let logins = records["records"].as_array().expect("records").iter().map(|record| record["login"].clone());
        logins.collect::<Vec<_>>()
    };
    assert_eq!(found(json!({ "name.family": { "prefix": "əliyev" } })).await, ["anar", "leyla"]);
    assert_eq!(found(json!({ "unit": "registers" })).await, ["anar"]);

    let path = format!("{OFFICIALS}/leyla");
    let patch = json!({ "title": "Head of office", "unit": "registers" });
    assert_eq!(changed(&portal, Method::PATCH, &path, Some(&tag), &patch).await, 200);
    assert_eq!(changed(&portal, Method::PATCH, &path, Some(&tag), &patch).await, 412);
    let new =
        json!({ "login": "rəna", "name": { "family": "Quliyeva", "given": "Rəna" }, "unit": "passports", "born": "1990-12-31" });
    assert_eq!(changed(&portal, Method::POST, OFFICIALS, None, &new).await, 201);
    assert_eq!(changed(&portal, Method::POST, OFFICIALS, None, &new).await, 409);
    assert_eq!(changed(&portal, Method::DELETE, &format!("{OFFICIALS}/anar"), None, &Value::Null).await, 200);
    let held = server.entries(&format!("ou=officials,{SUFFIX}"), "official");
    let names: Vec<String> = held
        .iter()
        .filter_map(|entry| {
            entry.iter().find(|(name, _)| name == "cn").map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        })
        .collect();
    assert_eq!(names.len(), 3);
    assert!(names.contains(&"Rəna Quliyeva".to_owned()), "{names:?}");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn the_tests_of_the_guide_hold_on_a_stand_in() {
    let country = country(1);
    let directory = country.path().to_str().expect("a path in UTF-8");
    let (status, said) = Program::run(RABITA, &["connector", "test", directory, "officials"]).ended().await;
    assert!(status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_in_a_directory_is_published() {
    let (server, _country, bus) = desk().await;
    let title = |login: &str, title: &str| {
        server.modify(&format!("dn: uid={login},ou=officials,{SUFFIX}\nchangetype: modify\nreplace: title\ntitle: {title}\n"));
    };
    let mut stream = Stream::open(&bus.portal(), "/bus/events", None).await;
    // What is changed before the first look is not told.
    let mut number = 0;
    let is_detected = async || {
        number += 1;
        title("anar", &number.to_string());
        tokio::time::timeout(Duration::from_millis(300), stream.more()).await.is_ok()
    };
    eventually("changes are detected", Duration::from_secs(20), is_detected).await;
    title("leyla", "Deputy");
    let mut told = stream.next().await;
    while told.data["data"]["key"]["login"] == "anar" {
        told = stream.next().await;
    }
    assert_eq!(told.event, "rabita.officials.v1.officials.changed");
    assert_eq!(told.data["data"]["record"]["title"], "Deputy");
    assert!(bus.stop().await);
}
