//! Changes: each in one transaction, together with its id where the manifest names a table for ids.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use rabita_sdk::{Applied, Call, Change, ChangeKind, Failure, Legacy, Source};

use crate::column::Column;
use crate::connector::{Described, Entity, Sql, Trouble};
use crate::database::Session;
use crate::dialect::Dialect;
use crate::failure::{Moment, failure, is_duplicate, is_table_absent, spares_connection};
use crate::origin::Bump;
use crate::plan::{Base, Relation};
use crate::read::{column, key_params, push_equal, push_key};
use crate::settings::Once;
use crate::statement::{Param, Statement};

impl Sql {
    /// Applies a change.
    pub(crate) async fn change(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        if self.read_only {
            return Err(Failure::unsupported("the connector is set to `read_only`"));
        }
        let entity = self.entity(change.entity)?;
        let target = entity
            .plan
            .target
            .as_ref()
            .ok_or_else(|| Failure::unsupported("a hand-written select without `into` can't be changed"))?;
        let session = self.pool.session(call).await?;
        let applying = AssertUnwindSafe(self.apply_on(session, entity, target, &change)).catch_unwind();
        match tokio::time::timeout_at(call.deadline.into(), applying).await {
            Ok(Ok(result)) => result,
            // A driver may panic at an answer that is none, be it the one to the commit.
            Ok(Err(_)) => Err(Failure::Unknown {
                detail: "the database driver broke off at an answer that does not follow its protocol".into(),
            }),
            Err(_) => Err(Failure::timed_out("the deadline passed while the database applied a change")),
        }
    }

    async fn apply_on(
        &self,
        mut session: Session,
        entity: &Entity,
        target: &Relation,
        change: &Change,
    ) -> Result<Applied, Failure> {
        let told = |error: &sqlx::Error| match failure(error, Moment::Changing) {
            Failure::Unsupported { .. } => self.told(error),
            failure => failure,
        };
        if let Some(once) = &self.once {
            self.once_ready.get_or_try_init(|| prepare_once(&mut session, once)).await.map_err(|trouble| match trouble {
                Trouble::Failure(failure) => failure,
                Trouble::Database(error) => told(&error),
            })?;
        }
        let described = entity.described(&mut session).await.map_err(|error| told(&error))?;
        session.run(session.dialect.begin()).await.map_err(|error| told(&error))?;
        let work = Work { entity, target, described: &described, change, once: self.once.as_ref() };
        match work.run(&mut session).await {
            Ok(Applied::Done) => {
                session.run("COMMIT").await.map_err(|error| failure(&error, Moment::Committing))?;
                session.finish();
                Ok(Applied::Done)
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
                if spares_connection(&error) {
                    give_up(session).await;
                }
                Err(told(&error))
            }
        }
    }
}

/// Ends a transaction in which nothing shall have happened. If that fails the connection is closed, which does the same.
async fn give_up(mut session: Session) {
    if session.run("ROLLBACK").await.is_ok() {
        session.finish();
    }
}

/// Sees to it that the table of ids is there.
async fn prepare_once(session: &mut Session, once: &Once) -> Result<(), Trouble> {
    let dialect = session.dialect;
    let look = format!("SELECT 1 FROM {} WHERE 1 = 0", dialect.quote_table(&once.table));
    match session.run(&look).await {
        Err(error) if is_table_absent(&error) => {}
        Err(error) if !spares_connection(&error) => return Err(error.into()),
        // A user who may only insert can't look.
        _ => return Ok(()),
    }
    let create = dialect.once_table(&once.table);
    if !once.create {
        return Err(Failure::unsupported(format!("the table of `once` is not there; set `create: true` or run: {create}")).into());
    }
    match session.run(&create).await {
        // Another connection created it at the same moment.
        Err(error) if is_duplicate(&error) => Ok(()),
        result => Ok(result?),
    }
}

/// A change within its transaction.
struct Work<'a> {
    entity: &'a Entity,
    target: &'a Relation,
    described: &'a Described,
    change: &'a Change,
    once: Option<&'a Once>,
}

/// A column of the target, the value for it, and what is known of it.
type Written<'a> = (&'a str, Param, &'a Column);

impl Work<'_> {
    async fn run(&self, session: &mut Session) -> Result<Applied, Trouble> {
        if let Some(once) = self.once {
            let dialect = session.dialect;
            let mut statement =
                Statement::new(dialect, &format!("INSERT INTO {} (message_id) VALUES (", dialect.quote_table(&once.table)));
            statement.written(Param::Text(self.change.id.to_string()), &Column::text()).push(")");
            match session.execute(statement).await {
                Err(error) if is_duplicate(&error) => return Ok(Applied::Before),
                result => _ = result?,
            }
        }
        match self.change.kind {
            ChangeKind::Create => self.create(session).await,
            ChangeKind::Replace | ChangeKind::Update => self.update(session).await,
            ChangeKind::Delete => self.delete(session).await,
        }
    }

    async fn create(&self, session: &mut Session) -> Result<Applied, Trouble> {
        // Legacy tables do not always have a unique index on what identifies a record.
        if self.exists(session).await? {
            return Ok(Applied::Conflict);
        }
        let mut written = self.written(session.dialect)?;
        if let Some((version, column)) = self.version_column()?.filter(|_| self.entity.plan.bump == Bump::Increment)
            && !written.iter().any(|(name, ..)| *name == version)
        {
            written.push((version, column.written(session.dialect, &Legacy::Int(1)).unwrap_or(Param::Int(1)), column));
        }
        let dialect = session.dialect;
        let Base::Table(table) = &self.target.base else {
            return Err(Failure::unsupported("a hand-written select can't be changed").into());
        };
        let names: Vec<String> = written.iter().map(|(name, ..)| dialect.quote(name)).collect();
        let mut statement =
            Statement::new(dialect, &format!("INSERT INTO {} ({}) VALUES (", dialect.quote_table(table), names.join(", ")));
        for (at, (_, param, column)) in written.into_iter().enumerate() {
            if at > 0 {
                statement.push(", ");
            }
            statement.written(param, column);
        }
        statement.push(")");
        match session.execute(statement).await {
            Err(error) if is_duplicate(&error) => Ok(Applied::Conflict),
            Err(error) => Err(error.into()),
            Ok(0) => Err(Failure::refused("the database took no row").into()),
            Ok(_) => Ok(Applied::Done),
        }
    }

    async fn update(&self, session: &mut Session) -> Result<Applied, Trouble> {
        let dialect = session.dialect;
        let written = self.written(dialect)?;
        let mut statement = Statement::new(dialect, &format!("UPDATE {} SET ", self.target.base_sql(dialect)));
        let version = self.version_column()?.map(|(name, _)| name);
        let bumped = version.filter(|name| !written.iter().any(|(own, ..)| own == name));
        let mut any = false;
        for (name, param, column) in written {
            statement.push(if any { ", " } else { "" }).push(&dialect.quote(name)).push(" = ").written(param, column);
            any = true;
        }
        if let Some(set) = bumped.and_then(|name| bump(dialect, name, self.entity.plan.bump)) {
            statement.push(if any { ", " } else { "" }).push(&set);
            any = true;
        }
        if !any {
            // Nothing to write is no reason to say that a record is there, or at its version, when it is not.
            let mut look = Statement::new(dialect, &format!("SELECT 1 FROM {}", self.target.base_sql(dialect)));
            return match self.push_where(session, &mut look)? {
                None => self.untouched(session).await,
                Some(()) => match session.fetch(look, &[Column::int()]).await?.len() {
                    0 => self.untouched(session).await,
                    _ => Ok(Applied::Done),
                },
            };
        }
        self.touch(session, statement).await
    }

    async fn delete(&self, session: &mut Session) -> Result<Applied, Trouble> {
        let dialect = session.dialect;
        let from = self.target.base_sql(dialect);
        let sql = match dialect {
            // MariaDB before 11.6 takes an alias only in this form.
            Dialect::MySql => format!("DELETE {} FROM {from}", dialect.quote(self.target.qualifier())),
            Dialect::Postgres | Dialect::Sqlite => format!("DELETE FROM {from}"),
        };
        self.touch(session, Statement::new(dialect, &sql)).await
    }

    /// Runs a statement on the one record, and says why if it touched none.
    async fn touch(&self, session: &mut Session, mut statement: Statement) -> Result<Applied, Trouble> {
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

    /// Adds the key, the version and the manifest's condition; `None` when no record can satisfy them.
    fn push_where(&self, session: &Session, statement: &mut Statement) -> Result<Option<()>, Failure> {
        let spec = &self.entity.plan.spec;
        let columns = &self.described.target;
        let own_condition = self.entity.plan.relation.joins.is_empty();
        statement.push(&if own_condition { self.target.condition() } else { " WHERE 1 = 1".to_owned() });
        let Some(key) = key_params(session, &spec.key, columns, &self.change.key)? else { return Ok(None) };
        statement.push(" AND ");
        push_key(statement, self.target, &spec.key, columns, key)?;
        let Some(expected) = &self.change.expected_version else { return Ok(Some(())) };
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
    async fn untouched(&self, session: &mut Session) -> Result<Applied, Trouble> {
        if !self.exists(session).await? {
            return Ok(Applied::Absent);
        }
        if self.change.expected_version.is_some() {
            return Ok(Applied::Conflict);
        }
        Err(Failure::refused("the record is there, and the database did not change it").into())
    }

    /// Whether the entity has the record.
    async fn exists(&self, session: &mut Session) -> Result<bool, Trouble> {
        let plan = &self.entity.plan;
        let Some(key) = key_params(session, &plan.spec.key, &self.described.record, &self.change.key)? else { return Ok(false) };
        let mut statement = Statement::new(session.dialect, &format!("SELECT 1{} AND ", plan.relation.body(session.dialect)));
        push_key(&mut statement, &plan.relation, &plan.spec.key, &self.described.record, key)?;
        statement.push(" LIMIT 1");
        // The answer is only counted, so its column needs no decoding.
        Ok(!session.fetch(statement, &[]).await?.is_empty())
    }

    fn version_column(&self) -> Result<Option<(&str, &Column)>, Failure> {
        let Some(source) = &self.entity.plan.spec.version else { return Ok(None) };
        Ok(Some((self.own(source.as_str())?, column(&self.described.target, source)?)))
    }

    fn own<'a>(&'a self, source: &'a str) -> Result<&'a str, Failure> {
        self.target
            .own_column(source)
            .or_else(|| self.entity.plan.relation.own_column(source))
            .ok_or_else(|| Failure::unsupported(format!("the source {source} is of a joined table and can't be written")))
    }

    /// The columns to write with their values.
    fn written<'a>(&'a self, dialect: Dialect) -> Result<Vec<Written<'a>>, Failure> {
        let mut written = Vec::new();
        for (source, value) in leaves(&self.described.target, &self.change.values)? {
            let column = column(&self.described.target, source)?;
            let param = column
                .written(dialect, value)
                .ok_or_else(|| Failure::refused(format!("the value for {source} ({}) does not fit its column", value.kind())))?;
            written.push((self.own(source.as_str())?, param, column));
        }
        if self.change.kind == ChangeKind::Replace {
            self.add_nulls(&mut written)?;
        }
        Ok(written)
    }

    /// A replaced record keeps none of its old values: what the change does not name becomes null.
    fn add_nulls<'a>(&'a self, written: &mut Vec<Written<'a>>) -> Result<(), Failure> {
        let spec = &self.entity.plan.spec;
        for (_, source, _) in spec.written.iter().filter(|(operation, ..)| *operation == ChangeKind::Replace.operation()) {
            let name = self.own(source.as_str())?;
            let stays = spec.key.contains(source) || spec.version.as_ref() == Some(source);
            if !stays && !written.iter().any(|(own, ..)| *own == name) {
                written.push((name, Param::Null, column(&self.described.target, source)?));
            }
        }
        Ok(())
    }
}

/// The values by the sources of the table: `a.b` can stand under its name, or as `b` in the group `a`.
fn leaves<'a>(
    columns: &'a HashMap<Source, Column>,
    values: &'a rabita_sdk::Row,
) -> Result<Vec<(&'a Source, &'a Legacy)>, Failure> {
    let unknown = |name: &str| Failure::unsupported(format!("the source {name} was not announced as written"));
    let find = |name: &str| columns.get_key_value(&Source::new(name)).map(|(source, _)| source);
    let mut leaves = Vec::new();
    for (name, value) in values.iter() {
        match (find(name), value) {
            (Some(source), value) => leaves.push((source, value)),
            (None, Legacy::Group(group)) => {
                for (member, value) in group.iter() {
                    let path = format!("{name}.{member}");
                    leaves.push((find(&path).ok_or_else(|| unknown(&path))?, value));
                }
            }
            (None, _) => return Err(unknown(name)),
        }
    }
    Ok(leaves)
}

fn bump(dialect: Dialect, name: &str, bump: Bump) -> Option<String> {
    let name = dialect.quote(name);
    match bump {
        Bump::None => None,
        Bump::Increment => Some(format!("{name} = COALESCE({name}, 0) + 1")),
        Bump::Timestamp => Some(format!("{name} = {}", dialect.now())),
    }
}
