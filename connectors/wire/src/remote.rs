//! A connector whose work is done elsewhere: each call becomes a message, and each answer what the sdk has for it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Duplicates, Failure, Legacy,
    OpenBinary, Page, Promise, Read, RegistrySpec, Row, Search, Source,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::convert::{exact, legacy, row};
use crate::message::{
    ActMessage, ActedAnswer, AppliedAnswer, BinaryMessage, ChangeMessage, ChangesAnswer, ChangesMessage, ForgoAnswer,
    ForgoMessage, PageAnswer, ReadManyMessage, ReadMessage, RowAnswer, RowsAnswer, SearchMessage, TableAnswer, TableMessage,
};
use crate::names::{EntityNames, Names};
use crate::transport::{Outgoing, Transport, no_answer};
use crate::value::{Exact, ExactRow};

/// A connector whose work is done elsewhere.
pub struct Remote {
    transport: Arc<dyn Transport>,
    spec: RegistrySpec,
    names: Names,
    promise: Promise,
}

impl Remote {
    /// Takes what carries its messages, and the bus's specification of the registry.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, spec: RegistrySpec, kind: &str, promise: Promise) -> Self {
        Self { transport, names: Names::of(&spec, kind), spec, promise }
    }

    fn entity(&self, entity: usize) -> Result<&EntityNames, Failure> {
        self.names.entities.get(entity).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        call: &'static str,
        entity: Option<usize>,
        question: &Q,
        at: &Call,
    ) -> Result<A, Failure> {
        let outgoing = self.outgoing(call, entity, question)?;
        let changes = outgoing.changes;
        let body = in_time(at, self.transport.send(outgoing, at)).await?;
        // What serde says of a wrong answer can hold a value of it.
        serde_json::from_slice(&body).map_err(|wrong| {
            no_answer(format!("the answer to `{call}` is none: at byte {} ({})", wrong.column(), kind_of(&wrong)), changes)
        })
    }

    fn outgoing<Q: Serialize>(&self, call: &'static str, entity: Option<usize>, question: &Q) -> Result<Outgoing, Failure> {
        let body = serde_json::to_vec(question).map_err(|_| Failure::refused("the question cannot be written as JSON"))?;
        Ok(Outgoing {
            registry: Some(self.spec.registry.clone()),
            call,
            entity,
            body: body.into(),
            changes: matches!(call, "apply" | "act" | "forgo"),
        })
    }
}

fn kind_of(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "another form than the contract's",
        serde_json::error::Category::Eof => "it ends early",
        _ => "no JSON",
    }
}

/// Nobody waits past the deadline, whatever carries the message.
async fn in_time<T>(call: &Call, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::timed_out("the deadline passed");
    if call.remaining().is_zero() {
        return Err(late());
    }
    tokio::time::timeout_at(call.deadline.into(), work).await.unwrap_or_else(|_| Err(late()))
}

#[async_trait]
impl Connector for Remote {
    fn capabilities(&self, entity: usize) -> Capabilities {
        self.promise.of(&self.spec, entity)
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        in_time(call, self.transport.probe(call)).await
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        let entity = self.entity(ask.entity)?.entity.clone();
        let question = ReadMessage { entity, key: exact(ask.key), wanted: ask.wanted.into() };
        let answer: RowAnswer = self.ask("read", Some(ask.entity), &question, call).await?;
        Ok(row(answer.row))
    }

    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let Some(first) = asks.first() else { return Ok(Vec::new()) };
        let (at, wanted, count) = (first.entity, first.wanted.clone(), asks.len());
        let entity = self.entity(at)?.entity.clone();
        let keys = asks.into_iter().map(|ask| exact(ask.key)).collect();
        let question = ReadManyMessage { entity, keys, wanted: wanted.into() };
        let answer: RowsAnswer = self.ask("read_many", Some(at), &question, call).await?;
        if answer.rows.len() != count {
            return Err(Failure::malformed(format!("{count} keys were asked for, and {} were answered", answer.rows.len())));
        }
        Ok(answer.rows.into_iter().map(row).collect())
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let question = SearchMessage {
            entity: self.entity(ask.entity)?.entity.clone(),
            conditions: ask.conditions.into_iter().map(Into::into).collect(),
            wanted: ask.wanted.into(),
            limit: ask.limit,
            cursor: ask.cursor,
        };
        let answer: PageAnswer = self.ask("search", Some(ask.entity), &question, call).await?;
        if answer.rows.len() > ask.limit {
            return Err(Failure::malformed(format!("a page of {} where {} were asked for", answer.rows.len(), ask.limit)));
        }
        Ok(Page { rows: answer.rows.into_iter().map(|row| row.0).collect(), next: answer.next })
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        let at = change.entity;
        let question = ChangeMessage {
            entity: self.entity(at)?.entity.clone(),
            id: change.id,
            change: change.kind.into(),
            key: exact(change.key),
            values: ExactRow(change.values),
            expected_version: change.expected_version.map(Exact),
        };
        let answer: AppliedAnswer = self.ask("apply", Some(at), &question, call).await?;
        Ok(answer.applied.into())
    }

    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        let names = self.entity(act.entity)?;
        let action = names.actions.get(act.action).ok_or_else(|| Failure::unsupported("there is no such action"))?;
        let question = ActMessage {
            entity: names.entity.clone(),
            action: action.clone(),
            id: act.id,
            key: exact(act.key),
            values: ExactRow(act.values),
            expected_version: act.expected_version.map(Exact),
        };
        let answer: ActedAnswer = self.ask("act", Some(act.entity), &question, call).await?;
        Ok(Acted { applied: answer.applied.into(), reply: row(answer.reply) })
    }

    async fn forgo(&self, entity: usize, id: Uuid, call: &Call) -> Result<bool, Failure> {
        if self.promise.duplicates != Duplicates::Detected {
            return Err(Failure::unsupported("the manifest does not say that the connector stores ids"));
        }
        let question = ForgoMessage { entity: self.entity(entity)?.entity.clone(), id };
        let answer: ForgoAnswer = self.ask("forgo", Some(entity), &question, call).await?;
        Ok(answer.was_applied)
    }

    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        let entity = self.entity(ask.entity)?.entity.clone();
        let question = ChangesMessage { entity, since: ask.since, wanted: ask.wanted.into(), limit: ask.limit };
        let answer: ChangesAnswer = self.ask("changes", Some(ask.entity), &question, call).await?;
        let changes = answer.changes.into_iter().map(Into::into).collect();
        Ok(ChangePage { changes, since: answer.since, has_more: answer.has_more })
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let entity = self.entity(ask.entity)?.entity.clone();
        let question = BinaryMessage { entity, key: exact(ask.key), source: ask.source };
        let outgoing = self.outgoing("open_binary", Some(ask.entity), &question)?;
        let streaming = in_time(call, self.transport.stream(outgoing, call)).await?;
        let Some(body) = streaming.body else { return Ok(None) };
        let chunks = whole(body, streaming.length);
        Ok(Some(BinaryStream { length: streaming.length, media_type: streaming.media_type, chunks }))
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let name = self.names.tables.get(table).ok_or_else(|| Failure::unsupported("there is no such code table"))?.clone();
        let columns: Vec<Source> = self.spec.tables[table].columns.clone();
        let width = columns.len();
        let answer: TableAnswer = self.ask("table", None, &TableMessage { table: name, columns }, call).await?;
        if answer.rows.iter().any(|row| row.len() != width) {
            return Err(Failure::malformed(format!("a row of the code table has not {width} columns")));
        }
        Ok(answer.rows.into_iter().map(legacy).collect())
    }

    async fn close(&self) {
        self.transport.close().await;
    }
}

/// A stream that ends with a failure where it has not the length that was told.
fn whole(body: crate::transport::Chunks, length: Option<u64>) -> crate::transport::Chunks {
    let Some(length) = length else { return body };
    let counted = futures_util::stream::unfold((body, 0_u64, false), move |(mut body, came, is_over)| async move {
        if is_over {
            return None;
        }
        match body.next().await {
            Some(Ok(chunk)) => {
                let came = came + chunk.len() as u64;
                Some((Ok(chunk), (body, came, false)))
            }
            Some(Err(failure)) => Some((Err(failure), (body, came, true))),
            None if came == length => None,
            None => {
                let cut = Failure::malformed(format!("{length} bytes were told, and {came} came"));
                Some((Err(cut), (body, came, true)))
            }
        }
    });
    Box::pin(counted)
}
