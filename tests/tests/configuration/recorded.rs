//! `rabita connector record`: a live exchange with a real database becomes a test that passes without it.

use std::process::Command;

use rabita_tests::Postgres;

use crate::RABITA;
use crate::diagnostics::base_with_certificates;

const TABLE: &str = "create table people (pin text primary key, family text, given text, born integer, sex text);
    insert into people values ('5ZJBKH7', 'Əliyeva ', 'Aygün', 19780321, 'F'), ('4QWERT2', 'Məmmədov ', 'Kamran', 19651102, 'M')";

const MANIFEST: &str = r#"# The people of the country.
registry: people
agency: interior
connector: { kind: sql, url: { env: PEOPLE_URL } }
contract:
  v1:
    persons:
      schema: people/person/v1
      key: pin
      from: people
      fields:
        pin: pin
        name.family: { from: family, codec: trim }   # with blanks
        name.given: given
        born_on: { from: born, codec: { date: { format: "%Y%m%d", legacy: integer } } }
        sex: { from: sex, codec: { codes: sexes } }
      operations:
        read: {}
        search: { by: { name.family: { compare: [equals], ignore: [outer_spaces] } } }
        update: { fields: [name.family, sex] }
tests:
  # Nobody has this number.
  - name: a number that nobody has
    legacy: { people: [] }
    read: "0"
    expect_absent: true

# As the civil code has them.
codes:
  sexes: { M: male, F: female }
"#;

#[test]
fn a_recorded_exchange_passes_offline_and_holds_nobody_real() {
    let server = Postgres::start();
    server.run("create database people");
    server.run_in("people", TABLE);
    let base = base_with_certificates();
    let manifest = base.path().join("registries/people.yaml");
    std::fs::write(&manifest, MANIFEST).expect("a scratch directory can be written");
    let rabita = |words: &[&str], url: Option<String>| {
        let mut command = Command::new(RABITA);
        command.args(words).current_dir(base.path()).env_remove("PEOPLE_URL");
        command.envs(url.map(|url| ("PEOPLE_URL", url)));
        let done = command.output().expect("it can be run");
        let told = [done.stdout, done.stderr].concat();
        (done.status.code().expect("it ended by itself"), String::from_utf8_lossy(&told).into_owned())
    };
    let url = || Some(Postgres::url(server.address(), "people"));
    let (code, told) = rabita(&["connector", "record", ".", "people", "--read", "5ZJBKH7", "--name", "a woman"], url());
    assert_eq!(code, 0, "{told}");
    let words = ["connector", "record", ".", "people", "--search", "name.family=Məmmədov", "--fields", "pin,name.family,born_on"];
    let (code, told) = rabita(&words, url());
    assert_eq!(code, 0, "{told}");
    server.kill();

    let recorded = std::fs::read_to_string(&manifest).expect("the manifest");
    for real in ["5ZJBKH7", "4QWERT2", "liyeva", "Aygün", "mmədov", "19780321", "1978-03-21", "19651102", "1965-11-02"] {
        assert!(!recorded.contains(real), "{real} stands in\n{recorded}");
    }
    let (before, _) = MANIFEST.split_once("\n# As the civil").expect("it is there");
    assert!(
        recorded.starts_with(before)
            && recorded.ends_with("\n# As the civil code has them.\ncodes:\n  sexes: { M: male, F: female }\n"),
        "{recorded}"
    );
    let (code, told) = rabita(&["connector", "test", "."], None);
    assert_eq!(code, 0, "{told}\n{recorded}");
    assert!(told.contains("ok      people: a woman\n") && told.ends_with("3 passed, 0 failed\n"), "{told}");
    assert!(recorded.contains("sex: female") && recorded.contains("statement: select"), "{recorded}");

    let (code, told) = rabita(&["connector", "record", ".", "people", "--read", "5ZJBKH7"], url());
    assert!(code == 1 && told.contains("the registry is not ready"), "{told}");
    assert_eq!(std::fs::read_to_string(&manifest).expect("the manifest"), recorded, "what failed wrote nothing");
}
