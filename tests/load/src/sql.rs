//! A read out of a database through the bus, against the same query by a client that does nothing else.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rabita_tests::Postgres;
use sqlx::{AssertSqlSafe, Connection, Database, Executor, IntoArguments, Row};

use crate::Plan;
use crate::caller::{self, Outcome, Pace};
use crate::country::{self, Country, PERSONS, ROWS, pin};
use crate::report::{Report, median, ratio};
use crate::server::Usage;
use crate::upstream;

/// As many callers as there are connections to the database, so that none waits for another.
const CALLERS: usize = 32;

/// Rows of one statement, which has to fit into one argument of `psql`.
const STATEMENT_ROWS: usize = 500;

const COLUMNS: &str = "fin, soyad, ad, ata_adi, dogum, dogum_yeri, cins, aile";

const TABLE: &str = "CREATE TABLE citizens (fin VARCHAR(7) PRIMARY KEY, soyad VARCHAR(40), ad VARCHAR(40), ata_adi VARCHAR(40), dogum INTEGER, dogum_yeri VARCHAR(40), cins VARCHAR(1), aile VARCHAR(1))";

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let upstream = upstream::start(scratch.path());
    let file = sqlite_file(scratch.path());
    let postgres = Postgres::start();
    postgres.run(TABLE);
    for from in (0..ROWS).step_by(STATEMENT_ROWS) {
        postgres.run(&rows(from..from + STATEMENT_ROWS));
    }
    postgres.run("ANALYZE citizens");
    let url = Postgres::url(postgres.address(), "postgres");
    let country = Country::new(&scratch, "sql", upstream.plain);
    for (id, connector) in
        [("postgres", format!("{{ kind: sql, url: \"{url}\", read_only: true }}")), ("sqlite", country::sqlite(&file))]
    {
        country.registry(id, &connector, PERSONS);
        country.grant(id, "persons", "all", &["asan-portal".to_owned()]);
    }
    let bus = country.run(plan);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let file = format!("sqlite:{}", file.display());
    report.table("Reads out of databases, 32 callers", &["", "answers/s", "p50", "p99", "to the direct client, by round"]);
    for id in ["postgres", "sqlite"] {
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let outcome = runtime.block_on(async {
                match id {
                    "postgres" => query::<sqlx::Postgres>(&url, "$1", plan.measured).await,
                    _ => query::<sqlx::Sqlite>(&file, "?", plan.measured).await,
                }
            });
            report.progress(&format!("{id} direct"), round, &outcome, plan.measured);
            direct.push(outcome);
            let target = country.target(&scratch, id, "persons", pin);
            let outcome = caller::run(&target, CALLERS, Pace::Saturating, plan.measured, || bus.server.usage());
            report.progress(&format!("{id} through the bus"), round, &outcome, plan.measured);
            through.push(outcome);
        }
        let ratios: Vec<f64> =
            through.iter().zip(&direct).map(|(through, direct)| through.per_second / direct.per_second).collect();
        for (name, runs, by_round) in [
            ("direct", &direct, ""),
            ("through the bus", &through, &*ratios.iter().map(|one| ratio(*one)).collect::<Vec<_>>().join(" ")),
        ] {
            let of = |figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
            report.row(&[
                &format!("{id}, {name}"),
                &format!("{:.0}", of(|run| run.per_second)),
                &crate::report::ms(of(|run| run.quantile_ms(0.5))),
                &crate::report::ms(of(|run| run.quantile_ms(0.99))),
                by_round,
            ]);
        }
        report.figure(&format!("throughput of {id} through the bus, to a direct client"), &ratio(median(ratios)), "");
    }
}

/// Makes a file with the persons.
pub fn sqlite_file(directory: &Path) -> PathBuf {
    let file = directory.join("citizens.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection =
            sqlx::SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.expect("a file can be made");
        for statement in [TABLE.to_owned(), rows(0..ROWS)] {
            connection.execute(AssertSqlSafe(statement)).await.expect("the statement is right");
        }
        connection.close().await.expect("the file is written");
    });
    file
}

fn rows(numbers: Range<usize>) -> String {
    let row = |number| format!("('{number:07}', 'Əliyeva   ', 'Aygün', 'Rəşid qızı', 19780300, 'Bakı', 'Q', 'E')");
    format!("INSERT INTO citizens ({COLUMNS}) VALUES {}", numbers.map(row).collect::<Vec<_>>().join(", "))
}

/// The query that the bus makes of a read, prepared once on each connection.
async fn query<DB: Database>(url: &str, placeholder: &str, measured: Duration) -> Outcome
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    String: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB> + for<'r> sqlx::Decode<'r, DB>,
    i32: for<'r> sqlx::Decode<'r, DB> + sqlx::Type<DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let sql = format!("SELECT {COLUMNS} FROM citizens WHERE fin = {placeholder} LIMIT 2");
    let (from, stop) = (Instant::now() + Duration::from_secs(1), Arc::new(AtomicBool::new(false)));
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let (url, sql, stop) = (url.to_owned(), sql.clone(), Arc::clone(&stop));
        callers.push(tokio::spawn(async move {
            let mut connection = DB::Connection::connect(&url).await.expect("the database answers");
            let mut times = Vec::with_capacity(1 << 16);
            for count in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let began = Instant::now();
                let asked = sqlx::query::<DB>(AssertSqlSafe(sql.clone())).bind(pin(number, count));
                let row = asked.fetch_one(&mut connection).await.expect("the row is there");
                let texts: Vec<String> = [0, 1, 2, 3, 5, 6, 7].map(|at| row.get(at)).into();
                let born: i32 = row.get(4);
                assert!(born > 0 && texts.iter().all(|text| !text.is_empty()), "a whole row");
                if began >= from {
                    times.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
                }
            }
            times
        }));
    }
    tokio::time::sleep_until((from + measured).into()).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.expect("no caller panics"));
    }
    Outcome::new(times, measured, Usage::default())
}
