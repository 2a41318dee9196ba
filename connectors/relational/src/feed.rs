//! Changes that others made, found by a column that says when or in what order a row was changed last.
//!
//! A place is the column's value and the key of the last row that was told. Rows whose time is younger than the lag are
//! left for the next time: a transaction writes its time before it ends, so younger ones may still come to light between
//! them.

use jiff::{SignedDuration, Timestamp};
use rabita_sdk::{ChangePage, Changes, Detected, Failure, Legacy, Source};

use crate::backend::Session;
use crate::column::{Class, Column};
use crate::described::{Described, Entity};
use crate::fault::Trouble;
use crate::groups;
use crate::origin::Feed;
use crate::read::{Selection, column, fetch};
use crate::search::push_after;
use crate::statement::{Param, Statement};

/// The lag of a column with a time, where the manifest gives none.
const LAG: SignedDuration = SignedDuration::from_secs(2);

/// Some changes since a place, or the place that is now.
pub(crate) async fn page(session: &mut Session, entity: &Entity, feed: &Feed, ask: &Changes) -> Result<ChangePage, Trouble> {
    let described = entity.described(session).await?;
    let order = order(entity, feed);
    let latest = latest(session, feed, column(&described.record, &order[0])?).await?;
    let finder = Finder { entity, described: &described, order, latest };
    match &ask.since {
        None => finder.now(session).await,
        Some(since) => finder.after(session, since, ask).await,
    }
}

/// The sources by which changes are ordered: the column, then what tells rows of one time apart.
fn order(entity: &Entity, feed: &Feed) -> Vec<Source> {
    let first = Source::new(&feed.column);
    let key = entity.plan.spec.key.iter().filter(|source| **source != first).cloned();
    std::iter::once(first.clone()).chain(key).collect()
}

struct Finder<'a> {
    entity: &'a Entity,
    described: &'a Described,
    order: Vec<Source>,
    /// The youngest time that is told already.
    latest: Option<Param>,
}

impl Finder<'_> {
    async fn now(&self, session: &mut Session) -> Result<ChangePage, Trouble> {
        let selection = Selection::new(&self.order, [], &self.described.record)?;
        let mut statement = self.begin(session, &selection)?;
        self.push_order(&mut statement, " DESC", 1);
        let rows = fetch(session, statement, &selection.columns).await?;
        // Without any row, the place before the first one.
        let since = rows.first().map_or_else(|| Ok("[]".to_owned()), |row| self.place(&selection, row))?;
        Ok(ChangePage { changes: Vec::new(), since, has_more: false })
    }

    async fn after(&self, session: &mut Session, since: &str, ask: &Changes) -> Result<ChangePage, Trouble> {
        let plan = &self.entity.plan;
        let place: Vec<Legacy> = serde_json::from_str(since).map_err(|_| Failure::refused(BAD_PLACE))?;
        let selection = Selection::of_record(self.entity, self.described, &ask.wanted)?;
        let selection = selection.and(&self.order[0], &self.described.record)?;
        let mut statement = self.begin(session, &selection)?;
        if !place.is_empty() {
            let after = push_after(&mut statement, &plan.relation, &self.described.record, &self.order, place);
            after.ok_or_else(|| Failure::refused(BAD_PLACE))?;
        }
        let limit = ask.limit.max(1);
        self.push_order(&mut statement, "", limit.saturating_add(1));
        let mut values = fetch(session, statement, &selection.columns).await?;
        let has_more = values.len() > limit;
        values.truncate(limit);
        let since = values.last().map_or_else(|| Ok(since.to_owned()), |last| self.place(&selection, last))?;
        let rows = groups::finish(session, self.entity, self.described, &selection, &ask.wanted, values).await?;
        Ok(ChangePage { changes: rows.into_iter().map(Detected::Row).collect(), since, has_more })
    }

    /// The question up to its conditions: every row that has a place in the order, and may be told.
    fn begin(&self, session: &Session, selection: &Selection) -> Result<Statement, Failure> {
        let relation = &self.entity.plan.relation;
        let mut statement = selection.statement(session, relation);
        for source in &self.order {
            statement.push(&format!(" AND {} IS NOT NULL", relation.expression(session.dialect, source.as_str())));
        }
        if let Some(latest) = &self.latest {
            let first = &self.order[0];
            let expression = relation.expression(session.dialect, first.as_str());
            statement.push(&format!(" AND {expression} <= ")).value(latest.clone(), column(&self.described.record, first)?);
        }
        Ok(statement)
    }

    fn push_order(&self, statement: &mut Statement, direction: &str, limit: usize) {
        let relation = &self.entity.plan.relation;
        let order: Vec<String> = self
            .order
            .iter()
            .map(|source| format!("{}{direction}", relation.expression(statement.dialect, source.as_str())))
            .collect();
        statement.push(&format!(" ORDER BY {}", order.join(", "))).limit(limit);
    }

    fn place(&self, selection: &Selection, row: &[Legacy]) -> Result<String, Failure> {
        serde_json::to_string(&selection.values(row, &self.order)).map_err(|_| Failure::malformed("a value has no JSON"))
    }
}

const BAD_PLACE: &str = "the place is none among this entity's changes";

/// The youngest time that may be told; none where the column is no time or nothing is to be left for later.
async fn latest(session: &mut Session, feed: &Feed, column: &Column) -> Result<Option<Param>, Trouble> {
    let dialect = session.dialect;
    let is_time = matches!(column.class, Class::Timestamp | Class::Instant);
    let may_be_time = is_time || (!dialect.has_times() && matches!(column.class, Class::Text | Class::Other));
    let lag = match feed.lag_ms {
        Some(0) => return Ok(None),
        Some(millis) if may_be_time => SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)),
        Some(_) => return Err(Failure::unsupported(format!("`lag_ms` needs a time, and {} is none", feed.column)).into()),
        None if is_time => LAG,
        None => return Ok(None),
    };
    let Some(sql) = dialect.now_text() else {
        return Err(Failure::unsupported(format!("{} does not tell its time in one way: set `lag_ms: 0`", dialect.name())).into());
    };
    let answer = session.fetch(Statement::new(dialect, sql), &[Column::text()]).await?;
    let now = answer.first().and_then(|row| row.first()).and_then(Legacy::to_text);
    let now: Option<Timestamp> = now.and_then(|now| now.parse().ok());
    let latest = now.and_then(|now| now.checked_sub(lag).ok()).ok_or_else(|| Failure::malformed("the database's time"))?;
    let text = match (&feed.zone, column.class) {
        (Some(zone), Class::Timestamp | Class::Text | Class::Other) => {
            latest.to_zoned_datetime(zone.time_zone().clone()).datetime().to_string()
        }
        _ => latest.to_string(),
    };
    Ok(column.compared(dialect, &Legacy::Text(text)))
}
