//! The connector: takes a connection, keeps the deadline, and hands on to the questions.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use rabita_model::Operation;
use rabita_sdk::{
    Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Duplicates, Failure, Legacy, OpenBinary,
    Page, Read, Row, Search, Source,
};
use tokio::sync::OnceCell;

use crate::failure::{Moment, refused};
use crate::link::Link;
use crate::plan::Plan;
use crate::pool::Pool;
use crate::protocol::{Code, Filter, Scope, SearchRequest};
use crate::read::{Limits, Session};
use crate::schema::Schema;

/// The pieces of a binary value that are handed over.
const PIECE: usize = 256 * 1024;

/// A connector to one directory.
pub(crate) struct Ldap {
    pub(crate) pool: Pool,
    pub(crate) entities: Vec<Plan>,
    /// The tables of codes, with the columns that are read of each.
    pub(crate) tables: Vec<(Plan, Vec<Source>)>,
    pub(crate) limits: Limits,
    /// Asked for once.
    pub(crate) schema: OnceCell<Arc<Schema>>,
}

#[async_trait]
impl Connector for Ldap {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let plan = self.entities.get(entity);
        let mut operations = BTreeSet::new();
        if let Some(plan) = plan {
            operations.extend([Operation::Read, Operation::Search, Operation::Replace, Operation::Update, Operation::Delete]);
            operations.extend(plan.create.is_some().then_some(Operation::Create));
            operations.extend(plan.feed.is_some().then_some(Operation::Subscribe));
        }
        Capabilities {
            operations,
            reads_many_at_once: true,
            projects: true,
            ignores: plan.map(|plan| plan.origin.ignores.clone()).unwrap_or_default(),
            streams_binary: true,
            checks_versions: self.limits.assertions && plan.is_some_and(|plan| plan.spec.version.is_some()),
            duplicates: Duplicates::Applied,
        }
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        self.on_link(call, |mut link, _| async move {
            let request = SearchRequest {
                base: String::new(),
                scope: Scope::Base,
                size_limit: 1,
                time_limit: 0,
                filter: Filter::Present("objectClass".to_owned()),
                attributes: vec!["1.1".to_owned()],
            };
            let found = link.search(request, Vec::new(), |_, _| Ok(())).await;
            let answers = found.and_then(|found| match found.code {
                // A directory that shows nobody its root answers all the same.
                Code::SUCCESS | Code::NO_SUCH_OBJECT | Code(50) => Ok(()),
                code => Err(refused(code, Moment::Connecting)),
            });
            (link, answers)
        })
        .await
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        let rows = self.read_many(vec![ask], call).await?;
        Ok(rows.into_iter().next().flatten())
    }

    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let Some(entity) = asks.first().map(|ask| ask.entity) else { return Ok(Vec::new()) };
        let asks = asks.as_slice();
        self.on_session(self.plan(entity)?, call, |mut session| async move {
            let rows = session.read(asks).await;
            (session, rows)
        })
        .await
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let ask = &ask;
        self.on_session(self.plan(ask.entity)?, call, |mut session| async move {
            let page = session.page(ask).await;
            (session, page)
        })
        .await
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        let change = &change;
        self.on_session(self.plan(change.entity)?, call, |mut session| async move {
            let applied = session.apply(change).await;
            (session, applied)
        })
        .await
    }

    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        let plan = self.plan(ask.entity)?;
        let feed = plan.feed.as_ref().ok_or_else(|| Failure::unsupported("the manifest does not say that changes are found"))?;
        let ask = &ask;
        self.on_session(plan, call, |mut session| async move {
            let page = session.changes(feed, ask).await;
            (session, page)
        })
        .await
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let ask = &ask;
        let bytes = self.on_session(self.plan(ask.entity)?, call, |mut session| async move {
            let bytes = session.binary(ask).await;
            (session, bytes)
        });
        // The protocol gives a value whole, and nothing of it before.
        Ok(bytes.await?.map(|bytes| BinaryStream {
            length: u64::try_from(bytes.len()).ok(),
            media_type: None,
            chunks: Box::pin(stream::unfold(Bytes::from(bytes), async |mut rest| {
                let piece = rest.split_to(rest.len().min(PIECE));
                if piece.is_empty() { None } else { Some((Ok(piece), rest)) }
            })),
        }))
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let (plan, columns) = self.tables.get(table).ok_or_else(|| Failure::unsupported("there is no such table"))?;
        self.on_session(plan, call, |mut session| async move {
            let rows = session.table(columns).await;
            (session, rows)
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

impl Ldap {
    fn plan(&self, entity: usize) -> Result<&Plan, Failure> {
        self.entities.get(entity).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }

    async fn on_session<'a, T, F>(&'a self, plan: &'a Plan, call: &'a Call, work: impl Fn(Session<'a>) -> F) -> Result<T, Failure>
    where
        F: Future<Output = (Session<'a>, Result<T, Failure>)>,
    {
        self.on_link(call, |link, schema| {
            let working = work(Session { link, plan, schema, call, limits: self.limits });
            async {
                let (session, result) = working.await;
                (session.link, result)
            }
        })
        .await
    }

    /// Does something on a connection within the deadline. Where the connection turns out to have ended before, it is done
    /// on another: the directory did nothing of it yet.
    async fn on_link<T, F>(&self, call: &Call, work: impl Fn(Link, Arc<Schema>) -> F) -> Result<T, Failure>
    where
        F: Future<Output = (Link, Result<T, Failure>)>,
    {
        if call.remaining().is_zero() {
            return Err(Failure::timed_out("the deadline had passed before the directory was asked"));
        }
        let working = async {
            let _turn = self.pool.turn().await?;
            let mut is_new = false;
            loop {
                let mut link = self.pool.link(call, is_new).await?;
                let schema = self.schema(&mut link).await;
                let result = match schema {
                    Err(failure) => Err(failure),
                    Ok(schema) => {
                        let (back, result) = work(link, schema).await;
                        link = back;
                        result
                    }
                };
                if result.is_err() && link.was_dead() && !is_new {
                    is_new = true;
                    continue;
                }
                self.pool.give(link);
                return result;
            }
        };
        tokio::time::timeout_at(call.deadline.into(), working)
            .await
            .unwrap_or_else(|_| Err(Failure::timed_out("the deadline passed while the directory worked")))
    }

    async fn schema(&self, link: &mut Link) -> Result<Arc<Schema>, Failure> {
        let schema = self.schema.get_or_try_init(|| async { Schema::ask(link).await.map(Arc::new) }).await?;
        Ok(Arc::clone(schema))
    }
}
