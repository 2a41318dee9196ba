//! A registry in memory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rabita_model::{Comparison, Operation};
use rabita_sdk::{
    Applied, BinaryStream, Call, Capabilities, Change, ChangeKind, Connector, Double, Duplicates, Failure, Finding, Kind, Legacy,
    OpenBinary, OpenError, Page, Read, RegistrySpec, Row, Search, Secrets, Wanted,
};
use serde_json::{Value, json};

/// The registry: for each entity its rows.
pub(crate) struct Registry {
    spec: RegistrySpec,
    rows: Mutex<Vec<Vec<Row>>>,
    asked: Mutex<Vec<Wanted>>,
    is_down: AtomicBool,
}

impl Registry {
    pub fn new(spec: RegistrySpec, rows: Vec<Vec<Value>>) -> Arc<Self> {
        let row = |value: Value| serde_json::from_value(value).expect("a row");
        let rows = rows.into_iter().map(|rows| rows.into_iter().map(row).collect()).collect();
        Arc::new(Self { spec, rows: Mutex::new(rows), asked: Mutex::default(), is_down: AtomicBool::new(false) })
    }

    /// What was wanted by each question so far.
    pub fn asked(&self) -> Vec<Wanted> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn goes_down(&self) {
        self.is_down.store(true, Ordering::SeqCst);
    }

    pub fn rows(&self, entity: usize) -> Vec<Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)[entity].clone()
    }

    fn is_up(&self) -> Result<(), Failure> {
        if self.is_down.load(Ordering::SeqCst) { Err(Failure::unavailable("it is down")) } else { Ok(()) }
    }

    fn has(&self, entity: usize, row: &Row, key: &[Legacy]) -> bool {
        self.spec.entities[entity].key.iter().zip(key).all(|(source, value)| match (row.find(source), value) {
            // As many databases compare texts.
            (Some(Legacy::Text(own)), Legacy::Text(text)) => own.eq_ignore_ascii_case(text),
            (own, value) => own == Some(value),
        })
    }

    fn cut(&self, row: &Row, wanted: &Wanted) -> Row {
        let mut cut = Row::new();
        for source in &wanted.sources {
            cut.put(source, row.find(source).cloned().unwrap_or_default());
        }
        cut
    }
}

#[async_trait]
impl Connector for Registry {
    fn capabilities(&self, _: usize) -> Capabilities {
        Capabilities {
            operations: BTreeSet::from(Operation::ALL),
            reads_many_at_once: true,
            projects: true,
            ignores: Vec::new(),
            streams_binary: true,
            checks_versions: true,
            duplicates: Duplicates::Applied,
        }
    }

    async fn probe(&self, _: &Call) -> Result<(), Failure> {
        self.is_up()
    }

    async fn read(&self, ask: Read, _: &Call) -> Result<Option<Row>, Failure> {
        self.is_up()?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(ask.wanted.clone());
        let rows = self.rows(ask.entity);
        Ok(rows.iter().find(|row| self.has(ask.entity, row, &ask.key)).map(|row| self.cut(row, &ask.wanted)))
    }

    async fn search(&self, ask: Search, _: &Call) -> Result<Page, Failure> {
        self.is_up()?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(ask.wanted.clone());
        let begin = ask.cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0_usize);
        let is_found = |row: &Row| {
            ask.conditions.iter().all(|condition| {
                assert_eq!(condition.comparison, Comparison::Equals);
                row.find(&condition.source) == Some(&condition.value)
            })
        };
        let found: Vec<Row> = self.rows(ask.entity).into_iter().filter(is_found).collect();
        let end = found.len().min(begin + ask.limit);
        let rows = found[begin.min(end)..end].iter().map(|row| self.cut(row, &ask.wanted)).collect();
        Ok(Page { rows, next: (end < found.len()).then(|| end.to_string()) })
    }

    async fn apply(&self, change: Change, _: &Call) -> Result<Applied, Failure> {
        self.is_up()?;
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = &mut rows[change.entity];
        let at = rows.iter().position(|row| self.has(change.entity, row, &change.key));
        Ok(match (change.kind, at) {
            (ChangeKind::Create, None) => {
                rows.push(change.values);
                Applied::Done
            }
            (ChangeKind::Create, Some(_)) => Applied::Conflict,
            (_, None) => Applied::Absent,
            (ChangeKind::Delete, Some(at)) => {
                rows.remove(at);
                Applied::Done
            }
            (ChangeKind::Update | ChangeKind::Replace, Some(at)) => {
                for (name, value) in change.values.iter() {
                    rows[at].set(name, value.clone());
                }
                Applied::Done
            }
        })
    }

    async fn open_binary(&self, ask: OpenBinary, _: &Call) -> Result<Option<BinaryStream>, Failure> {
        self.is_up()?;
        let rows = self.rows(ask.entity);
        let row = rows.iter().find(|row| self.has(ask.entity, row, &ask.key));
        Ok(row.map(|_| BinaryStream {
            length: Some(3),
            media_type: None,
            chunks: Box::pin(futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"jpg"))])),
        }))
    }

    async fn table(&self, _: usize, _: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        Err(Failure::unsupported("there are no tables"))
    }

    async fn close(&self) {}
}

/// The kind of such registries. A bus is put on connectors that are open already, so it opens none.
pub(crate) struct InMemory;

#[async_trait]
impl Kind for InMemory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn settings_schema(&self) -> Value {
        json!({})
    }

    fn entity_schema(&self) -> Value {
        json!({})
    }

    fn fixture_schema(&self) -> Value {
        json!({})
    }

    fn check(&self, _: &RegistrySpec) -> Vec<Finding> {
        Vec::new()
    }

    async fn open(&self, _: RegistrySpec, _: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        Err(OpenError("it is open already".to_owned()))
    }

    async fn double(&self, _: RegistrySpec, _: &Value) -> Result<Double, OpenError> {
        Err(OpenError("it needs no stand-in".to_owned()))
    }
}
