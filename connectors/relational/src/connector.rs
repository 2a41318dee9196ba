//! The connector: takes a connection, keeps the deadline, and hands on to the statements.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use rabita_model::Operation;
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Duplicates, Failure, Ignore,
    Legacy, OpenBinary, Page, Read, Row, Search, TableSpec,
};

use crate::backend::{Pool, Session};
use crate::described::Entity;
use crate::fault::{AnyFault, Moment, Trouble};
use crate::once::Once;
use crate::plan::Relation;
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
                let entity = entity.map(|entity| &self.entities[entity]);
                session.finish_after(&error);
                Err(self.told(entity, &error).await)
            }
        }
    }

    /// A failure of reading. Where the database lacks what the manifest names, it says of which entity, and the entity's
    /// columns are asked for again; a stand-in says what it may not be able to do.
    pub(crate) async fn told(&self, entity: Option<&Entity>, error: &AnyFault) -> Failure {
        let failure = error.failure(Moment::Reading);
        if let Some(entity) = entity.filter(|_| error.is_outdated() || matches!(failure, Failure::Unsupported { .. })) {
            entity.forget().await;
        }
        let Failure::Unsupported { detail } = failure else { return failure };
        let place = entity.map(|entity| format!("{}: ", entity.plan.spec.name)).unwrap_or_default();
        let remedy = if self.stand_in {
            "; the SQL of this entity does not run on the SQLite stand-in with this fixture: name the missing columns in it, or test the entity live"
        } else {
            ""
        };
        Failure::unsupported(format!("{place}{detail}{remedy}"))
    }

    /// Whether the database answers, and has what the entities name. All that it lacks is told at once.
    async fn look(&self, session: &mut Session) -> Result<(), Trouble> {
        let probe = session.dialect.probe();
        session.run(probe).await?;
        if self.stand_in {
            // A fixture has what its test needs, and no more.
            return Ok(());
        }
        let mut lacking = Vec::new();
        for entity in &self.entities {
            let Err(fault) = entity.described(session).await else { continue };
            match self.told(Some(entity), &fault).await {
                Failure::Unsupported { detail } => lacking.push(detail),
                _ => return Err(fault.into()),
            }
        }
        if lacking.is_empty() { Ok(()) } else { Err(Failure::unsupported(lacking.join("; ")).into()) }
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
            let result = self.look(&mut session).await;
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
            (session, result.map_err(|trouble| trouble.placed(|| format!("code list `{}`", spec.name))))
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
