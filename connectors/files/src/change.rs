//! One change: decided on the record as it is, noted with its id, and put out to be written, in one transaction.

use std::time::Instant;

use rabita_sdk::{Applied, Change, ChangeKind, Failure, Legacy, Source};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use uuid::Uuid;

use crate::from::{Bump, Write};
use crate::index;
use crate::layout::{Selection, Unwritable, Writer};
use crate::outbox::Outbox;
use crate::plan::Plan;
use crate::reading::{self, Trouble};
use crate::shared::{self, Shared};
use crate::state;

/// What an entity is changed with.
pub struct Changing<'a> {
    pub plan: &'a Plan,
    pub write: &'a Write,
    pub writer: &'a dyn Writer,
    pub outbox: &'a Outbox,
}

impl Shared {
    /// What an entity is changed with.
    ///
    /// # Errors
    /// `Unsupported` where it can only be read.
    pub fn changing(&self, place: usize) -> Result<Changing<'_>, Failure> {
        let plan = self.plan(place)?;
        let parts = plan.write.as_ref().zip(plan.layout.writer()).zip(self.outbox.as_ref());
        let ((write, writer), outbox) = parts.ok_or_else(|| Failure::unsupported("this entity can only be read"))?;
        Ok(Changing { plan, write, writer, outbox })
    }

    /// Applies a change. Blocks.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn change(&self, place: usize, change: &Change, deadline: Instant) -> Result<Applied, Failure> {
        let changing = self.changing(place)?;
        self.write_within(place, deadline, |state, indexes| {
            if made_before(state, change.id)?.is_some() {
                return Ok(Applied::Before);
            }
            let key = index::key_bytes(&change.key).ok_or_else(|| Failure::refused("a part of the key is no text"))?;
            let all: Vec<usize> = (0..changing.plan.kept.width()).collect();
            let (before, base) = self.readers.view_within(state, indexes, place, changing.plan, deadline, |view| {
                Ok((view.one(&key, &all)?.map(|found| found.values), view.base(&key)?))
            })?;
            match (change.kind, &before) {
                (ChangeKind::Create, Some(_)) => return Ok(Applied::Conflict),
                (ChangeKind::Create, None) => {}
                (_, None) => return Ok(Applied::Absent),
                (_, Some(before)) if !changing.is_expected(change, before) => return Ok(Applied::Conflict),
                _ => {}
            }
            changing.make(self, place, state, change, before, base, &key)?;
            Ok(Applied::Done)
        })
    }

    /// Sees to it that a change is never made, unless it has been; whether it has been. Blocks.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn forgo(&self, place: usize, id: Uuid, deadline: Instant) -> Result<bool, Failure> {
        self.changing(place)?;
        self.write_within(place, deadline, |state, _| match made_before(state, id)? {
            Some(is_made) => Ok(is_made),
            None => Ok(keep_id(state, id, true).map(|()| false)?),
        })
    }

    /// Runs what writes within a transaction, one after the other.
    fn write_within<R>(
        &self,
        place: usize,
        deadline: Instant,
        write: impl FnOnce(&Connection, &mut std::collections::HashMap<usize, (String, Connection)>) -> Result<R, Trouble>,
    ) -> Result<R, Failure> {
        let failure = |trouble| self.failure(place, trouble, deadline);
        let mut writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Nobody expects it any more.
        if Instant::now() >= deadline {
            return Err(Failure::timed_out("the deadline passed while other changes were made"));
        }
        let mut writer = match writing.take() {
            Some(writer) => writer,
            None => {
                let state = self.readers.state().connect().map_err(|error| reading::failure(&error, deadline))?;
                shared::Writer { state, indexes: std::collections::HashMap::new() }
            }
        };
        let within = |writer: &mut shared::Writer| -> Result<R, Trouble> {
            writer.state.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
            let transaction = writer.state.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = write(&transaction, &mut writer.indexes)?;
            transaction.commit()?;
            Ok(result)
        };
        let result = within(&mut writer);
        // Connections that failed may be at fault themselves.
        if !matches!(result, Err(Trouble::Sql(_))) {
            *writing = Some(writer);
        }
        result.map_err(failure)
    }
}

impl Changing<'_> {
    fn is_expected(&self, change: &Change, before: &[Legacy]) -> bool {
        let Some(expected) = &change.expected_version else { return true };
        let version = self.plan.version.and_then(|place| before.get(place)).and_then(Legacy::to_text);
        version.is_some() && version == expected.to_text()
    }

    /// Notes the change and its id, and puts it out to be written.
    #[expect(clippy::too_many_arguments, reason = "all of it is one step")]
    fn make(
        &self,
        shared: &Shared,
        place: usize,
        state: &Connection,
        change: &Change,
        before: Option<Vec<Legacy>>,
        base: Option<i64>,
        key: &[u8],
    ) -> Result<(), Trouble> {
        let now = jiff::Timestamp::now();
        let is_gone = change.kind == ChangeKind::Delete;
        let after = match (is_gone, before) {
            (true, Some(before)) => before,
            (_, before) => self.checked(&self.after(change, before, now)?)?,
        };
        let stored: Vec<_> = after.iter().map(index::to_sql).collect();
        let changed = state::Changed { key, is_gone, values: &after, digest: index::digest(&stored), base };
        state::note(state, self.plan, &shared.readers.state().overlays[place], &changed)?;
        if self.plan.has_changes {
            state::log(state, self.plan, &self.plan.key_of(&after), is_gone, now.as_second())?;
        }
        keep_id(state, change.id, false)?;
        let body = self.body(change.kind, &after).map_err(|unfit| refused(&unfit))?;
        self.outbox.put(state, &self.plan.name, change.id, now, &body)?;
        forget_old(state, now.as_second() - i64::from(self.outbox.keep_days) * DAY_SECONDS)?;
        Ok(())
    }

    /// The record as the change leaves it.
    fn after(&self, change: &Change, before: Option<Vec<Legacy>>, now: jiff::Timestamp) -> Result<Vec<Legacy>, Failure> {
        let plan = self.plan;
        let mut after = before.unwrap_or_else(|| vec![Legacy::Null; plan.kept.width()]);
        if change.kind == ChangeKind::Replace {
            plan.replaced.iter().for_each(|place| after[*place] = Legacy::Null);
        }
        let mut values: Vec<(Source, Legacy)> =
            change.values.iter().map(|(name, value)| (Source::new(name), value.clone())).collect();
        if change.kind == ChangeKind::Create {
            let key = plan.key.iter().map(|place| plan.kept.columns[*place].clone());
            values.extend(key.zip(change.key.iter().cloned()));
        }
        for (source, value) in values {
            let place = plan.kept.columns.iter().position(|own| *own == source);
            let place = place.ok_or_else(|| Failure::unsupported(format!("there is no column `{source}` to write")))?;
            after[place] = value;
        }
        if let Some(version) = plan.version {
            match self.write.bump {
                Bump::None => {}
                Bump::Increment => {
                    let before = after[version].to_text().and_then(|text| text.trim().parse::<i64>().ok());
                    after[version] = Legacy::Int(before.unwrap_or_default().saturating_add(1));
                }
                Bump::Timestamp => after[version] = Legacy::Text(format!("{now:.6}")),
            }
        }
        Ok(after)
    }

    /// The record as a drop would give it back; refused where the layout can't hold it as it is.
    fn checked(&self, after: &[Legacy]) -> Result<Vec<Legacy>, Failure> {
        let mut bytes = Vec::new();
        self.writer.begin(None, &mut bytes);
        self.writer.write(None, &after[..self.writer.columns().len()], &mut bytes).map_err(|unfit| refused(&unfit))?;
        let selection = Selection { columns: self.plan.kept.columns.clone(), groups: Vec::new() };
        let unread = || Failure::refused("the record can't be read any more when it is written in this layout");
        let mut records = self.plan.layout.open(Box::new(std::io::Cursor::new(bytes)), &selection).map_err(|_| unread())?;
        let mut read = Vec::new();
        records.next(&mut read).ok().flatten().ok_or_else(unread)?;
        for ((source, written), read) in selection.columns.iter().zip(after).zip(&read) {
            let is_same = match (written, read) {
                (Legacy::Bytes(written), Legacy::Bytes(read)) => written == read,
                _ => written.is_null() == read.is_null() && written.to_text() == read.to_text(),
            };
            if !is_same {
                return Err(refused(&Unwritable { column: source.clone(), why: "would be another value when it is read again" }));
            }
        }
        Ok(read)
    }

    /// The bytes that say what is done to which record.
    fn body(&self, kind: ChangeKind, values: &[Legacy]) -> Result<Vec<u8>, Unwritable> {
        let operation = &self.write.operation;
        let word = match kind {
            ChangeKind::Create => &operation.create,
            ChangeKind::Replace => &operation.replace,
            ChangeKind::Update => &operation.update,
            ChangeKind::Delete => &operation.delete,
        };
        let columns = self.writer.columns();
        let mut values = values[..columns.len()].to_vec();
        let mut body = Vec::new();
        match columns.iter().position(|own| *own == operation.column) {
            Some(place) => {
                values[place] = Legacy::Text(word.clone());
                self.writer.write(None, &values, &mut body)?;
            }
            None => self.writer.write(Some((&operation.column, word)), &values, &mut body)?,
        }
        Ok(body)
    }

    /// What stands before the first change of a file.
    pub fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        let front = Some(&self.write.operation.column).filter(|column| !self.writer.columns().contains(column));
        self.writer.begin(front, &mut head);
        head
    }
}

const DAY_SECONDS: i64 = 86_400;

fn refused(unfit: &Unwritable) -> Failure {
    Failure::refused(format!("`{}` {}", unfit.column, unfit.why))
}

/// Whether a change with this id was made; `None` where the id is not known.
fn made_before(state: &Connection, id: Uuid) -> rusqlite::Result<Option<bool>> {
    let mut statement = state.prepare_cached("SELECT forgone FROM once WHERE id = ?")?;
    let forgone: Option<bool> = statement.query_row([id.as_bytes().as_slice()], |row| row.get(0)).optional()?;
    Ok(forgone.map(|forgone| !forgone))
}

fn keep_id(state: &Connection, id: Uuid, is_forgone: bool) -> rusqlite::Result<()> {
    let mut statement = state.prepare_cached("INSERT INTO once (id, at, forgone) VALUES (?, ?, ?)")?;
    statement.execute(params![id.as_bytes().as_slice(), jiff::Timestamp::now().as_second(), is_forgone]).map(drop)
}

/// A few ids, and a few lines of the log, that are older than they are kept for.
fn forget_old(state: &Connection, before: i64) -> rusqlite::Result<()> {
    state
        .prepare_cached("DELETE FROM once WHERE id IN (SELECT id FROM once WHERE at < ? ORDER BY at LIMIT 100)")?
        .execute([before])?;
    state
        .prepare_cached("DELETE FROM log WHERE at < ? AND seq IN (SELECT seq FROM log ORDER BY seq LIMIT 100)")?
        .execute([before])?;
    Ok(())
}
