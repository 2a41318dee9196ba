//! The statements that each dialect writes, as golden files in `golden/`: for the databases that no test can start, these
//! are all that there is. `BLESS=1` writes them anew: read what changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_model::{ActionName, Comparison, ExchangeId, Operation, RegistryId};
use rabita_relational::backend::{Link, Pool, Session};
use rabita_relational::column::{Class, Column};
use rabita_relational::dialect::{Db2, Dialect, Informix, MySql, Oracle, Postgres, SqlServer, Sqlite, Standard};
use rabita_relational::fault::{AnyFault, Trouble};
use rabita_relational::kind::{Options, open};
use rabita_relational::settings::Once;
use rabita_relational::statement::{Param, Statement};
use rabita_sdk::{
    Act, ActSpec, Call, Change, ChangeKind, Changes, Condition, Connector, EntitySpec, FeedSpec, FilterSpec, Ignore, Legacy,
    OpenBinary, Read, RegistrySpec, Row, Search, Source, Wanted,
};
use serde_json::json;

/// What was said to the database.
type Log = Arc<Mutex<Vec<String>>>;

struct Recorder {
    dialect: Dialect,
    log: Log,
}

#[async_trait]
impl Pool for Recorder {
    async fn session(&self, _: &Call) -> Result<Session, rabita_sdk::Failure> {
        let link = Recorded { dialect: self.dialect, log: Arc::clone(&self.log) };
        Ok(Session::new(Box::new(link), self.dialect))
    }

    async fn close(&self) {}
}

struct Recorded {
    dialect: Dialect,
    log: Log,
}

impl Recorded {
    fn note(&self, text: String) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(text.replace('\n', " "));
    }
}

/// A column by its name.
fn column(expression: &str) -> Column {
    let has = |name: &str| expression.contains(name);
    match () {
        () if has("BORN") => Column::new(Class::Date, "date"),
        () if has("CHANGED") => Column::new(Class::Timestamp, "timestamp"),
        () if has("REV") => Column::new(Class::Int, "int8"),
        () if has("WEIGHT") => Column::new(Class::Decimal, "numeric"),
        () if has("PHOTO") => Column::new(Class::Bytes, "bytea"),
        () => Column::new(Class::Text, "text"),
    }
}

/// A value that a column can have.
fn value(column: &Column) -> Legacy {
    match column.class {
        Class::Int => 7.into(),
        Class::Date => "1978-03-01".into(),
        Class::Timestamp => "2026-01-01T00:00:01".into(),
        Class::Decimal => "70.5".into(),
        Class::Bytes => Legacy::Bytes(vec![1, 2]),
        _ => "x".into(),
    }
}

#[async_trait]
impl Link for Recorded {
    async fn fetch(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault> {
        self.note(format!("{} -- {:?}", statement.sql, statement.params));
        if columns.is_empty() && statement.params.contains(&Param::Text("new".into())) {
            return Ok(Vec::new());
        }
        let tells_time = columns.len() == 1 && statement.params.is_empty() && columns[0].class == Class::Text;
        Ok(vec![if tells_time { vec!["2026-06-01T12:00:00Z".into()] } else { columns.iter().map(value).collect() }])
    }

    async fn answer(&mut self, statement: Statement, _: &[Source]) -> Result<Option<Row>, Trouble> {
        self.note(format!("{} -- {:?}", statement.sql, statement.params));
        Ok(Some(Row::new()))
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, AnyFault> {
        self.note(format!("{} -- {:?}", statement.sql, statement.params));
        Ok(1)
    }

    async fn run(&mut self, sql: &str) -> Result<(), AnyFault> {
        self.note(sql.to_owned());
        Ok(())
    }

    async fn describe(&mut self, query: String, _: usize) -> Result<Vec<Column>, AnyFault> {
        let list = query.strip_prefix("SELECT ").and_then(|rest| rest.split(" FROM ").next()).expect("a query");
        Ok(list.split(", ").map(column).collect())
    }

    async fn describe_params(&mut self, sql: String) -> Result<Vec<Column>, AnyFault> {
        Ok(vec![Column::text(); sql.matches('$').count()])
    }

    async fn begin(&mut self) -> Result<(), AnyFault> {
        Ok(())
    }

    async fn begin_snapshot(&mut self) -> Result<(), AnyFault> {
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), AnyFault> {
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), AnyFault> {
        Ok(())
    }

    fn streams(&self) -> bool {
        self.dialect.pieces().is_none()
    }

    async fn open_value(&mut self, query: Statement, _: &Column) -> Result<Option<Option<u64>>, AnyFault> {
        self.note(format!("{} -- {:?}", query.sql, query.params));
        Ok(None)
    }

    fn abandon(&mut self) {}
}

fn sources(names: &[&str]) -> Vec<Source> {
    names.iter().map(|name| Source::new(name)).collect()
}

fn spec() -> RegistrySpec {
    let wanted = Wanted { sources: sources(&["PIN", "FAMILY", "BORN", "S.NAME"]), groups: Vec::new() };
    let own = ["PIN", "FAMILY", "BORN", "WEIGHT"];
    let changes = [ChangeKind::Create, ChangeKind::Update];
    let written = changes.iter().flat_map(|kind| own.map(|name| (kind.operation(), Source::new(name), String::new())));
    let entity = EntitySpec {
        name: "v1/persons".into(),
        pointer: "/from".into(),
        from: json!({
            "table": "REGISTER.PERSON", "as": "P", "joins": [{ "table": "REGISTER.SEX", "as": "S", "on": "S.ID = P.SEX" }],
            "bump": "timestamp",
        }),
        key: sources(&["PIN"]),
        wanted,
        places: Vec::new(),
        binary: sources(&["PHOTO"]),
        filters: ["FAMILY", "BORN", "WEIGHT"]
            .map(|name| FilterSpec {
                source: Source::new(name),
                comparisons: [Comparison::Equals, Comparison::Prefix, Comparison::From].into(),
                ignore: vec![Ignore::Case, Ignore::OuterSpaces],
                pointer: String::new(),
            })
            .into(),
        operations: Operation::ALL.into(),
        written: written.collect(),
        version: Some(Source::new("CHANGED")),
        actions: vec![ActSpec {
            name: ActionName::new("rename").expect("a name"),
            pointer: "/actions/rename".into(),
            from: json!({ "sql": "UPDATE REGISTER.PERSON SET FAMILY = :NEW WHERE PIN = :PIN" }),
            values: vec![(Source::new("NEW"), String::new())],
            reply: None,
        }],
        changes: Some(FeedSpec { pointer: "/changes".into(), from: json!({ "column": "CHANGED" }) }),
    };
    RegistrySpec {
        registry: RegistryId::new("people").expect("an id"),
        settings: json!({}),
        entities: vec![entity],
        tables: Vec::new(),
        timeout: Duration::from_millis(2500),
        concurrency: 1,
        directory: "/".into(),
    }
}

/// Everything that is asked of each database, one after the other.
async fn told_by(dialect: Dialect) -> String {
    let log = Log::default();
    let once = Once { table: "REGISTER.ONCE".into(), create: false, keep_days: 30 };
    let pool = Box::new(Recorder { dialect, log: Arc::clone(&log) });
    let connector = open(spec(), Options { read_only: false, once: Some(once) }, pool).expect("a connector");
    let mut told = String::new();
    for step in dialect.setup(Duration::from_millis(2500), false) {
        told.push_str(&format!("setup: {}\n", step.sql));
    }
    told.push_str(&format!("once: {}\n", dialect.once_table(&dialect.quote_table("REGISTER.ONCE"))));
    for what in ["probe", "read", "read many", "search", "create", "update", "delete", "act", "changes", "binary"] {
        ask(&*connector, what).await;
        for line in std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner)) {
            told.push_str(&format!("{what}: {line}\n"));
        }
    }
    told
}

async fn ask(connector: &dyn Connector, what: &str) {
    let call = Call {
        exchange: ExchangeId::new(uuid::Uuid::nil()),
        deadline: Instant::now() + Duration::from_secs(10),
        traceparent: None,
    };
    let wanted = Wanted { sources: sources(&["PIN", "FAMILY", "BORN", "S.NAME"]), groups: Vec::new() };
    let read = |key: &str| Read { entity: 0, key: vec![key.into()], wanted: wanted.clone() };
    let condition = |source: &str, comparison, value: &str, ignore: &[Ignore]| Condition {
        source: Source::new(source),
        comparison,
        value: value.into(),
        ignore: ignore.to_vec(),
    };
    let change = |kind, id, values, version: Option<&str>| Change {
        entity: 0,
        id: uuid::Uuid::from_u128(id),
        kind,
        key: vec!["x".into()],
        values: serde_json::from_value(values).expect("a row"),
        expected_version: version.map(Legacy::from),
    };
    let done = match what {
        "probe" => connector.probe(&call).await,
        "read" => connector.read(read("x "), &call).await.map(drop),
        "read many" => connector.read_many(vec![read("x"), read("y")], &call).await.map(drop),
        "search" => {
            let conditions = vec![
                condition("FAMILY", Comparison::Prefix, "a%[_!", &[Ignore::Case, Ignore::OuterSpaces]),
                condition("FAMILY", Comparison::Equals, "b", &[Ignore::OuterSpaces]),
                condition("BORN", Comparison::From, "1978-03-01", &[]),
                condition("WEIGHT", Comparison::Equals, "70.5", &[]),
            ];
            let cursor = Some("[\"x\"]".to_owned());
            connector.search(Search { entity: 0, conditions, wanted, limit: 10, cursor }, &call).await.map(drop)
        }
        "create" => {
            let values = json!({ "PIN": "new", "FAMILY": "y", "BORN": "1978-03-01", "WEIGHT": "70.5" });
            let create = Change { key: vec!["new".into()], ..change(ChangeKind::Create, 1, values, None) };
            connector.apply(create, &call).await.map(drop)
        }
        "update" => {
            let update = change(ChangeKind::Update, 2, json!({ "FAMILY": "y", "BORN": null }), Some("2026-01-01T00:00:01"));
            connector.apply(update, &call).await.map(drop)
        }
        "delete" => connector.apply(change(ChangeKind::Delete, 3, json!({}), None), &call).await.map(drop),
        "act" => {
            let change = change(ChangeKind::Update, 4, json!({ "NEW": "z" }), Some("2026-01-01T00:00:01"));
            let Change { id, key, values, expected_version, .. } = change;
            connector.act(Act { entity: 0, action: 0, id, key, values, expected_version }, &call).await.map(drop)
        }
        "changes" => {
            let since = Some("[\"2026-01-01T00:00:01\",\"x\"]".to_owned());
            connector.changes(Changes { entity: 0, since, wanted, limit: 10 }, &call).await.map(drop)
        }
        _ => {
            let ask = OpenBinary { entity: 0, key: vec!["x".into()], source: Source::new("PHOTO") };
            connector.open_binary(ask, &call).await.map(drop)
        }
    };
    if let Err(failure) = done {
        assert!(what == "changes" && failure.to_string().contains("lag_ms"), "{what}: {failure}");
    }
}

#[tokio::test]
async fn each_dialect_writes_the_statements_of_its_database() {
    let dialects: [(&str, Dialect); 9] = [
        ("standard", &Standard),
        ("sql_server", &SqlServer),
        ("oracle", &Oracle),
        ("db2", &Db2),
        ("informix", &Informix),
        ("postgres", &Postgres { numbered: true }),
        ("postgres_odbc", &Postgres { numbered: false }),
        ("mariadb", &MySql),
        ("sqlite", &Sqlite),
    ];
    let mut wrong = Vec::new();
    for (name, dialect) in dialects {
        let told = told_by(dialect).await;
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &told).expect("the golden file can be written");
        } else if std::fs::read_to_string(&file).unwrap_or_default() != told {
            wrong.push(format!("=== {name}\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nBLESS=1 takes what is told for what is expected", wrong.join("\n"));
}
