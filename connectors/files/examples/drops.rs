//! Measures the kind on a large drop: `cargo run --release -p rabita-files --example drops -- [RECORDS] [DIRECTORY]`.
//!
//! Makes a drop, has it indexed, reads from it by key and by a search, and swaps the next drop in under readers. Prints
//! figures; it asserts that no read failed, and no time.
#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation, RegistryId};
use rabita_sdk::{
    Call, Condition, Connector, EntitySpec, FeedSpec, FilterSpec, Read, RegistrySpec, Search, SecretRef, SecretText, Secrets,
    Source, Wanted,
};
use serde_json::json;

const COLUMNS: [&str; 7] = ["PIN", "FAMILY", "GIVEN", "BORN", "CITY", "POINTS", "REV"];
const READS: u64 = 200_000;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let records: u64 = arguments.next().map_or(5_000_000, |text| text.parse().expect("a number of records"));
    let directory = arguments.next().map_or_else(|| std::env::temp_dir().join("rabita-drops"), PathBuf::from);
    let drops = directory.join("drops");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&drops).expect("a directory");

    let size = write(&drops, "people-1.csv", records, 0);
    println!("a drop of {records} records, {} MB", size / 1_000_000);
    let before = memory();
    let began = Instant::now();
    let connector = rabita_files::kind().open(spec(&directory), &NoSecrets).await.expect("the connector opens");
    ready(&*connector).await;
    let seconds = began.elapsed().as_secs_f64();
    println!("indexed in {seconds:.1} s ({:.0} records/s)", records as f64 / seconds);
    println!("memory: {before} MB before, {} MB at most; index {} MB", memory(), indexes(&directory) / 1_000_000);

    let (times, _) = read(&connector, records, READS, 1).await;
    tell("lookup by key, one caller", times);
    let mut all = Vec::new();
    for times in futures_util::future::join_all((0..4).map(|seed| read(&connector, records, READS / 4, seed + 2))).await {
        all.extend(times.0);
    }
    tell("lookup by key, four callers", all);
    tell("search by family, pages of 50", search(&connector).await);
    swap(&connector, &drops, records).await;
    println!("memory: {} MB at most in all", memory());

    // The index is one connector's at a time: what the first has under way ends before the second begins.
    connector.close().await;
    drop(connector);
    let began = Instant::now();
    let again = rabita_files::kind().open(spec(&directory), &NoSecrets).await.expect("the connector opens");
    ready(&*again).await;
    println!("a restart answers after {:.0} ms", began.elapsed().as_secs_f64() * 1000.0);
    again.close().await;
    if let Err(error) = std::fs::remove_dir_all(&directory) {
        println!("{} is left: {error}", directory.display());
    }
}

/// Reads while the next drop comes in.
async fn swap(connector: &Arc<dyn Connector>, drops: &Path, records: u64) {
    let is_over = Arc::new(AtomicBool::new(false));
    let read_so_far = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..4_u64)
        .map(|seed| {
            let (connector, is_over, count) = (Arc::clone(connector), Arc::clone(&is_over), Arc::clone(&read_so_far));
            tokio::spawn(async move {
                let (mut times, mut failed, mut round) = (Vec::new(), 0, 0);
                while !is_over.load(Ordering::Relaxed) {
                    let (some, wrong) = read(&connector, records, 200, seed + 100 + round).await;
                    count.fetch_add(some.len() as u64, Ordering::Relaxed);
                    times.extend(some);
                    failed += wrong;
                    round += 10;
                }
                (times, failed)
            })
        })
        .collect();
    write(drops, "people-2.csv", records, records / 100);
    let began = Instant::now();
    let first = read_revision(&**connector, 0).await;
    while read_revision(&**connector, 0).await == first {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    is_over.store(true, Ordering::Relaxed);
    let (mut times, mut failed) = (Vec::new(), 0);
    for reader in readers {
        let (some, wrong) = reader.await.expect("a reader");
        times.extend(some);
        failed += wrong;
    }
    println!("the next drop was in force {seconds:.1} s after it came; {} reads meanwhile, {failed} failed", times.len());
    assert_eq!(failed, 0, "a read failed");
    tell("lookup by key, four callers, while the next drop is indexed and swapped in", times);
}

/// Times of reads by keys that are there, and how many failed.
async fn read(connector: &Arc<dyn Connector>, records: u64, count: u64, seed: u64) -> (Vec<Duration>, u64) {
    let mut times = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    let mut failed = 0;
    for number in 0..count {
        let key = pin(mixed(number.wrapping_add(seed << 32)) % records);
        let ask = Read { entity: 0, key: vec![key.as_str().into()], wanted: wanted() };
        let began = Instant::now();
        let row = connector.read(ask, &call()).await;
        times.push(began.elapsed());
        failed += u64::from(!matches!(row, Ok(Some(_))));
    }
    (times, failed)
}

async fn read_revision(connector: &dyn Connector, number: u64) -> Option<rabita_sdk::Legacy> {
    let ask = Read { entity: 0, key: vec![pin(number).as_str().into()], wanted: wanted() };
    connector.read(ask, &call()).await.ok().flatten().and_then(|row| row.get("REV").cloned())
}

async fn search(connector: &Arc<dyn Connector>) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..2000 {
        let value = family(mixed(number));
        let condition = Condition {
            source: Source::new("FAMILY"),
            comparison: Comparison::Equals,
            value: value.as_str().into(),
            ignore: vec![],
        };
        let ask = Search { entity: 0, conditions: vec![condition], wanted: wanted(), limit: 50, cursor: None };
        let began = Instant::now();
        let page = connector.search(ask, &call()).await.expect("a page");
        times.push(began.elapsed());
        assert!(!page.rows.is_empty(), "somebody has this name");
    }
    times
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000_000.0;
    println!(
        "{what}: p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, longest {:.0} us ({} calls)",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        times.len()
    );
}

async fn ready(connector: &dyn Connector) {
    while connector.probe(&call()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A drop; the first `changed` records have another revision than in the one before.
fn write(drops: &Path, name: &str, records: u64, changed: u64) -> u64 {
    let new = drops.join(".new");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&new).expect("a file"));
    writeln!(file, "{}", COLUMNS.join(";")).expect("a line");
    for number in 0..records {
        // No order, as files of real registries have none.
        let person = mixed_within(number, records);
        let (family, city, points) = (family(person), person % 977, person % 10_000);
        let revision = 1 + u64::from(person < changed);
        let (year, month, day) = (1930 + person % 90, 1 + person % 12, 1 + person % 28);
        writeln!(
            file,
            "{};{family};Given{};{year}-{month:02}-{day:02};City{city};{points};{revision}",
            pin(person),
            person % 5003
        )
        .expect("a line");
    }
    file.flush().expect("a file");
    let size = file.get_ref().metadata().expect("a file").len();
    std::fs::rename(new, drops.join(name)).expect("a file");
    size
}

fn pin(person: u64) -> String {
    format!("{:07}A", person)
}

fn family(person: u64) -> String {
    format!("Family{}", person % 50_021)
}

/// Each number below `records` once, in no order: a step that has no factor in common with them.
fn mixed_within(number: u64, records: u64) -> u64 {
    const STEP: u64 = 2_654_435_761;
    number.wrapping_mul(STEP) % records
}

fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn wanted() -> Wanted {
    Wanted { sources: COLUMNS.iter().map(|name| Source::new(name)).collect(), groups: Vec::new() }
}

fn call() -> Call {
    let deadline = Instant::now() + Duration::from_secs(60);
    Call { exchange: ExchangeId::new(uuid::Uuid::now_v7()), deadline, traceparent: None }
}

fn spec(directory: &Path) -> RegistrySpec {
    let settings = json!({
        "source": { "directory": "drops" },
        "index": "index",
        "arrival": { "poll_ms": 50, "settle_ms": 0 },
    });
    let from = json!({ "file": "people-*.csv", "format": { "delimited": { "delimiter": ";" } } });
    let filter = FilterSpec {
        source: Source::new("FAMILY"),
        comparisons: BTreeSet::from([Comparison::Equals]),
        ignore: Vec::new(),
        pointer: String::new(),
    };
    let entity = EntitySpec {
        name: "v1/people".to_owned(),
        pointer: String::new(),
        from,
        key: vec![Source::new("PIN")],
        wanted: wanted(),
        places: Vec::new(),
        binary: Vec::new(),
        filters: vec![filter],
        operations: BTreeSet::from([Operation::Read, Operation::Search, Operation::Subscribe]),
        written: Vec::new(),
        version: None,
        actions: Vec::new(),
        changes: Some(FeedSpec { pointer: String::new(), from: json!({ "difference": "drops" }) }),
    };
    RegistrySpec {
        registry: RegistryId::new("people").expect("an id"),
        settings,
        entities: vec![entity],
        tables: Vec::new(),
        timeout: Duration::from_secs(60),
        concurrency: 16,
        directory: directory.to_owned(),
    }
}

/// The most memory that this process has had, in megabytes.
fn memory() -> u64 {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024
}

fn indexes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory.join("index")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|told| told.len()).sum()
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Err("there are no secrets".to_owned())
    }
}
