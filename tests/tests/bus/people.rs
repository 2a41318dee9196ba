//! A registry on SQLite whose records are changed: by the bus, and past it. And a stream of its events.

use std::collections::VecDeque;
use std::time::Duration;

use rabita_tests::bus::{Answer, Bus, Caller, Country};
use rabita_tests::eventually;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

/// Everything in `persons`, for the portal.
pub(crate) const ALL: &str = "{ system: portal, version: v1, entity: persons, fields: all, purposes: any, \
     operations: [read, create, update, delete, subscribe] }";

/// A person of no matter.
const MARK: &str = "0000000";

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The registry `people`, as those see it who have its database.
pub(crate) struct People {
    direct: SqlitePool,
}

impl People {
    /// Puts the registry into a country: its table with two persons, its manifest, and these grants.
    pub(crate) async fn settle(country: &Country, grants: &[&str]) -> Self {
        Self::settle_as(country, "people", "", grants).await
    }

    /// The same under another name, and with one more member of its entity.
    async fn settle_as(country: &Country, registry: &str, entity: &str, grants: &[&str]) -> Self {
        let options =
            SqliteConnectOptions::new().filename(country.path().join("people.sqlite")).create_if_missing(true).busy_timeout(LONG);
        let direct = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let people = Self { direct };
        people.run(TABLE).await;
        country.file("registries/people.yaml", &MANIFEST.replace("{ID}", registry).replace("{ENTITY}", entity));
        country.grants(registry, grants);
        people
    }

    /// Runs SQL past the bus.
    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.direct).await.expect("SQL that runs");
    }
}

/// A merge patch of a person in a registry, under an idempotency key of its own.
pub(crate) async fn patch(caller: &Caller, registry: &str, pin: &str, patch: &Value) -> Answer {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let request = caller.request(Method::PATCH, &format!("/api/{registry}/v1/persons/{pin}"));
    caller.sent(request.header("Idempotency-Key", format!("change-{number}")).json(patch)).await
}

/// Has a person's family name changed by the bus.
pub(crate) async fn rename(caller: &Caller, pin: &str, family: &str) {
    let _ = patch(caller, "people", pin, &json!({ "name": { "family": family } })).await.good();
}

/// An event that came by a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub id: String,
    pub event: String,
    pub data: Value,
}

/// A stream of events.
pub(crate) struct Stream {
    answer: Response,
    text: String,
    told: VecDeque<Told>,
    /// The last id, as a browser holds it.
    pub last_id: Option<String>,
}

impl Stream {
    /// Begins one, after an event where one is named.
    pub(crate) async fn open(caller: &Caller, path: &str, after: Option<&str>) -> Self {
        let mut request = caller.request(Method::GET, path);
        if let Some(id) = after {
            request = request.header("Last-Event-ID", id);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut stream = Self { answer, text: String::new(), told: VecDeque::new(), last_id: after.map(str::to_owned) };
        // The first thing that comes says that the stream is there.
        assert!(stream.more().await, "the stream ended at once");
        stream
    }

    /// Waits until changes past the bus are detected: those before the first poll are not. What it takes for that is
    /// not among the next events.
    pub(crate) async fn watched(&mut self, people: &People) {
        people.run(&format!("INSERT INTO people (pin, family, income) VALUES ('{MARK}', 'Nobody', 0)")).await;
        let seen = async || {
            people.run(&format!("UPDATE people SET income = income + 1 WHERE pin = '{MARK}'")).await;
            tokio::time::timeout(Duration::from_millis(300), self.more()).await.is_ok()
        };
        eventually("changes are detected", LONG, seen).await;
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            while let Some(told) = self.told.pop_front() {
                if told.data["data"]["key"]["pin"] != MARK {
                    return told;
                }
            }
            assert!(self.more().await, "the stream ended");
        }
    }

    /// The families of the next events, in their order.
    pub(crate) async fn families(&mut self, count: usize) -> Vec<String> {
        let mut families = Vec::new();
        for _ in 0..count {
            let told = self.next().await;
            families.push(told.data["data"]["record"]["name"]["family"].as_str().unwrap_or_default().to_owned());
        }
        families
    }

    /// Waits for something that is no event.
    pub(crate) async fn quiet(&mut self) {
        assert!(self.more().await, "the stream ended");
        assert!(self.told.is_empty(), "an event came: {:?}", self.told);
    }

    /// Waits until the bus ends it.
    pub(crate) async fn ended(mut self) {
        while self.more().await {}
    }

    /// Takes what comes next; `false` where the stream has ended.
    pub(crate) async fn more(&mut self) -> bool {
        let chunk = tokio::time::timeout(LONG, self.answer.chunk()).await.expect("something within the time");
        let Some(chunk) = chunk.expect("a stream that is whole") else { return false };
        self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        while let Some((frame, rest)) = self.text.split_once("\n\n") {
            let field =
                |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned);
            if let Some(id) = field("id") {
                self.last_id = Some(id);
            }
            if let Some(data) = field("data") {
                let data = serde_json::from_str(&data).expect("JSON");
                let (id, event) = (self.last_id.clone().unwrap_or_default(), field("event").unwrap_or_default());
                self.told.push_back(Told { id, event, data });
            }
            self.text = rest.to_owned();
        }
        true
    }
}

/// A bus with the registry `people` and these grants, and these settings of the node.
pub(crate) async fn bus(grants: &[&str], node: &str) -> (Country, People, Bus) {
    let country = Country::new();
    country.node(node);
    let people = People::settle(&country, grants).await;
    let bus = country.start().await;
    (country, people, bus)
}

/// One that detects what changes past it, granted to the portal. The registry has a name of its own: all buses of a
/// process share their figures.
pub(crate) async fn detecting(registry: &str) -> (Country, People, Bus) {
    let country = Country::new();
    let changes = "changes: { every_ms: 100, limit: 100, from: { column: seq } }";
    let people = People::settle_as(&country, registry, changes, &[ALL]).await;
    let bus = country.start().await;
    (country, people, bus)
}

/// `seq` grows with each change of a row, whoever makes it.
const TABLE: &str = "
CREATE TABLE people (pin TEXT PRIMARY KEY NOT NULL, family TEXT NOT NULL, given TEXT, income INTEGER,
    rev INTEGER NOT NULL DEFAULT 1, seq INTEGER NOT NULL DEFAULT 0);
CREATE TRIGGER added AFTER INSERT ON people BEGIN
    UPDATE people SET seq = (SELECT max(seq) + 1 FROM people) WHERE pin = NEW.pin; END;
CREATE TRIGGER changed AFTER UPDATE OF family, given, income ON people BEGIN
    UPDATE people SET seq = (SELECT max(seq) + 1 FROM people) WHERE pin = NEW.pin; END;
INSERT INTO people (pin, family, given, income) VALUES ('5ZJBKH7', 'Əliyeva', 'Aygün', 900);
INSERT INTO people (pin, family, given, income) VALUES ('4WTR2PX', 'Məmmədov', 'Elçin', 1200);
";

const MANIFEST: &str = r#"
registry: {ID}
agency: interior
title: People
connector: { kind: sql, url: "sqlite:people.sqlite", once: { table: rabita_once, create: true } }
contract:
  v1:
    persons:
      schema:
        title: Person
        type: object
        additionalProperties: false
        required: [pin, name]
        properties:
          pin: { title: PIN, type: string, pattern: "^[0-9A-Z]{7}$" }
          name:
            title: Name
            type: object
            additionalProperties: false
            required: [family]
            properties:
              family: { title: Family name, type: string, minLength: 1 }
              given: { title: Given name, type: string, minLength: 1 }
          income: { title: Income, type: integer, minimum: 0 }
      key: pin
      subject: pin
      version: rev
      from: { table: people, bump: increment }
      fields: { pin: pin, name.family: family, name.given: given, income: income }
      operations:
        read: {}
        create: { fields: [pin, name, income] }
        update: { fields: [name, income] }
        delete: {}
        subscribe: {}
      {ENTITY}
"#;
