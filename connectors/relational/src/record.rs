//! The one record that a change or an action is of: whether it is there, at its version, and alone.

use rabita_sdk::{Applied, Failure, Legacy};

use crate::backend::Session;
use crate::column::Column;
use crate::described::{Described, Entity};
use crate::fault::Trouble;
use crate::plan::{Base, Relation};
use crate::read::{column, key_params, push_equal, push_key};
use crate::statement::Statement;

/// A record that is to be changed, within a transaction.
pub(crate) struct Record<'a> {
    pub(crate) entity: &'a Entity,
    /// The table that the change goes to.
    pub(crate) target: &'a Relation,
    pub(crate) described: &'a Described,
    pub(crate) key: &'a [Legacy],
    pub(crate) expected_version: Option<&'a Legacy>,
}

impl Record<'_> {
    /// Runs a statement on the record, and says why if it touched none.
    pub(crate) async fn touch(&self, session: &mut Session, mut statement: Statement) -> Result<Applied, Trouble> {
        // A condition over joined tables can't stand in the statement itself.
        let entity = &self.entity.plan.relation;
        if (!entity.joins.is_empty() || matches!(entity.base, Base::Select(_))) && !self.exists(session).await? {
            return Ok(Applied::Absent);
        }
        if self.push_where(session, &mut statement)?.is_none() {
            return self.untouched(session).await;
        }
        match session.execute(statement).await? {
            0 => self.untouched(session).await,
            1 => Ok(Applied::Done),
            _ => Err(Failure::malformed("several rows have the key of one record: nothing was changed").into()),
        }
    }

    /// Looks for the record, at the expected version, without changing it. With `held` nobody else changes it before the
    /// transaction ends.
    pub(crate) async fn look(&self, session: &mut Session, held: bool) -> Result<Applied, Trouble> {
        let dialect = session.dialect;
        let table = self.target.base_sql(dialect);
        let table = if held { dialect.held_table(table) } else { table };
        let mut look = Statement::new(dialect, &format!("SELECT 1 FROM {table}"));
        if self.push_where(session, &mut look)?.is_none() {
            return self.untouched(session).await;
        }
        if held {
            look.push(dialect.held());
        }
        match session.fetch(look, &[Column::int()]).await?.len() {
            0 => self.untouched(session).await,
            _ => Ok(Applied::Done),
        }
    }

    /// Adds the key, the version and the manifest's condition; `None` when no record can satisfy them.
    fn push_where(&self, session: &Session, statement: &mut Statement) -> Result<Option<()>, Failure> {
        let spec = &self.entity.plan.spec;
        let columns = &self.described.target;
        let own_condition = self.entity.plan.relation.joins.is_empty();
        statement.push(&if own_condition { self.target.condition() } else { " WHERE 1 = 1".to_owned() });
        let Some(key) = key_params(session, &spec.key, columns, self.key)? else { return Ok(None) };
        statement.push(" AND ");
        push_key(statement, self.target, &spec.key, columns, key)?;
        let Some(expected) = self.expected_version else { return Ok(Some(())) };
        let source = spec.version.as_ref().ok_or_else(|| Failure::unsupported("the entity has no version"))?;
        let expression = self.target.expression(statement.dialect, source.as_str());
        statement.push(" AND ");
        if expected.is_null() {
            statement.push(&format!("{expression} IS NULL"));
            return Ok(Some(()));
        }
        let version = column(columns, source)?;
        let Some(param) = version.compared(statement.dialect, expected) else { return Ok(None) };
        push_equal(statement, &expression, version, param);
        Ok(Some(()))
    }

    /// Why no record was touched.
    pub(crate) async fn untouched(&self, session: &mut Session) -> Result<Applied, Trouble> {
        if !self.exists(session).await? {
            return Ok(Applied::Absent);
        }
        if self.expected_version.is_some() {
            return Ok(Applied::Conflict);
        }
        Err(Failure::refused("the record is there, and the database did not change it").into())
    }

    /// Whether the entity has the record.
    pub(crate) async fn exists(&self, session: &mut Session) -> Result<bool, Trouble> {
        let plan = &self.entity.plan;
        let Some(key) = key_params(session, &plan.spec.key, &self.described.record, self.key)? else { return Ok(false) };
        let mut statement = Statement::new(session.dialect, &format!("SELECT 1{} AND ", plan.relation.body(session.dialect)));
        push_key(&mut statement, &plan.relation, &plan.spec.key, &self.described.record, key)?;
        statement.limit(1);
        // The answer is only counted, so its column needs no decoding.
        Ok(!session.fetch(statement, &[]).await?.is_empty())
    }
}
