//! The same read without a proxy, through nginx and through the bus: at saturation, and at half of the bus's load.

use std::time::Duration;

use rabita_tests::port;

use crate::Plan;
use crate::caller::{self, CONNECTIONS, Outcome, Pace, Target};
use crate::country::{self, COMPANIES, COMPANY_FIELDS, Country};
use crate::report::{Report, median, ms, ratio};
use crate::server::{Server, Usage};
use crate::{nginx, upstream};

/// One way to the record.
struct Subject<'a> {
    name: &'static str,
    target: Target,
    server: Option<&'a Server>,
}

impl Subject<'_> {
    fn run(&self, pace: Pace, measured: Duration) -> Outcome {
        caller::run(&self.target, CONNECTIONS, pace, measured, || match self.server {
            Some(server) => server.usage(),
            None => Usage::default(),
        })
    }
}

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let upstream = upstream::start(scratch.path());
    let (nginx, nginx_port) = nginx::start(scratch.path(), upstream.plain);
    let country = Country::new(&scratch, "gateway", upstream.plain);
    let connector = format!("{{ kind: rest, url: \"http://127.0.0.1:{}\", probe: {{ path: /health }} }}", upstream.plain);
    country.registry("companies", &connector, COMPANIES);
    country.grant("companies", "companies", COMPANY_FIELDS, &["asan-portal".to_owned()]);
    let bus = country.run(plan);
    let idle = bus.server.resident_mb();

    let direct = |port| Target {
        address: port::loopback(port),
        path: "/api/v2/taxpayers/".to_owned(),
        ..country.target(&scratch, "companies", "companies", country::tin)
    };
    let subjects = [
        Subject { name: "a direct", target: direct(upstream.tls), server: None },
        Subject { name: "b nginx", target: direct(nginx_port), server: Some(&nginx) },
        Subject {
            name: "c rabita",
            target: country.target(&scratch, "companies", "companies", country::tin),
            server: Some(&bus.server),
        },
    ];

    let saturated = by_turns(plan, &subjects, Pace::Saturating, report);
    let of = |at: usize, figure: fn(&Outcome) -> f64| median(saturated[at].iter().map(figure));
    let rate = of(2, |run| run.per_second) / 2.0;
    table(report, "At saturation, 64 connections", &subjects, &saturated);
    let per_round = |at: usize| -> Vec<f64> {
        saturated[2].iter().zip(&saturated[at]).map(|(c, other)| c.per_second / other.per_second).collect()
    };
    let by_round: Vec<String> = per_round(1).iter().map(|one| ratio(*one)).collect();
    report.figure(&format!("throughput c/b (by round: {})", by_round.join(" ")), &ratio(median(per_round(1))), "at least 0.5");
    report.figure("throughput c/a", &ratio(median(per_round(0))), "");
    report.figure(
        "processor time of the proxy for one call, c/b",
        &ratio(of(2, Outcome::subject_us) / of(1, Outcome::subject_us)),
        "",
    );

    let half = by_turns(plan, &subjects, Pace::PerSecond(rate), report);
    table(report, &format!("At half of c's load, {rate:.0}/s"), &subjects, &half);
    let of = |at: usize, share: f64| median(half[at].iter().map(|run| run.quantile_ms(share)));
    for (at, name) in [(1, "over nginx (c - b)"), (0, "over no proxy (c - a)")] {
        report.figure(&format!("p50 added {name}"), &ms(of(2, 0.5) - of(at, 0.5)), if at == 0 { "less than 0.5 ms" } else { "" });
        report.figure(&format!("p99 added {name}"), &ms(of(2, 0.99) - of(at, 0.99)), "");
    }
    report.figure("memory of the bus, one registry: idle", &format!("{idle:.1} MB"), "less than 60 MB");
    report.figure("memory of the bus, one registry: after the load", &format!("{:.1} MB", bus.server.resident_mb()), "");
}

/// Runs the subjects A B C A B C; the outcomes of each.
fn by_turns(plan: &Plan, subjects: &[Subject<'_>], pace: Pace, report: &mut Report) -> Vec<Vec<Outcome>> {
    let mut outcomes = vec![Vec::new(); subjects.len()];
    for round in 1..=plan.rounds {
        for (subject, runs) in subjects.iter().zip(&mut outcomes) {
            let outcome = subject.run(pace, plan.measured);
            report.progress(subject.name, round, &outcome, plan.measured);
            runs.push(outcome);
        }
    }
    outcomes
}

fn table(report: &mut Report, title: &str, subjects: &[Subject<'_>], outcomes: &[Vec<Outcome>]) {
    report.table(title, &["", "answers/s", "p50", "p99", "processor time of the proxy for one call"]);
    for (subject, runs) in subjects.iter().zip(outcomes) {
        let of = |figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
        let used = subject.server.map_or_else(String::new, |_| format!("{:.1} µs", of(Outcome::subject_us)));
        let cells = [
            subject.name.to_owned(),
            format!("{:.0}", of(|run| run.per_second)),
            ms(of(|run| run.quantile_ms(0.5))),
            ms(of(|run| run.quantile_ms(0.99))),
            used,
        ];
        report.row(&cells.each_ref().map(String::as_str));
    }
}
