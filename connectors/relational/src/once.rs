//! The table of the ids of changes: its making, the id of a change, and the end of ids that nobody needs any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::backend::Session;
use crate::column::Column;
use crate::dialect::Dialect;
use crate::fault::Trouble;
use crate::settings;
use crate::statement::{Param, Statement};
use rabita_sdk::Failure;

/// Old ids are looked for once in so many changes. More are ended at a time than come in between.
const EACH: u64 = 250;

/// So many old ids are ended at a time.
const ENDED_MAX: u32 = 1_000;

/// The table of ids.
pub(crate) struct Once {
    settings: settings::Once,
    /// Set when the table is known to be there.
    ready: OnceCell<()>,
    changes: AtomicU64,
}

impl Once {
    pub(crate) fn new(settings: settings::Once) -> Self {
        Self { settings, ready: OnceCell::new(), changes: AtomicU64::new(0) }
    }

    /// Sees to it that the table is there, and does not grow for ever. Before a transaction begins.
    pub(crate) async fn prepare(&self, session: &mut Session, id: Uuid) -> Result<(), Trouble> {
        self.ready.get_or_try_init(|| self.make(session)).await?;
        if self.changes.fetch_add(1, Ordering::Relaxed).is_multiple_of(EACH)
            && let Some(before) = self.end_of_old(id)
        {
            let old = self.end(session.dialect, &before);
            match session.execute(old).await {
                // A user who may only insert can't delete, and a table may have other columns than ours: then it is the
                // operator's to keep it small.
                Err(error) if error.spares_connection() => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    async fn make(&self, session: &mut Session) -> Result<(), Trouble> {
        let dialect = session.dialect;
        let table = &self.settings.table;
        let look = format!("SELECT 1 FROM {} WHERE 1 = 0", dialect.quote_table(table));
        match session.run(&look).await {
            Err(error) if error.is_table_absent() => {}
            Err(error) if !error.spares_connection() => return Err(error.into()),
            // A user who may only insert can't look.
            _ => return Ok(()),
        }
        let create = dialect.once_table(&dialect.quote_table(table));
        if !self.settings.create {
            let detail = format!("the table of `once` is not there; set `create: true` or run: {create}");
            return Err(Failure::unsupported(detail).into());
        }
        match session.run(&create).await {
            // Another connection created it at the same moment.
            Err(error) if error.is_duplicate() || error.is_table_there() => Ok(()),
            result => Ok(result?),
        }
    }

    /// Stores the id of a change within its transaction; false when it is there already.
    pub(crate) async fn store(&self, session: &mut Session, id: Uuid) -> Result<bool, Trouble> {
        let dialect = session.dialect;
        let table = dialect.quote_table(&self.settings.table);
        let mut statement = Statement::new(dialect, &format!("INSERT INTO {table} (message_id) VALUES ("));
        statement.written(Param::Text(id.to_string()), &Column::text()).push(")");
        match session.execute(statement).await {
            Err(error) if error.is_duplicate() => Ok(false),
            result => Ok(result.map(|_| true)?),
        }
    }

    /// Stores, beside the id of a change, that it is forgone.
    pub(crate) async fn store_forgone(&self, session: &mut Session, id: Uuid) -> Result<(), Trouble> {
        self.store(session, forgone(id)).await.map(|_| ())
    }

    /// Whether the id of a change is there because the change is forgone.
    pub(crate) async fn is_forgone(&self, session: &mut Session, id: Uuid) -> Result<bool, Trouble> {
        let dialect = session.dialect;
        let table = dialect.quote_table(&self.settings.table);
        let mut look = Statement::new(dialect, &format!("SELECT 1 FROM {table} WHERE message_id = "));
        look.value(Param::Text(forgone(id).to_string()), &Column::text());
        Ok(!session.fetch(look, &[Column::int()]).await?.is_empty())
    }

    /// The smallest id of a change that was accepted within the days that ids are kept. The change at hand tells the
    /// time: ids of version 7 begin with it.
    fn end_of_old(&self, id: Uuid) -> Option<String> {
        let (seconds, _) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
        let kept = Duration::from_secs(u64::from(self.settings.keep_days) * 86_400);
        let begin = Duration::from_secs(seconds).checked_sub(kept)?;
        let millis = u64::try_from(begin.as_millis()).ok()?;
        Some(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string())
    }

    /// Ends ids both of an old change and stored long ago: a change can be old and yet have been applied just now. The
    /// first is found by the primary key.
    fn end(&self, dialect: Dialect, before: &str) -> Statement {
        let table = dialect.quote_table(&self.settings.table);
        let mut old = Statement::new(dialect, "");
        let (head, tail) = dialect.delete_some(&table, "message_id", ENDED_MAX);
        old.push(&head).push("message_id < ").value(Param::Text(before.to_owned()), &Column::text());
        old.push(&format!(" AND applied_at < {}", dialect.days_ago(self.settings.keep_days))).push(&tail);
        old
    }
}

/// The id that stands for a change that is forgone: the change's own but for its version, so that it is as old.
fn forgone(id: Uuid) -> Uuid {
    uuid::Builder::from_bytes(id.into_bytes()).with_version(uuid::Version::Custom).into_uuid()
}
