//! A register in an SQLite file, as old as the registers of agencies are: blanks, codes, days as numbers, photos.

use rabita_tests::bus::{Country, GRANT_ALL, of_persons};
use sqlx::{ConnectOptions, Connection, Executor};

/// How many persons of the family Əliyev(a) there are, and how many of one page of 10 are on the last.
pub const OF_ONE_FAMILY: usize = 23;

/// A country with the registry `register`, wholly granted to the portal. `entity` is one more line of its entity.
pub async fn country(entity: &str) -> Country {
    let country = Country::new();
    fill(&country).await;
    country.file("registries/register.yaml", &of_persons("register", CONNECTOR, &REST.replace("{ENTITY}", entity)));
    country.grants("register", &[GRANT_ALL]);
    country
}

/// The photo of the person with this number: not alike, and not text.
pub fn photo(length: usize) -> Vec<u8> {
    (0_u32..).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).expect("eight bits")).take(length).collect()
}

/// The PIN of the person in this place.
pub fn pin(place: usize) -> String {
    format!("5ZJBK{place:02}")
}

/// Does something to the register behind the bus's back.
pub async fn run(country: &Country, sql: &str) {
    let mut database = open(country).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.expect("the statement");
    database.close().await.expect("the file is written");
}

async fn open(country: &Country) -> sqlx::SqliteConnection {
    let file = country.path().join("register.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    options.connect().await.expect("the file")
}

async fn fill(country: &Country) {
    let mut database = open(country).await;
    let table = "CREATE TABLE VATANDASH (FIN CHAR(7) PRIMARY KEY, SOYAD TEXT, DOGUM INTEGER, CINS TEXT, SEKIL BLOB)";
    database.execute(table).await.expect("a table");
    for place in 0..OF_ONE_FAMILY {
        let row = sqlx::query("INSERT INTO VATANDASH VALUES (?, 'Əliyeva   ', 19780300, 'Q', ?)").bind(pin(place));
        let length = if place == 1 { 5_000_000 } else { 3_000 };
        row.bind((place < 2).then(|| photo(length))).execute(&mut database).await.expect("a row");
    }
    database.execute("INSERT INTO VATANDASH VALUES ('7K2VXA9', 'Quliyev', 20010930, 'X', NULL)").await.expect("a row");
    database.close().await.expect("the file is written");
}

const CONNECTOR: &str = r#"connector: { kind: sql, url: "sqlite:register.db", read_only: true }"#;

const REST: &str = r#"
      from: VATANDASH
      {ENTITY}
      fields:
        pin: FIN
        name.family: { from: SOYAD, codec: trim }
        birth_date: { from: DOGUM, codec: { date: { format: "%Y%m%d", partial: true, legacy: integer } } }
        sex: { from: CINS, codec: { codes: sex } }
        photo: { from: SEKIL, binary: { media_type: image/png } }
      operations:
        read: { max_keys: 5 }
        search: { by: { name.family: { compare: [equals], ignore: [outer_spaces] }, sex: [equals] }, max: 10 }
codes:
  sex: { K: male, Q: female }
"#;
