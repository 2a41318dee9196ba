//! `sql` on SQLite: a file, so there is no server to be slow or killed, but a file can be locked, away or noise.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_battery::{Need, Person, Stall, Subject, Target, people};
use rabita_sdk::{Ignore, Kind, RegistrySpec};
use rabita_tests::scratch::Scratch;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, query, query_as};

use super::rows::{Columns, bound, person};

rabita_battery::battery!(People);

pub(crate) struct People {
    direct: SqlitePool,
    scratch: Scratch,
}

impl People {
    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

#[async_trait]
impl Subject for People {
    async fn set_up(_need: Need) -> Self {
        let scratch = Scratch::new("sqlite");
        let options = SqliteConnectOptions::new().filename(scratch.path().join("people.sqlite")).create_if_missing(true);
        let direct = direct(options);
        query(
            "CREATE TABLE people (pin TEXT PRIMARY KEY NOT NULL, family TEXT NOT NULL, given TEXT NOT NULL, born TEXT NOT NULL,
                 notes TEXT, version INTEGER NOT NULL DEFAULT 1, photo BLOB, changed INTEGER)",
        )
        .execute(&direct)
        .await
        .expect("a table");
        // A number that grows with each change of any record.
        for event in ["INSERT", "UPDATE"] {
            let trigger = format!(
                "CREATE TRIGGER after_{event} AFTER {event} ON people BEGIN
                     UPDATE people SET changed = (SELECT coalesce(max(changed), 0) + 1 FROM people) WHERE pin = NEW.pin;
                 END"
            );
            query(AssertSqlSafe(trigger)).execute(&direct).await.expect("a trigger");
        }
        let noise: Vec<u8> = (0..64 * 1024_u32).map(|place| place.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        std::fs::write(scratch.path().join("noise.sqlite"), noise).expect("a file of noise");
        Self { direct, scratch }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_sql::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let name = match target {
            Target::Nowhere(_) => "absent.sqlite",
            Target::Noise => "noise.sqlite",
            Target::System | Target::Proxy(_) => "people.sqlite",
        };
        let settings = json!({ "url": format!("sqlite:{name}"), "once": { "table": "once", "create": true } });
        let mut spec = people::registry(settings, json!({ "table": "people", "bump": "increment" }));
        let rename = "UPDATE people SET family = :new_family, version = version + 1 WHERE pin = :pin RETURNING family";
        people::add_rename(&mut spec, json!({ "sql": rename }));
        people::add_changes(&mut spec, json!({ "column": "changed" }));
        spec.directory = self.scratch.path().to_path_buf();
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        None
    }

    async fn load(&self, people: &[Person]) {
        load(&self.direct, people).await;
    }

    async fn people(&self) -> Vec<Person> {
        held(&self.direct).await
    }

    /// As when the disk of the file goes away.
    async fn stop(&self) {
        std::fs::rename(self.file("people.sqlite"), self.file("away.sqlite")).expect("the file");
    }

    async fn start(&self) {
        std::fs::rename(self.file("away.sqlite"), self.file("people.sqlite")).expect("the file");
    }

    /// Another program has the whole file for itself.
    async fn hold(&self) -> Stall {
        Box::new(self.direct.begin_with("BEGIN EXCLUSIVE").await.expect("the lock"))
    }
}

/// Reaches a file past whoever serves it.
pub(crate) fn direct(options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options.busy_timeout(Duration::from_secs(20)))
}

/// Makes these the people of a file, and them alone.
pub(crate) async fn load(direct: &SqlitePool, people: &[Person]) {
    let mut all = direct.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
    query("DELETE FROM people").execute(&mut *all).await.expect("an empty table");
    for person in people {
        let record = query("INSERT INTO people (pin, family, given, born, notes, version, photo) VALUES (?, ?, ?, ?, ?, ?, ?)");
        bound!(record, person).execute(&mut *all).await.expect("a record");
    }
    all.commit().await.expect("all records");
}

/// The people of a file, in the order of their keys.
pub(crate) async fn held(direct: &SqlitePool) -> Vec<Person> {
    let sql = "SELECT pin, family, given, born, notes, version, photo FROM people ORDER BY pin";
    let rows: Vec<Columns> = query_as(sql).fetch_all(direct).await.expect("the records");
    rows.into_iter().map(person).collect()
}
