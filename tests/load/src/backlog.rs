//! A million updates that wait, because their registry is down: what they take of memory, and how soon the bus is ready
//! again after a kill.

use std::time::{Duration, Instant};

use crate::Plan;
use crate::bank::Bank;
use crate::caller::{self, Ask, CONNECTIONS, Pace, Target};
use crate::country::{self, Country, pin};
use crate::report::Report;

/// How many updates wait in the end.
const WAITING: u64 = 1_000_000;

/// The memory is looked at as often as this.
const STEP: Duration = Duration::from_secs(10);

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let bank = Bank::start();
    let country = Country::new(&scratch, "backlog", rabita_tests::port::free());
    country.bank(&bank.url);
    bank.postgres.kill();
    let bus = country.run(plan);
    let idle = bus.server.resident_mb();
    let target = Target { ask: Ask::Change { waits: false }, ..country.target(&scratch, "bank", "accounts", pin) };
    report.table("A backlog that fills", &["waiting", "taken on/s", "p99", "memory of the bus", "the journal on the disk"]);
    report.row(&["0", "", "", &mb(idle), &mb(country.journal_mb())]);
    let before = caller::changes();
    let (mut most, mut waiting) = (idle, 0);
    while waiting < WAITING {
        let outcome = caller::run(&target, CONNECTIONS, Pace::Saturating, STEP, || bus.server.usage());
        report.progress("fill", 1, &outcome, STEP);
        waiting = caller::changes() - before;
        let resident = bus.server.resident_mb();
        most = most.max(resident);
        let rate = format!("{:.0}", outcome.per_second);
        let late = crate::report::ms(outcome.quantile_ms(0.99));
        report.row(&[&waiting.to_string(), &rate, &late, &mb(resident), &mb(country.journal_mb())]);
    }
    report.figure("memory of the bus, idle", &mb(idle), "");
    report.figure(&format!("the most memory while {waiting} updates came to wait"), &mb(most), "bounded");
    restart(plan, report, &country, &bank, bus);
}

/// Kills the bus, starts the registry, and starts the bus again.
fn restart(plan: &Plan, report: &mut Report, country: &Country, bank: &Bank, mut bus: country::Bus) {
    bus.server.kill();
    bank.postgres.start_again();
    let began = Instant::now();
    let mut server = country.start(plan);
    server.wait_until(|| country.is_ready());
    let ready = began.elapsed();
    let delivered = bank.first_change(began);
    report.figure("killed with the backlog: ready again after", &format!("{:.2} s", ready.as_secs_f64()), "less than 10 s");
    report.figure("killed with the backlog: first delivery after", &format!("{:.2} s", delivered.as_secs_f64()), "");
    let (from, applied) = (Instant::now(), bank.applied());
    std::thread::sleep(STEP);
    let rate = (bank.applied() - applied) as f64 / from.elapsed().as_secs_f64();
    report.figure("delivered from the backlog, per second", &format!("{rate:.0}"), "");
    report.figure("memory of the bus while it delivers the backlog", &mb(server.resident_mb()), "bounded");
}

fn mb(figure: f64) -> String {
    format!("{figure:.1} MB")
}
