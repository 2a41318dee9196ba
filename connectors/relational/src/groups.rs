//! Repeated groups: one question per group for all records of a page.

use std::collections::HashMap;

use rabita_sdk::{Failure, GroupSpec, Legacy, Row, Source, Wanted};

use crate::backend::Session;
use crate::column::canonical;
use crate::described::{Described, Entity};
use crate::fault::Trouble;
use crate::plan::GroupPlan;
use crate::read::{Selection, column, fetch, push_equal};
use crate::statement::Statement;

/// The most rows of one group for one page.
const ROWS_MAX: usize = 20_000;

/// The most different parents in one question.
const PARENTS_MAX: usize = 1000;

/// Makes rows of values, and puts their groups into them.
pub(crate) async fn finish(
    session: &mut Session,
    entity: &Entity,
    described: &Described,
    selection: &Selection,
    wanted: &Wanted,
    values: Vec<Vec<Legacy>>,
) -> Result<Vec<Row>, Trouble> {
    let mut attached: Vec<Vec<(Source, Legacy)>> = vec![Vec::new(); values.len()];
    for group in &wanted.groups {
        let name = group.name.as_str();
        let (Some(plan), Some(columns)) = (entity.plan.groups.get(name), described.groups.get(name)) else {
            return Err(Failure::unsupported(format!("there is no group {name} in `from`")).into());
        };
        let parents: Vec<Option<Vec<String>>> = values
            .iter()
            .map(|row| selection.values(row, plan.links.iter().map(|(_, parent)| parent)).into_iter().map(canonical).collect())
            .collect();
        let mut items = members(session, plan, columns, group, selection, &values, &parents).await?;
        for (place, parent) in parents.iter().enumerate() {
            let own = parent.as_ref().and_then(|parent| items.get(parent).cloned()).unwrap_or_default();
            attached[place].push((group.name.clone(), Legacy::List(own)));
        }
        items.clear();
    }
    Ok(values
        .into_iter()
        .zip(attached)
        .map(|(values, groups)| {
            let mut row = selection.row(values);
            for (name, list) in groups {
                row.push(name.shared(), list);
            }
            row
        })
        .collect())
}

type Items = HashMap<Vec<String>, Vec<Legacy>>;

/// The members of a group by the canonical text of their parents' values.
async fn members(
    session: &mut Session,
    plan: &GroupPlan,
    columns: &HashMap<Source, crate::column::Column>,
    group: &GroupSpec,
    selection: &Selection,
    values: &[Vec<Legacy>],
    parents: &[Option<Vec<String>>],
) -> Result<Items, Trouble> {
    let links: Vec<Source> = plan.links.iter().map(|(column, _)| Source::new(column)).collect();
    let chosen = Selection::new(&group.sources, links.iter().cloned(), columns)?;
    // One place for each different parent.
    let mut different: HashMap<&Vec<String>, usize> = HashMap::new();
    for (place, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            different.entry(parent).or_insert(place);
        }
    }
    let mut places: Vec<usize> = different.values().copied().collect();
    places.sort_unstable();
    let mut items = Items::new();
    for places in places.chunks(PARENTS_MAX) {
        let mut statement = chosen.statement(session, &plan.relation);
        if !push_parents(&mut statement, session, plan, columns, selection, values, places)? {
            continue;
        }
        push_order(&mut statement, plan);
        statement.limit(ROWS_MAX + 1);
        let rows = fetch(session, statement, &chosen.columns).await?;
        if rows.len() > ROWS_MAX {
            return Err(Failure::malformed(format!("the group {} has more than {ROWS_MAX} rows for one page", group.name)).into());
        }
        for row in rows {
            let Some(key) = chosen.values(&row, &links).into_iter().map(canonical).collect::<Option<Vec<_>>>() else { continue };
            // The database's collation may have found a parent that is spelt otherwise.
            let key = if different.contains_key(&key) { key } else { spelt_otherwise(&different, &key).unwrap_or(key) };
            items.entry(key).or_default().push(Legacy::Group(chosen.row(row)));
        }
    }
    Ok(items)
}

fn push_parents(
    statement: &mut Statement,
    session: &Session,
    plan: &GroupPlan,
    columns: &HashMap<Source, crate::column::Column>,
    selection: &Selection,
    values: &[Vec<Legacy>],
    places: &[usize],
) -> Result<bool, Failure> {
    let mut any = false;
    for place in places {
        let parent = selection.values(&values[*place], plan.links.iter().map(|(_, parent)| parent));
        let mut terms = Vec::with_capacity(parent.len());
        for ((child, _), value) in plan.links.iter().zip(parent) {
            let column = column(columns, &Source::new(child))?;
            terms.push(
                column
                    .compared(session.dialect, value)
                    .map(|param| (plan.relation.expression(session.dialect, child), column, param)),
            );
        }
        let Some(terms) = terms.into_iter().collect::<Option<Vec<_>>>() else { continue };
        statement.push(if any { " OR (" } else { " AND ((" });
        for (at, (expression, column, param)) in terms.into_iter().enumerate() {
            if at > 0 {
                statement.push(" AND ");
            }
            push_equal(statement, &expression, column, param);
        }
        statement.push(")");
        any = true;
    }
    if any {
        statement.push(")");
    }
    Ok(any)
}

fn push_order(statement: &mut Statement, plan: &GroupPlan) {
    for (at, order) in plan.order_by.iter().enumerate() {
        let (source, last_first) = ordering(order);
        let expression = plan.relation.expression(statement.dialect, source);
        statement.push(if at == 0 { " ORDER BY " } else { ", " }).push(&expression);
        if last_first {
            statement.push(" DESC");
        }
    }
}

/// The source of an `order_by`, and whether the last comes first.
pub(crate) fn ordering(order: &str) -> (&str, bool) {
    match order.rsplit_once(' ') {
        Some((source, direction)) if direction.eq_ignore_ascii_case("desc") => (source.trim(), true),
        Some((source, direction)) if direction.eq_ignore_ascii_case("asc") => (source.trim(), false),
        _ => (order.trim(), false),
    }
}

fn spelt_otherwise(different: &HashMap<&Vec<String>, usize>, key: &[String]) -> Option<Vec<String>> {
    let lower = |key: &[String]| key.iter().map(|part| part.trim_end().to_lowercase()).collect::<Vec<_>>();
    let wanted = lower(key);
    different.keys().find(|parent| lower(parent) == wanted).map(|parent| (*parent).clone())
}
