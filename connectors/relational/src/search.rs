//! Searching: conditions, and pages by the key of the last record (no offset, so that a page costs the same however
//! far it lies, and none is skipped or shown twice when records come and go).

use std::collections::HashMap;

use rabita_model::Comparison;
use rabita_sdk::{Condition, Failure, Ignore, Legacy, Page, Search, Source};

use crate::backend::Session;
use crate::column::Column;
use crate::described::Entity;
use crate::fault::Trouble;
use crate::groups;
use crate::plan::Relation;
use crate::read::{Selection, column, fetch, push_equal};
use crate::statement::{Param, Statement};

/// One page of records.
pub(crate) async fn page(session: &mut Session, entity: &Entity, ask: &Search) -> Result<Page, Trouble> {
    let described = entity.described(session).await?;
    let plan = &entity.plan;
    let selection = Selection::of_record(entity, &described, &ask.wanted)?;
    let mut statement = selection.statement(session, &plan.relation);
    for condition in &ask.conditions {
        if !push_condition(&mut statement, &plan.relation, condition, column(&described.record, &condition.source)?) {
            return Ok(Page::default());
        }
    }
    for source in &plan.spec.key {
        let expression = plan.relation.expression(session.dialect, source.as_str());
        statement.push(&format!(" AND {expression} IS NOT NULL"));
    }
    if let Some(cursor) = &ask.cursor {
        let refused = || Failure::refused(BAD_CURSOR);
        let place: Vec<Legacy> = serde_json::from_str(cursor).map_err(|_| refused())?;
        push_after(&mut statement, &plan.relation, &described.record, &plan.spec.key, place).ok_or_else(refused)?;
    }
    let order: Vec<String> =
        plan.spec.key.iter().map(|source| plan.relation.expression(session.dialect, source.as_str())).collect();
    if !order.is_empty() {
        statement.push(&format!(" ORDER BY {}", order.join(", ")));
    }
    let limit = ask.limit.max(1);
    statement.limit(limit.saturating_add(1));
    let mut values = fetch(session, statement, &selection.columns).await?;
    let more = values.len() > limit;
    values.truncate(limit);
    let next = if more { values.last().and_then(|last| cursor(&selection, &plan.spec.key, last)) } else { None };
    let rows = groups::finish(session, entity, &described, &selection, &ask.wanted, values).await?;
    Ok(Page { rows, next })
}

/// Adds ` AND condition`; false when no record can satisfy it.
fn push_condition(statement: &mut Statement, relation: &Relation, condition: &Condition, column: &Column) -> bool {
    let dialect = statement.dialect;
    let mut expression = relation.expression(dialect, condition.source.as_str());
    let textual = condition.comparison == Comparison::Prefix || !condition.ignore.is_empty();
    if !textual {
        let Some(param) = column.compared(dialect, &condition.value) else { return false };
        statement.push(" AND ");
        match condition.comparison {
            Comparison::From => _ = statement.push(&expression).push(" >= ").value(param, column),
            Comparison::To => _ = statement.push(&expression).push(" <= ").value(param, column),
            Comparison::Equals | Comparison::Prefix => push_equal(statement, &expression, column, param),
        }
        return true;
    }
    let Some(text) = condition.value.to_text() else { return false };
    let text = if condition.comparison == Comparison::Prefix { dialect.prefix_value(&text) } else { text.into_owned() };
    expression = dialect.as_text(&expression, column);
    let ignores = |ignore| condition.ignore.contains(&ignore);
    let bound = statement.bind(Param::Text(text));
    let mut placeholder = dialect.text_mark(&bound);
    if ignores(Ignore::OuterSpaces) {
        expression = dialect.trimmed(&expression);
        // The blank at the end of a prefix belongs to it.
        placeholder = match condition.comparison {
            Comparison::Prefix => format!("LTRIM({placeholder})"),
            _ => dialect.trimmed(&placeholder),
        };
    }
    if ignores(Ignore::Case) {
        expression = format!("LOWER({expression})");
        placeholder = format!("LOWER({placeholder})");
    }
    let compared = match condition.comparison {
        Comparison::Equals => format!("{expression} = {placeholder}"),
        Comparison::From => format!("{expression} >= {placeholder}"),
        Comparison::To => format!("{expression} <= {placeholder}"),
        Comparison::Prefix => dialect.begins(&expression, &placeholder),
    };
    statement.push(" AND ").push(&compared);
    true
}

/// Adds ` AND (a > ? OR (a = ? AND b > ?))`: what comes after a place in an order. `None` when the values are none of
/// such a place.
pub(crate) fn push_after(
    statement: &mut Statement,
    relation: &Relation,
    columns: &HashMap<Source, Column>,
    order: &[Source],
    place: Vec<Legacy>,
) -> Option<()> {
    let dialect = statement.dialect;
    if place.len() != order.len() || place.is_empty() {
        return None;
    }
    let mut terms = Vec::with_capacity(place.len());
    for (source, value) in order.iter().zip(place) {
        let column = columns.get(source)?;
        let param = column.returned(value).and_then(|value| column.compared(dialect, &value))?;
        terms.push((relation.expression(dialect, source.as_str()), column, param));
    }
    statement.push(" AND (");
    for last in 0..terms.len() {
        statement.push(if last > 0 { " OR (" } else { "(" });
        for (at, (expression, column, param)) in terms.iter().take(last + 1).enumerate() {
            if at > 0 {
                statement.push(" AND ");
            }
            statement.push(expression).push(if at == last { " > " } else { " = " }).value(param.clone(), column);
        }
        statement.push(")");
    }
    statement.push(")");
    Some(())
}

const BAD_CURSOR: &str = "the cursor is none of this search's";

/// The opaque place after a row: the values of its key.
fn cursor(selection: &Selection, key: &[Source], row: &[Legacy]) -> Option<String> {
    serde_json::to_string(&selection.values(row, key)).ok()
}
