//! `wire` on a connector in Python, which the bus calls: the worked example of another language.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_sdk::{Kind, RegistrySpec};
use rabita_tests::PythonConnector;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::sqlite;

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
        let direct = sqlite::direct(SqliteConnectOptions::new().filename(server.file()));
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
        sqlite::load(&self.direct, people).await;
    }

    async fn people(&self) -> Vec<Person> {
        sqlite::held(&self.direct).await
    }

    async fn stop(&self) {
        self.server.kill();
    }

    async fn start(&self) {
        self.server.start_again();
    }
}
