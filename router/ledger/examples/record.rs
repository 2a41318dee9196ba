//! Measures what the ledger costs above its log: the time that an exchange's entry takes its caller, before the log has it,
//! and the processor's time of the whole, with log and index.
//!
//! `cargo run --release -p rabita-ledger --example record DIRECTORY [EXCHANGES] [CALLERS]`: the directory is to be new;
//! 200,000 exchanges and 64 callers where nothing is said.
// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Instant;

use jiff::Timestamp;
use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::accesses::Page;
use rabita_ledger::entry::{About, Answered, Credential, CredentialKind, ExchangeFact, ToldBy};
use rabita_ledger::log::{Log, LogOptions};
use rabita_ledger::{Fact, Ledger, Options, Period};
use rabita_model::{AgencyId, ExchangeId, FieldName, Operation, Purpose, Subject, SystemId, Target};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let directory = PathBuf::from(words.next().ok_or("which directory?")?);
    let exchanges: u64 = words.next().map_or(Ok(200_000), |word| word.parse())?;
    let callers: u64 = words.next().map_or(Ok(64), |word| word.parse())?;
    let key = Arc::new(SigningKey::generate("speed", Algorithm::Ed25519)?.0);
    let fact = fact()?;
    let begun = Timestamp::now();
    let next = move |number: u64| {
        let mut fact = fact.clone();
        fact.at = begun + jiff::SignedDuration::from_micros(i64::try_from(number).unwrap_or(0) * 100);
        fact.exchange = ExchangeId::new(Uuid::now_v7());
        fact.subjects = vec![Subject::new(&format!("P{:06}", number % 100_000))];
        Fact::Exchange(Box::new(fact))
    };

    let options = Options {
        directory: directory.join("ledger"),
        origin: "speed.example/log".to_owned(),
        key: Arc::clone(&key),
        period: Period::Month,
        keep_months: BTreeMap::new(),
        rule_stands: std::time::Duration::ZERO,
        clock: Arc::new(Timestamp::now),
    };
    let ledger = Arc::new(Ledger::open(options.clone())?);
    let receipt = ledger.record(next(0)).await?;
    let entry = ledger.log().entry(receipt.index)?.ok_or("no entry")?;
    println!("an entry has {} bytes: {}", entry.len(), String::from_utf8_lossy(&entry));

    let log = LogOptions { directory: directory.join("log"), origin: "speed.example/log".to_owned(), key };
    let log = Log::open(log)?;
    let appended = first(&|_| log.append(entry.to_vec())).await?;
    let recorded =
        first(&|number| ledger.record(next(number))).await? - first(&|number| std::future::ready(next(number))).await?;
    println!("before the log has it, an entry takes its caller {recorded:.1} us, of which the log {appended:.1}");
    log.close().await;
    let made = next.clone();
    let making = measured(exchanges, callers, move |number| {
        std::hint::black_box(made(number));
        std::future::ready(Ok(()))
    })
    .await?;
    let recording = Arc::clone(&ledger);
    let above = measured(exchanges, callers, move |number| {
        let (ledger, fact) = (Arc::clone(&recording), next(number));
        async move { Ok(ledger.record(fact).await.map(|_| ())?) }
    })
    .await?;
    let began = Instant::now();
    let page = Page { from: None, to: None, limit: 10, offset: 0, cursor: None };
    let behind = ledger.behind();
    while ledger.accesses(&Subject::new("P000007"), &page).await?.behind > 0 {}
    println!("the index was {behind} entries behind, and caught up in {} ms", began.elapsed().as_millis());
    ledger.close().await;

    std::fs::remove_file(options.directory.join("index.sqlite"))?;
    let began = (Instant::now(), processor()?);
    let ledger = Ledger::open(options)?;
    while ledger.behind() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let index = (processor()? - began.1) / exchanges as f64;
    println!("an index of {exchanges} entries is built anew in {} ms", began.0.elapsed().as_millis());
    let began = Instant::now();
    let found = ledger.accesses(&Subject::new("P000007"), &page).await?;
    println!(
        "{} of {} accesses of one person with proofs: {} us",
        found.accesses.len(),
        found.total,
        began.elapsed().as_micros()
    );
    ledger.close().await;
    println!("processor's time of one exchange with log and index: {:.1} us, of which the index {index:.1}", above - making);
    Ok(())
}

/// Does so many by so many callers. Answers the processor's time of one in microseconds.
async fn measured<F>(count: u64, callers: u64, work: impl Fn(u64) -> F + Clone + Send + 'static) -> Result<f64, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    let (began, next) = (processor()?, Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (next, work) = (Arc::clone(&next), work.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<(), Failure>(());
                }
                work(number).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = count as f64;
    Ok((processor()? - began) / count)
}

/// How long work takes until it first waits, many at a time as in a busy node: the median, in microseconds.
async fn first<F: Future>(work: &impl Fn(u64) -> F) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for round in 0..40 {
        let mut waiting = Vec::new();
        for number in 0..250 {
            let began = Instant::now();
            let mut work = Box::pin(work(round * 250 + number));
            let is_over = work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            times.push(began.elapsed());
            waiting.extend((!is_over).then_some(work));
        }
        for work in waiting {
            work.await;
        }
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).ok_or("no times")?.as_secs_f64() * 1e6)
}

/// The processor's time of this process so far, in microseconds.
fn processor() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("no name")?;
    let field = |at: usize| -> Result<f64, Failure> { Ok(rest.split_whitespace().nth(at).ok_or("no such field")?.parse()?) };
    // In hundredths of a second.
    Ok((field(11)? + field(12)?) * 10_000.0)
}

fn fact() -> Result<ExchangeFact, Failure> {
    let target = Target {
        registry: "population".to_owned().try_into()?,
        version: "v1".to_owned().try_into()?,
        entity: "persons".to_owned().try_into()?,
    };
    let fields = ["pin", "name.family", "name.given", "birth_date", "sex"];
    Ok(ExchangeFact {
        at: Timestamp::now(),
        exchange: ExchangeId::new(Uuid::now_v7()),
        caller: Some((SystemId::new("portal")?, AgencyId::new("asan")?)),
        credential: Some(Credential { by: CredentialKind::Certificate, sha256: "ab".repeat(32), issuer: None }),
        user: Some("official-17".to_owned()),
        user_by: Some(ToldBy::Assertion),
        purpose: Some(Purpose::new("birth-registration")?),
        basis: None,
        case: Some("A-2026-000017".to_owned()),
        consent: None,
        about: Some(About { target, owner: AgencyId::new("interior")?, operation: Operation::Read, action: None }),
        service: None,
        subjects: Vec::new(),
        fields: fields.into_iter().map(FieldName::new).collect::<Result<_, _>>()?,
        records: 1,
        update: None,
        request: b"GET /api/population/v1/persons/5ZJBKH7\nrabita-purpose: birth-registration\n\n".to_vec(),
        answer: Answered::Digest([7; 32]),
        status: 200,
        code: None,
        signature: None,
    })
}
