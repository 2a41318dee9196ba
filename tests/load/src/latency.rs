//! A synchronous change through the bus, against the same statement by a client that does nothing else.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::Plan;
use crate::bank::Bank;
use crate::caller::{self, Ask, Outcome, Pace, REMARK, Target};
use crate::country::{self, Country, pin};
use crate::report::{Report, median, ms};
use crate::server::Usage;

/// One caller sees how long a change takes; sixteen, what they cost each other.
const CALLERS: [usize; 2] = [1, 16];

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let bank = Bank::start();
    let country = Country::new(&scratch, "latency", rabita_tests::port::free());
    country.bank(&bank.url);
    let bus = country.run(plan);
    let target = Target { ask: Ask::Change { waits: true }, ..country.target(&scratch, "bank", "accounts", pin) };
    report.table("A synchronous change", &["", "changes/s", "p50", "p99"]);
    for callers in CALLERS {
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            direct.push(updates(&bank.url, callers, plan.measured));
            report.progress("direct UPDATE", round, direct.last().expect("it was measured"), plan.measured);
            through.push(caller::run(&target, callers, Pace::Saturating, plan.measured, || bus.server.usage()));
            report.progress("change through the bus", round, through.last().expect("it was measured"), plan.measured);
        }
        let of = |runs: &[Outcome], figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
        for (name, runs) in [("direct", &direct), ("through the bus", &through)] {
            let name = format!("{name}, {callers} callers");
            let rate = format!("{:.0}", of(runs, |run| run.per_second));
            report.row(&[&name, &rate, &ms(of(runs, |run| run.quantile_ms(0.5))), &ms(of(runs, |run| run.quantile_ms(0.99)))]);
        }
        for (name, figure) in [("p50", (|run| run.quantile_ms(0.5)) as fn(&Outcome) -> f64), ("p99", |run| run.quantile_ms(0.99))]
        {
            let added = ms(of(&through, figure) - of(&direct, figure));
            report.figure(&format!("{name} of a synchronous change beyond the registry's own, {callers} callers"), &added, "");
        }
    }
}

/// Changes by clients that hold a connection each.
fn updates(url: &str, callers: usize, measured: Duration) -> Outcome {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let from = Instant::now() + Duration::from_secs(1);
    let times = runtime.block_on(async {
        let asked = (0..callers).map(|caller| {
            let url = url.to_owned();
            tokio::spawn(async move {
                let mut connection = PgConnection::connect(&url).await.expect("the database answers");
                let mut times = Vec::new();
                for count in 0.. {
                    let began = Instant::now();
                    if began >= from + measured {
                        break;
                    }
                    let change = sqlx::query("UPDATE accounts SET note = $1, remark = $2 WHERE number = $3");
                    let change = change.bind(format!("direct {count}")).bind(REMARK).bind(pin(caller, count));
                    let done = change.execute(&mut connection).await.expect("the row is there");
                    assert_eq!(done.rows_affected(), 1, "the row is there");
                    if began >= from {
                        times.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
                    }
                }
                times
            })
        });
        let asked: Vec<_> = asked.collect();
        let mut times = Vec::new();
        for one in asked {
            times.extend(one.await.expect("no caller panics"));
        }
        times
    });
    Outcome::new(times, measured, Usage::default())
}
