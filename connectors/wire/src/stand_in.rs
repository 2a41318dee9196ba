//! A stand-in for offline tests: the rows of a fixture, served over the wire contract within the process.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rabita_model::{Comparison, Operation};
use rabita_sdk::{
    Applied, BinaryStream, Call, Capabilities, Change, ChangeKind, Condition, Connector, Duplicates, EntitySpec, Failure, Ignore,
    Legacy, OpenBinary, Page, Read, RegistrySpec, Row, Search,
};
use serde_json::Value;

use crate::names::Names;
use crate::served::Served;
use crate::transport::{Outgoing, Streaming, Transport, failure, headers};
use crate::value::ExactRow;

/// The rows of a fixture.
pub(crate) struct StandIn {
    entities: Vec<EntitySpec>,
    /// By entity.
    rows: Mutex<Vec<Vec<Row>>>,
    /// By code table, each row with the columns in order.
    tables: Vec<Vec<Vec<Legacy>>>,
}

impl StandIn {
    /// Takes the rows of a fixture; an entity that it does not name has none.
    ///
    /// # Errors
    /// A sentence saying what is no row.
    pub fn new(spec: &RegistrySpec, names: &Names, fixture: &Value) -> Result<Self, String> {
        let known = || names.entities.iter().map(|names| &names.entity).chain(&names.tables);
        if let Some(other) =
            fixture.as_object().into_iter().flatten().map(|(name, _)| name).find(|name| !known().any(|own| own == *name))
        {
            return Err(format!("`legacy` has rows of `{other}`, which no `from` of the manifest names"));
        }
        let rows_of = |name: &str| -> Result<Vec<Row>, String> {
            let rows = fixture.get(name).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
            let rows: Vec<ExactRow> = serde_json::from_value(rows).map_err(|wrong| format!("`legacy` of `{name}`: {wrong}"))?;
            Ok(rows.into_iter().map(|row| row.0).collect())
        };
        let rows = names.entities.iter().map(|names| rows_of(&names.entity)).collect::<Result<_, _>>()?;
        let mut tables = Vec::new();
        for (table, name) in spec.tables.iter().zip(&names.tables) {
            let value = |row: &Row| table.columns.iter().map(|column| row.find(column).cloned().unwrap_or_default()).collect();
            tables.push(rows_of(name)?.iter().map(value).collect());
        }
        Ok(Self { entities: spec.entities.clone(), rows: Mutex::new(rows), tables })
    }

    fn with<T>(&self, entity: usize, work: impl FnOnce(&EntitySpec, &mut Vec<Row>) -> T) -> Result<T, Failure> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.entities.get(entity), rows.get_mut(entity)) {
            (Some(spec), Some(rows)) => Ok(work(spec, rows)),
            _ => Err(Failure::unsupported("there is no such entity")),
        }
    }
}

/// Whether a row is the one of this key. A fixture may write a number as one, where the contract has text.
fn is_of(spec: &EntitySpec, row: &Row, key: &[Legacy]) -> bool {
    spec.key
        .iter()
        .zip(key)
        .all(|(source, value)| row.find(source).is_some_and(|own| own == value || own.to_text() == value.to_text()))
}

fn holds(row: &Row, condition: &Condition) -> bool {
    let text = |value: &Legacy| {
        let text = value.to_text().map(std::borrow::Cow::into_owned)?;
        let text = if condition.ignore.contains(&Ignore::OuterSpaces) { text.trim().to_owned() } else { text };
        Some(if condition.ignore.contains(&Ignore::Case) { text.to_lowercase() } else { text })
    };
    let Some(own) = row.find(&condition.source).filter(|own| !own.is_null()) else { return condition.value.is_null() };
    let order = match (own, &condition.value) {
        (Legacy::Int(own), Legacy::Int(value)) => Some(own.cmp(value)),
        (own, value) => text(own).zip(text(value)).map(|(own, value)| own.cmp(&value)),
    };
    match condition.comparison {
        Comparison::Equals => order.is_some_and(std::cmp::Ordering::is_eq),
        Comparison::From => order.is_some_and(std::cmp::Ordering::is_ge),
        Comparison::To => order.is_some_and(std::cmp::Ordering::is_le),
        Comparison::Prefix => text(own).zip(text(&condition.value)).is_some_and(|(own, start)| own.starts_with(&start)),
    }
}

fn change(spec: &EntitySpec, rows: &mut Vec<Row>, change: Change) -> Applied {
    let found = rows.iter().position(|row| is_of(spec, row, &change.key));
    let Some(at) = found else {
        if change.kind != ChangeKind::Create {
            return Applied::Absent;
        }
        rows.push(change.values);
        return Applied::Done;
    };
    let version = spec.version.as_ref().and_then(|version| rows[at].find(version)).cloned();
    let is_other = change.expected_version.is_some_and(|expected| version.as_ref() != Some(&expected));
    if change.kind == ChangeKind::Create || is_other {
        return Applied::Conflict;
    }
    if change.kind == ChangeKind::Delete {
        rows.remove(at);
        return Applied::Done;
    }
    for (source, value) in change.values.iter() {
        rows[at].put(&rabita_sdk::Source::new(source), value.clone());
    }
    if let (Some(source), Some(Legacy::Int(version))) = (&spec.version, version) {
        rows[at].put(source, Legacy::Int(version + 1));
    }
    Applied::Done
}

#[async_trait]
impl Connector for StandIn {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let mut operations = self.entities.get(entity).map(|entity| entity.operations.clone()).unwrap_or_default();
        operations.retain(|operation| !matches!(operation, Operation::Act | Operation::Subscribe));
        Capabilities {
            operations,
            reads_many_at_once: true,
            projects: false,
            ignores: vec![Ignore::Case, Ignore::OuterSpaces],
            streams_binary: false,
            checks_versions: true,
            duplicates: Duplicates::Applied,
        }
    }

    async fn probe(&self, _call: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn read(&self, ask: Read, _call: &Call) -> Result<Option<Row>, Failure> {
        self.with(ask.entity, |spec, rows| rows.iter().find(|row| is_of(spec, row, &ask.key)).cloned())
    }

    async fn search(&self, ask: Search, _call: &Call) -> Result<Page, Failure> {
        let start = match &ask.cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| Failure::refused("this is no cursor of this search"))?,
        };
        self.with(ask.entity, |_, rows| {
            let found = rows.iter().filter(|row| ask.conditions.iter().all(|condition| holds(row, condition)));
            let mut rows: Vec<Row> = found.skip(start).take(ask.limit + 1).cloned().collect();
            let next = (rows.len() > ask.limit).then(|| (start + ask.limit).to_string());
            rows.truncate(ask.limit);
            Page { rows, next }
        })
    }

    async fn apply(&self, asked: Change, _call: &Call) -> Result<Applied, Failure> {
        self.with(asked.entity, |spec, rows| change(spec, rows, asked))
    }

    async fn open_binary(&self, _ask: OpenBinary, _call: &Call) -> Result<Option<BinaryStream>, Failure> {
        Err(Failure::unsupported("the stand-in has no binary values"))
    }

    async fn table(&self, table: usize, _call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        self.tables.get(table).cloned().ok_or_else(|| Failure::unsupported("there is no such code table"))
    }

    async fn close(&self) {}
}

/// Carries messages within the process.
pub(crate) struct Loopback {
    served: Served,
}

impl Loopback {
    pub const fn new(served: Served) -> Self {
        Self { served }
    }

    async fn sent(&self, ask: &Outgoing, call: &Call) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.uri_mut() =
            ask.path().parse().map_err(|_| Failure::unsupported("the registry's name cannot stand in a path"))?;
        *request.headers_mut() = headers(self.served.versions.newest, call);
        let response = self.served.answer(request).await;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

#[async_trait]
impl Transport for Loopback {
    async fn send(&self, ask: Outgoing, call: &Call) -> Result<Bytes, Failure> {
        let (status, body) = self.sent(&ask, call).await?;
        if status == StatusCode::OK { Ok(body) } else { Err(failure(status.as_u16(), &body, ask.changes)) }
    }

    async fn stream(&self, ask: Outgoing, call: &Call) -> Result<Streaming, Failure> {
        let (status, body) = self.sent(&ask, call).await?;
        Err(failure(status.as_u16(), &body, false))
    }

    async fn probe(&self, _call: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn close(&self) {}
}
