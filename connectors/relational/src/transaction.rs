//! One transaction for one change or action, together with its id where the manifest names a table for ids.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use rabita_sdk::{Act, Acted, Applied, Call, Change, Failure, Legacy};
use uuid::Uuid;

use crate::act::Acting;
use crate::backend::Session;
use crate::change::Changing;
use crate::connector::Relational;
use crate::described::{Described, Entity};
use crate::fault::{AnyFault, Moment, Trouble};
use crate::plan::Relation;
use crate::record::Record;

/// What is to be done in a transaction.
#[derive(Clone, Copy)]
pub(crate) enum Job<'a> {
    Change(&'a Change),
    Act(&'a Act),
    /// Nothing, so that the change of this id can never be made.
    Forgo {
        entity: usize,
        id: Uuid,
    },
}

impl Job<'_> {
    const fn entity(&self) -> usize {
        match self {
            Self::Change(change) => change.entity,
            Self::Act(act) => act.entity,
            Self::Forgo { entity, .. } => *entity,
        }
    }

    const fn id(&self) -> Uuid {
        match self {
            Self::Change(change) => change.id,
            Self::Act(act) => act.id,
            Self::Forgo { id, .. } => *id,
        }
    }

    fn key(&self) -> &[Legacy] {
        match self {
            Self::Change(change) => &change.key,
            Self::Act(act) => &act.key,
            Self::Forgo { .. } => &[],
        }
    }

    const fn expected_version(&self) -> Option<&Legacy> {
        match self {
            Self::Change(change) => change.expected_version.as_ref(),
            Self::Act(act) => act.expected_version.as_ref(),
            Self::Forgo { .. } => None,
        }
    }
}

impl Relational {
    /// Does a job in a transaction of its own.
    pub(crate) async fn transact(&self, job: Job<'_>, call: &Call) -> Result<Acted, Failure> {
        if self.read_only {
            return Err(Failure::unsupported("the connector is set to `read_only`"));
        }
        let entity = self.entity(job.entity())?;
        let plan = &entity.plan;
        let target = match (&plan.target, job) {
            (Some(target), _) => target,
            (None, Job::Forgo { .. }) => &plan.relation,
            // An action writes its own SQL, so only its version needs a table.
            (None, Job::Act(act)) if act.expected_version.is_none() => &plan.relation,
            (None, _) => return Err(Failure::unsupported("a hand-written select without `into` can't be changed")),
        };
        let session = self.pool.session(call).await?;
        let working = AssertUnwindSafe(self.work(session, entity, target, job)).catch_unwind();
        match tokio::time::timeout_at(call.deadline.into(), working).await {
            Ok(Ok(result)) => result,
            // A driver may panic at an answer that is none, be it the one to the commit.
            Ok(Err(_)) => Err(Failure::Unknown {
                detail: "the database driver broke off at an answer that does not follow its protocol".into(),
            }),
            Err(_) => Err(Failure::timed_out("the deadline passed while the database applied a change")),
        }
    }

    async fn work(&self, mut session: Session, entity: &Entity, target: &Relation, job: Job<'_>) -> Result<Acted, Failure> {
        let begun = self.begun(&mut session, entity, job).await;
        let described = match begun {
            Ok(described) => described,
            Err(Trouble::Failure(failure)) => return Err(failure),
            Err(Trouble::Database(error)) => return Err(self.unchanged(entity, &error).await),
        };
        match self.inner(&mut session, entity, target, &described, job).await {
            Ok(acted) if acted.applied == Applied::Done => {
                session.commit().await.map_err(|error| error.failure(Moment::Committing))?;
                session.finish();
                Ok(acted)
            }
            Ok(other) => {
                give_up(session).await;
                Ok(other)
            }
            Err(Trouble::Failure(failure)) => {
                give_up(session).await;
                Err(failure)
            }
            Err(Trouble::Database(error)) => {
                if error.spares_connection() {
                    give_up(session).await;
                }
                Err(self.unchanged(entity, &error).await)
            }
        }
    }

    /// What comes before the transaction, and its beginning.
    async fn begun(&self, session: &mut Session, entity: &Entity, job: Job<'_>) -> Result<Arc<Described>, Trouble> {
        if let Some(once) = &self.once {
            once.prepare(session, job.id()).await?;
        }
        let described = entity.described(session).await?;
        session.begin().await?;
        Ok(described)
    }

    /// A failure of a change that was not made.
    async fn unchanged(&self, entity: &Entity, error: &AnyFault) -> Failure {
        match error.failure(Moment::Changing) {
            Failure::Unsupported { .. } => self.told(Some(entity), error).await,
            failure => failure,
        }
    }

    /// What stands between the beginning of the transaction and its end.
    async fn inner(
        &self,
        session: &mut Session,
        entity: &Entity,
        target: &Relation,
        described: &Described,
        job: Job<'_>,
    ) -> Result<Acted, Trouble> {
        if let Some(once) = &self.once
            && !once.store(session, job.id()).await?
        {
            return Ok(Acted { applied: Applied::Before, reply: None });
        }
        if let (Job::Forgo { id, .. }, Some(once)) = (job, &self.once) {
            once.store_forgone(session, id).await?;
        }
        let record = Record { entity, target, described, key: job.key(), expected_version: job.expected_version() };
        match job {
            Job::Change(change) => {
                let applied = Changing { record, change }.run(session).await?;
                Ok(Acted { applied, reply: None })
            }
            Job::Act(act) => Acting { record, act }.run(session).await,
            Job::Forgo { .. } => Ok(Acted { applied: Applied::Done, reply: None }),
        }
    }
}

/// Ends a transaction in which nothing shall have happened. If that fails the connection is closed, which does the same.
async fn give_up(mut session: Session) {
    if session.rollback().await.is_ok() {
        session.finish();
    }
}
