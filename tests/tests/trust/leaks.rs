//! Whatever the grants, and whatever the records: no value leaves by any way but the one answer that may hold it.
//!
//! Each case is a country of its own: made-up grants in any number of files, and records, some of them broken, in which every
//! value is a mark that stands nowhere else.
//! Two systems ask for everything in every way. Each thing that then can be read anywhere - answers with their headers,
//! events, webhooks, catalogues, the ledger, who used what, counts, logs, metrics, traces - is searched for every mark, and
//! a mark is allowed where a grant and the request say so, which `leaks/world.rs` finds out by itself.

#[path = "leaks/world.rs"]
mod world;

use std::io::Write as _;

use rabita_tests::bus::{Answer, Authority, Caller, Collector, Program, Speaks};
use rabita_tests::faults::Dice;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::LONG;
use world::{FIELDS, PURPOSES, Reach, World};

const CASES: usize = 12;
const PERSONS: &str = "/api/vault/v1/persons";

/// Tells how to see a failure again, when there is one.
struct Seed(u64, usize);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "RABITA_TESTS_SEED={} leads to this again, in case {}", self.0, self.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_leaves_by_any_way_but_the_one_answer_that_may_hold_it() {
    let seed = std::env::var("RABITA_TESTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::try_from(jiff::Timestamp::now().as_microsecond()).expect("a time after 1970"));
    let mut seen = Reach::default();
    for case in 0..CASES {
        let told = Seed(seed, case);
        let mut dice = Dice::new(seed).apart(case);
        seen.add(&run(&mut dice).await);
        drop(told);
    }
    // Where nothing could be seen, nothing was tried.
    let _told = Seed(seed, CASES);
    assert!(seen.answers > 100 && seen.streams > 0 && seen.webhooks > 0 && seen.binaries > 0, "{seen:?}");
}

/// One case.
async fn run(dice: &mut Dice) -> Reach {
    let (traces, portals, mobiles) = (Collector::start().await, Collector::start().await, Collector::start().await);
    let mut world = World::make(dice, &traces.endpoint());
    let program = Program::serve(env!("CARGO_BIN_EXE_rabita-under-test"), world.country.path());
    let addresses = program.addresses().await;
    let (required, admin) = (addresses[0], *addresses.last().expect("the admin listener"));
    let caller = |identity| Caller::new(required, Some(identity), Speaks::Either);
    let authority = Authority::get();
    let systems = [("portal", caller(&authority.portal), portals), ("mobile", caller(&authority.mobile), mobiles)];
    let mut reach = Reach::default();

    let mut streams = Vec::new();
    for (system, caller, hooks) in &systems {
        for purpose in PURPOSES {
            streams.extend(subscribed(caller, system, purpose).await);
        }
        let hook = with_purpose(caller.request(Method::POST, "/bus/subscriptions"), PURPOSES[1]);
        world.silent("a subscription", &caller.sent(hook.json(&json!({ "url": hooks.endpoint() }))).await);
    }
    for (system, caller, _) in &systems {
        for purpose in PURPOSES {
            reads(&world, dice, system, caller, purpose, &mut reach).await;
            changes(&mut world, dice, system, caller, purpose).await;
            tags(&mut world, system, caller, purpose).await;
        }
        about(&world, system, caller).await;
    }
    books(&world, &caller(&authority.auditor)).await;
    let metrics = reqwest::Client::builder().no_proxy().build().expect("a client");
    for path in ["/metrics", "/readyz", "/updates?limit=100", "/grants/who?field=vault/v1/persons"] {
        let told = metrics.get(format!("http://{admin}{path}")).send().await.expect("an answer").text().await.expect("text");
        world.holds_none(path, told.as_bytes());
    }
    program.terminate().await;
    for (system, purpose, mut stream) in streams {
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = tokio::time::timeout(LONG, stream.chunk()).await.expect("the stream ends with the node") {
            text.extend_from_slice(&chunk);
        }
        reach.streams += world.holds_what_is_allowed("a stream", &text, system, "subscribe", purpose, None);
    }
    for (system, _, hooks) in &systems {
        for mark in world.marks() {
            if hooks.has(mark.text.as_bytes()) {
                assert!(
                    world.allows(system, "subscribe", PURPOSES[1], mark, None),
                    "a webhook tells {system} of {mark:?}\n{}",
                    world.grants
                );
                reach.webhooks += 1;
            }
        }
    }
    for mark in world.marks() {
        assert!(!traces.has(mark.text.as_bytes()), "{mark:?} is in a trace");
    }
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    world.holds_none("the log", said.as_bytes());
    reach
}

fn with_purpose(request: reqwest::RequestBuilder, purpose: Option<&str>) -> reqwest::RequestBuilder {
    let request = request.header("Rabita-User", "official-7").header("Rabita-Case", "2026/1742");
    purpose.into_iter().fold(request, |request, purpose| request.header("Rabita-Purpose", purpose))
}

async fn subscribed<'a>(
    caller: &Caller,
    system: &'a str,
    purpose: Option<&'static str>,
) -> Option<(&'a str, Option<&'static str>, reqwest::Response)> {
    let stream = with_purpose(caller.request(Method::GET, "/bus/events"), purpose).send().await.expect("an answer");
    (stream.status() == 200).then_some((system, purpose, stream))
}

/// Reads in every way, each with some of the fields or with all.
async fn reads(world: &World, dice: &mut Dice, system: &str, caller: &Caller, purpose: Option<&'static str>, reach: &mut Reach) {
    let fields = |dice: &mut Dice| -> Option<Vec<&'static str>> {
        dice.percent(60).then(|| FIELDS.into_iter().filter(|field| *field != "photo" && dice.percent(50)).collect())
    };
    let pins = world.pins();
    let family = world.family(dice.below(pins.len()));
    let mut bodies: Vec<(&str, Value)> = pins.iter().map(|pin| ("read", json!({ "key": pin }))).collect();
    bodies.push(("read", json!({ "keys": pins })));
    bodies.push(("search", json!({ "where": { "district": "baku" } })));
    bodies.push(("search", json!({ "where": { "name.family": family } })));
    for (operation, mut body) in bodies {
        let wanted = fields(dice).filter(|fields| !fields.is_empty());
        if let Some(wanted) = &wanted {
            body["fields"] = json!(wanted);
        }
        let request = with_purpose(caller.request(Method::POST, &format!("{PERSONS}/query")), purpose);
        let answer = caller.sent(request.json(&body)).await;
        reach.answers += world.answered(operation, &answer, system, purpose, wanted.as_deref());
    }
    for pin in &pins {
        let wanted = fields(dice).filter(|fields| !fields.is_empty());
        let query = wanted.as_ref().map(|wanted| format!("?fields={}", wanted.join(","))).unwrap_or_default();
        let answer = caller.sent(with_purpose(caller.request(Method::GET, &format!("{PERSONS}/{pin}{query}")), purpose)).await;
        reach.answers += world.answered("read", &answer, system, purpose, wanted.as_deref());
        let photo = caller.sent(with_purpose(caller.request(Method::GET, &format!("{PERSONS}/{pin}/photo")), purpose)).await;
        reach.binaries += world.answered("read", &photo, system, purpose, Some(&["photo"]));
    }
    let answer =
        caller.sent(with_purpose(caller.request(Method::GET, &format!("{PERSONS}?district=ganja&limit=1")), purpose)).await;
    reach.answers += world.answered("search", &answer, system, purpose, None);
}

/// Changes each record, and looks at what became of it.
async fn changes(world: &mut World, dice: &mut Dice, system: &str, caller: &Caller, purpose: Option<&'static str>) {
    for number in 0..world.pins().len() {
        let mark = world.new_mark(dice, number, "address");
        let path = format!("{PERSONS}/{}", world.pins()[number]);
        let key = format!("change-{}", world.marks().len());
        let request = with_purpose(caller.request(Method::PATCH, &path), purpose).header("Idempotency-Key", key);
        let answer = caller.sent(request.json(&json!({ "address": mark }))).await;
        world.answered("update", &answer, system, purpose, None);
        let update = answer.header("rabita-update").to_owned();
        if !update.is_empty() {
            let told = caller.get(&format!("/bus/updates/{update}")).await;
            world.holds_what_is_allowed("an update", &told.body, system, "update", purpose, None);
        }
    }
    world.silent("the list of updates", &caller.get("/bus/updates").await);
}

/// An answer and its tag are the same, whatever changes of what they must not show.
async fn tags(world: &mut World, system: &str, caller: &Caller, purpose: Option<&'static str>) {
    let path = format!("{PERSONS}/{}", world.pins()[0]);
    let read = async || caller.sent(with_purpose(caller.request(Method::GET, &path), purpose)).await;
    for field in ["address", "name.given"] {
        let before = read().await;
        let shown = world.shown(system, "read", purpose, 0, field);
        world.change_past_the_bus(0, field).await;
        let after = read().await;
        assert_eq!(before.status, after.status, "{}", world.grants);
        if before.status == 200 {
            let same = (before.header("etag"), &before.body) == (after.header("etag"), &after.body);
            assert_eq!(same, !shown, "{system} for {purpose:?}: {field} changed\n{}", world.grants);
        }
    }
}

/// What a system is told of what it may call: nothing of what it may not, and no record.
async fn about(world: &World, system: &str, caller: &Caller) {
    for path in [
        "/bus/catalogue",
        "/bus/openapi.json",
        "/bus/asyncapi.json",
        "/bus/schemas",
        "/bus/schemas/vault/v1/persons",
        "/bus/statistics",
    ] {
        let answer: Answer = caller.get(path).await;
        world.silent(path, &answer);
        for field in FIELDS {
            let title = world::title(field);
            assert!(
                world.is_granted(system, field) || !answer.text().contains(&title),
                "{path} tells {system} of {field}\n{}",
                world.grants
            );
        }
    }
}

/// What the ledger holds, and what is told of it.
async fn books(world: &World, auditor: &Caller) {
    let size = async || -> u64 {
        let note = auditor.get("/bus/ledger/checkpoint").await.good().text();
        note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size")
    };
    let entries = size().await;
    assert!(entries > 50, "{entries} entries");
    // By bundles of 256, as a witness reads them, and the last one as far as it goes.
    for bundle in 0..entries.div_ceil(256) {
        let width = (entries - bundle * 256).min(256);
        let part = if width == 256 { String::new() } else { format!(".p/{width}") };
        let answer = auditor.get(&format!("/bus/ledger/tile/entries/{bundle:03}{part}")).await.good();
        world.silent("entries", &answer);
    }
    for pin in world.pins() {
        let request = auditor.request(Method::POST, "/bus/subjects/accesses").header("Rabita-Purpose", "audit");
        world.silent("who used a person's data", &auditor.sent(request.json(&json!({ "subject": pin }))).await.good());
    }
    world.silent("who used an agency's registries", &auditor.get("/bus/agencies/interior/accesses").await.good());
    world.silent("counts", &auditor.get("/bus/statistics").await.good());
}
