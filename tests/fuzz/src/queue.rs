//! What a registry replies over a queue, as the connector takes it: the bytes are the reply to whatever is asked.
//!
//! Brokers are not spoken with: the connector's own stand-in hands the reply over.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_battery::people::{PHOTO, key, registry, wanted};
use rabita_battery::world::within;
use rabita_model::Operation;
use rabita_sdk::{Applied, Change, ChangeKind, Connector, Failure, Legacy, OpenBinary, Read, RegistrySpec, Row, Search, Source};
use serde_json::json;
use tokio::runtime::Runtime;

/// Longer than the stand-in takes.
const TIME: Duration = Duration::from_secs(5);
/// A longer reply is taken for none.
const REPLY_MAX: usize = 4096;
/// What a caller may hear of what the registry says.
const REASON: &str = "BAD";

struct Scene {
    runtime: Runtime,
    spec: RegistrySpec,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    // The stand-in sleeps before each reply: with a clock that stands still it takes no time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let words = json!({ "GONE": "absent", "TWICE": "before", "THERE": "conflict", "BUSY": "unavailable", REASON: "refused" });
    let settings = json!({
        "amqp": { "addresses": ["mq.example"], "user": "bus", "password": { "env": "X" }, "routing_key": "people" },
        "status": { "path": "error.code", "missing": "done", "words": words },
        "reply_max_bytes": REPLY_MAX,
    });
    let from = json!({
        "read": { "request": { "pin": "{pin}" }, "response": { "record": "person" } },
        "search": {
            "request": { "size": "{$limit}", "from": "{$offset}" },
            "response": { "records": "found", "absent_records": "empty", "total": "total" },
            "paging": "offset",
        },
        "update": { "request": { "pin": "{pin}", "family": "{family?}", "given": "{given?}", "born": "{born?}", "notes": "{notes?}" } },
    });
    let mut spec = registry(settings, from);
    let entity = &mut spec.entities[0];
    entity.operations = BTreeSet::from([Operation::Read, Operation::Search, Operation::Update]);
    entity.written.retain(|(operation, ..)| *operation == Operation::Update);
    entity.filters.clear();
    Scene { runtime, spec }
});

/// Asks for a record, a page and a photo, and for a change, with this reply to each.
pub fn reply(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let legacy = json!([{ "response": { "text": text } }]);
    let double = SCENE.runtime.block_on(rabita_queue::kind().double(SCENE.spec.clone(), &legacy));
    let said = Said::new(&text);
    let double = double.unwrap_or_else(|error| panic!("{error}"));
    let connector = &*double.connector;
    SCENE.runtime.block_on(async {
        said.record(connector).await;
        said.page(connector).await;
        said.photo(connector).await;
        said.change(connector).await;
    });
}

/// What was replied, as the manifest names it.
struct Said {
    /// `None` where it is no JSON, or too long.
    whole: Option<Legacy>,
    word: Option<String>,
}

impl Said {
    fn new(text: &str) -> Self {
        let json = text.strip_prefix('\u{feff}').unwrap_or(text);
        let whole: Option<Legacy> = serde_json::from_str(json).ok().filter(|_| text.len() <= REPLY_MAX);
        let code = whole.as_ref().and_then(|whole| member(member(whole, "error")?, "code")?.to_text());
        let word = code.map(|code| code.trim().to_owned());
        Self { whole, word }
    }

    /// What stands at the place of this name, once anything of the reply is taken.
    fn at(&self, name: &str) -> Option<&Legacy> {
        member(self.whole.as_ref().expect("what is no JSON, or too long, is not taken"), name)
    }

    fn is_gone(&self) -> bool {
        self.word.as_deref() == Some("GONE")
    }

    async fn record(&self, connector: &dyn Connector) {
        let ask = Read { entity: 0, key: key("P00001"), wanted: wanted(&["pin", "family"]) };
        match connector.read(ask, &within(TIME)).await {
            Ok(Some(row)) => {
                assert_eq!(self.at("person"), Some(&Legacy::Group(row)), "a record that was not replied");
                assert_eq!(self.word, None, "a record beside a word that says something else");
            }
            Ok(None) => assert!(self.is_gone() || self.at("person") == Some(&Legacy::Null), "nobody said that there is none"),
            Err(failure) => self.failed(&failure, |failure| matches!(failure, Failure::Malformed { .. })),
        }
    }

    async fn page(&self, connector: &dyn Connector) {
        let ask = Search { entity: 0, conditions: Vec::new(), wanted: wanted(&["pin"]), limit: 3, cursor: None };
        match connector.search(ask, &within(TIME)).await {
            Ok(page) => {
                assert!(page.rows.len() <= 3, "more came than was asked for");
                let found = self.at("found");
                let is_there = |row: Row| matches!(found, Some(Legacy::List(all)) if all.contains(&Legacy::Group(row)));
                assert!(page.rows.into_iter().all(is_there), "a record that was not replied");
            }
            Err(failure) => self.failed(&failure, |failure| matches!(failure, Failure::Malformed { .. })),
        }
    }

    async fn photo(&self, connector: &dyn Connector) {
        let ask = OpenBinary { entity: 0, key: key("P00001"), source: Source::new(PHOTO) };
        match connector.open_binary(ask, &within(TIME)).await {
            Ok(Some(photo)) => {
                let text = self.at("person").and_then(|person| member(person, PHOTO)?.to_text());
                let bytes = text.and_then(|text| STANDARD.decode(text.as_bytes()).ok()).expect("a photo that was replied");
                assert_eq!(photo.length, u64::try_from(bytes.len()).ok(), "a photo of another length");
            }
            Ok(None) => assert!(self.whole.is_some(), "nobody said that there is none"),
            Err(failure) => self.failed(&failure, |failure| matches!(failure, Failure::Malformed { .. })),
        }
    }

    async fn change(&self, connector: &dyn Connector) {
        let values = Row::from_iter([("family", Legacy::from("New"))]);
        let id = uuid::Uuid::now_v7();
        let change = Change { entity: 0, id, kind: ChangeKind::Update, key: key("P00001"), values, expected_version: None };
        match connector.apply(change, &within(TIME)).await {
            Ok(applied) => {
                assert!(self.whole.is_some(), "a change that nobody answered for");
                let said = match self.word.as_deref() {
                    None => Some(Applied::Done),
                    Some("TWICE") => Some(Applied::Before),
                    Some("THERE") => Some(Applied::Conflict),
                    Some("GONE") => Some(Applied::Absent),
                    Some(_) => None,
                };
                assert_eq!(Some(applied), said, "the change ended otherwise");
            }
            // It may have been applied.
            Err(failure) => self.failed(&failure, |failure| matches!(failure, Failure::Unknown { .. })),
        }
    }

    /// A failure says none of the registry's own words; of what is no reply there is one sort.
    fn failed(&self, failure: &Failure, is_of_no_reply: impl Fn(&Failure) -> bool) {
        assert!(failure.to_string().is_ascii(), "a failure has the registry's words in it");
        assert!(self.whole.is_some() || is_of_no_reply(failure), "what is no reply is taken for one: {failure}");
        if let Failure::Refused { reason: Some(reason), .. } = failure {
            assert_eq!((reason.as_str(), self.word.as_deref()), (REASON, Some(REASON)), "a reason of the registry's own");
        }
    }
}

fn member<'a>(whole: &'a Legacy, name: &str) -> Option<&'a Legacy> {
    match whole {
        Legacy::Group(row) => row.get(name),
        _ => None,
    }
}
