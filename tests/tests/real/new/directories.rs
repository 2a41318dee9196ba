//! A directory of an agency, with what makes directories odd: several values, names of entries, times of their own form,
//! classes that some entries have.

use std::collections::BTreeSet;
use std::time::Instant;

use rabita_tests::Openldap;
use rabita_tests::openldap::{BUS, BUS_PASSWORD, ldif};
use rabita_tests::real::say;
use serde_json::{Value, json};

use super::{Place, read};

/// The names of an official, and the login that is made of them.
fn names(number: usize) -> (String, &'static str, &'static str) {
    let (family, plain) = [
        ("Əliyeva", "aliyeva"),
        ("Məmmədov", "mammadov"),
        ("Quliyeva", "quliyeva"),
        ("Hasanov", "hasanov"),
        ("Rzayeva", "rzayeva"),
    ][number % 5];
    let given = ["Leyla", "Anar", "Nigar"][number % 3];
    (format!("{}.{plain}{number}", given.to_lowercase()), given, family)
}

/// Sixty officials in one unit of a branch.
fn fill(server: &Openldap, base: &str) {
    let staff = format!("ou=staff,{base}");
    let mut entries = format!("dn: {staff}\nchangetype: add\nobjectClass: organizationalUnit\nou: staff\n\n");
    for number in 0..60 {
        let (uid, given, family) = names(number);
        let mut entry = format!(
            "dn: uid={uid},{staff}\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: official\nuid: {uid}\n\
             userPassword: nobody's business\nemployeeNumber: {:07}\nemployeeType: {}\nmail: {uid}@interior.example\n\
             departmentNumber: {}\nserving: {}\nborn: {}0{}{:02}\nhired: 20{:02}0{}15081500Z\ngrade: {}\n",
            40_000 + number * 7919,
            ["P", "C", "T"][number % 3],
            ["0120", "0145"][number % 2],
            if number % 7 == 0 { "FALSE" } else { "TRUE" },
            1950 + number % 40,
            1 + number % 9,
            1 + number % 28,
            1 + number % 20,
            1 + number % 9,
            number % 12
        );
        let cn = format!("{given} {family} {number}");
        for (name, value) in [("sn", family), ("givenName", given), ("cn", cn.as_str())] {
            entry.push_str(&ldif(name, value.as_bytes()));
        }
        if number % 4 == 0 {
            entry.push_str(&format!("mail: office{number}@interior.example\ntelephoneNumber: +994 12 555 {number:02} 01\n"));
        }
        if number % 3 == 0 {
            entry.push_str(&ldif("jpegPhoto", &[0xff, 0xd8, 0xff, u8::try_from(number).expect("a byte")]));
            entry.push_str(&format!(
                "manager: uid={},{staff}\nobjectClass: badgeHolder\nbadge: B-{}\n",
                names(0).0,
                1000 + number
            ));
        }
        entries.push_str(&entry);
        entries.push('\n');
    }
    server.modify(&entries);
}

fn personal() -> BTreeSet<String> {
    let mut personal = BTreeSet::new();
    for number in 0..60 {
        let (uid, given, family) = names(number);
        personal.extend([format!("{uid}@interior.example"), format!("{given} {family} {number}"), family.to_owned(), uid]);
    }
    personal
}

/// A directory with the officials, below the branch that is answered, and the draft of it.
pub(super) fn drafted(branch: &str, more: &[&str]) -> (Place, String) {
    let server = Openldap::shared();
    let base = server.branch(branch);
    fill(server, &base);
    let place = Place::new();
    let file = place.0.path().join("password");
    std::fs::write(&file, BUS_PASSWORD).expect("a scratch directory can be written");
    let from = format!("ldap://{}/{}", server.address(), base.replace(',', "%2C"));
    let (dn, password) = (format!("bind.simple.dn={BUS}"), format!("bind.simple.password.file={}", file.display()));
    let words = ["connector", "new", "--yes", "--from", &from, "--set", &dn, "--set", &password, "--registry", "officials"];
    let own = ["--agency", "interior", "--grant", "shop", "--seed", "7", "--into", "INTO"];
    let began = Instant::now();
    let told = place.good(&[&words[..], &own, more].concat(), &[]);
    say(&format!("officials in OpenLDAP by one command: {:.1} s\n{told}", began.elapsed().as_secs_f64()));
    place.holds("officials", &[]);
    (place, base)
}

#[test]
fn a_directory_is_plugged_in_with_its_lists_times_and_photos() {
    let (place, base) = drafted("drafted", &[]);
    place.has_no_trace_of(&personal());
    let text = place.manifest("officials");
    say(&format!("{} lines of manifest, {} of them in doubt", text.lines().count(), text.matches("# unsure:").count()));
    assert!(!text.contains(BUS_PASSWORD) && !text.contains("userPassword"), "no password is read or written");
    let tests = text.split_once("\ntests:").expect("tests").1;
    assert!(
        !personal().iter().any(|value| tests.contains(value.as_str())),
        "not within another value either, as that of manager"
    );

    let manifest = read(&text);
    let entity = &manifest["contract"]["v1"]["official"];
    assert_eq!(entity["from"]["base"], format!("ou=staff,{base}"));
    assert_eq!((&entity["key"], &entity["from"]["lists"]), (&json!("uid"), &json!(["mail"])));
    let field = |name: &str| entity["fields"][name].clone();
    assert_eq!(field("hired")["codec"], json!({ "datetime": { "format": "%Y%m%d%H%M%SZ", "zone": "UTC" } }));
    assert_eq!(field("born")["codec"], json!({ "date": "%Y%m%d" }));
    assert_eq!(field("employee_number"), "employeeNumber", "its zeros are part of it");
    assert_eq!(field("badge"), "badge", "some have a class that has it");
    assert_eq!(field("jpeg_photo")["binary"]["media_type"], "image/jpeg");
    let by = &entity["operations"]["search"]["by"];
    assert_eq!((&by["sn"], &by["hired"]), (&json!(["equals", "prefix"]), &json!(["equals", "from", "to"])));
    let schema: Value = serde_json::from_str(&place.text("schemas/officials/official/v1/schema.json")).expect("JSON");
    assert_eq!(schema["required"], json!(["uid", "sn", "cn"]));
    assert_eq!(schema["properties"]["mail"]["type"], "array");
    assert_eq!(schema["properties"]["hired"]["format"], "date-time");

    let asked = ["try", "--config", "INTO", "--as", "shop", "--purpose", "trial"];
    let told = place.good(&[&asked[..], &["officials/v1/official", &names(4).0]].concat(), &[]);
    assert!(told.contains("office4@interior.example") && told.contains("2005-05-15T08:15:00Z"), "{told}");
    let fields = ["--where", "sn=Rzayeva", "--fields", "uid,hired", "officials/v1/official"];
    let told = place.good(&[&asked[..], &fields].concat(), &[]);
    assert!(told.contains(&names(9).0) && !told.contains(&names(8).0), "{told}");
}
