//! Who used whose data: what a citizen's portal, an agency and everybody are told, and who is told nothing.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rabita_keys::SigningKey;
use rabita_ledger::entry::{About, Answered, ExchangeFact, Fact};
use rabita_ledger::{Ledger, Options, Period};
use rabita_model::{AgencyId, ExchangeId, Operation, Purpose, Subject, SystemId, Target};
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, GRANT_ALL, Manifest, Mood, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::lines;
use super::people::LONG;

const AGENCIES: &str = "
agencies:
  - { id: interior, title: Ministry of the Interior }
  - { id: asan, title: One-stop service }
purposes:
  - { id: birth-registration, title: Registration of a birth, basis: civil-status-12 }
  - { id: identity-check, title: Check of an identity }
  - { id: audit, title: Audit }
legal_bases:
  - { id: civil-status-12, title: \"Civil Status Act, section 12\", url: \"https://laws.example/civil-status\" }
";

const TRANSPARENCY: &str = "
subjects:
  - { system: auditor, purposes: [audit] }
agencies:
  - { system: auditor, agency: interior }
statistics: { smallest: 10 }
";

const MOBILE: &str = "{ system: mobile, version: v1, entity: persons, operations: [read, search], fields: [pin, sex], purposes: [identity-check] }";

async fn country() -> (Country, Upstream) {
    let people = Upstream::start().await;
    let country = Country::new();
    country.file("agencies.yaml", AGENCIES);
    country.file("transparency.yaml", TRANSPARENCY);
    country.registry(&Manifest::of("people", people.url()).persons("subject: pin"));
    country.grants("people", &[GRANT_ALL, MOBILE]);
    (country, people)
}

fn callers(bus: &Bus) -> (Caller, Caller, Caller) {
    (bus.portal(), bus.caller(&Authority::get().mobile), bus.caller(&Authority::get().auditor))
}

async fn read(caller: &Caller, path: &str, purpose: &str) -> Answer {
    let request = caller.request(Method::GET, path).header("Rabita-Purpose", purpose);
    caller.sent(request.header("Rabita-User", "official-7").header("Rabita-Case", "2026/1742")).await
}

fn is_of<'a>(exchange: &'a Answer) -> impl Fn(&[Value]) -> bool + 'a {
    |lines| lines.first().is_some_and(|line| line["exchange"] == exchange.header("rabita-exchange"))
}

#[tokio::test]
async fn a_person_sees_who_used_their_data_when_why_and_what_of_it_with_proofs() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, mobile, auditor) = callers(&bus);
    let first = read(&portal, "/api/people/v1/persons/5ZJBKH7?fields=pin,name", "birth-registration").await.good();
    let _ = read(&portal, "/api/people/v1/persons/4WTR2PX", "birth-registration").await.good();
    let query = mobile.request(Method::POST, "/api/people/v1/persons/query").header("Rabita-Purpose", "identity-check");
    let second = mobile.sent(query.json(&json!({ "key": "5ZJBKH7" }))).await.good();

    let told = lines::of(&auditor, "5ZJBKH7", is_of(&second)).await;
    assert_eq!(told.len(), 2, "another person's are not among them: {told:?}");
    let line = &told[1];
    assert_eq!((&line["kind"], &line["outcome"], &line["records"]), (&json!("exchange"), &json!("allowed"), &json!(1)));
    assert_eq!((&line["system"], &line["agency_title"]), (&json!("portal"), &json!("One-stop service")));
    assert_eq!(line["on_behalf"], json!({ "user": "official-7", "by": "assertion" }));
    assert_eq!(line["case"], "2026/1742");
    let basis =
        json!({ "id": "civil-status-12", "title": "Civil Status Act, section 12", "url": "https://laws.example/civil-status" });
    assert_eq!(line["purpose"], json!({ "id": "birth-registration", "title": "Registration of a birth", "basis": basis }));
    assert_eq!((&line["registry"], &line["registry_title"]), (&json!("people"), &json!("Registry people")));
    assert_eq!((&line["version"], &line["entity"], &line["operation"]), (&json!("v1"), &json!("persons"), &json!("read")));
    assert_eq!(line["fields"], json!(["pin", "name.family", "name.given"]));
    assert_eq!(line["exchange"], first.header("rabita-exchange"));
    assert_eq!((&told[0]["system"], &told[0]["fields"]), (&json!("mobile"), &json!(["pin", "sex"])));
    assert_eq!(told[0].get("on_behalf"), None);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn what_was_refused_and_what_failed_is_shown_with_its_outcome() {
    let (country, people) = country().await;
    let bus = country.start().await;
    let (portal, mobile, auditor) = callers(&bus);
    let refused = read(&mobile, "/api/people/v1/persons/5ZJBKH7", "audit").await.refused(403, "purpose_not_permitted");
    people.is(Mood::status(500));
    let failed = read(&portal, "/api/people/v1/persons/5ZJBKH7", "audit").await;
    assert_eq!(failed.status / 100, 5, "{}", failed.text());
    let told = lines::of(&auditor, "5ZJBKH7", is_of(&failed)).await;
    let ends: Vec<_> = told.iter().map(|line| (&line["system"], &line["outcome"], &line["code"])).collect();
    let code = json!(failed.code());
    let expected =
        [(&json!("portal"), &json!("failed"), &code), (&json!("mobile"), &json!("refused"), &json!("purpose_not_permitted"))];
    assert_eq!(ends, expected);
    assert_eq!(told[1]["exchange"], refused.header("rabita-exchange"));
    assert!(told.iter().all(|line| line["fields"] == json!([]) && line["records"] == 0), "{told:?}");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn to_look_is_a_use_that_the_person_sees_whether_or_not_it_was_permitted() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, _, auditor) = callers(&bus);
    let refused = lines::ask(&portal, &json!({ "subject": "5ZJBKH7" })).await.refused(403, "not_permitted");
    let unsaid = auditor.post("/bus/subjects/accesses", &json!({ "subject": "5ZJBKH7" })).await;
    let unsaid = unsaid.refused(403, "purpose_missing");
    let other = auditor.request(Method::POST, "/bus/subjects/accesses").header("Rabita-Purpose", "identity-check");
    let other = auditor.sent(other.json(&json!({ "subject": "5ZJBKH7" }))).await.refused(403, "purpose_not_permitted");
    let looked = lines::ask(&auditor, &json!({ "subject": "5ZJBKH7" })).await.good();

    let expected = [(&looked, "allowed"), (&other, "refused"), (&unsaid, "refused"), (&refused, "refused")];
    let expected = expected.map(|(answer, outcome)| (json!(answer.header("rabita-exchange")), json!(outcome)));
    let is_there = async || {
        let told = lines::ask(&auditor, &json!({ "subject": "5ZJBKH7" })).await.good().json();
        lines::check(&auditor, &told).await;
        let lines = told["accesses"].as_array().cloned().expect("a list");
        assert!(lines.iter().all(|line| line["service"] == "subject_accesses" && line.get("registry").is_none()), "{lines:?}");
        let ends: Vec<_> = lines.iter().map(|line| (line["exchange"].clone(), line["outcome"].clone())).collect();
        ends.ends_with(&expected)
    };
    eventually("each look is told of", LONG, is_there).await;
    assert!(bus.stop().await);
}

#[tokio::test]
async fn pages_hold_together_and_narrow_by_time() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, _, auditor) = callers(&bus);
    let mut exchanges = Vec::new();
    for _ in 0..5 {
        let answer = read(&portal, "/api/people/v1/persons/5ZJBKH7", "audit").await.good();
        exchanges.insert(0, answer.header("rabita-exchange").to_owned());
    }
    let all = lines::of(&auditor, "5ZJBKH7", |lines| lines.len() == 5).await;
    let (newest, oldest) = (all[0]["at"].clone(), all[4]["at"].clone());
    let span = json!({ "subject": "5ZJBKH7", "from": oldest, "to": newest, "limit": 2 });
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let mut body = span.clone();
        if let Some(cursor) = cursor {
            body["cursor"] = cursor;
        }
        let told = lines::ask(&auditor, &body).await.good().json();
        lines::check(&auditor, &told).await;
        let lines = told["accesses"].as_array().expect("a list");
        assert!(lines.len() <= 2);
        found.extend(lines.iter().map(|line| line["exchange"].as_str().unwrap_or_default().to_owned()));
        cursor = told.get("next").cloned();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, exchanges, "both ends of the time belong to it");
    let _ = lines::ask(&auditor, &json!({ "subject": "5ZJBKH7", "cursor": "nonsense" })).await.refused(400, "cursor_invalid");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_right_that_is_withdrawn_is_gone_on_a_running_bus() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (_, _, auditor) = callers(&bus);
    let told = auditor.get("/bus/catalogue").await.good().json();
    assert_eq!(told["transparency"], json!({ "subjects": ["audit"], "agencies": ["interior"] }));
    let document = auditor.get("/bus/openapi.json").await.good().json();
    assert!(document["paths"].get("/bus/subjects/accesses").is_some());
    let _ = lines::ask(&auditor, &json!({ "subject": "5ZJBKH7" })).await.good();
    country.file("transparency.yaml", "statistics: { smallest: 10 }\n");
    let is_gone = async || lines::ask(&auditor, &json!({ "subject": "5ZJBKH7" })).await.code() == "not_permitted";
    eventually("the right is gone", LONG, is_gone).await;
    assert_eq!(auditor.get("/bus/catalogue").await.good().json().get("transparency"), None);
    let document = auditor.get("/bus/openapi.json").await.good().json();
    assert!(document["paths"].get("/bus/subjects/accesses").is_none());
    assert!(bus.stop().await);
}

/// What the published description of the Data Tracker's form, version 2, says of its answers.
fn published(answer: &str) -> Value {
    let usage = json!({
        "type": "object",
        "required": ["logtime", "action", "receiverCode", "receiverSystem"],
        "properties": {
            "logtime": { "type": "string", "format": "date-time" },
            "action": { "type": "string" },
            "receiverCode": { "type": "string" },
            "receiverName": { "type": "string" },
            "receiverSystem": { "type": "string" },
        },
    });
    let number = json!({ "type": "integer", "minimum": 0, "maximum": i32::MAX });
    let (required, properties) = match answer {
        "findUsage" => {
            let usages = json!({ "type": "array", "items": usage });
            (json!(["totalUsages", "usages"]), json!({ "totalUsages": number, "usages": usages }))
        }
        "usagePeriod" => {
            let time = json!({ "type": "string", "format": "date-time" });
            (json!(["periodStart"]), json!({ "periodStart": time, "periodEnd": time }))
        }
        "heartbeat" => {
            let status = json!({ "type": "string", "enum": ["OK", "FAIL"] });
            (json!(["status"]), json!({ "status": status, "message": { "type": "string" } }))
        }
        other => panic!("nothing is published of {other}"),
    };
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// Asks as the Data Tracker does, and holds the answer against what is published.
async fn tracked(caller: &Caller, call: &str, query: &str) -> Value {
    let request = caller.request(Method::GET, &format!("/bus/datatracker/v2/{call}{query}"));
    let told = caller.sent(request.header("X-Road-UserId", "EE38001085718")).await.good().json();
    let schema = jsonschema::options().should_validate_formats(true).build(&published(call)).expect("a schema");
    let faults: Vec<String> = schema.iter_errors(&told).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?} in {told}");
    told
}

#[tokio::test]
async fn the_data_tracker_is_answered_in_its_published_form() {
    let (country, people) = country().await;
    let bus = country.start().await;
    let (portal, _, auditor) = callers(&bus);
    assert_eq!(tracked(&auditor, "heartbeat", "").await["status"], "OK");
    let begun: Timestamp =
        tracked(&auditor, "usagePeriod", "").await["periodStart"].as_str().expect("a time").parse().expect("a time");
    assert!(begun <= Timestamp::now());
    let _ = read(&portal, "/api/people/v1/persons/5ZJBKH7", "birth-registration").await.good();
    people.is(Mood::status(500));
    let last = read(&portal, "/api/people/v1/persons/5ZJBKH7", "audit").await;
    let _ = lines::of(&auditor, "5ZJBKH7", is_of(&last)).await;

    let whole = tracked(&auditor, "findUsage", "?userCode=5ZJBKH7").await;
    let usages = whole["usages"].as_array().expect("a list");
    assert_eq!(whole["totalUsages"], usages.len());
    let read = &usages[usages.len() - 1];
    assert_eq!(read["action"], "Registration of a birth (Registry people, persons: read)");
    assert_eq!((&read["receiverCode"], &read["receiverName"]), (&json!("asan"), &json!("One-stop service")));
    assert_eq!(read["receiverSystem"], "portal");
    assert_eq!(usages[usages.len() - 2]["action"], "Audit (Registry people, persons: read); failed");
    let times: Vec<&str> = usages.iter().map(|usage| usage["logtime"].as_str().expect("a time")).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "the newest first: {times:?}");

    // Each look adds one more.
    let page = tracked(&auditor, "findUsage", "?userCode=5ZJBKH7&offset=1&limit=1").await;
    assert_eq!(page["usages"].as_array().map(Vec::len), Some(1));
    assert!(page["totalUsages"].as_u64() > whole["totalUsages"].as_u64().map(|total| total - 1), "{page}");
    let none = tracked(&auditor, "findUsage", "?userCode=5ZJBKH7&periodEnd=2020-01-01T00:00:00").await;
    assert_eq!(none, json!({ "totalUsages": 0, "usages": [] }));
    assert!(bus.stop().await);
}

#[tokio::test]
async fn the_data_tracker_hears_400_of_what_is_wrong_and_of_its_one_purpose_nothing() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, _, auditor) = callers(&bus);
    let path = "/bus/datatracker/v2/findUsage?userCode=5ZJBKH7";
    let _ = auditor.get(path).await.refused(400, "malformed_request");
    let named = |caller: &Caller| caller.request(Method::GET, path).header("X-Road-UserId", "EE38001085718");
    let _ = portal.sent(named(&portal)).await.refused(403, "not_permitted");
    let _ = portal.get("/bus/datatracker/v2/heartbeat").await.refused(403, "not_permitted");
    let _ = auditor.sent(named(&auditor)).await.good();
    let _ = auditor.sent(named(&auditor).header("Rabita-Purpose", "identity-check")).await.refused(403, "purpose_not_permitted");
    let two = TRANSPARENCY.replace("[audit]", "[audit, identity-check]");
    assert!(bus.stop().await);
    country.file("transparency.yaml", &two);
    let bus = country.start().await;
    let (_, _, auditor) = callers(&bus);
    let _ = auditor.sent(named(&auditor)).await.refused(403, "purpose_missing");
    let _ = auditor.sent(named(&auditor).header("Rabita-Purpose", "audit")).await.good();
    assert!(bus.stop().await);
}

#[tokio::test]
async fn an_agency_sees_who_used_its_registries_and_no_person() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, _, auditor) = callers(&bus);
    let path = "/bus/agencies/interior/accesses";
    let answer = read(&portal, "/api/people/v1/persons/5ZJBKH7?fields=pin", "birth-registration").await.good();
    let mut told = Value::Null;
    let is_there = async || {
        told = auditor.get(path).await.good().json();
        told["accesses"][0]["exchange"] == answer.header("rabita-exchange")
    };
    eventually("the use is told of", LONG, is_there).await;
    lines::check(&auditor, &told).await;
    let line = &told["accesses"][0];
    assert_eq!((&line["system"], &line["purpose"]["id"]), (&json!("portal"), &json!("birth-registration")));
    assert_eq!((&line["fields"], &line["outcome"]), (&json!(["pin"]), &json!("allowed")));
    let text = told.to_string();
    for person in ["5ZJBKH7", "official-7", "2026/1742", "on_behalf", "bytes", "\"case\""] {
        assert!(!text.contains(person), "{person} in {text}");
    }
    let _ = auditor.get("/bus/agencies/asan/accesses").await.refused(403, "not_permitted");
    let _ = auditor.get("/bus/agencies/nobody/accesses").await.refused(403, "not_permitted");
    let _ = portal.get(path).await.refused(403, "not_permitted");
    assert!(bus.stop().await);
}

fn exchange(at: Timestamp, operation: Operation) -> Fact {
    let word = "an id of the tests";
    let target = Target {
        registry: "people".to_owned().try_into().expect(word),
        version: "v1".to_owned().try_into().expect(word),
        entity: "persons".to_owned().try_into().expect(word),
    };
    let about = About { target, owner: AgencyId::new("interior").expect(word), operation, action: None };
    Fact::Exchange(Box::new(ExchangeFact {
        at,
        exchange: ExchangeId::new(Uuid::now_v7()),
        caller: Some((SystemId::new("portal").expect(word), AgencyId::new("asan").expect(word))),
        credential: None,
        user: None,
        user_by: None,
        purpose: Some(Purpose::new("birth-registration").expect(word)),
        basis: None,
        case: None,
        consent: None,
        about: Some(about),
        service: None,
        subjects: vec![Subject::new("5ZJBKH7")],
        fields: Vec::new(),
        records: 1,
        update: None,
        request: b"GET /api/people/v1/persons/5ZJBKH7".to_vec(),
        answer: Answered::Digest([0; 32]),
        status: 200,
        code: None,
        signature: None,
    }))
}

#[tokio::test]
async fn statistics_count_uses_of_days_that_are_over_and_hide_the_small_counts() {
    let (country, _people) = country().await;
    // A node makes its ledger; what is two days old then is written as it would have written it.
    assert!(country.start().await.stop().await);
    let day = TimeZone::UTC.to_datetime(Timestamp::now()).date().saturating_sub(2.days());
    let morning = TimeZone::UTC.to_timestamp(day.at(9, 30, 0, 0)).expect("a time");
    let directory = country.path().join("ledger");
    let pem = std::fs::read(directory.join("signer.pem")).expect("the node made its key");
    let ledger = Ledger::open(Options {
        directory,
        origin: "rabita".to_owned(),
        key: Arc::new(SigningKey::from_pem("rabita", &pem).expect("a key")),
        period: Period::Month,
        keep_months: Default::default(),
        rule_stands: std::time::Duration::ZERO,
        clock: Arc::new(Timestamp::now) as _,
    })
    .expect("the ledger of a node that stopped");
    for (operation, count) in [(Operation::Read, 12), (Operation::Update, 40), (Operation::Search, 3)] {
        for _ in 0..count {
            let _ = ledger.record(exchange(morning, operation)).await.expect("a ledger that is written");
        }
    }
    ledger.close().await;
    drop(ledger);

    let bus = country.start().await;
    let mobile = bus.caller(&Authority::get().mobile);
    let mut told = Value::Null;
    let is_there = async || {
        told = mobile.get(&format!("/bus/statistics?from={day}&to={day}")).await.good().json();
        told["days"].as_array().is_some_and(|days| !days.is_empty())
    };
    eventually("the day is told of", LONG, is_there).await;
    let agency = &told["days"][0]["agencies"][0];
    assert_eq!((&told["smallest"], &told["days"][0]["date"]), (&json!(10), &json!(day.to_string())));
    assert_eq!((&agency["agency"], &agency["count"]), (&json!("interior"), &json!({ "exact": 55 })));
    let count = |operation: &str| {
        let services = agency["services"].as_array().expect("services").iter();
        let service = services.clone().find(|service| service["operation"] == operation).cloned().expect("the service");
        service["count"].clone()
    };
    assert_eq!((count("read"), count("search")), (json!({ "exact": 12 }), json!({ "less_than": 10 })));
    // If it were told, the rest would tell the small one.
    assert_eq!(count("update").get("exact"), None);
    assert!(!told.to_string().contains("5ZJBKH7"));
    // What happens now is told of when its day is over.
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let now = mobile.get(&format!("/bus/statistics?from={today}")).await.good().json();
    assert_eq!(now["days"], json!([]));
    assert!(bus.stop().await);
}
