//! The handlers over a journal that answers as it is told.

use std::sync::Mutex;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use rabita_journal::{Accepted, Claim, Depth, EventPage, Kept, Lease, Page, Position};
use rabita_model::{
    Change, Code, Conclusion, EntityName, Event, ExchangeId, Operation, Outcome, Payload, Progress, RegistryId, SystemId, Target,
    Trouble, Update, Version,
};
use tokio::sync::watch;

use super::*;

/// Holds entries in the order of acceptance; an act is written down, and all that is parked answers [`Acted::Done`].
#[derive(Default)]
struct Held {
    entries: Vec<Entry>,
    acts: Mutex<Vec<OperatorAct>>,
    is_down: bool,
}

const IS_OF_OTHERS: &str = "operators have no use for this";

#[async_trait]
impl Journal for Held {
    async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError> {
        Ok(self.entries.iter().find(|entry| entry.update.id == id).cloned())
    }

    async fn entries(&self, filter: &Filter) -> Result<Page, JournalError> {
        if self.is_down {
            return Err(JournalError::Unavailable("no broker answers".into()));
        }
        let code = |entry: &Entry| entry.progress.trouble.as_ref().map(|trouble| trouble.code);
        let is_wanted = |entry: &&Entry| {
            filter.state.is_none_or(|state| state == entry.state())
                && filter.code.is_none_or(|wanted| Some(wanted) == code(entry))
                && filter.registry.as_ref().is_none_or(|registry| *registry == entry.update.target.registry)
                && filter.record.as_ref().is_none_or(|record| *record == entry.update.record)
                && filter.before.is_none_or(|before| entry.update.accepted_at < before)
        };
        let updates = self.entries.iter().filter(is_wanted).take(filter.limit).cloned().collect();
        Ok(Page { updates, next: filter.cursor.as_ref().map(|cursor| format!("after {cursor}")) })
    }

    async fn act(&self, act: OperatorAct) -> Result<Vec<(UpdateId, Acted)>, JournalError> {
        let done = act.ids.iter().map(|id| (*id, Acted::Done)).collect();
        self.acts.lock().expect("no test panics while it holds this").push(act);
        Ok(done)
    }

    async fn acts(&self, limit: usize) -> Result<Vec<OperatorAct>, JournalError> {
        Ok(self.acts.lock().expect("no test panics while it holds this").iter().rev().take(limit).cloned().collect())
    }

    fn health(&self) -> Result<(), String> {
        if self.is_down { Err("no broker answers".into()) } else { Ok(()) }
    }

    async fn claim(&self, _: &SystemId, _: &str) -> Result<Option<Claim>, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn accept(&self, _: Update) -> Result<Accepted, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn settled(&self, _: UpdateId) -> Result<Entry, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn is_waiting(&self, _: &RegistryId, _: &str) -> Result<bool, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn take(&self, _: &RegistryId) -> Result<Lease, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn progress(&self, _: &Lease, _: Progress) -> Result<(), JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn conclude(&self, _: &Lease, _: Conclusion, _: Vec<Event>) -> Result<(), JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn park(&self, _: &Lease, _: Progress) -> Result<(), JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn depths(&self) -> Result<Vec<Depth>, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn events(&self, _: Option<&Position>, _: usize) -> Result<EventPage, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn newest(&self) -> Result<Position, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    fn news(&self) -> watch::Receiver<u64> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn publish(&self, _: Vec<Event>, _: Vec<Kept>) -> Result<(), JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn kept(&self, _: &str) -> Result<Vec<(String, Value)>, JournalError> {
        unreachable!("{IS_OF_OTHERS}")
    }
    fn holds(&self, _: &str) -> bool {
        unreachable!("{IS_OF_OTHERS}")
    }
    async fn close(&self) {}
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn id(number: u128) -> UpdateId {
    UpdateId::new(uuid::Uuid::from_u128(number))
}

/// An update of the record `r{record}`, accepted so many seconds ago. Everything personal in it says `SECRET`.
fn entry(number: u128, record: u8, seconds_ago: i64) -> Entry {
    let secret = || "SECRET".to_owned();
    let mut record_of_change = serde_json::Map::new();
    record_of_change.insert("name".into(), secret().into());
    Entry::new(Update {
        id: id(number),
        target: Target {
            registry: RegistryId::new("population").expect("a registry"),
            version: Version::new("v1").expect("a version"),
            entity: EntityName::new("persons").expect("an entity"),
        },
        operation: Operation::Create,
        action: None,
        record: format!("r{record}"),
        system: SystemId::new("portal").expect("a system"),
        idempotency_key: format!("key-{number}"),
        digest: String::new(),
        exchange: ExchangeId::new(uuid::Uuid::nil()),
        purpose: None,
        user: Some(secret()),
        case: Some(secret()),
        traceparent: None,
        accepted_at: now() - SignedDuration::from_secs(seconds_ago),
        apply_until: None,
        payload: Some(Payload { change: Change::Create { record: record_of_change }, expected_version: None, is_whole: true }),
    })
}

fn parked(number: u128, record: u8, code: Code) -> Entry {
    let mut entry = entry(number, record, 60);
    entry.is_parked = true;
    entry.progress = Progress { attempts: 10, trouble: Some(Trouble { code, detail: None }), ..Progress::default() };
    entry
}

fn applied(number: u128) -> Entry {
    let mut entry = entry(number, 9, 7_200);
    let reply = Some(json!("SECRET"));
    entry.conclusion = Some(Conclusion {
        outcome: Outcome::Applied,
        at: now(),
        attempts: 1,
        code: None,
        reason: None,
        faults: Vec::new(),
        reply,
    });
    entry
}

fn held() -> Arc<Held> {
    let entries = vec![
        applied(1),
        parked(2, 1, Code::RegistryTimeout),
        parked(3, 1, Code::UpdateBehind),
        parked(4, 2, Code::RegistryUnavailable),
        entry(5, 3, 10),
    ];
    Arc::new(Held { entries, ..Held::default() })
}

fn operators(held: &Arc<Held>) -> Operators {
    Operators::new(Some(Arc::clone(held) as Arc<dyn Journal>))
}

async fn ask(operators: &Operators, request: http::Request<String>) -> (u16, Value) {
    ask_from(operators, request, true).await
}

async fn ask_from(operators: &Operators, request: http::Request<String>, is_local: bool) -> (u16, Value) {
    let (head, body) = request.into_parts();
    let response = operators.answer(Request { head: &head, body: body.as_bytes(), is_local, now: now() }).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body that is there").to_bytes();
    (status, serde_json::from_slice(&body).expect("JSON"))
}

async fn get(operators: &Operators, address: &str) -> (u16, Value) {
    ask(operators, http::Request::get(address).body(String::new()).expect("a request")).await
}

async fn post(operators: &Operators, address: &str, body: Value) -> (u16, Value) {
    let request = http::Request::post(address).header("content-type", "application/json; charset=utf-8");
    ask(operators, request.body(body.to_string()).expect("a request")).await
}

fn results(told: &Value) -> Vec<(u128, &str)> {
    let of = |told: &Value| told["id"].as_str().and_then(|id| id.parse::<uuid::Uuid>().ok()).expect("an id").as_u128();
    told["results"].as_array().expect("results").iter().map(|told| (of(told), told["result"].as_str().expect("a word"))).collect()
}

#[tokio::test]
async fn lists_what_the_filter_says_and_shows_nothing_personal() {
    let operators = operators(&held());
    let (status, all) = get(&operators, "/updates").await;
    assert_eq!((status, all["updates"].as_array().map(Vec::len)), (200, Some(5)));
    assert!(!all.to_string().contains("SECRET"), "{all}");
    assert_eq!(all["updates"][1]["trouble"]["code"], "registry_timeout");
    let count = async |query: &str| {
        let (status, told) = get(&operators, &format!("/updates?{query}")).await;
        assert_eq!(status, 200, "{told}");
        told["updates"].as_array().map(Vec::len)
    };
    assert_eq!(count("state=parked").await, Some(3));
    assert_eq!(count("state=parked&code=registry_timeout").await, Some(1));
    assert_eq!(count("older_than_s=3600").await, Some(1));
    assert_eq!(count("registry=companies").await, Some(0));
    assert_eq!(count("limit=2").await, Some(2));
    assert_eq!(get(&operators, "/updates?cursor=x").await.1["next"], "after x");
}

#[tokio::test]
async fn refuses_a_filter_that_it_does_not_know() {
    let operators = operators(&held());
    for query in [
        "state=lost",
        "code=no_such_code",
        "older_than_s=2h",
        "colour=red",
        "limit=-1",
        "registry=POP",
        "state=parked&state=parked",
    ] {
        let (status, told) = get(&operators, &format!("/updates?{query}")).await;
        assert_eq!(status, 400, "{query}: {told}");
    }
}

#[tokio::test]
async fn shows_one_update_and_nothing_personal() {
    let operators = operators(&held());
    let (status, told) = get(&operators, &format!("/updates/{}", id(1))).await;
    assert_eq!((status, &told["state"], &told["record"]), (200, &json!("applied"), &json!("r9")));
    assert!(!told.to_string().contains("SECRET"), "{told}");
    assert_eq!(get(&operators, &format!("/updates/{}", id(77))).await.0, 404);
    assert_eq!(get(&operators, "/updates/x").await.0, 404);
}

#[tokio::test]
async fn an_order_is_signed_done_and_kept() {
    let held = held();
    let operators = operators(&held);
    let order = json!({ "ids": [id(2), id(2), id(3)], "operator": " aygun ", "reason": "the registry is back" });
    let (status, told) = post(&operators, "/updates/retry", order).await;
    assert_eq!((status, results(&told)), (200, vec![(2, "done"), (3, "done")]));
    assert_eq!(told["summary"]["done"], 2);
    let (_, acts) = get(&operators, "/updates/acts").await;
    assert_eq!((&acts["acts"][0]["operator"], &acts["acts"][0]["verb"]), (&json!("aygun"), &json!("retry")));
    assert_eq!(acts["acts"][0]["at"], json!(now()));
}

#[tokio::test]
async fn an_order_by_filter_takes_parked_updates_alone() {
    let held = held();
    let operators = operators(&held);
    let by = |filter: Value| json!({ "filter": filter, "operator": "aygun", "reason": "agreed with the registry" });
    let (status, told) = post(&operators, "/updates/discard", by(json!({ "code": "registry_unavailable" }))).await;
    assert_eq!((status, results(&told)), (200, vec![(4, "done")]));
    assert_eq!(post(&operators, "/updates/discard", by(json!({ "state": "applied" }))).await.0, 400);
    let (status, told) = post(&operators, "/updates/discard", by(json!({ "registry": "companies" }))).await;
    assert_eq!((status, results(&told)), (200, vec![]));
    assert_eq!(held.acts.lock().expect("acts").len(), 1, "what concerns no update is no act");
}

#[tokio::test]
async fn a_dry_run_foretells_and_does_nothing() {
    let held = held();
    let operators = operators(&held);
    let order = |ids: Vec<UpdateId>| json!({ "ids": ids, "operator": "aygun", "dry_run": true });
    let (status, told) = post(&operators, "/updates/retry", order(vec![id(1), id(3), id(4), id(77)])).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(results(&told), [(1, "not_parked"), (3, "behind"), (4, "done"), (77, "absent")]);
    assert_eq!((&told["results"][1]["behind"], &told["results"][0]["state"]), (&json!(id(2)), &json!("applied")));
    let (_, told) = post(&operators, "/updates/retry", order(vec![id(2), id(3)])).await;
    assert_eq!(results(&told), [(2, "done"), (3, "done")], "together they are behind nothing");
    assert!(held.acts.lock().expect("acts").is_empty());
}

#[tokio::test]
async fn refuses_an_order_without_a_name_and_a_discard_without_a_reason() {
    let operators = operators(&held());
    let wrong = [
        ("discard", json!({ "ids": [id(2)], "operator": "aygun" })),
        ("discard", json!({ "ids": [id(2)], "operator": "aygun", "reason": "  " })),
        ("retry", json!({ "ids": [id(2)], "operator": " " })),
        ("retry", json!({ "ids": [id(2)], "operator": "a\nb" })),
        ("retry", json!({ "ids": [id(2)] })),
        ("retry", json!({ "operator": "aygun" })),
        ("retry", json!({ "ids": [id(2)], "filter": {}, "operator": "aygun" })),
        ("retry", json!({ "ids": ["x"], "operator": "aygun" })),
        ("retry", json!({ "ids": [], "operator": "aygun", "force": true })),
        ("retry", json!({ "ids": (0..1_001).map(id).collect::<Vec<_>>(), "operator": "aygun" })),
    ];
    for (verb, order) in wrong {
        let (status, told) = post(&operators, &format!("/updates/{verb}"), order.clone()).await;
        assert_eq!(status, 400, "{order}: {told}");
    }
}

#[tokio::test]
async fn takes_no_order_that_a_page_could_have_sent() {
    let held = held();
    let operators = operators(&held);
    let order = json!({ "ids": [id(2)], "operator": "aygun" }).to_string();
    let post = || http::Request::post("/updates/retry");
    for (request, expected) in [
        (post().header("content-type", "application/json").header("origin", "http://evil.example"), 403),
        (post().header("content-type", "application/json").header("origin", "null"), 403),
        (post().header("content-type", "text/plain"), 415),
        (post().header("content-type", "application/x-www-form-urlencoded"), 415),
        (post(), 415),
        (http::Request::get("/updates/retry").header("content-type", "application/json"), 405),
        (http::Request::post("/updates").header("content-type", "application/json"), 405),
    ] {
        let (status, told) = ask(&operators, request.body(order.clone()).expect("a request")).await;
        assert_eq!(status, expected, "{told}");
    }
    assert!(held.acts.lock().expect("acts").is_empty());
}

#[tokio::test]
async fn takes_orders_from_its_own_machine_alone_and_shows_lists_to_others() {
    let held = held();
    let operators = operators(&held);
    let order = http::Request::post("/updates/retry").header("content-type", "application/json");
    let order = order.body(json!({ "ids": [id(2)], "operator": "aygun" }).to_string()).expect("a request");
    assert_eq!(ask_from(&operators, order, false).await.0, 403);
    assert!(held.acts.lock().expect("acts").is_empty());
    let list = http::Request::get("/updates").body(String::new()).expect("a request");
    assert_eq!(ask_from(&operators, list, false).await.0, 200);
}

#[tokio::test]
async fn tells_when_there_is_no_journal_and_when_it_is_down() {
    let none = Operators::new(None);
    assert_eq!(get(&none, "/updates").await.0, 404);
    assert_eq!(none.health(), None);
    let down = operators(&Arc::new(Held { is_down: true, ..Held::default() }));
    let (status, told) = get(&down, "/updates").await;
    assert_eq!(status, 503);
    assert!(told["error"].as_str().is_some_and(|error| error.contains("no broker answers")), "{told}");
    assert_eq!(down.health(), Some(json!({ "healthy": false, "why": "no broker answers" })));
}
