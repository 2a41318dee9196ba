//! Reading by key.

use std::collections::HashMap;
use std::sync::Arc;

use rabita_sdk::{Failure, Legacy, Read, Row, Source, TableSpec, Wanted};

use crate::backend::Session;
use crate::column::{Class, Column, canonical, canonical_param};
use crate::described::{Described, Entity, described_table};
use crate::fault::{AnyFault, Trouble};
use crate::groups;
use crate::plan::Relation;
use crate::statement::{Param, Statement, Verb};

/// The most keys in one question; PostgreSQL and MariaDB take 65,535 parameters, SQLite half of it.
const KEYS_MAX: usize = 1000;

/// The most rows of a code table.
const TABLE_ROWS_MAX: usize = 200_000;

/// What is selected of a relation: first what is wanted, then what is needed besides.
pub(crate) struct Selection {
    pub(crate) sources: Vec<Source>,
    pub(crate) columns: Vec<Column>,
    /// How many of the sources were wanted.
    shown: usize,
}

impl Selection {
    pub(crate) fn new(
        wanted: &[Source],
        needed: impl IntoIterator<Item = Source>,
        columns: &HashMap<Source, Column>,
    ) -> Result<Self, Failure> {
        let mut sources = wanted.to_vec();
        for source in needed {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        let columns = sources.iter().map(|source| column(columns, source).cloned()).collect::<Result<_, _>>()?;
        Ok(Self { sources, columns, shown: wanted.len() })
    }

    /// The same with one more source.
    pub(crate) fn and(mut self, source: &Source, columns: &HashMap<Source, Column>) -> Result<Self, Failure> {
        if !self.sources.contains(source) {
            self.columns.push(column(columns, source)?.clone());
            self.sources.push(source.clone());
        }
        Ok(self)
    }

    /// What an entity's record needs: the wanted, its key, and what its groups hang on.
    pub(crate) fn of_record(entity: &Entity, described: &Described, wanted: &Wanted) -> Result<Self, Failure> {
        let plan = &entity.plan;
        let parents =
            wanted.groups.iter().filter_map(|group| plan.groups.get(group.name.as_str())).flat_map(|group| group.links.iter());
        let needed = plan.spec.key.iter().cloned().chain(parents.map(|(_, parent)| parent.clone()));
        Self::new(&wanted.sources, needed, &described.record)
    }

    /// `SELECT ... FROM ... WHERE ...`
    pub(crate) fn statement(&self, session: &Session, relation: &Relation) -> Statement {
        let dialect = session.dialect;
        let list: Vec<String> = self
            .sources
            .iter()
            .zip(&self.columns)
            .enumerate()
            .map(|(place, (source, column))| {
                dialect.listed(place, &dialect.selected(&relation.expression(dialect, source.as_str()), column))
            })
            .collect();
        let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
        let shown = self.sources.iter().map(ToString::to_string);
        Statement::new(dialect, &format!("SELECT {list}{}", relation.body(dialect))).about(Verb::Select, &relation.base, shown)
    }

    /// The values of some sources, in their order.
    pub(crate) fn values<'a>(&self, row: &'a [Legacy], sources: impl IntoIterator<Item = &'a Source>) -> Vec<&'a Legacy> {
        sources
            .into_iter()
            .map(|source| self.sources.iter().position(|own| own == source).and_then(|at| row.get(at)).unwrap_or(&Legacy::Null))
            .collect()
    }

    /// The row with what was wanted.
    pub(crate) fn row(&self, values: Vec<Legacy>) -> Row {
        self.sources.iter().take(self.shown).map(Source::shared).zip(values).collect()
    }
}

/// What is known of a source's column.
pub(crate) fn column<'a>(columns: &'a HashMap<Source, Column>, source: &Source) -> Result<&'a Column, Failure> {
    columns.get(source).ok_or_else(|| Failure::unsupported(format!("the source {source} was not announced for this entity")))
}

/// A key's parameters; `None` when no record can have it.
pub(crate) fn key_params(
    session: &Session,
    key: &[Source],
    columns: &HashMap<Source, Column>,
    values: &[Legacy],
) -> Result<Option<Vec<Param>>, Failure> {
    if key.len() != values.len() {
        return Err(Failure::unsupported("the key has another number of values"));
    }
    let mut params = Vec::with_capacity(key.len());
    for (source, value) in key.iter().zip(values) {
        match column(columns, source)?.compared(session.dialect, value) {
            Some(param) => params.push(param),
            None => return Ok(None),
        }
    }
    Ok(Some(params))
}

/// Adds `a = ? AND b = ?`.
pub(crate) fn push_key(
    statement: &mut Statement,
    relation: &Relation,
    key: &[Source],
    columns: &HashMap<Source, Column>,
    params: Vec<Param>,
) -> Result<(), Failure> {
    for (at, (source, param)) in key.iter().zip(params).enumerate() {
        if at > 0 {
            statement.push(" AND ");
        }
        push_equal(statement, &relation.expression(statement.dialect, source.as_str()), column(columns, source)?, param);
    }
    Ok(())
}

/// Adds `expression = ?`.
pub(crate) fn push_equal(statement: &mut Statement, expression: &str, column: &Column, param: Param) {
    let dialect = statement.dialect;
    if dialect.compares_by_text(column) && !matches!(param, Param::Bytes(_)) {
        let mark = statement.bind(param);
        statement.push(&format!("{} = {}", dialect.cast_to_text(expression), dialect.cast_to_text(&mark)));
        return;
    }
    let padded = match &param {
        Param::Text(text) if dialect.pads_text() && column.class == Class::Text && text.ends_with(' ') => {
            Some(dialect.pattern(text))
        }
        _ => None,
    };
    statement.push(expression).push(" = ").value(param, column);
    if let Some(pattern) = padded {
        let mark = statement.bind(Param::Text(pattern));
        let condition = format!(" AND {}", dialect.begins(expression, &mark));
        statement.push(&condition);
    }
}

/// One record.
pub(crate) async fn one(session: &mut Session, entity: &Entity, ask: &Read) -> Result<Option<Row>, Trouble> {
    let described = entity.described(session).await?;
    let selection = Selection::of_record(entity, &described, &ask.wanted)?;
    let Some(values) = by_key(session, entity, &described, &selection, &ask.key).await? else { return Ok(None) };
    let rows = groups::finish(session, entity, &described, &selection, &ask.wanted, vec![values]).await?;
    Ok(rows.into_iter().next())
}

async fn by_key(
    session: &mut Session,
    entity: &Entity,
    described: &Described,
    selection: &Selection,
    key: &[Legacy],
) -> Result<Option<Vec<Legacy>>, Trouble> {
    let spec = &entity.plan.spec;
    let Some(params) = key_params(session, &spec.key, &described.record, key)? else { return Ok(None) };
    let mut statement = selection.statement(session, &entity.plan.relation);
    statement.push(" AND ");
    push_key(&mut statement, &entity.plan.relation, &spec.key, &described.record, params)?;
    statement.limit(2);
    let mut rows = fetch(session, statement, &selection.columns).await?;
    if rows.len() > 1 {
        return Err(Failure::malformed("several rows have the key of one record: look at the joins and at `where`").into());
    }
    Ok(rows.pop())
}

/// The rows of a query; none when a compared value can't be one of the column's.
pub(crate) async fn fetch(session: &mut Session, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault> {
    match session.fetch(statement, columns).await {
        Err(error) if error.can_not_be() => Ok(Vec::new()),
        result => result,
    }
}

/// Several records by one question, in the order of the asks.
pub(crate) async fn many(session: &mut Session, entity: &Entity, asks: &[Read]) -> Result<Vec<Option<Row>>, Trouble> {
    let Some(first) = asks.first() else { return Ok(Vec::new()) };
    let described = entity.described(session).await?;
    let selection = Selection::of_record(entity, &described, &first.wanted)?;
    let mut found: Vec<Option<Vec<Legacy>>> = Vec::with_capacity(asks.len());
    for asks in asks.chunks(KEYS_MAX) {
        found.extend(chunk(session, entity, &described, &selection, asks).await?);
    }
    // Groups are asked for all records at once; then the records go back to their places.
    let places: Vec<bool> = found.iter().map(Option::is_some).collect();
    let rows =
        groups::finish(session, entity, &described, &selection, &first.wanted, found.into_iter().flatten().collect()).await?;
    let mut rows = rows.into_iter();
    Ok(places.into_iter().map(|there| if there { rows.next() } else { None }).collect())
}

async fn chunk(
    session: &mut Session,
    entity: &Entity,
    described: &Arc<Described>,
    selection: &Selection,
    asks: &[Read],
) -> Result<Vec<Option<Vec<Legacy>>>, Trouble> {
    let (spec, relation) = (&entity.plan.spec, &entity.plan.relation);
    let mut keys = Vec::with_capacity(asks.len());
    let mut statement = selection.statement(session, relation);
    let mut any = false;
    for ask in asks {
        let params = key_params(session, &spec.key, &described.record, &ask.key)?;
        keys.push(params.as_ref().and_then(|params| params.iter().map(canonical_param).collect::<Option<Vec<_>>>()));
        if let Some(params) = params {
            statement.push(if any { " OR (" } else { " AND ((" });
            push_key(&mut statement, relation, &spec.key, &described.record, params)?;
            statement.push(")");
            any = true;
        }
    }
    if !any {
        return Ok(vec![None; asks.len()]);
    }
    statement.push(")");
    let rows = match session.fetch(statement, &selection.columns).await {
        Ok(rows) => rows,
        // One value that can't be takes the others along: each is asked by itself.
        Err(error) if error.can_not_be() => return one_by_one(session, entity, described, selection, asks).await,
        Err(error) => return Err(error.into()),
    };
    let mut by_key: HashMap<Vec<String>, Vec<Legacy>> = HashMap::with_capacity(rows.len());
    for row in rows {
        let Some(key) = selection.values(&row, &spec.key).into_iter().map(canonical).collect::<Option<Vec<_>>>() else {
            continue;
        };
        if by_key.insert(key, row).is_some() {
            return Err(Failure::malformed("several rows have the key of one record: look at the joins and at `where`").into());
        }
    }
    let mut found = Vec::with_capacity(asks.len());
    let mut claimed = 0;
    for key in &keys {
        let row = key.as_ref().and_then(|key| by_key.get(key)).cloned();
        claimed += usize::from(row.is_some());
        found.push(row);
    }
    // A row under another spelling of its key (the database's collation says that both are the same).
    if claimed < by_key.len() {
        for (at, ask) in asks.iter().enumerate() {
            if found[at].is_none() && keys[at].is_some() {
                found[at] = self::by_key(session, entity, described, selection, &ask.key).await?;
            }
        }
    }
    Ok(found)
}

async fn one_by_one(
    session: &mut Session,
    entity: &Entity,
    described: &Described,
    selection: &Selection,
    asks: &[Read],
) -> Result<Vec<Option<Vec<Legacy>>>, Trouble> {
    let mut found = Vec::with_capacity(asks.len());
    for ask in asks {
        found.push(by_key(session, entity, described, selection, &ask.key).await?);
    }
    Ok(found)
}

/// The rows of a code table.
pub(crate) async fn table(session: &mut Session, spec: &TableSpec, relation: &Relation) -> Result<Vec<Vec<Legacy>>, Trouble> {
    let columns = described_table(session, spec, relation).await?;
    let dialect = session.dialect;
    let list: Vec<String> = spec
        .columns
        .iter()
        .zip(&columns)
        .enumerate()
        .map(|(place, (source, column))| {
            dialect.listed(place, &dialect.selected(&relation.expression(dialect, source.as_str()), column))
        })
        .collect();
    let mut statement = Statement::new(dialect, &format!("SELECT {}{}", list.join(", "), relation.body(dialect)));
    statement.limit(TABLE_ROWS_MAX + 1);
    let rows = session.fetch(statement, &columns).await?;
    if rows.len() > TABLE_ROWS_MAX {
        return Err(Failure::malformed(format!("the code table has more than {TABLE_ROWS_MAX} rows")).into());
    }
    Ok(rows)
}
