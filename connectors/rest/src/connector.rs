//! The connector: what becomes of each call.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rabita_http::{Client, Incoming, Outgoing};
use rabita_model::Operation;
use rabita_sdk::reply::{record, records};
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, ChangePage, Changes, Connector, Duplicates, Failure, Legacy,
    OpenBinary, Page, Read, Row, Search, Source, Wanted,
};

use crate::answer::{Statuses, json};
use crate::path::Query;
use crate::plan::{Plan, ReadManyPlan};
use crate::settings::Meaning;

/// A registry behind REST.
pub struct Rest {
    pub(crate) client: Client,
    pub(crate) statuses: Statuses,
    pub(crate) idempotency_header: Option<HeaderName>,
    pub(crate) probe: Option<String>,
    pub(crate) plans: Vec<Plan>,
    /// The tables of codes, with the columns that are read of each.
    pub(crate) tables: Vec<(Plan, Vec<Source>)>,
    /// The stand-in that this speaks with in a test; it ends with the connector.
    pub(crate) _double: Option<Arc<rabita_http::double::Double>>,
}

#[async_trait]
impl Connector for Rest {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let plan = self.plans.get(entity);
        let mut operations = BTreeSet::new();
        if let Some(plan) = plan {
            operations.extend(plan.read.is_some().then_some(Operation::Read));
            operations.extend(plan.search.is_some().then_some(Operation::Search));
            operations.extend(plan.changes.iter().map(|(kind, _)| kind.operation()));
            operations.extend((!plan.actions.is_empty()).then_some(Operation::Act));
            operations.extend(plan.feed.is_some().then_some(Operation::Subscribe));
        }
        Capabilities {
            operations,
            reads_many_at_once: plan.is_some_and(|plan| plan.read_many.is_some()),
            projects: plan.is_some_and(|plan| plan.fields.is_some()),
            ignores: plan.and_then(|plan| plan.search.as_ref()).map(|search| search.ignores.clone()).unwrap_or_default(),
            streams_binary: plan.is_some_and(|plan| !plan.binary.is_empty()),
            checks_versions: plan.is_some_and(|plan| plan.if_match),
            duplicates: if self.idempotency_header.is_some() { Duplicates::HandedOn } else { Duplicates::Applied },
        }
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        let (method, path) = match &self.probe {
            Some(path) => (Method::GET, path.clone()),
            None => (Method::HEAD, String::new()),
        };
        let answer = self.client.send(Outgoing { method, path, ..Outgoing::default() }, call).await?;
        let well = answer.status.is_success() || self.probe.is_none() && is_alive(answer.status);
        if well {
            return Ok(());
        }
        let detail = format!("status {}", answer.status.as_u16());
        Err(Failure::Unavailable { detail, retry_after: answer.retry_after() })
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        self.read_one(self.plan(ask.entity)?, &ask, call).await
    }

    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let Some(first) = asks.first() else { return Ok(Vec::new()) };
        let plan = self.plan(first.entity)?;
        let mut found = vec![None; asks.len()];
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        for (place, ask) in asks.iter().enumerate() {
            match plan.read_many.as_ref().and_then(|many| together_key(many, ask)) {
                Some(key) => together.push((place, key)),
                None => alone.push(place),
            }
        }
        if let Some(many) = &plan.read_many {
            for part in together.chunks(many.max) {
                self.read_part(plan, many, part, &first.wanted, &mut found, call).await?;
            }
        }
        for place in alone {
            found[place] = self.read_one(plan, &asks[place], call).await?;
        }
        Ok(found)
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        self.page(self.plan(ask.entity)?, &ask, call).await
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        self.change(self.plan(change.entity)?, change, call).await
    }

    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        self.send_action(self.plan(act.entity)?, act, call).await
    }

    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        self.feed_page(self.plan(ask.entity)?, &ask, call).await
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let plan = self.plan(ask.entity)?;
        let path = plan.binary.get(&ask.source).ok_or_else(|| Failure::unsupported("no path leads to this binary value"))?;
        let mut headers = plan.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let outgoing = Outgoing { path: path.fill(&ask.key)?, headers, ..Outgoing::default() };
        let answer = self.client.send_streaming(outgoing, call).await?;
        match self.statuses.of_read(answer.status) {
            Meaning::Ok => Ok(Some(BinaryStream {
                length: text(&answer.headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok()),
                media_type: text(&answer.headers, &CONTENT_TYPE).map(str::to_owned),
                chunks: answer.chunks,
            })),
            Meaning::Absent => Ok(None),
            meaning => {
                let head = Incoming { status: answer.status, headers: answer.headers, body: Bytes::new() };
                Err(self.statuses.failure(meaning, &head))
            }
        }
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let (plan, columns) = self.tables.get(table).ok_or_else(|| Failure::unsupported("there is no such table"))?;
        let wanted = Wanted { sources: columns.clone(), groups: Vec::new() };
        let mut ask = Search { entity: 0, conditions: Vec::new(), wanted, limit: TABLE_PAGE, cursor: None };
        let mut rows = Vec::new();
        loop {
            let page = self.page(plan, &ask, call).await?;
            let row = |row: &Row| columns.iter().map(|column| row.find(column).cloned().unwrap_or_default()).collect();
            rows.extend(page.rows.iter().map(row));
            if rows.len() > TABLE_MAX {
                return Err(Failure::malformed(format!("the table of codes has more than {TABLE_MAX} rows")));
            }
            ask.cursor = page.next;
            if ask.cursor.is_none() {
                return Ok(rows);
            }
        }
    }

    async fn close(&self) {
        // Connections close when the client is dropped with this.
    }
}

impl Rest {
    fn plan(&self, entity: usize) -> Result<&Plan, Failure> {
        self.plans.get(entity).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }

    async fn read_one(&self, plan: &Plan, ask: &Read, call: &Call) -> Result<Option<Row>, Failure> {
        let read = plan.read.as_ref().ok_or_else(|| Failure::unsupported("this entity has no `read`"))?;
        let mut path = read.path.fill(&ask.key)?;
        let mut query = Query::default();
        plan.ask_fields(&ask.wanted, &[], &mut query);
        query.append_to(&mut path);
        let Some(answer) = self.get(plan, path, call).await? else { return Ok(None) };
        let mut row = record(json(&answer)?, &read.record)?;
        if let (Some(row), Some(source), Some(header)) = (&mut row, &plan.version, &plan.version_header)
            && let Some(version) = text(&answer.headers, header)
        {
            row.set(source.as_str(), version.into());
        }
        Ok(row)
    }

    /// Reads the records of some keys in one question, and puts each in its place.
    async fn read_part(
        &self,
        plan: &Plan,
        many: &ReadManyPlan,
        part: &[(usize, String)],
        wanted: &Wanted,
        found: &mut [Option<Row>],
        call: &Call,
    ) -> Result<(), Failure> {
        let mut keys: Vec<&str> = part.iter().map(|(_, key)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut query = many.fixed.clone();
        match &many.join {
            Some(join) => query.push(&many.param, &keys.join(join)),
            None => keys.iter().for_each(|key| query.push(&many.param, key)),
        }
        plan.ask_fields(wanted, &plan.key, &mut query);
        let mut path = many.path.clone();
        query.append_to(&mut path);
        let Some(answer) = self.get(plan, path, call).await? else { return Ok(()) };
        for row in records(&mut json(&answer)?, &many.records, many.absent)? {
            let key = plan.key.first().and_then(|source| row.find(source)).and_then(Legacy::to_text);
            let key = key.ok_or_else(|| Failure::malformed("a record comes without its key"))?.into_owned();
            // A record under another spelling of its key would else pass for absent.
            if keys.binary_search(&key.as_str()).is_err() {
                return Err(Failure::malformed("a record comes that was not asked for"));
            }
            for (place, _) in part.iter().filter(|(_, own)| *own == key) {
                found[*place] = Some(row.clone());
            }
        }
        Ok(())
    }

    /// The answer to a question, or nothing when there is no such record.
    async fn get(&self, plan: &Plan, path: String, call: &Call) -> Result<Option<Incoming>, Failure> {
        let outgoing = Outgoing { path, headers: plan.headers.clone(), ..Outgoing::default() };
        let answer = self.client.send(outgoing, call).await?;
        match self.statuses.of_read(answer.status) {
            Meaning::Ok => Ok(Some(answer)),
            Meaning::Absent => Ok(None),
            meaning => Err(self.statuses.failure(meaning, &answer)),
        }
    }
}

/// How many rows of a table of codes are asked for at once.
const TABLE_PAGE: usize = 200;

/// A table of codes is held in memory, and one that never ends is none.
const TABLE_MAX: usize = 100_000;

/// A key that can be asked for with others: one that can't be taken for two.
fn together_key(many: &ReadManyPlan, ask: &Read) -> Option<String> {
    let [key] = ask.key.as_slice() else { return None };
    let key = key.to_text()?;
    let splits = many.join.as_deref().is_some_and(|join| !join.is_empty() && key.contains(join));
    (!splits && !key.is_empty()).then(|| key.into_owned())
}

/// Whether a status shows a registry at work, though it serves nothing at the base address.
fn is_alive(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS || status == StatusCode::NOT_IMPLEMENTED
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
