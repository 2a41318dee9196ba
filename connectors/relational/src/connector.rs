//! The connector: takes a connection, keeps the deadline, and hands on to the statements.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use rabita_model::Operation;
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Duplicates, Failure, Ignore,
    Legacy, OpenBinary, Page, Read, Row, Search, Source, TableSpec,
};
use tokio::sync::Mutex;

use crate::backend::{Pool, Session};
use crate::column::Column;
use crate::fault::{AnyFault, Moment, Trouble};
use crate::once::Once;
use crate::plan::{Plan, Relation};
use crate::transaction::Job;

/// A connector on one database.
pub(crate) struct Relational {
    pub(crate) pool: Box<dyn Pool>,
    pub(crate) entities: Vec<Entity>,
    pub(crate) tables: Vec<(TableSpec, Relation)>,
    pub(crate) read_only: bool,
    pub(crate) once: Option<Once>,
    /// A stand-in for the registry, which may be of another kind of database.
    pub(crate) stand_in: bool,
}

/// An entity, and what the database said of its columns.
pub(crate) struct Entity {
    pub(crate) plan: Plan,
    described: Mutex<Option<Arc<Described>>>,
}

/// The columns of an entity by source.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) record: HashMap<Source, Column>,
    pub(crate) groups: HashMap<String, HashMap<Source, Column>>,
    pub(crate) target: HashMap<Source, Column>,
}

impl Entity {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, described: Mutex::new(None) }
    }

    /// The columns, asked of the database once.
    pub(crate) async fn described(&self, session: &mut Session) -> Result<Arc<Described>, AnyFault> {
        let mut described = self.described.lock().await;
        if let Some(described) = &*described {
            return Ok(Arc::clone(described));
        }
        let plan = &self.plan;
        let record = describe(session, &plan.relation, plan.sources()).await?;
        let mut groups = HashMap::new();
        for (name, group) in &plan.groups {
            groups.insert(name.clone(), describe(session, &group.relation, plan.group_sources(name)).await?);
        }
        let target = match &plan.target {
            Some(target)
                if !plan.spec.written.is_empty() || plan.spec.operations.iter().any(|operation| operation.is_change()) =>
            {
                let relation = Relation { filter: None, ..target.clone() };
                describe(session, &relation, plan.written_sources()).await?
            }
            _ => HashMap::new(),
        };
        let new = Arc::new(Described { record, groups, target });
        *described = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Forgets the columns, so that they are asked for again.
    async fn forget(&self) {
        *self.described.lock().await = None;
    }
}

async fn describe(session: &mut Session, relation: &Relation, sources: Vec<Source>) -> Result<HashMap<Source, Column>, AnyFault> {
    if sources.is_empty() {
        return Ok(HashMap::new());
    }
    let dialect = session.dialect;
    let list: Vec<String> = sources.iter().map(|source| relation.expression(dialect, source.as_str())).collect();
    let sql = format!("SELECT {}{}", list.join(", "), relation.body(dialect));
    let count = list.len();
    Ok(sources.into_iter().zip(session.describe(sql, count).await?).collect())
}

impl Relational {
    /// Runs something on a connection within the deadline. The connection is used again only when it is sound.
    pub(crate) async fn on_session<'a, T, F>(
        &'a self,
        call: &Call,
        entity: Option<usize>,
        work: impl FnOnce(SessionSlot) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = (SessionSlot, Result<T, Trouble>)> + 'a,
    {
        let session = self.pool.session(call).await?;
        let working = AssertUnwindSafe(work(session)).catch_unwind();
        let Ok(worked) = tokio::time::timeout_at(call.deadline.into(), working).await else {
            return Err(Failure::timed_out("the deadline passed while the database worked"));
        };
        // A driver may panic at an answer that is none; the session went with it.
        let Ok((session, result)) = worked else {
            return Err(Failure::malformed("the database driver broke off at an answer that does not follow its protocol"));
        };
        match result {
            Ok(value) => {
                session.finish();
                Ok(value)
            }
            Err(Trouble::Failure(failure)) => {
                session.finish();
                Err(failure)
            }
            Err(Trouble::Database(error)) => {
                if let Some(entity) = entity.filter(|_| error.is_outdated()) {
                    self.entities[entity].forget().await;
                }
                session.finish_after(&error);
                Err(self.told(&error))
            }
        }
    }

    /// A failure of reading; a stand-in says what it may not be able to do.
    pub(crate) fn told(&self, error: &AnyFault) -> Failure {
        match error.failure(Moment::Reading) {
            Failure::Unsupported { detail } if self.stand_in => Failure::unsupported(format!(
                "{detail}; the SQL of this entity does not run on the SQLite stand-in with this fixture: name the missing columns in it, or test the entity live"
            )),
            failure => failure,
        }
    }

    pub(crate) fn entity(&self, entity: usize) -> Result<&Entity, Failure> {
        self.entities.get(entity).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }
}

/// A session that goes into some work and comes out of it.
pub(crate) type SessionSlot = Session;

#[async_trait]
impl Connector for Relational {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let plan = self.entities.get(entity).map(|entity| &entity.plan);
        let changeable = !self.read_only && plan.is_some_and(|plan| plan.target.is_some());
        let mut operations = BTreeSet::from([Operation::Read, Operation::Search]);
        if changeable {
            operations.extend([Operation::Create, Operation::Replace, Operation::Update, Operation::Delete]);
        }
        if !self.read_only && plan.is_some_and(|plan| !plan.actions.is_empty()) {
            operations.insert(Operation::Act);
        }
        if plan.is_some_and(|plan| plan.feed.is_some()) {
            operations.insert(Operation::Subscribe);
        }
        Capabilities {
            operations,
            reads_many_at_once: true,
            projects: true,
            ignores: vec![Ignore::Case, Ignore::OuterSpaces],
            streams_binary: true,
            checks_versions: changeable,
            duplicates: if self.once.is_some() { Duplicates::Detected } else { Duplicates::Applied },
        }
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        self.on_session(call, None, |mut session| async move {
            let probe = session.dialect.probe();
            let result = session.run(probe).await.map_err(Trouble::from);
            (session, result)
        })
        .await
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        let entity = self.entity(ask.entity)?;
        self.on_session(call, Some(ask.entity), |mut session| async move {
            let result = crate::read::one(&mut session, entity, &ask).await;
            (session, result)
        })
        .await
    }

    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let Some(place) = asks.first().map(|ask| ask.entity) else { return Ok(Vec::new()) };
        let entity = self.entity(place)?;
        self.on_session(call, Some(place), |mut session| async move {
            let result = crate::read::many(&mut session, entity, &asks).await;
            (session, result)
        })
        .await
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let entity = self.entity(ask.entity)?;
        self.on_session(call, Some(ask.entity), |mut session| async move {
            let result = crate::search::page(&mut session, entity, &ask).await;
            (session, result)
        })
        .await
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        self.transact(Job::Change(&change), call).await.map(|acted| acted.applied)
    }

    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        self.transact(Job::Act(&act), call).await
    }

    async fn forgo(&self, entity: usize, id: uuid::Uuid, call: &Call) -> Result<bool, Failure> {
        let once = self.once.as_ref().ok_or_else(|| Failure::unsupported("the manifest names no table of ids"))?;
        if self.transact(Job::Forgo { entity, id }, call).await?.applied != Applied::Before {
            return Ok(false);
        }
        self.on_session(call, None, |mut session| async move {
            let result = once.is_forgone(&mut session, id).await;
            (session, result.map(|is_forgone| !is_forgone))
        })
        .await
    }

    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        let entity = self.entity(ask.entity)?;
        let feed = entity.plan.feed.as_ref().ok_or_else(|| Failure::unsupported("no column tells this entity's changes"))?;
        self.on_session(call, Some(ask.entity), |mut session| async move {
            let result = crate::feed::page(&mut session, entity, feed, &ask).await;
            (session, result)
        })
        .await
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        self.stream(ask, call).await
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let (spec, relation) = self.tables.get(table).ok_or_else(|| Failure::unsupported("there is no such table"))?;
        self.on_session(call, None, |mut session| async move {
            let result = crate::read::table(&mut session, spec, relation).await;
            (session, result)
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// The columns of a code table, described anew each time: it is read seldom.
pub(crate) async fn described_table(
    session: &mut Session,
    spec: &TableSpec,
    relation: &Relation,
) -> Result<Vec<Column>, AnyFault> {
    let columns = describe(session, relation, spec.columns.clone()).await?;
    Ok(spec.columns.iter().map(|source| columns.get(source).cloned().unwrap_or_else(Column::text)).collect())
}
