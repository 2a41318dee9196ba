//! A registry in a temporary SQLite file, and short ways to speak to its connector.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation, RegistryId};
use rabita_sdk::{
    Call, Change, ChangeKind, Condition, Connector, EntitySpec, GroupSpec, Ignore, Legacy, Page, Read, RegistrySpec, Row, Search,
    SecretRef, SecretText, Secrets, Source, Wanted,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

/// The type of binary columns.
pub(crate) const BLOB: &str = "BLOB";

/// A query that takes seconds.
pub(crate) const SLOW: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000000) SELECT max(i) AS i, 'a' AS k FROM n";

/// A registry of its own for one test.
pub(crate) struct Registry {
    directory: tempfile::TempDir,
}

impl Registry {
    /// Makes the database by running statements.
    pub(crate) async fn new(statements: &[&str]) -> Self {
        let registry = Self { directory: tempfile::tempdir().expect("a directory") };
        for statement in statements {
            registry.run(statement).await;
        }
        registry
    }

    /// Runs a statement beside the connector.
    pub(crate) async fn run(&self, sql: &str) {
        let file = self.directory.path().join("registry.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("a connection");
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("the statement runs");
        connection.close().await.expect("the connection closes");
    }

    pub(crate) fn url(&self) -> String {
        "sqlite:registry.sqlite".into()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn spec(&self, settings: Value, entities: Vec<EntitySpec>) -> RegistrySpec {
        spec(self.directory(), &self.url(), settings, entities)
    }

    pub(crate) async fn open(&self, settings: Value, entities: Vec<EntitySpec>) -> Arc<dyn Connector> {
        open(self.spec(settings, entities)).await
    }
}

pub(crate) async fn open(spec: RegistrySpec) -> Arc<dyn Connector> {
    crate::kind().open(spec, &NoSecrets).await.expect("the connector opens")
}

pub(crate) fn spec(directory: PathBuf, url: &str, mut settings: Value, entities: Vec<EntitySpec>) -> RegistrySpec {
    settings["url"] = json!(url);
    RegistrySpec {
        registry: RegistryId::new("test").expect("an id"),
        settings,
        entities,
        tables: Vec::new(),
        timeout: Duration::from_secs(5),
        concurrency: 2,
        directory,
    }
}

pub(crate) struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("there are no secrets here".into())
    }
}

/// An entity that can do everything.
pub(crate) fn entity(from: Value, key: &[&str], wanted: &[&str]) -> EntitySpec {
    let changes = [Operation::Create, Operation::Replace, Operation::Update, Operation::Delete];
    let own = |source: &&&str| !source.contains('.');
    EntitySpec {
        name: "v1/things".into(),
        pointer: "/contract/v1/things/from".into(),
        from,
        key: sources(key),
        wanted: Wanted { sources: sources(wanted), groups: Vec::new() },
        places: wanted.iter().map(|source| (Source::new(source), format!("/places/{source}"))).collect(),
        binary: Vec::new(),
        filters: Vec::new(),
        operations: Operation::ALL.into(),
        written: changes
            .into_iter()
            .flat_map(|operation| {
                wanted.iter().filter(own).map(move |source| (operation, Source::new(source), format!("/written/{source}")))
            })
            .collect(),
        version: None,
        actions: Vec::new(),
        changes: None,
    }
}

/// An entity that can only be read.
pub(crate) fn readable(from: Value, key: &[&str], wanted: &[&str]) -> EntitySpec {
    EntitySpec { operations: [Operation::Read, Operation::Search].into(), written: Vec::new(), ..entity(from, key, wanted) }
}

pub(crate) fn group(name: &str, wanted: &[&str]) -> GroupSpec {
    GroupSpec { name: Source::new(name), sources: sources(wanted) }
}

pub(crate) fn sources(names: &[&str]) -> Vec<Source> {
    names.iter().map(|name| Source::new(name)).collect()
}

pub(crate) fn call() -> Call {
    call_within(Duration::from_secs(20))
}

pub(crate) fn call_within(time: Duration) -> Call {
    Call { exchange: ExchangeId::new(uuid::Uuid::nil()), deadline: Instant::now() + time, traceparent: None }
}

pub(crate) fn ask(key: impl Into<Legacy>, wanted: &[&str]) -> Read {
    Read { entity: 0, key: vec![key.into()], wanted: Wanted { sources: sources(wanted), groups: Vec::new() } }
}

pub(crate) fn search(conditions: Vec<Condition>, wanted: &[&str], limit: usize, cursor: Option<String>) -> Search {
    Search { entity: 0, conditions, wanted: Wanted { sources: sources(wanted), groups: Vec::new() }, limit, cursor }
}

pub(crate) fn condition(source: &str, comparison: Comparison, value: impl Into<Legacy>, ignore: &[Ignore]) -> Condition {
    Condition { source: Source::new(source), comparison, value: value.into(), ignore: ignore.to_vec() }
}

pub(crate) fn change(kind: ChangeKind, id: u128, key: impl Into<Legacy>, values: Value) -> Change {
    Change { entity: 0, id: uuid::Uuid::from_u128(id), kind, key: vec![key.into()], values: row(values), expected_version: None }
}

pub(crate) fn row(values: Value) -> Row {
    serde_json::from_value(values).expect("a row")
}

/// The texts of one source of a page.
pub(crate) fn column(page: &Page, source: &str) -> Vec<String> {
    page.rows
        .iter()
        .map(|row| row.get(source).and_then(|value| value.to_text().map(|text| text.into_owned())).unwrap_or_default())
        .collect()
}
