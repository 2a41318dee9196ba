//! Changes: records made, changed and ended, each within its transaction.

use std::collections::HashMap;

use rabita_sdk::{Applied, Change, ChangeKind, Failure, Legacy, Source};

use crate::backend::Session;
use crate::column::Column;
use crate::dialect::Dialect;
use crate::fault::Trouble;
use crate::origin::Bump;
use crate::plan::Base;
use crate::read::column;
use crate::record::Record;
use crate::statement::{Param, Statement, Verb};

/// A change within its transaction.
pub(crate) struct Changing<'a> {
    pub(crate) record: Record<'a>,
    pub(crate) change: &'a Change,
}

/// A column of the target, the value for it, and what is known of it.
type Written<'a> = (&'a str, Param, &'a Column);

impl Changing<'_> {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<Applied, Trouble> {
        match self.change.kind {
            ChangeKind::Create => self.create(session).await,
            ChangeKind::Replace | ChangeKind::Update => self.update(session).await,
            ChangeKind::Delete => self.delete(session).await,
        }
    }

    async fn create(&self, session: &mut Session) -> Result<Applied, Trouble> {
        // Legacy tables do not always have a unique index on what identifies a record.
        if self.record.exists(session).await? {
            return Ok(Applied::Conflict);
        }
        let mut written = self.written(session.dialect)?;
        if let Some((version, column)) = self.version_column()?.filter(|_| self.record.entity.plan.bump == Bump::Increment)
            && !written.iter().any(|(name, ..)| *name == version)
        {
            written.push((version, column.written(session.dialect, &Legacy::Int(1)).unwrap_or(Param::Int(1)), column));
        }
        let dialect = session.dialect;
        let Base::Table(table) = &self.record.target.base else {
            return Err(Failure::unsupported("a hand-written select can't be changed").into());
        };
        let names: Vec<String> = written.iter().map(|(name, ..)| dialect.quote(name)).collect();
        let mut statement =
            Statement::new(dialect, &format!("INSERT INTO {} ({}) VALUES (", dialect.quote_table(table), names.join(", ")))
                .about(Verb::Insert, &self.record.target.base, written.iter().map(|(name, ..)| (*name).to_owned()));
        for (at, (_, param, column)) in written.into_iter().enumerate() {
            if at > 0 {
                statement.push(", ");
            }
            statement.written(param, column);
        }
        statement.push(")");
        match session.execute(statement).await {
            Err(error) if error.is_duplicate() => Ok(Applied::Conflict),
            Err(error) => Err(error.into()),
            Ok(0) => Err(Failure::refused("the database took no row").into()),
            Ok(_) => Ok(Applied::Done),
        }
    }

    async fn update(&self, session: &mut Session) -> Result<Applied, Trouble> {
        let dialect = session.dialect;
        let written = self.written(dialect)?;
        let target = self.record.target;
        let (head, tail) = dialect.update(&target.base_sql(dialect), target.alias.as_deref());
        let mut statement =
            Statement::new(dialect, &head).about(Verb::Update, &target.base, written.iter().map(|(name, ..)| (*name).to_owned()));
        let version = self.version_column()?.map(|(name, _)| name);
        let bumped = version.filter(|name| !written.iter().any(|(own, ..)| own == name));
        let mut any = false;
        for (name, param, column) in written {
            statement.push(if any { ", " } else { "" }).push(&dialect.quote(name)).push(" = ").written(param, column);
            any = true;
        }
        if let Some(set) = bumped.and_then(|name| bump(dialect, name, self.record.entity.plan.bump)) {
            statement.push(if any { ", " } else { "" }).push(&set);
            any = true;
        }
        if !any {
            // Nothing to write is no reason to say that a record is there, or at its version, when it is not.
            return self.record.look(session, false).await;
        }
        statement.push(&tail);
        self.record.touch(session, statement).await
    }

    async fn delete(&self, session: &mut Session) -> Result<Applied, Trouble> {
        let dialect = session.dialect;
        let from = self.record.target.base_sql(dialect);
        let sql = dialect.delete(&from, self.record.target.alias.as_deref(), self.record.target.qualifier());
        let statement = Statement::new(dialect, &sql).about(Verb::Delete, &self.record.target.base, []);
        self.record.touch(session, statement).await
    }

    fn version_column(&self) -> Result<Option<(&str, &Column)>, Failure> {
        let Some(source) = &self.record.entity.plan.spec.version else { return Ok(None) };
        Ok(Some((self.own(source.as_str())?, column(&self.record.described.target, source)?)))
    }

    fn own<'a>(&'a self, source: &'a str) -> Result<&'a str, Failure> {
        self.record
            .target
            .own_column(source)
            .or_else(|| self.record.entity.plan.relation.own_column(source))
            .ok_or_else(|| Failure::unsupported(format!("the source {source} is of a joined table and can't be written")))
    }

    /// The columns to write with their values.
    fn written<'a>(&'a self, dialect: Dialect) -> Result<Vec<Written<'a>>, Failure> {
        let mut written = Vec::new();
        for (source, value) in leaves(&self.record.described.target, &self.change.values)? {
            let column = column(&self.record.described.target, source)?;
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
        let spec = &self.record.entity.plan.spec;
        for (_, source, _) in spec.written.iter().filter(|(operation, ..)| *operation == ChangeKind::Replace.operation()) {
            let name = self.own(source.as_str())?;
            let stays = spec.key.contains(source) || spec.version.as_ref() == Some(source);
            if !stays && !written.iter().any(|(own, ..)| *own == name) {
                written.push((name, Param::Null, column(&self.record.described.target, source)?));
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
