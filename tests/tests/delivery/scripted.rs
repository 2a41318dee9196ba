//! A registry that does what a test says, and the bus on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_model::Operation;
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, ChangeKind, Connector, Double, Duplicates, Failure, Finding,
    Kind, Kinds, Legacy, OpenBinary, OpenError, Page, Read, RegistrySpec, Row, Search, Secrets,
};
use rabita_tests::bus::{Answer, Bus, Caller, Country};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What the registry does with one change.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Applies it and says so.
    Applies,
    /// Does nothing, and fails so.
    Fails(Failure),
    /// Applies it, and fails so.
    AppliesAndFails(Failure),
    /// Does not answer before the deadline.
    Hangs,
    /// Holds it until [`Registry::let_go`].
    Holds,
}

/// A change that came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub id: uuid::Uuid,
    pub key: String,
    pub text: Option<String>,
    pub at: Instant,
}

/// The registry. Keeps its records as `ID -> TEXT`, with a version that grows.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    duplicates: Duplicates,
    go: Notify,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<String, (String, i64)>,
    deeds: VecDeque<Deed>,
    /// What is done when no deed is left.
    mood: Option<Deed>,
    came: Vec<Came>,
    seen: Vec<uuid::Uuid>,
    under_way: usize,
    most_under_way: usize,
}

impl Registry {
    pub fn new(duplicates: Duplicates) -> Arc<Self> {
        let state = State { records: BTreeMap::from([("a".to_owned(), ("first".to_owned(), 1))]), ..State::default() };
        Arc::new(Self { state: Mutex::new(state), duplicates, go: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is done with the next changes, one after the other.
    pub fn next(&self, deeds: impl IntoIterator<Item = Deed>) {
        self.lock().deeds.extend(deeds);
    }

    /// What is done with changes when no deed is left.
    pub fn always(&self, mood: Deed) {
        self.lock().mood = Some(mood);
    }

    /// Lets one held change go on.
    pub fn let_go(&self) {
        self.go.notify_one();
    }

    pub fn add(&self, id: &str, text: &str) {
        self.lock().records.insert(id.to_owned(), (text.to_owned(), 1));
    }

    pub fn text(&self, id: &str) -> Option<String> {
        self.lock().records.get(id).map(|(text, _)| text.clone())
    }

    /// The changes that came, in order.
    pub fn came(&self) -> Vec<Came> {
        self.lock().came.clone()
    }

    /// The texts that came for a record, in order, each try of it.
    pub fn texts(&self, id: &str) -> Vec<String> {
        self.came().into_iter().filter(|came| came.key == id).filter_map(|came| came.text).collect()
    }

    pub fn most_under_way(&self) -> usize {
        self.lock().most_under_way
    }

    async fn take(&self, change: &Change) -> Result<Applied, Failure> {
        let key = text(change.key.first());
        let deed = {
            let mut state = self.lock();
            let text = change.values.get("TEXT").map(|value| text(Some(value)));
            state.came.push(Came { id: change.id, key: key.clone(), text, at: Instant::now() });
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
            let mood = state.mood.clone();
            state.deeds.pop_front().or(mood).unwrap_or(Deed::Applies)
        };
        let _ends = UnderWay(self);
        match deed {
            Deed::Applies => Ok(self.apply(&key, change)),
            Deed::Fails(failure) => Err(failure),
            Deed::AppliesAndFails(failure) => {
                self.apply(&key, change);
                Err(failure)
            }
            Deed::Hangs => std::future::pending().await,
            Deed::Holds => {
                self.go.notified().await;
                Ok(self.apply(&key, change))
            }
        }
    }

    fn apply(&self, key: &str, change: &Change) -> Applied {
        let mut state = self.lock();
        if self.duplicates == Duplicates::Detected {
            if state.seen.contains(&change.id) {
                return Applied::Before;
            }
            state.seen.push(change.id);
        }
        let known = state.records.get(key).cloned();
        if let (Some(expected), Some((_, version))) = (&change.expected_version, &known)
            && *expected != Legacy::Int(*version)
        {
            return Applied::Conflict;
        }
        match (change.kind, known) {
            (ChangeKind::Create, Some(_)) => return Applied::Conflict,
            (ChangeKind::Create, None) => {}
            (_, None) => return Applied::Absent,
            (ChangeKind::Delete, Some(_)) => {
                state.records.remove(key);
                return Applied::Done;
            }
            (ChangeKind::Replace | ChangeKind::Update, Some(_)) => {}
        }
        let version = state.records.get(key).map_or(1, |(_, version)| version + 1);
        let new = change.values.get("TEXT").map(|value| text(Some(value)));
        state.records.insert(key.to_owned(), (new.unwrap_or_default(), version));
        Applied::Done
    }
}

struct UnderWay<'a>(&'a Registry);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
    }
}

fn text(value: Option<&Legacy>) -> String {
    value.and_then(Legacy::to_text).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// The connector: shared by all entities.
struct Scripted(Arc<Registry>);

#[async_trait]
impl Connector for Scripted {
    fn capabilities(&self, _: usize) -> Capabilities {
        Capabilities {
            operations: Operation::ALL.into_iter().filter(|operation| *operation != Operation::Search).collect(),
            reads_many_at_once: false,
            projects: false,
            ignores: Vec::new(),
            streams_binary: false,
            checks_versions: true,
            duplicates: self.0.duplicates,
        }
    }

    async fn probe(&self, _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn read(&self, ask: Read, _: &Call) -> Result<Option<Row>, Failure> {
        let key = text(ask.key.first());
        let found = self.0.lock().records.get(&key).cloned();
        Ok(found.map(|(text, version)| {
            let row: [(&str, Legacy); 3] = [("ID", Legacy::Text(key)), ("TEXT", Legacy::Text(text)), ("V", Legacy::Int(version))];
            row.into_iter().collect()
        }))
    }

    async fn search(&self, _: Search, _: &Call) -> Result<Page, Failure> {
        Err(Failure::unsupported("no search"))
    }

    async fn apply(&self, change: Change, _: &Call) -> Result<Applied, Failure> {
        self.0.take(&change).await
    }

    async fn act(&self, act: Act, _: &Call) -> Result<Acted, Failure> {
        let Act { entity, id, key, values, expected_version, .. } = act;
        let change = Change { entity, id, kind: ChangeKind::Update, key, values, expected_version };
        let applied = self.0.take(&change).await?;
        let reply = (applied == Applied::Done).then(|| [("NUMBER", Legacy::Int(7))].into_iter().collect());
        Ok(Acted { applied, reply })
    }

    async fn forgo(&self, _: usize, id: uuid::Uuid, _: &Call) -> Result<bool, Failure> {
        let mut state = self.0.lock();
        let was_applied = state.seen.contains(&id);
        state.seen.push(id);
        Ok(was_applied)
    }

    async fn open_binary(&self, _: OpenBinary, _: &Call) -> Result<Option<BinaryStream>, Failure> {
        Ok(None)
    }

    async fn table(&self, _: usize, _: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        Ok(Vec::new())
    }

    async fn close(&self) {}
}

struct ScriptedKind(Arc<Registry>);

#[async_trait]
impl Kind for ScriptedKind {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn settings_schema(&self) -> Value {
        json!({ "type": "object" })
    }

    fn entity_schema(&self) -> Value {
        json!(true)
    }

    fn fixture_schema(&self) -> Value {
        json!(true)
    }

    fn action_schema(&self) -> Option<Value> {
        Some(json!(true))
    }

    fn check(&self, _: &RegistrySpec) -> Vec<Finding> {
        Vec::new()
    }

    async fn open(&self, _: RegistrySpec, _: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        Ok(Arc::new(Scripted(Arc::clone(&self.0))))
    }

    async fn double(&self, _: RegistrySpec, _: &Value) -> Result<Double, OpenError> {
        Err(OpenError("has no stand-in".to_owned()))
    }
}

/// A bus on a scripted registry.
pub(crate) struct Desk {
    pub registry: Arc<Registry>,
    pub country: Country,
    pub bus: Option<Bus>,
}

/// What a test changes about the manifest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// `limits:` in braces.
    pub limits: &'static str,
    /// Added to each operation that writes: `, confirm: record`.
    pub each: &'static str,
}

impl Desk {
    pub async fn open(duplicates: Duplicates, terms: Terms) -> Self {
        let country = Country::new();
        country.file("registries/notes.yaml", &MANIFEST.replace("{LIMITS}", terms.limits).replace("{EACH}", terms.each));
        country.grants("notes", &[GRANT]);
        let mut desk = Self { registry: Registry::new(duplicates), country, bus: None };
        desk.start().await;
        desk
    }

    pub async fn start(&mut self) {
        let kinds = Kinds::new(vec![Arc::new(ScriptedKind(Arc::clone(&self.registry)))]);
        self.bus = Some(self.country.start_with(&kinds).await);
    }

    pub async fn stop(&mut self) {
        assert!(self.bus.take().expect("a bus that runs").stop().await, "the bus stops in time");
    }

    pub fn bus(&self) -> &Bus {
        self.bus.as_ref().expect("a bus that runs")
    }

    fn portal(&self) -> Caller {
        self.bus().portal()
    }

    /// Sends a change under an idempotency key, with headers.
    pub async fn send(&self, method: Method, path: &str, key: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let portal = self.portal();
        let mut request =
            portal.request(method, &format!("/api/notes/v1/notes{path}")).header("Idempotency-Key", key.replace(' ', "-"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        portal.sent(request).await
    }

    /// Changes the text of a note, and waits for the outcome.
    pub async fn write(&self, id: &str, text: &str) -> Answer {
        let body = Some(json!({ "text": text }));
        self.send(Method::PATCH, &format!("/{id}"), &format!("{id} {text}"), &[("Prefer", "wait=20")], body).await
    }

    /// Changes the text of a note without waiting; gives the update's id.
    pub async fn post(&self, id: &str, text: &str) -> String {
        let body = Some(json!({ "text": text }));
        let headers = [("Prefer", "respond-async")];
        let answer = self.send(Method::PATCH, &format!("/{id}"), &format!("{id} {text}"), &headers, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.header("rabita-update").to_owned()
    }

    /// How an update stands.
    pub async fn update(&self, id: &str) -> Value {
        self.portal().get(&format!("/bus/updates/{id}")).await.good().json()
    }

    /// Waits until an update is in a state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let update = self.update(id).await;
            if update["state"] == state {
                return update;
            }
            assert!(Instant::now() < deadline, "it is not `{state}`: {update:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has an operator send parked updates on their way, or discard them.
    pub async fn order(&self, verb: &str, ids: &[&str]) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let body = json!({ "ids": ids, "operator": "tester", "reason": "because" });
        let url = format!("http://{}/updates/{verb}", self.bus().admin);
        let answer = client.post(url).json(&body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// What is due by then will never come.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A failure after which nothing was changed.
pub(crate) fn away() -> Deed {
    Deed::Fails(Failure::unavailable("not there"))
}

const GRANT: &str = "{ system: portal, version: v1, entity: notes, operations: [read, create, replace, update, delete, act], fields: all, purposes: any }";

const MANIFEST: &str = r#"
registry: notes
agency: interior
connector: { kind: scripted }
limits: {LIMITS}
contract:
  v1:
    notes:
      schema:
        type: object
        additionalProperties: false
        required: [id, text]
        properties:
          id: { type: string, minLength: 1 }
          text: { type: string, minLength: 1 }
      key: id
      from: notes
      version: V
      fields: { id: ID, text: TEXT }
      operations:
        read: {}
        create: { fields: [id, text]{EACH} }
        replace: { fields: [text]{EACH} }
        update: { fields: [text]{EACH} }
        delete: {}
      actions:
        stamp:
          request: { type: object, additionalProperties: false, required: [text], properties: { text: { type: string } } }
          fields: { text: TEXT }
          reply:
            schema: { type: object, required: [number], properties: { number: { type: integer } } }
            fields: { number: NUMBER }
          from: stamp
"#;
