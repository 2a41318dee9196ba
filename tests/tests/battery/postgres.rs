//! `sql` on PostgreSQL. The database itself counts versions and knows dates.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_battery::{Need, Person, Stall, Stallable, Subject, Target, people};
use rabita_sdk::{Ignore, Kind, RegistrySpec};
use rabita_tests::Postgres;
use serde_json::json;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, query, query_as};

use super::rows::{Columns, bound, person};
use super::server::{Server, own_name};

rabita_battery::battery!(People, stallable);

pub(crate) struct People {
    server: Server<Postgres>,
    /// The table, and the beginning of the names of what belongs to it.
    table: String,
    direct: PgPool,
}

#[async_trait]
impl Subject for People {
    async fn set_up(need: Need) -> Self {
        let server = Server::of(need, Postgres::shared, Postgres::start);
        let table = own_name();
        server.run(&format!(
            "CREATE TABLE {table} (pin text PRIMARY KEY, family text NOT NULL, given text NOT NULL, born date NOT NULL,
                 notes text, version bigint NOT NULL DEFAULT 1, photo bytea,
                 changed timestamptz NOT NULL DEFAULT clock_timestamp());
             CREATE FUNCTION {table}_changes() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.version = OLD.version + 1; NEW.changed = clock_timestamp(); RETURN NEW; END';
             CREATE TRIGGER {table}_change BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_changes();
             CREATE FUNCTION {table}_rename(whom text, new_family text) RETURNS text LANGUAGE sql AS
                 'UPDATE {table} SET family = new_family WHERE pin = whom RETURNING family';"
        ));
        let url = Postgres::url(server.address(), "postgres");
        let direct = PgPoolOptions::new().max_connections(2).connect_lazy(&url).expect("a URL");
        Self { server, table, direct }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_sql::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("PostgreSQL has an address");
        let settings = json!({
            "url": Postgres::url(address, "postgres"),
            "once": { "table": format!("{}_once", self.table), "create": true },
        });
        let mut spec = people::registry(settings, json!(self.table));
        let rename = format!("SELECT {}_rename(:pin, :new_family) AS family", self.table);
        people::add_rename(&mut spec, json!({ "sql": rename }));
        // A test has one writer at a time, so that no change comes to light late.
        people::add_changes(&mut spec, json!({ "column": "changed", "lag_ms": 0 }));
        spec.entities[0].filters[0].ignore = vec![Ignore::Case, Ignore::OuterSpaces];
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.server.address())
    }

    async fn load(&self, people: &[Person]) {
        let Self { table, direct, .. } = self;
        let mut all = direct.begin().await.expect("a transaction");
        query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *all).await.expect("an empty table");
        for person in people {
            let record = query(AssertSqlSafe(format!("INSERT INTO {table} VALUES ($1, $2, $3, $4::text::date, $5, $6, $7)")));
            bound!(record, person).execute(&mut *all).await.expect("a record");
        }
        all.commit().await.expect("all records");
    }

    async fn people(&self) -> Vec<Person> {
        let table = &self.table;
        let sql = format!("SELECT pin, family, given, born::text, notes, version, photo FROM {table} ORDER BY pin COLLATE \"C\"");
        let rows: Vec<Columns> = query_as(AssertSqlSafe(sql)).fetch_all(&self.direct).await.expect("the records");
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
        let sql = format!("SELECT 1 /* stall */ FROM {} FOR UPDATE", self.table);
        query(AssertSqlSafe(sql)).execute(&mut *holder).await.expect("the locks");
        Box::new(holder)
    }

    async fn busy(&self) -> usize {
        let count = self.server.run(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%{}%'
                 AND query NOT LIKE '%stall%'",
            self.table
        ));
        count.trim().parse().expect("a count")
    }
}
