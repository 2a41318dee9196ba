//! `wire` on a connector in Python, which the bus calls: the worked example of another language.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_sdk::{Kind, RegistrySpec};
use rabita_tests::PythonConnector;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{query, query_as};

use super::sqlite::{Columns, person};

rabita_battery::battery!(People);

struct People {
    server: PythonConnector,
    direct: SqlitePool,
}

#[async_trait]
impl Subject for People {
    /// The program serves one file, so each test has a program.
    async fn set_up(_need: Need) -> Self {
        let server = tokio::task::spawn_blocking(PythonConnector::start).await.expect("a program");
        let options = SqliteConnectOptions::new().filename(server.file()).busy_timeout(Duration::from_secs(20));
        let direct = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options);
        Self { server, direct }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_wire::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("the program has an address");
        let settings = json!({ "url": format!("http://{address}"), "duplicates": "detected" });
        let mut spec = people::registry(settings, json!("people"));
        people::add_rename(&mut spec, json!("rename"));
        people::add_changes(&mut spec, json!("people"));
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    async fn load(&self, people: &[Person]) {
        let mut all = self.direct.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
        query("DELETE FROM people").execute(&mut *all).await.expect("an empty table");
        for person in people {
            query("INSERT INTO people (pin, family, given, born, notes, version, photo) VALUES (?, ?, ?, ?, ?, ?, ?)")
                .bind(&person.pin)
                .bind(&person.family)
                .bind(&person.given)
                .bind(&person.born)
                .bind(&person.notes)
                .bind(person.version)
                .bind(&person.photo)
                .execute(&mut *all)
                .await
                .expect("a record");
        }
        all.commit().await.expect("all records");
    }

    async fn people(&self) -> Vec<Person> {
        let sql = "SELECT pin, family, given, born, notes, version, photo FROM people ORDER BY pin";
        let rows: Vec<Columns> = query_as(sql).fetch_all(&self.direct).await.expect("the records");
        rows.into_iter().map(person).collect()
    }

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }
}
