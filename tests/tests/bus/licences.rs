//! A registry on SQLite with everything that a change can be: created, replaced, changed in part, ended, acted upon.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country};
use rabita_tests::eventually;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

/// Everything of the licences, for the portal.
pub(crate) const ALL: &str = "{ system: portal, version: v1, entity: licences, fields: all, purposes: any, \
     operations: [read, create, replace, update, delete, act] }";

/// Everything of the holders, whose keys stand in no URL, for the portal.
pub(crate) const HOLDERS: &str = "{ system: portal, version: v1, entity: holders, fields: all, purposes: any, \
     operations: [read, create, update, delete] }";

/// Where the licences are.
pub(crate) const LICENCES: &str = "/api/licences/v1/licences";
pub(crate) const HOLDERS_PATH: &str = "/api/licences/v1/holders";

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A bus with the registry.
pub(crate) struct Desk {
    pub bus: Bus,
    pub country: Country,
}

impl Desk {
    /// One with these grants, and these settings of the node.
    pub(crate) async fn open(grants: &[&str], node: &str) -> Self {
        let country = Self::country(grants, node).await;
        Self { bus: country.start().await, country }
    }

    /// Its country, with nothing running on it.
    pub(crate) async fn country(grants: &[&str], node: &str) -> Country {
        Self::settle(grants, node, MANIFEST).await
    }

    /// One that lays a change aside as soon as it could not be applied.
    pub(crate) async fn that_parks() -> Self {
        let patience = "attempts: 1000 }";
        assert!(MANIFEST.contains(patience), "the manifest has patience");
        let manifest = MANIFEST.replace(patience, "attempts: 1, unavailable_for_ms: 1 }");
        let country = Self::settle(&[ALL, HOLDERS], "", &manifest).await;
        Self { bus: country.start().await, country }
    }

    /// One whose schema has a rule that only the whole record can satisfy: with class A go three points at most.
    pub(crate) async fn with_a_rule() -> Self {
        let required = "        required: [number, holder, class]\n";
        assert!(MANIFEST.contains(required), "the schema of a licence");
        let rule =
            "        if: { properties: { class: { const: A } } }\n        then: { properties: { points: { maximum: 3 } } }\n";
        let manifest = MANIFEST.replace(required, &format!("{required}{rule}"));
        let country = Self::settle(&[ALL, HOLDERS], "", &manifest).await;
        Self { bus: country.start().await, country }
    }

    async fn settle(grants: &[&str], node: &str, manifest: &str) -> Country {
        let country = Country::new();
        country.node(node);
        let desk_file = country.path().join("licences.sqlite");
        let options = SqliteConnectOptions::new().filename(desk_file).create_if_missing(true);
        let mut database = options.connect().await.expect("a new file");
        sqlx::raw_sql(TABLES).execute(&mut database).await.expect("tables");
        database.close().await.expect("the file is written");
        country.file("registries/licences.yaml", manifest);
        country.grants("licences", grants);
        country
    }

    /// One with all grants.
    pub(crate) async fn whole() -> Self {
        Self::open(&[ALL, HOLDERS], "").await
    }

    pub(crate) fn portal(&self) -> Caller {
        self.bus.portal()
    }

    pub(crate) fn mobile(&self) -> Caller {
        self.bus.caller(&Authority::get().mobile)
    }

    /// Keeps every change from being applied, and no read from being answered, until it is dropped or let go.
    pub(crate) async fn locked(&self) -> Lock {
        Lock::on(&self.country).await
    }

    /// How often the row of a licence was written.
    pub(crate) async fn writes(&self, number: &str) -> i64 {
        let mut database = database(&self.country).await;
        let row = sqlx::query("SELECT WRITES FROM LICENCE WHERE NUMBER = ?").bind(number).fetch_one(&mut database).await;
        let writes = row.expect("a row").get(0);
        database.close().await.expect("the file can be let go");
        writes
    }
}

async fn database(country: &Country) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(country.path().join("licences.sqlite")).busy_timeout(LONG);
    options.connect().await.expect("the registry's file")
}

/// See [`Desk::locked`].
pub(crate) struct Lock(SqliteConnection);

impl Lock {
    /// See [`Desk::locked`].
    pub(crate) async fn on(country: &Country) -> Self {
        let mut database = database(country).await;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut database).await.expect("nobody else writes for long");
        Self(database)
    }

    pub(crate) async fn let_go(mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.0).await.expect("the lock is let go");
        self.0.close().await.expect("the file can be let go");
    }
}

/// A change with an idempotency key of its own, to send or to add to.
pub(crate) fn change(caller: &Caller, method: Method, path: &str, body: &Value) -> RequestBuilder {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let key = format!("licence-change-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let request = caller.request(method, path).header("Idempotency-Key", key);
    if body.is_null() { request } else { request.json(body) }
}

/// A merge patch of a licence, to send or to add to.
pub(crate) fn patch(caller: &Caller, number: &str, fields: &Value) -> RequestBuilder {
    change(caller, Method::PATCH, &format!("{LICENCES}/{number}"), fields)
}

/// Sends a merge patch of a licence.
pub(crate) async fn patched(caller: &Caller, number: &str, fields: &Value) -> Answer {
    caller.sent(patch(caller, number, fields)).await
}

/// A licence as it is read.
pub(crate) async fn licence(caller: &Caller, number: &str) -> Value {
    caller.get(&format!("{LICENCES}/{number}")).await.good().json()
}

/// The path of the update that an answer tells of.
pub(crate) fn update_path(answer: &Answer) -> String {
    let id = answer.header("rabita-update");
    assert!(!id.is_empty(), "no update: {}", answer.text());
    format!("/bus/updates/{id}")
}

/// Waits until an update stands so, and answers it.
pub(crate) async fn until(caller: &Caller, path: &str, state: &str) -> Value {
    let stands = async || caller.get(path).await.good().json()["state"] == state;
    eventually(&format!("{path} is {state}"), LONG, stands).await;
    caller.get(path).await.good().json()
}

/// The answer of a change that was applied.
pub(crate) fn applied(answer: Answer) -> Answer {
    let answer = answer.good();
    assert_eq!(answer.json()["state"], "applied", "{}", answer.text());
    answer
}

/// The answer of a change that is on its way.
pub(crate) fn accepted(answer: Answer) -> Answer {
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), update_path(&answer));
    assert_eq!(answer.header("retry-after"), "1");
    answer
}

/// The first licence.
pub(crate) fn first() -> Value {
    json!({ "number": "L-1", "holder": { "family": "Əliyeva", "given": "Aygün" }, "class": "B", "points": 0 })
}

/// `WRITES` counts how often a row was written, by whatever means.
const TABLES: &str = "
CREATE TABLE LICENCE (NUMBER TEXT PRIMARY KEY NOT NULL, SOYAD TEXT NOT NULL, AD TEXT, SINIF TEXT NOT NULL,
    BAL INTEGER DEFAULT 0, LEGV TEXT, REV INTEGER NOT NULL DEFAULT 1, WRITES INTEGER NOT NULL DEFAULT 0);
CREATE TRIGGER written AFTER UPDATE OF SOYAD, AD, SINIF, BAL, LEGV ON LICENCE BEGIN
    UPDATE LICENCE SET WRITES = WRITES + 1 WHERE NUMBER = NEW.NUMBER; END;
INSERT INTO LICENCE (NUMBER, SOYAD, AD, SINIF) VALUES ('L-1', 'Əliyeva', 'Aygün', 'B');
INSERT INTO LICENCE (NUMBER, SOYAD, AD, SINIF) VALUES ('L-2', 'Məmmədov', NULL, 'C');
CREATE TABLE HOLDER (FIN TEXT PRIMARY KEY NOT NULL, SOYAD TEXT NOT NULL);
INSERT INTO HOLDER VALUES ('5ZJBKH7', 'Əliyeva');
";

const MANIFEST: &str = r#"
registry: licences
agency: interior
title: Driving licences
connector: { kind: sql, url: "sqlite:licences.sqlite", once: { table: rabita_once, create: true } }
limits: { timeout_ms: 400, updates: { first_ms: 50, max_ms: 200, attempts: 1000 } }
contract:
  v1:
    licences:
      title: Driving licences
      schema:
        title: Licence
        type: object
        additionalProperties: false
        required: [number, holder, class]
        properties:
          number: { title: Number, type: string, pattern: "^L-[0-9]{1,6}$" }
          holder:
            title: Holder
            type: object
            additionalProperties: false
            required: [family]
            properties:
              family: { title: Family name, type: string, minLength: 1 }
              given: { title: Given name, type: string, minLength: 1 }
          class: { title: Class, enum: [A, B, C] }
          points: { title: Points, type: integer, minimum: 0, maximum: 12 }
          revoked: { title: Reason of the revocation, type: string }
      key: number
      version: REV
      from: { table: LICENCE, bump: increment }
      fields: { number: NUMBER, holder.family: SOYAD, holder.given: AD, class: SINIF, points: BAL, revoked: LEGV }
      operations:
        read: { max_keys: 5 }
        create: { fields: [number, holder, class, points] }
        replace: { fields: [holder, class, points] }
        update: { fields: [holder, class, points] }
        delete: {}
      actions:
        revoke:
          title: Revokes a licence
          request:
            title: Revocation
            type: object
            additionalProperties: false
            required: [reason]
            properties: { reason: { title: Reason, type: string, minLength: 3 } }
          fields: { reason: REASON }
          reply:
            schema:
              title: Receipt
              type: object
              additionalProperties: false
              required: [receipt]
              properties: { receipt: { title: Receipt, type: string } }
            fields: { receipt: RECEIPT }
          from: { sql: "UPDATE LICENCE SET LEGV = :REASON, REV = REV + 1 WHERE NUMBER = :NUMBER RETURNING 'R-' || NUMBER AS RECEIPT" }
        restore:
          from: { sql: "UPDATE LICENCE SET LEGV = NULL, REV = REV + 1 WHERE NUMBER = :NUMBER" }
    holders:
      title: Holders
      schema:
        title: Holder
        type: object
        additionalProperties: false
        required: [pin, family]
        properties:
          pin: { title: PIN, type: string, pattern: "^[0-9A-Z]{7}$" }
          family: { title: Family name, type: string, minLength: 1 }
      key: pin
      identifiers_in_url: false
      from: HOLDER
      fields: { pin: FIN, family: SOYAD }
      operations:
        read: {}
        create: { fields: [pin, family] }
        update: { fields: [family] }
        delete: {}
"#;
