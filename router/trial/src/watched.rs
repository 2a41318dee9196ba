//! A connector that is watched: what it is asked, and the legacy values that go through it.

use async_trait::async_trait;
use rabita_model::{Comparison, Operation};
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Failure, Legacy, OpenBinary,
    Page, Read, Row, Search, Source,
};
use std::sync::Arc;
use uuid::Uuid;

/// What a watched connector tells.
pub(crate) enum Seen {
    /// An operation on an entity; an action by its place.
    Asked { entity: usize, operation: Operation, action: Option<usize> },
    /// A condition of a search.
    Compared { entity: usize, source: Source, comparison: Comparison },
    /// A row that came or went.
    Row { entity: usize, row: Row },
    /// A binary value that was opened.
    Binary { entity: usize, source: Source },
}

/// Takes what is seen.
pub(crate) type Watch = Arc<dyn Fn(Seen) + Send + Sync>;

/// A connector, and who watches it.
pub(crate) struct Watched {
    inner: Arc<dyn Connector>,
    watch: Watch,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Connector>, watch: Watch) -> Self {
        Self { inner, watch }
    }

    fn asked(&self, entity: usize, operation: Operation) {
        (self.watch)(Seen::Asked { entity, operation, action: None });
    }

    fn row(&self, entity: usize, row: &Row) {
        (self.watch)(Seen::Row { entity, row: row.clone() });
    }
}

#[async_trait]
impl Connector for Watched {
    fn capabilities(&self, entity: usize) -> Capabilities {
        self.inner.capabilities(entity)
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        self.inner.probe(call).await
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        let entity = ask.entity;
        self.asked(entity, Operation::Read);
        let row = self.inner.read(ask, call).await?;
        row.iter().for_each(|row| self.row(entity, row));
        Ok(row)
    }

    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let entity = asks.first().map(|ask| ask.entity);
        let rows = self.inner.read_many(asks, call).await?;
        if let Some(entity) = entity {
            self.asked(entity, Operation::Read);
            rows.iter().flatten().for_each(|row| self.row(entity, row));
        }
        Ok(rows)
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let entity = ask.entity;
        self.asked(entity, Operation::Search);
        for condition in &ask.conditions {
            let (source, comparison) = (condition.source.clone(), condition.comparison);
            (self.watch)(Seen::Compared { entity, source, comparison });
        }
        let page = self.inner.search(ask, call).await?;
        page.rows.iter().for_each(|row| self.row(entity, row));
        Ok(page)
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        self.asked(change.entity, change.kind.operation());
        self.row(change.entity, &change.values);
        self.inner.apply(change, call).await
    }

    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        (self.watch)(Seen::Asked { entity: act.entity, operation: Operation::Act, action: Some(act.action) });
        self.inner.act(act, call).await
    }

    async fn forgo(&self, entity: usize, id: Uuid, call: &Call) -> Result<bool, Failure> {
        self.inner.forgo(entity, id, call).await
    }

    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        self.inner.changes(ask, call).await
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        (self.watch)(Seen::Binary { entity: ask.entity, source: ask.source.clone() });
        self.inner.open_binary(ask, call).await
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        self.inner.table(table, call).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
