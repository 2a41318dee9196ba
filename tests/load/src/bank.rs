//! The registry whose records are changed: a table of accounts in PostgreSQL, with a row for each key of a caller.

use std::time::{Duration, Instant};

use rabita_tests::Postgres;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::country::ROWS;

/// The database.
pub struct Bank {
    pub postgres: Postgres,
    pub url: String,
}

impl Bank {
    pub fn start() -> Self {
        let postgres = Postgres::start();
        postgres.run(&format!(
            "CREATE TABLE accounts (number varchar(7) PRIMARY KEY, note varchar(40), remark text);
            INSERT INTO accounts SELECT lpad(n::text, 7, '0'), NULL, NULL FROM generate_series(0, {ROWS} - 1) AS n;
            ANALYZE accounts"
        ));
        let url = Postgres::url(postgres.address(), "postgres");
        Self { postgres, url }
    }

    /// How long it takes from `began` until some account is changed.
    pub fn first_change(&self, began: Instant) -> Duration {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.url).await.expect("the database answers");
            loop {
                let asked = sqlx::query_scalar("SELECT EXISTS (SELECT FROM accounts WHERE note IS NOT NULL)");
                if asked.fetch_one(&mut connection).await.expect("the table is there") {
                    return began.elapsed();
                }
                assert!(began.elapsed() < Duration::from_secs(120), "nothing is delivered");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }

    /// How many changes were applied so far: their ids are in the registry.
    pub fn applied(&self) -> u64 {
        self.postgres.run("SELECT count(*) FROM rabita_once").trim().parse().expect("a number")
    }
}
