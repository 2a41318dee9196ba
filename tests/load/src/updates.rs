//! Updates made durable: by the embedded journal and through the bus, against a file that is only appended to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rabita_journal::{Accepted, Embedded, Journal, embedded};
use rabita_model::{
    Change, ExchangeId, Operation, Payload, Update, UpdateId,
    ask::{Key, Target as Entity},
};
use serde_json::{Map, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::Plan;
use crate::bank::Bank;
use crate::caller::{self, Ask, CONNECTIONS, Outcome, Pace, REMARK, Target};
use crate::country::{self, Country, pin};
use crate::durable::{self, Raw, WRITERS};
use crate::report::{Report, median, ms, ratio};

pub fn measure(plan: &Plan, report: &mut Report) {
    let (scratch, runtime) = (country::scratch(), Runtime::new().expect("a runtime"));
    report.table("Updates made durable", &["", "updates/s", "p50", "p99", "to the raw file, by round"]);
    for writers in WRITERS {
        let (mut raw, mut engine) = (Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let name = format!("{writers}-{round}");
            let file = Raw::create(&scratch.path().join(format!("raw-{name}")));
            let outcome = durable::run(&runtime, writers, plan.measured, move |writer, count| {
                let file = file.clone();
                async move { file.append(serde_json::to_vec(&update(writer, count)).expect("an update is JSON")).await }
            });
            report.progress("raw file", round, &outcome, plan.measured);
            raw.push(outcome);
            let journal = scratch.path().join(format!("journal-{name}"));
            let journal = Embedded::open(embedded::Options::new(journal, Arc::new(Timestamp::now)));
            let outcome = accept(&runtime, Arc::new(journal.expect("a journal can be made")), writers, plan);
            report.progress("embedded journal", round, &outcome, plan.measured);
            engine.push(outcome);
        }
        rows(report, &format!("raw file, {writers} writers"), &raw, &raw);
        rows(report, &format!("embedded journal, {writers} writers"), &engine, &raw);
        figure(report, &format!("embedded journal to the raw file, {writers} writers"), &engine, &raw);
        if writers == CONNECTIONS {
            let through = through(plan, report);
            rows(report, &format!("through the bus, {writers} connections"), &through, &raw);
            figure(report, &format!("through the bus to the raw file, {writers} writers"), &through, &raw);
        }
    }
}

/// Lets an engine take updates on.
pub fn accept(runtime: &Runtime, journal: Arc<dyn Journal>, writers: usize, plan: &Plan) -> Outcome {
    durable::run(runtime, writers, plan.measured, move |writer, count| {
        let journal = Arc::clone(&journal);
        async move {
            let accepted = journal.accept(update(writer, count)).await.expect("the journal takes it");
            assert_eq!(accepted, Accepted::New, "a new idempotency key");
        }
    })
}

/// The bus takes updates on while their registry is down, so that nothing is delivered meanwhile.
fn through(plan: &Plan, report: &Report) -> Vec<Outcome> {
    let scratch = country::scratch();
    let bank = Bank::start();
    bank.postgres.kill();
    let country = Country::new(&scratch, "updates", rabita_tests::port::free());
    country.bank(&bank.url);
    let bus = country.run(plan);
    let target = Target { ask: Ask::Change { waits: false }, ..country.target(&scratch, "bank", "accounts", pin) };
    let runs = (1..=plan.rounds).map(|round| {
        let outcome = caller::run(&target, CONNECTIONS, Pace::Saturating, plan.measured, || bus.server.usage());
        report.progress("through the bus", round, &outcome, plan.measured);
        outcome
    });
    runs.collect()
}

/// An update of some 900 bytes as JSON, as the core hands it to the journal.
pub fn update(writer: usize, count: usize) -> Update {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let fields = json!({ "note": number.to_string(), "remark": REMARK });
    let patch: Map<_, _> = fields.as_object().cloned().unwrap_or_default();
    Update {
        id: UpdateId::new(Uuid::now_v7()),
        target: Entity {
            registry: "bank".to_owned().try_into().expect("a name"),
            version: "v1".to_owned().try_into().expect("a version"),
            entity: "accounts".to_owned().try_into().expect("a name"),
        },
        operation: Operation::Update,
        action: None,
        record: format!("{writer:032x}{:032x}", count % 10_000),
        system: "portal".to_owned().try_into().expect("a name"),
        idempotency_key: number.to_string(),
        digest: format!("{number:064x}"),
        exchange: ExchangeId::new(Uuid::now_v7()),
        purpose: None,
        user: None,
        case: None,
        traceparent: None,
        accepted_at: Timestamp::now(),
        apply_until: None,
        payload: Some(Payload {
            change: Change::Update { key: Key(vec![json!(pin(writer, count))]), patch },
            expected_version: None,
            is_whole: true,
        }),
    }
}

pub fn rows(report: &mut Report, name: &str, runs: &[Outcome], raw: &[Outcome]) {
    let of = |figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
    let by_round: Vec<String> = ratios(runs, raw).iter().map(|one| ratio(*one)).collect();
    let cells = [
        format!("{:.0}", of(|run| run.per_second)),
        ms(of(|run| run.quantile_ms(0.5))),
        ms(of(|run| run.quantile_ms(0.99))),
        by_round.join(" "),
    ];
    report.row(&[name, &cells[0], &cells[1], &cells[2], &cells[3]]);
}

pub fn figure(report: &mut Report, name: &str, runs: &[Outcome], raw: &[Outcome]) {
    report.figure(name, &ratio(median(ratios(runs, raw))), "");
}

fn ratios(runs: &[Outcome], raw: &[Outcome]) -> Vec<f64> {
    runs.iter().zip(raw).map(|(run, raw)| run.per_second / raw.per_second).collect()
}
