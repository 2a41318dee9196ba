//! Databases by their ODBC drivers, each held against the draft that the kind for the database itself makes of it.

use std::time::Instant;

use rabita_tests::odbc::driver;
use rabita_tests::real::say;
use rabita_tests::scratch::Scratch;
use rabita_tests::{Mariadb, Postgres};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use super::databases::MARIADB;
use super::{Place, read};

/// What a draft says of the contract and its codes, and its schemas. `found` is in the record of the key `asked`.
fn drafted(address: &str, more: &[&str], asked: [&str; 2], found: &str) -> (Value, Vec<String>) {
    let place = Place::new();
    let words =
        ["connector", "new", "--yes", "--from", address, "--registry", "people", "--agency", "interior", "--grant", "portal"];
    let began = Instant::now();
    let told = place.good(&[&words[..], &["--seed", "7", "--into", "INTO"], more].concat(), &[]);
    say(&format!("{address} by one command: {:.1} s\n{told}", began.elapsed().as_secs_f64()));
    place.holds("people", &[]);
    let text = place.manifest("people");
    say(&format!("{} lines of manifest, {} of them in doubt", text.lines().count(), text.matches("# unsure:").count()));
    let asking = ["try", "--config", "INTO", "--as", "portal", "--purpose", "trial"];
    let told = place.good(&[&asking[..], &asked].concat(), &[]);
    assert!(told.contains(found), "{address}: {told}");
    let mut manifest = read(&text);
    let schemas = place.texts().into_iter().filter(|(path, _)| path.ends_with("schema.json")).map(|(_, text)| text).collect();
    // How it is reached is another; and the driver for SQLite hands exact numbers over as text, so in tests they stand as such.
    manifest.as_object_mut().expect("an object").retain(|member, _| !matches!(member.as_str(), "connector" | "tests"));
    (manifest, schemas)
}

#[test]
fn mariadb_by_its_driver_is_drafted_as_by_its_own_kind() {
    let server = Mariadb::shared();
    server.run("create database people character set utf8mb4");
    server.run(MARIADB);
    let address = server.address();
    let by_driver = format!(
        "odbc:Driver={};Server={};Port={};Database=people;UID=rabita;CHARSET=utf8mb4",
        driver("libmaodbc.so").display(),
        address.ip(),
        address.port()
    );
    let asked = ["people/v1/citizen", "5B00001"];
    let own = drafted(&Mariadb::url(address, "people"), &[], asked, "Əliyeva1");
    for more in [&[][..], &["--set", "dialect=mariadb"]] {
        assert_eq!(drafted(&by_driver, more, asked, "Əliyeva1"), own, "{more:?}");
    }
}

const POSTGRES: &str = "
    create table office (code char(3) primary key, name varchar(40) not null);
    insert into office values ('BAK', 'Bakı'), ('GNC', 'Gəncə'), ('SHK', 'Şəki');
    create type phase as enum ('open', 'closed');
    create table application (
      number varchar(11) primary key, applicant varchar(60) not null, office char(3) not null references office (code),
      filed date not null, decided timestamp, fee numeric(10,2), weight double precision, urgent boolean not null, phase phase not null,
      pages smallint, tags text[], reference uuid not null, scan bytea, changed timestamptz not null, opens time, notes text);
    create index on application (applicant);
    comment on table application is 'Applications'; comment on column application.fee is 'In manat';
    insert into application select
      'A' || lpad((n * 7919)::text, 10, '0'), (array['Əliyeva', 'Məmmədov', 'Quliyeva'])[1 + n % 3] || ' ' || n, (array['BAK', 'GNC', 'SHK'])[1 + n % 3],
      date '2020-01-01' + n * 7, case when n % 3 > 0 then timestamp '2021-05-06 07:08:09' + n * interval '1 hour' end,
      n * 1.25, n / 7.0, n % 2 = 0, (array['open', 'closed'])[1 + n % 2]::phase, n % 90, case when n % 4 > 0 then array['x' || n, 'y'] end,
      md5(n::text)::uuid, '\\xffd8', timestamptz '2024-01-05 13:45:00+04' + n * interval '1 day', time '09:30', case when n % 5 > 0 then 'note ' || n end
      from generate_series(1, 120) n;";

#[test]
fn postgresql_by_its_driver_is_drafted_as_by_its_own_kind() {
    let server = Postgres::shared();
    server.run("create database offices");
    server.run_in("offices", POSTGRES);
    let address = server.address();
    let url = Postgres::url(address, "offices");
    let user = url.split("://").nth(1).and_then(|rest| rest.split(['@', ':']).next()).expect("a user");
    let by_driver = format!(
        "odbc:Driver={};Servername={};Port={};Database=offices;UID={user};LFConversion=0",
        driver("psqlodbcw.so").display(),
        address.ip(),
        address.port()
    );
    let asked = ["people/v1/application", "A0000007919"];
    let own = drafted(&url, &[], asked, "Məmmədov 1");
    for more in [&[][..], &["--set", "dialect=postgres"]] {
        assert_eq!(drafted(&by_driver, more, asked, "Məmmədov 1"), own, "{more:?}");
    }
}

const SQLITE: &str = "
    CREATE TABLE office (code CHAR(3) PRIMARY KEY, name VARCHAR(40) NOT NULL);
    INSERT INTO office VALUES ('BAK', 'Bakı'), ('GNC', 'Gəncə');
    CREATE TABLE permit (
      number VARCHAR(9) PRIMARY KEY, holder VARCHAR(30) NOT NULL, office CHAR(3) NOT NULL REFERENCES office (code),
      issued INTEGER NOT NULL, expires TEXT, fee DECIMAL(10,2), valid BOOLEAN NOT NULL, seats INTEGER, plan BLOB);
    CREATE INDEX permit_holder ON permit (holder);
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 120)
    INSERT INTO permit SELECT printf('P%08d', n * 7919), printf('%s %d', CASE n % 2 WHEN 0 THEN 'Əliyeva' ELSE 'Məmmədov' END, n),
      CASE n % 2 WHEN 0 THEN 'BAK' ELSE 'GNC' END, 20200101 + (n % 5) * 10000 + (n % 12) * 100, CASE WHEN n % 3 THEN '2030-02-01' END,
      n * 1.5, n % 2, n % 9, x'ffd8' FROM n;";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_by_its_driver_is_drafted_as_by_its_own_kind() {
    let scratch = Scratch::new("new-driver");
    let file = scratch.path().join("permits.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut database = options.connect().await.expect("a file");
    sqlx::raw_sql(SQLITE).execute(&mut database).await.expect("tables");
    sqlx::Connection::close(database).await.expect("the file is written");
    let by_driver = format!("odbc:Driver={};Database={};NoCreat=1", driver("libsqlite3odbc.so").display(), file.display());
    let url = format!("sqlite:{}", file.display());
    let asked = ["people/v1/permit", "P00007919"];
    let own = drafted(&url, &[], asked, "Məmmədov 1");
    assert_eq!(drafted(&by_driver, &["--set", "dialect=sqlite"], asked, "Məmmədov 1"), own);

    // As of a database that nothing is known of but what its driver tells.
    let (manifest, _) = drafted(&by_driver, &["--set", "dialect=standard"], asked, "Məmmədov 1");
    let entity = &manifest["contract"]["v1"]["permit"];
    assert_eq!((&entity["key"], &entity["operations"]), (&json!("number"), &json!({ "read": { "max_keys": 50 } })));
    assert_eq!(entity["fields"]["office"]["codec"], json!({ "codes": "office" }));
}
