//! `sql` on MariaDB. The connector counts versions; texts have the lengths that such tables have.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_battery::{Need, Person, Stall, Stallable, Subject, Target, people};
use rabita_sdk::{Ignore, Kind, RegistrySpec};
use rabita_tests::Mariadb;
use serde_json::json;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::{query, query_as};

use super::rows::{Columns, bound, person};
use super::server::{Server, own_name};

rabita_battery::battery!(People, stallable);

pub(crate) struct People {
    server: Server<Mariadb>,
    database: String,
    direct: MySqlPool,
}

#[async_trait]
impl Subject for People {
    async fn set_up(need: Need) -> Self {
        let server = Server::of(need, Mariadb::shared, Mariadb::start);
        let database = own_name();
        server.run(&format!(
            "CREATE DATABASE {database};
             CREATE TABLE {database}.people (pin VARCHAR(400) PRIMARY KEY, family VARCHAR(200) NOT NULL,
                 given VARCHAR(200) NOT NULL, born DATE NOT NULL, notes LONGTEXT, version BIGINT NOT NULL DEFAULT 1,
                 photo LONGBLOB,
                 changed TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))"
        ));
        let url = Mariadb::url(server.address(), &database);
        let direct = MySqlPoolOptions::new().max_connections(2).connect_lazy(&url).expect("a URL");
        let rename = "CREATE PROCEDURE rename_person(whom VARCHAR(400), new_family VARCHAR(200)) BEGIN
                UPDATE people SET family = new_family, version = version + 1 WHERE pin = whom;
                SELECT family FROM people WHERE pin = whom;
            END";
        sqlx::raw_sql(rename).execute(&direct).await.expect("a procedure");
        Self { server, database, direct }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_sql::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("MariaDB has an address");
        let settings = json!({
            "url": Mariadb::url(address, &self.database).replace("mysql:", "mariadb:"),
            "once": { "table": "once", "create": true },
        });
        let mut spec = people::registry(settings, json!({ "table": "people", "bump": "increment" }));
        people::add_rename(&mut spec, json!({ "sql": "CALL rename_person(:pin, :new_family)" }));
        // A test has one writer at a time, so that no change comes to light late.
        people::add_changes(&mut spec, json!({ "column": "changed", "lag_ms": 0 }));
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    async fn load(&self, people: &[Person]) {
        let mut all = self.direct.begin().await.expect("a transaction");
        query("DELETE FROM people").execute(&mut *all).await.expect("an empty table");
        for person in people {
            let record =
                query("INSERT INTO people (pin, family, given, born, notes, version, photo) VALUES (?, ?, ?, ?, ?, ?, ?)");
            bound!(record, person).execute(&mut *all).await.expect("a record");
        }
        all.commit().await.expect("all records");
    }

    async fn people(&self) -> Vec<Person> {
        let sql = "SELECT pin, family, given, CAST(born AS CHAR), notes, version, photo FROM people ORDER BY pin";
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

#[async_trait]
impl Stallable for People {
    async fn stall(&self) -> Stall {
        let mut holder = self.direct.begin().await.expect("a transaction");
        query("SELECT pin FROM people FOR UPDATE").fetch_all(&mut *holder).await.expect("the locks");
        Box::new(holder)
    }

    async fn busy(&self) -> usize {
        let count = self.server.run(&format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND command <> 'Sleep'",
            self.database
        ));
        count.trim().parse().expect("a count")
    }
}
