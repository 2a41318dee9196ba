//! How soon a bus is ready, and what it holds in memory when nothing is asked.

use std::time::Instant;

use crate::caller;
use crate::country::{self, Country};
use crate::report::{Report, median};
use crate::{Plan, sql, upstream};

/// Registries, systems that each has a grant for, and what is said of it.
const SIZES: [(usize, usize, &str); 4] = [(1, 1, ""), (5, 2, ""), (100, 1, "less than 1 s"), (100, 100, "")];

pub fn measure(plan: &Plan, report: &mut Report) {
    let scratch = country::scratch();
    let upstream = upstream::start(scratch.path());
    let database = sql::sqlite_file(scratch.path());
    report.table("From the start of the program", &["registries", "grants", "ready", "first read answered", "memory when idle"]);
    for (size, (registries, systems, wanted)) in SIZES.into_iter().enumerate() {
        let country = Country::new(&scratch, &format!("start-{size}"), upstream.plain);
        let mut ids = vec!["asan-portal".to_owned()];
        for number in 1..systems {
            let id = format!("system-{number}");
            country.system(&id, &format!("{id}.systems.example"));
            ids.push(id);
        }
        country.mixed(registries, &ids, upstream.plain, &database);
        let target = country.target(&scratch, "registry-0", "companies", country::tin);
        let (mut ready, mut answered, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..plan.rounds.max(3) {
            let began = Instant::now();
            let mut server = country.start(plan);
            server.wait_until(|| country.is_ready());
            ready.push(began.elapsed().as_secs_f64() * 1e3);
            server.wait_until(|| caller::is_answered(&target, round));
            answered.push(began.elapsed().as_secs_f64() * 1e3);
            // The registries are asked after at once; then the bus is at rest.
            std::thread::sleep(std::time::Duration::from_secs(1));
            memory.push(server.resident_mb());
        }
        let (ready, answered, memory) = (median(ready), median(answered), median(memory));
        let cells = [
            registries.to_string(),
            (registries * systems).to_string(),
            format!("{ready:.0} ms"),
            format!("{answered:.0} ms"),
            format!("{memory:.1} MB"),
        ];
        report.row(&cells.each_ref().map(String::as_str));
        let grants = registries * systems;
        report.figure(&format!("ready with {registries} registries and {grants} grants"), &format!("{ready:.0} ms"), wanted);
        report.figure(
            &format!("idle memory with {registries} registries and {grants} grants"),
            &format!("{memory:.1} MB"),
            if registries == 5 { "less than 60 MB" } else { "" },
        );
    }
}
