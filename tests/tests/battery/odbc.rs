//! `odbc` on PostgreSQL and SQLite by Debian's drivers: the same registries as those of `sql`, reached another
//! way. A driver for SQL Server is asked what it says where nothing listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Stall, Stallable, Subject, Target, people};
use rabita_sdk::survey::{Documents, SurveyError, SurveyLimits, SurveySource};
use rabita_sdk::{Failure, Kind, Legacy, RegistrySpec, Source, TextOrSecret};
use rabita_tests::odbc::driver;
use serde_json::{Value, json};

mod postgres {
    rabita_battery::battery!(People, stallable);
    type People = super::OverOdbc<super::super::postgres::People>;
}

mod mariadb {
    rabita_battery::battery!(People, stallable);
    type People = super::OverOdbc<super::super::mariadb::People>;
}

mod sqlite {
    rabita_battery::battery!(People);
    type People = super::OverOdbc<super::super::sqlite::People>;
}

/// A registry of the kind `sql`, by a driver instead.
struct OverOdbc<S>(S);

#[async_trait]
impl<S: Subject> Subject for OverOdbc<S> {
    async fn set_up(need: Need) -> Self {
        Self(S::set_up(need).await)
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_odbc::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let mut spec = self.0.spec(target);
        let mut settings = reached(&spec);
        settings["once"] = spec.settings["once"].take();
        spec.settings = settings;
        for action in spec.entities.iter_mut().flat_map(|entity| &mut entity.actions) {
            // The driver for SQLite takes a statement for one that answers by its first word.
            if let Some(sql) = action.from["sql"].as_str().filter(|sql| sql.starts_with("UPDATE ")) {
                action.from = json!({ "sql": format!("WITH one(number) AS (SELECT 1) {sql}") });
            }
        }
        spec
    }

    fn address(&self) -> Option<SocketAddr> {
        self.0.address()
    }

    /// A driver reads what it asked for to the end, and takes no other word for it.
    fn lets_go(&self) -> bool {
        false
    }

    async fn load(&self, people: &[Person]) {
        self.0.load(people).await;
    }

    async fn people(&self) -> Vec<Person> {
        self.0.people().await
    }

    async fn stop(&self) {
        self.0.stop().await;
    }

    async fn start(&self) {
        self.0.start().await;
    }

    async fn hold(&self) -> Stall {
        // By the driver itself: the locks of two copies of SQLite in one process do not see each other.
        let settings = reached(&self.0.spec(Target::System));
        let (driver, file) = (settings["driver"].as_str(), settings["keywords"]["Database"].as_str());
        let string = format!("Driver={};Database={};", driver.expect("a driver"), file.expect("a file"));
        let environment = odbc_api::environment().expect("a driver manager");
        let connection = environment.connect_with_connection_string(&string, odbc_api::ConnectionOptions::default());
        let held = Held(connection.expect("a connection"));
        held.0.execute("BEGIN EXCLUSIVE", (), None).expect("the lock");
        Box::new(held)
    }
}

/// A connection that has the whole file for itself.
struct Held(odbc_api::Connection<'static>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.execute("ROLLBACK", (), None).expect("the lock is given back");
    }
}

#[async_trait]
impl<S: Stallable> Stallable for OverOdbc<S> {
    async fn stall(&self) -> Stall {
        self.0.stall().await
    }

    async fn busy(&self) -> usize {
        self.0.busy().await
    }
}

/// The settings of a driver that lead where a URL of `sql` does.
fn reached(spec: &RegistrySpec) -> Value {
    let url = spec.settings["url"].as_str().expect("a URL");
    let (scheme, rest) = url.split_once(':').expect("a scheme");
    if scheme == "sqlite" {
        let file = spec.directory.join(rest);
        return json!({ "driver": driver("libsqlite3odbc.so"), "keywords": { "Database": file, "NoCreat": "1" } });
    }
    let (user, place) = rest.trim_start_matches('/').split_once('@').expect("a user");
    let (address, database) = place.split_once('/').expect("a database");
    let (host, port) = address.split_once(':').expect("a port");
    let (library, keywords) = match scheme {
        "mariadb" => ("libmaodbc.so", json!({ "Server": host, "CHARSET": "utf8mb4" })),
        _ => ("psqlodbcw.so", json!({ "Servername": host, "LFConversion": "0" })),
    };
    let mut settings = json!({ "driver": driver(library), "user": user, "keywords": keywords });
    settings["keywords"]["Port"] = json!(port);
    settings["keywords"]["Database"] = json!(database);
    settings
}

#[tokio::test]
async fn a_driver_for_sql_server_finds_nobody_who_listens_and_quickly() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let settings = json!({
        "driver": driver("libtdsodbc.so"),
        "keywords": { "Server": "127.0.0.1", "Port": port.to_string(), "Database": "people", "TDS_Version": "7.4" },
        "user": "rabita",
        "dialect": "sql_server",
    });
    let spec = people::registry(settings, json!({ "table": "people", "bump": "increment" }));
    let connector = rabita_odbc::kind().open(spec, &rabita_battery::world::NoSecrets).await.expect("it opens");
    let began = Instant::now();
    let call = rabita_battery::world::within(Duration::from_secs(20));
    let answer = connector.probe(&call).await;
    assert!(matches!(answer, Err(Failure::Unavailable { .. })), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
}

/// A survey by the driver's own catalogue: as of a database that no grammar is written for.
#[tokio::test]
async fn a_driver_tells_tables_keys_and_references_where_the_catalogue_is_not_known() {
    let scratch = rabita_tests::scratch::Scratch::new("odbc-survey");
    let file = scratch.path().join("register.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a file");
    let tables = "CREATE TABLE office (code CHAR(3) PRIMARY KEY, name VARCHAR(40) NOT NULL);
         CREATE TABLE person (pin CHAR(7) PRIMARY KEY, family VARCHAR(30) NOT NULL, office CHAR(3) REFERENCES office(code),
             born INTEGER);
         INSERT INTO office VALUES ('BAK', 'Bakı');
         INSERT INTO person VALUES ('5ZJBKH7', 'Əliyeva', 'BAK', 19780300), ('5ZJBKH8', 'Məmmədov', NULL, 19650101);";
    sqlx::raw_sql(tables).execute(&pool).await.expect("tables");
    pool.close().await;
    let address = format!("odbc:Driver={};Database={};NoCreat=1", driver("libsqlite3odbc.so").display(), file.display());
    for dialect in ["standard", "sqlite"] {
        let source = SurveySource {
            shown: "odbc:Driver".into(),
            address: TextOrSecret::Text(address.clone()),
            path: None,
            head: Vec::new(),
            settings: [("dialect".to_owned(), json!(dialect))].into_iter().collect(),
            only: Vec::new(),
            narrow: None,
            directory: scratch.path().to_path_buf(),
            documents: Arc::new(NoDocuments),
        };
        let survey = rabita_odbc::kind()
            .survey(&source, &rabita_battery::world::NoSecrets, &SurveyLimits::default())
            .await
            .expect("a survey");
        let person = survey.entities.iter().find(|entity| entity.name == "person").expect("a table");
        assert_eq!(person.key, [Source::new("pin")], "{dialect}");
        assert_eq!(person.references[0].to, "office", "{dialect}");
        let columns: Vec<&str> = person.columns.iter().map(|column| column.source.as_str()).collect();
        assert_eq!(columns, ["pin", "family", "office", "born"], "{dialect}");
        assert_eq!(person.samples.0.len(), 2, "{dialect}");
        assert_eq!(person.samples.0[0].get("born"), Some(&Legacy::Int(19_780_300)), "{dialect}");
        assert_eq!(survey.settings["keywords"]["NoCreat"], "1");
    }
}

struct NoDocuments;

#[async_trait]
impl Documents for NoDocuments {
    async fn get(&self, place: &str) -> Result<Vec<u8>, SurveyError> {
        Err(SurveyError::Unreachable(place.to_owned()))
    }
}
