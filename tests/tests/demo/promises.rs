//! What the title of each printed command promises, and whether the answer keeps it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::running::{Demo, Done, Printed};

/// The person of the documentation, and the man she is married to.
pub const HEROINE: &str = "5ZJBKH7";
const HUSBAND: &str = "4WTR2PX";

/// What a command was answered.
pub struct Answer {
    /// Of HTTP; 0 where the command is no call.
    pub status: u16,
    pub head: String,
    pub done: Done,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.done.out).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.done.out))
    }

    fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.done.out);
        self.json()
    }

    fn refused(&self, status: u16, code: &str, blame: &str) -> Value {
        let problem = self.json();
        let told = (self.status, problem["code"].as_str(), problem["blame"].as_str());
        assert_eq!(told, (status, Some(code), Some(blame)), "{problem}");
        assert_eq!(problem["status"], status);
        assert!(self.head.contains("application/problem+json"), "{}", self.head);
        problem
    }
}

/// Holds an answer against the title of its command.
pub fn keep(demo: &Demo, printed: &Printed, answer: &Answer) {
    let title = printed.title.as_str();
    assert!(
        keeps_read(title, printed, answer)
            || keeps_refusal(title, answer)
            || keeps_change(title, answer)
            || keeps_trust(title, answer)
            || keeps_the_rest(title, demo, answer),
        "the demo prints `{title}`, of which this test knows nothing"
    );
}

fn keeps_read(title: &str, printed: &Printed, answer: &Answer) -> bool {
    let name = json!({ "family": "Əliyeva", "given": "Aygün", "patronymic": "Rəşid qızı" });
    match title {
        "One person, clean, out of a row of 1992" => {
            let record = answer.good();
            assert_eq!((&record["pin"], &record["name"], &record["birth_date"]), (&json!(HEROINE), &name, &json!("1978-03")));
            assert_eq!((&record["sex"], &record["address"]["postcode"]), (&json!("female"), &json!("AZ1055")));
            assert!(record.get("photo").is_none(), "a binary field stands in no record");
        }
        "The same person, two fields only" => assert_eq!(answer.good(), json!({ "name": name, "birth_date": "1978-03" })),
        "The same person as the mobile unit may see her: its grant leaves out the rest" => {
            assert_eq!(answer.good(), json!({ "pin": HEROINE, "name": name, "birth_date": "1978-03" }));
        }
        "Several persons in one call" => {
            let asked = printed.body().expect("a body")["keys"].clone();
            assert_eq!(asked.as_array().map(Vec::len), Some(3));
            assert_eq!(pins(&answer.good()["records"]), asked);
        }
        "A search" => {
            let found = answer.good();
            let records = found["records"].as_array().expect("records");
            assert!((1..=5).contains(&records.len()), "{found}");
            for record in records {
                assert_eq!(record["name"]["family"], "Əliyeva");
                let members: Vec<&String> = record.as_object().expect("a record").keys().collect();
                assert_eq!(members, ["pin", "name", "birth_date"]);
            }
        }
        "A family: parents, spouse, children" => {
            let family = answer.good();
            assert_eq!((&family["pin"], &family["spouse"]), (&json!(HEROINE), &json!(HUSBAND)));
            assert_eq!(family["children"].as_array().map(Vec::len), Some(3));
        }
        "A vehicle, out of a SOAP service" => {
            let vehicle = answer.good();
            assert_eq!((&vehicle["plate"], &vehicle["owner"]["pin"]), (&json!("10-RA-777"), &json!(HEROINE)));
            assert_eq!(vehicle["inspections"][0]["mileage_km"], 171_030);
        }
        "What the same person owns, out of a hand-written query over several tables" => {
            let parcels = json!([{ "registry_number": "102014000077", "share": "1/2" }]);
            assert_eq!(answer.good(), json!({ "pin": HEROINE, "parcels": parcels }));
        }
        "A flat with its owners and its mortgage" => {
            let flat = answer.good();
            assert_eq!((&flat["kind"], &flat["market_value"]), (&json!("apartment"), &json!("187500.50")));
            assert_eq!(pins(&flat["owners"]), json!([HEROINE, HUSBAND]));
            assert_eq!(flat["encumbrances"][0]["kind"], "mortgage");
        }
        "A company, behind OAuth 2" => {
            let company = answer.good();
            assert_eq!((&company["tin"], &company["director"]["pin"]), (&json!("1403778211"), &json!(HEROINE)));
            assert_eq!(company["registered_on"], "2016-10-03");
        }
        "A diploma, out of a service that has bad days: see below" => {
            let diploma = answer.good();
            assert_eq!((&diploma["number"], &diploma["pin"]), (&json!("BB-200017"), &json!(HEROINE)));
            assert_eq!((&diploma["name"]["family"], &diploma["honours"]), (&json!("Səfərova"), &json!(true)));
        }
        _ => return false,
    }
    true
}

fn keeps_refusal(title: &str, answer: &Answer) -> bool {
    let problem = match title {
        "Refused: a field that the mobile unit's grant does not cover" => {
            let problem = answer.refused(403, "field_not_permitted", "caller");
            assert_eq!(problem["errors"][0]["pointer"], "/fields/1");
            problem
        }
        "Refused: a purpose that the grant does not name" => answer.refused(403, "purpose_not_permitted", "caller"),
        "Refused: a grant that has ended" => answer.refused(403, "grant_expired", "caller"),
        "Refused: a personal number in a URL" => answer.refused(400, "identifier_in_url", "caller"),
        "Refused: a system that nobody registered" => answer.refused(401, "unauthenticated", "caller"),
        "Refused: a child; the mobile unit's grant is for adults, and to it there is no such person" => {
            answer.refused(404, "record_absent", "caller")
        }
        "Refused: a row whose code of sex no list knows; the registry is to blame" => {
            let problem = answer.refused(502, "registry_broke_contract", "registry");
            assert_eq!(problem["errors"], json!([{ "pointer": "/sex", "code": "unmapped_code" }]));
            problem
        }
        "A registry that is too slow" => answer.refused(504, "registry_timeout", "registry"),
        "A registry that answers with a page for people" | "A registry whose answer ends in the middle" => {
            let problem = answer.refused(502, "registry_broke_contract", "registry");
            assert_eq!(problem.get("errors"), None, "there is no record with faults");
            problem
        }
        "A registry that breaks its contract" => {
            let problem = answer.refused(502, "registry_broke_contract", "registry");
            let faults = problem["errors"].as_array().expect("faults").iter();
            let pointers: Vec<&str> = faults.filter_map(|fault| fault["pointer"].as_str()).collect();
            for expected in ["/honours", "/issued_on", "/number", "/pin"] {
                assert!(pointers.contains(&expected), "{expected} is not in {pointers:?}");
            }
            problem
        }
        "Refused: another change under the same key" => answer.refused(422, "idempotency_key_reused", "caller"),
        "Refused: a change that the contract does not allow" => {
            let problem = answer.refused(422, "invalid_request", "caller");
            assert_eq!(problem["errors"][0]["pointer"], "/patch/marital_status");
            problem
        }
        "A registry that is closed" => answer.refused(503, "registry_unavailable", "registry"),
        _ => return false,
    };
    let text = problem.to_string();
    assert!(!text.contains(HEROINE) && !text.contains("000001"), "a problem repeats what was asked for: {text}");
    true
}

fn keeps_change(title: &str, answer: &Answer) -> bool {
    match title {
        "A change of a family name, applied before the answer" => {
            assert_eq!(answer.good()["state"], "applied");
            assert!(!answer.head.contains("idempotency-replayed"), "{}", answer.head);
        }
        "The same sent again, as after a broken connection: the first outcome, applied once" => {
            assert_eq!(answer.good()["state"], "applied");
            assert!(answer.head.contains("idempotency-replayed: true"), "{}", answer.head);
        }
        "What the portal changed, and how it ended" => {
            let told = answer.good();
            let updates = told["updates"].as_array().expect("updates");
            let [update] = updates.as_slice() else { panic!("what was refused or sent again is no second update: {told}") };
            assert_eq!((&update["state"], &update["idempotency_key"]), (&json!("applied"), &json!("demo-name-1")));
        }
        "A named action: a company is suspended, and its register answers with the number of the decision" => {
            assert!(answer.good()["decision"].as_str().is_some_and(|decision| decision.starts_with("Q-")), "{}", answer.done.out);
        }
        "The changes, as an operator sees them" => {
            let lines: Vec<&str> = answer.done.out.lines().collect();
            assert!(lines.len() == 3 && lines[0].starts_with("ID "), "{lines:?}");
            assert!(["companies", "suspend", "applied"].iter().all(|word| lines[2].contains(word)), "{lines:?}");
            assert!(["population", "applied", "asan-portal"].iter().all(|word| lines[1].contains(word)), "{lines:?}");
        }
        _ => return false,
    }
    true
}

fn keeps_trust(title: &str, answer: &Answer) -> bool {
    let out = answer.done.out.as_str();
    match title {
        "Who used the first person's data, when, why and what of it: for her, in the portal" => {
            let told = answer.good();
            let lines = lines(&told);
            assert!(lines.iter().all(|line| line["purpose"]["basis"]["title"].is_string()), "{told}");
            assert!(lines.iter().any(|line| line["fields"] == json!(["photo"])), "her photograph was asked for last: {told}");
            let is_proved = |line: &Value| line["receipt"]["bytes"].is_string() && line["proof"]["hashes"].is_array();
            assert!(lines.iter().all(is_proved) && told["checkpoint"].is_string(), "{told}");
        }
        "Who used the ministry's registers: for its audit, and of no person" => {
            let told = answer.good();
            assert!(lines(&told).iter().all(|line| line["registry"] == "population"), "{told}");
            let members: Vec<&String> = lines(&told).iter().filter_map(Value::as_object).flat_map(|line| line.keys()).collect();
            assert!(!out.contains(HEROINE) && !members.iter().any(|name| *name == "on_behalf"), "{told}");
        }
        "The newest checkpoint of the ledger, signed" => {
            assert!(out.starts_with("demo.example/node-1\n") && out.contains("\n— demo.example/node-1 "), "{out}");
        }
        "The keys that sign answers" => assert_eq!(answer.good()["keys"][0]["kid"], "demo-1"),
        "Which grant decides what the mobile unit sees of her, and what that is" => {
            assert!(
                out.starts_with("YES: mobile-unit may read population/v1/persons for identity-check (legal basis: "),
                "{out}"
            );
            assert!(out.contains("age(record.birth_date, today) >= 18") && !out.contains("address"), "{out}");
        }
        "Everyone who can see a photograph" => {
            assert!(out.contains("  asan-portal of one-stop") && out.contains("  mobile-unit of one-stop"), "{out}");
            assert!(!out.contains("interior-audit"), "{out}");
        }
        _ => return false,
    }
    true
}

/// The three lines that were asked for, the newest first.
fn lines(told: &Value) -> &[Value] {
    let lines = told["accesses"].as_array().expect("accesses");
    let times: Vec<&str> = lines.iter().filter_map(|line| line["at"].as_str()).collect();
    assert!(times.len() == 3 && times.is_sorted_by(|later, earlier| later > earlier), "{told}");
    lines
}

fn keeps_the_rest(title: &str, demo: &Demo, answer: &Answer) -> bool {
    let out = answer.done.out.as_str();
    match title {
        "What the portal may call" => {
            let catalogue = answer.good();
            let entities = catalogue["entities"].as_array().expect("entities").iter();
            let registries: BTreeSet<&str> = entities.filter_map(|entity| entity["registry"].as_str()).collect();
            assert_eq!(
                registries.into_iter().collect::<Vec<_>>(),
                ["companies", "diplomas", "population", "properties", "vehicles"]
            );
        }
        "What the mobile unit may call, as OpenAPI" => {
            let document = answer.good();
            assert_eq!(document["openapi"], "3.1.0");
            let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
            let is_of = |registry: &str| paths.iter().any(|path| path.starts_with(&format!("/api/{registry}/")));
            assert!(is_of("population") && is_of("diplomas") && !is_of("companies"), "{paths:?}");
            assert!(!is_of("vehicles"), "a grant that has ended permits nothing: {paths:?}");
        }
        "A photograph, streamed into a file" => {
            let photo = std::fs::read(demo.directory().join("photo.png")).expect("the file that the command names");
            assert!(photo.starts_with(b"\x89PNG\r\n\x1a\n"), "{} bytes", photo.len());
            assert_eq!((answer.status, out), (200, format!("image/png, {} bytes\n", photo.len()).as_str()));
        }
        "The state of the bus" => {
            let state = answer.good();
            assert_eq!((&state["ready"], &state["all_registries_ready"]), (&json!(true), &json!(true)), "{state}");
        }
        "Its metrics" => {
            assert_eq!(answer.status, 200);
            for code in ["ok", "registry_timeout", "registry_broke_contract", "grant_expired"] {
                let counted = out
                    .lines()
                    .any(|line| line.starts_with("rabita_exchanges_total{") && line.contains(&format!("code=\"{code}\"")));
                assert!(counted, "nothing was counted as {code}:\n{out}");
            }
        }
        "Is the configuration right?" => assert!(out.contains("0 error(s)"), "{out}"),
        "The tests in the manifests, on stand-ins for the registries" => holds_all_tests(out, 30, "with --live"),
        "The tests in the manifests, on the registries themselves" => holds_all_tests(out, 8, "without --live"),
        "The first person again, asked without a running node" => assert_eq!(answer.json()["pin"], HEROINE),
        _ => return false,
    }
    true
}

/// All tests passed, of every registry.
fn holds_all_tests(out: &str, at_least: usize, others: &str) {
    let passed = out.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed >= at_least && !out.contains("FAILED"), "{passed} passed:\n{out}");
    for registry in ["companies", "diplomas", "population", "properties", "vehicles"] {
        assert!(out.contains(&format!(" {registry}: ")), "nothing of {registry}:\n{out}");
    }
    let last = out.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("{passed} passed, 0 failed, ")) && last.ends_with(others), "{last}");
}

fn pins(records: &Value) -> Value {
    records.as_array().expect("records").iter().map(|record| record["pin"].clone()).collect()
}
