//! Whether a call costs more where there are many registries and grants.

use crate::Plan;
use crate::caller::{self, CONNECTIONS, Outcome, Pace};
use crate::country::{self, Country};
use crate::report::{Report, median, ratio};
use crate::{sql, upstream};

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let upstream = upstream::start(scratch.path());
    let database = sql::sqlite_file(scratch.path());
    let mut systems = vec!["asan-portal".to_owned()];
    let few = Country::new(&scratch, "few", upstream.plain);
    few.mixed(1, &systems, upstream.plain, &database);
    let many = Country::new(&scratch, "many", upstream.plain);
    for number in 1..100 {
        let id = format!("system-{number}");
        many.system(&id, &format!("{id}.systems.example"));
        systems.push(id);
    }
    many.mixed(100, &systems, upstream.plain, &database);

    let buses = [("1 registry, 1 grant", &few, few.run(plan)), ("100 registries, 10,000 grants", &many, many.run(plan))];
    let mut outcomes: [Vec<Outcome>; 2] = Default::default();
    for round in 1..=plan.rounds {
        for ((name, country, bus), runs) in buses.iter().zip(&mut outcomes) {
            let target = country.target(&scratch, "registry-0", "companies", country::tin);
            let outcome = caller::run(&target, CONNECTIONS, Pace::Saturating, plan.measured, || bus.server.usage());
            report.progress(name, round, &outcome, plan.measured);
            runs.push(outcome);
        }
    }
    report.table("Many registries and grants", &["", "answers/s", "processor time of the bus for one call"]);
    for ((name, ..), runs) in buses.iter().zip(&outcomes) {
        let of = |figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
        report.row(&[name, &format!("{:.0}", of(|run| run.per_second)), &format!("{:.1} µs", of(Outcome::subject_us))]);
    }
    let by_round = outcomes[1].iter().zip(&outcomes[0]);
    let throughput = median(by_round.clone().map(|(many, few)| many.per_second / few.per_second));
    let used = median(by_round.map(|(many, few)| many.subject_us() / few.subject_us()));
    report.figure("throughput, 100 registries and 10,000 grants to 1 and 1", &ratio(throughput), "about 1");
    report.figure("processor time for one call, the same", &ratio(used), "about 1");
}
