//! An entity made ready: which table, alias and column each source means.

use std::collections::BTreeMap;

use rabita_sdk::{EntitySpec, Source};

use crate::action::Action;
use crate::dialect::Dialect;
use crate::origin::{Bump, Feed, Group, Join, JoinKind, Origin};

/// The alias of a hand-written query that has none.
const RECORD: &str = "record";

/// Tables with their joins and their condition: what stands after `FROM`.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) base: Base,
    pub(crate) alias: Option<String>,
    pub(crate) joins: Vec<Join>,
    pub(crate) filter: Option<String>,
}

/// The first table of a relation.
#[derive(Debug, Clone)]
pub(crate) enum Base {
    Table(String),
    Select(String),
}

impl Relation {
    /// One table alone.
    pub(crate) fn table(name: &str) -> Self {
        Self { base: Base::Table(name.to_owned()), alias: None, joins: Vec::new(), filter: None }
    }

    /// The relation of an entity or a code table.
    pub(crate) fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Table(table) => Self::table(table),
            Origin::Tables(tables) => Self {
                base: Base::Table(tables.table.clone()),
                alias: tables.alias.clone(),
                joins: tables.joins.clone(),
                filter: tables.filter.clone(),
            },
            Origin::Select(select) => {
                Self { base: Base::Select(select.select.clone()), alias: select.alias.clone(), joins: Vec::new(), filter: None }
            }
        }
    }

    fn of_group(group: &Group) -> Self {
        Self {
            base: Base::Table(group.table.clone()),
            alias: group.alias.clone(),
            joins: group.joins.clone(),
            filter: group.filter.clone(),
        }
    }

    /// The name by which the first table goes.
    pub(crate) fn qualifier(&self) -> &str {
        match (&self.alias, &self.base) {
            (Some(alias), _) => alias,
            (None, Base::Table(table)) => own_name(table),
            (None, Base::Select(_)) => RECORD,
        }
    }

    /// The names by which all tables go, the first one first.
    pub(crate) fn qualifiers(&self) -> Vec<&str> {
        std::iter::once(self.qualifier()).chain(self.joins.iter().map(join_name)).collect()
    }

    /// The table and the column that a source means; `Err` with an alias that there is none of.
    pub(crate) fn resolve<'a>(&'a self, source: &'a str) -> Result<(&'a str, &'a str), &'a str> {
        match source.split_once('.') {
            None => Ok((self.qualifier(), source)),
            Some((alias, column)) => match self.qualifiers().into_iter().find(|own| *own == alias) {
                Some(own) => Ok((own, column)),
                None => Err(alias),
            },
        }
    }

    /// A source as an expression.
    pub(crate) fn expression(&self, dialect: Dialect, source: &str) -> String {
        // What `check` has refused is quoted as one column, which the database then does not know.
        let (table, column) = self.resolve(source).unwrap_or((self.qualifier(), source));
        format!("{}.{}", dialect.quote(table), dialect.quote(column))
    }

    /// The column of the first table that a source means, if it is one of that table.
    pub(crate) fn own_column<'a>(&'a self, source: &'a str) -> Option<&'a str> {
        self.resolve(source).ok().filter(|(table, _)| *table == self.qualifier()).map(|(_, column)| column)
    }

    /// ` FROM ... WHERE (...)`, to which conditions can be added by ` AND `.
    pub(crate) fn body(&self, dialect: Dialect) -> String {
        let mut sql = format!(" FROM {}", self.base_sql(dialect));
        for join in &self.joins {
            let kind = match join.kind {
                JoinKind::Left => "LEFT JOIN",
                JoinKind::Inner => "INNER JOIN",
            };
            let table = dialect.quote_table(&join.table);
            let table = join.alias.as_ref().map_or_else(|| table.clone(), |alias| dialect.aliased(&table, alias));
            sql.push_str(&format!(" {kind} {table}"));
            // The line feed ends a comment that the condition may end with.
            sql.push_str(&format!(" ON ({}\n)", join.on));
        }
        sql.push_str(&self.condition());
        sql
    }

    /// ` WHERE (...)` with the manifest's condition.
    pub(crate) fn condition(&self) -> String {
        self.filter.as_ref().map_or_else(|| " WHERE 1 = 1".to_owned(), |filter| format!(" WHERE ({filter}\n)"))
    }

    /// The first table with its alias.
    pub(crate) fn base_sql(&self, dialect: Dialect) -> String {
        match (&self.base, &self.alias) {
            (Base::Table(table), None) => dialect.quote_table(table),
            (Base::Table(table), Some(alias)) => dialect.aliased(&dialect.quote_table(table), alias),
            (Base::Select(select), _) => dialect.aliased(&format!("({select}\n)"), self.qualifier()),
        }
    }
}

/// A table's own name, without its schema.
pub(crate) fn own_name(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}

/// The name by which a joined table goes.
pub(crate) fn join_name(join: &Join) -> &str {
    join.alias.as_deref().unwrap_or_else(|| own_name(&join.table))
}

/// A repeated group made ready.
#[derive(Debug, Clone)]
pub(crate) struct GroupPlan {
    pub(crate) relation: Relation,
    /// Its columns, and the record's sources that they equal.
    pub(crate) links: Vec<(String, Source)>,
    pub(crate) order_by: Vec<String>,
}

/// An entity made ready.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) spec: EntitySpec,
    pub(crate) relation: Relation,
    /// Where changes go; `None` when the entity can't be changed.
    pub(crate) target: Option<Relation>,
    pub(crate) groups: BTreeMap<String, GroupPlan>,
    pub(crate) bump: Bump,
    /// The named actions, or what is wrong with one.
    pub(crate) actions: Vec<Result<Action, String>>,
    /// Where changes are found that others made.
    pub(crate) feed: Option<Feed>,
}

impl Plan {
    /// Makes an entity ready.
    pub(crate) fn new(spec: EntitySpec, origin: &Origin) -> Self {
        let relation = Relation::of(origin);
        let (groups, bump, target) = match origin {
            Origin::Table(_) => (None, Bump::None, Some(relation.clone())),
            Origin::Tables(tables) => {
                let target = Relation { joins: Vec::new(), ..relation.clone() };
                (Some(&tables.groups), tables.bump, Some(target))
            }
            Origin::Select(select) => (Some(&select.groups), select.bump, select.into.as_deref().map(Relation::table)),
        };
        let groups = groups.into_iter().flatten().map(|(name, group)| (name.clone(), GroupPlan::new(group))).collect();
        let actions = spec.actions.iter().cloned().map(Action::new).collect();
        let feed = spec.changes.as_ref().and_then(|changes| serde_json::from_value(changes.from.clone()).ok());
        Self { spec, relation, target, groups, bump, actions, feed }
    }

    /// The sources that have to be described: everything that can be asked of the record itself.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let mut sources = Vec::new();
        let spec = &self.spec;
        let all = spec
            .key
            .iter()
            .chain(&spec.wanted.sources)
            .chain(&spec.binary)
            .chain(spec.filters.iter().map(|filter| &filter.source))
            .chain(&spec.version)
            .chain(self.groups.values().flat_map(|group| group.links.iter().map(|(_, parent)| parent)));
        let column = self.feed.as_ref().map(|feed| Source::new(&feed.column));
        for source in all.chain(&column) {
            if !sources.contains(source) {
                sources.push(source.clone());
            }
        }
        sources
    }

    /// The sources of a group that have to be described.
    pub(crate) fn group_sources(&self, name: &str) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        let wanted = self
            .spec
            .wanted
            .groups
            .iter()
            .filter(|group| group.name.as_str() == name)
            .flat_map(|group| group.sources.iter().cloned());
        let links = self.groups.get(name).into_iter().flat_map(|group| group.links.iter().map(|(column, _)| Source::new(column)));
        for source in links.chain(wanted) {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }

    /// The sources that a change compares or writes.
    pub(crate) fn written_sources(&self) -> Vec<Source> {
        let mut sources = self.spec.key.clone();
        for source in self.spec.version.iter().chain(self.spec.written.iter().map(|(_, source, _)| source)) {
            if !sources.contains(source) {
                sources.push(source.clone());
            }
        }
        sources
    }
}

impl GroupPlan {
    pub(crate) fn new(group: &Group) -> Self {
        Self {
            relation: Relation::of_group(group),
            links: group.on.iter().map(|(column, parent)| (column.clone(), Source::new(parent))).collect(),
            order_by: group.order_by.clone(),
        }
    }
}
