//! A test's `legacy:` out of rows: the tables that they stand in.
//!
//! A row holds what was wanted, under the names of the manifest. What holds the tables together need not be among that:
//! columns that joins, groups and conditions equate are given a value where they have none.

mod equalities;

use std::collections::BTreeMap;

use base64::Engine as _;
use rabita_sdk::survey::Foreseen;
use rabita_sdk::{Legacy, Row, Source};
use serde_json::{Value, json};

use crate::origin::{Group, JoinKind, Origin};
use crate::plan::{Base, GroupPlan, Relation, join_name};
use equalities::{Side, equalities};

/// The rows of each table.
pub(crate) fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    let origin: Origin = serde_json::from_value(foreseen.entity.from.clone()).ok()?;
    let (relation, groups) = match &origin {
        Origin::Table(_) => (Relation::of(&origin), BTreeMap::new()),
        Origin::Tables(tables) => (Relation::of(&origin), plans(&tables.groups)),
        Origin::Select(_) => return None,
    };
    let mut tables = Tables::default();
    tables.declare(&relation);
    for (nth, row) in foreseen.rows.iter().enumerate() {
        tables.record(&relation, &groups, row, nth)?;
    }
    for (table, rows) in foreseen.tables {
        let origin: Origin = serde_json::from_value(table.from.clone()).ok()?;
        let relation = Relation::of(&origin);
        tables.declare(&relation);
        rows.iter().enumerate().try_for_each(|(nth, row)| tables.record(&relation, &BTreeMap::new(), row, nth))?;
    }
    Some(Value::Object(tables.0.into_iter().map(|(name, rows)| (name, Value::Array(rows))).collect()))
}

fn plans<'a>(groups: impl IntoIterator<Item = (&'a String, &'a Group)>) -> BTreeMap<String, GroupPlan> {
    groups.into_iter().map(|(name, group)| (name.clone(), GroupPlan::new(group))).collect()
}

/// The tables with their rows.
#[derive(Default)]
struct Tables(BTreeMap<String, Vec<Value>>);

/// The values of one record by table, as its statement names it, and column.
type Cells = BTreeMap<(String, String), Value>;

impl Tables {
    /// Names a table that may stay empty.
    fn declare(&mut self, relation: &Relation) {
        if let Base::Table(table) = &relation.base {
            self.0.entry(table.clone()).or_default();
        }
    }

    /// Puts a record into the tables that it stands in.
    fn record(&mut self, relation: &Relation, groups: &BTreeMap<String, GroupPlan>, row: &Row, nth: usize) -> Option<()> {
        let mut cells = Cells::new();
        for (name, value) in row.iter().filter(|(name, _)| !groups.contains_key(*name)) {
            cells.insert(place(relation, name)?, cell(value));
        }
        // What a group hangs on may not have been wanted.
        for (_, parent) in groups.values().flat_map(|group| &group.links) {
            cells.entry(place(relation, parent.as_str())?).or_insert_with(|| made_up(nth));
        }
        self.put(relation, cells.clone(), nth);
        for (name, group) in groups {
            let items = match row.get(name) {
                Some(Legacy::List(items)) => items.as_slice(),
                _ => &[],
            };
            for (at, item) in items.iter().enumerate() {
                let Legacy::Group(item) = item else { return None };
                let mut own = Cells::new();
                for (name, value) in item.iter() {
                    own.insert(place(&group.relation, name)?, cell(value));
                }
                for (column, parent) in &group.links {
                    own.insert(place(&group.relation, column)?, cells.get(&place(relation, parent.as_str())?)?.clone());
                }
                self.put(&group.relation, own, nth * 100 + at);
            }
        }
        Some(())
    }

    /// Puts values into the first table and those joined to it, with what holds them together.
    fn put(&mut self, relation: &Relation, mut cells: Cells, nth: usize) {
        let base = relation.qualifier();
        let has_values = |cells: &Cells, alias: &str| cells.iter().any(|((own, _), value)| own == alias && !value.is_null());
        let joined: Vec<_> =
            relation.joins.iter().filter(|join| join.kind == JoinKind::Inner || has_values(&cells, join_name(join))).collect();
        let conditions: Vec<&str> =
            relation.filter.as_deref().into_iter().chain(joined.iter().map(|join| join.on.as_str())).collect();
        for condition in conditions {
            for (one, other) in equalities(condition) {
                equate(&mut cells, (side(&one, base), side(&other, base)), nth);
            }
        }
        let aliases = std::iter::once((base, relation_table(relation)))
            .chain(joined.iter().map(|join| (join_name(join), Some(join.table.as_str()))));
        for (alias, table) in aliases {
            let Some(table) = table else { continue };
            let own = cells.iter().filter(|((own, _), _)| own == alias);
            let row = Value::Object(own.map(|((_, column), value)| (column.clone(), value.clone())).collect());
            let rows = self.0.entry(table.to_owned()).or_default();
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
}

fn relation_table(relation: &Relation) -> Option<&str> {
    match &relation.base {
        Base::Table(table) => Some(table),
        Base::Select(_) => None,
    }
}

/// The table, as the statement names it, and the column that a source means.
fn place(relation: &Relation, source: &str) -> Option<(String, String)> {
    relation.resolve(Source::new(source).as_str()).ok().map(|(alias, column)| (alias.to_owned(), column.to_owned()))
}

/// A side of an equality: a value, or a place.
enum At {
    Value(Value),
    Cell((String, String)),
}

fn side(side: &Side, base: &str) -> At {
    match side {
        Side::Value(value) => At::Value(value.clone()),
        Side::Column(alias, column) => At::Cell((alias.clone().unwrap_or_else(|| base.to_owned()), column.clone())),
    }
}

/// Gives both sides one value: the one that is known, or one that is made up.
fn equate(cells: &mut Cells, sides: (At, At), nth: usize) {
    match sides {
        (At::Cell(cell), At::Value(value)) | (At::Value(value), At::Cell(cell)) => _ = cells.insert(cell, value),
        (At::Cell(one), At::Cell(other)) => {
            let known = |cell: &(String, String)| cells.get(cell).filter(|value| !value.is_null()).cloned();
            let value = known(&one).or_else(|| known(&other)).unwrap_or_else(|| made_up(nth));
            cells.insert(one, value.clone());
            cells.insert(other, value);
        }
        (At::Value(_), At::Value(_)) => {}
    }
}

/// A value that no other record has.
fn made_up(nth: usize) -> Value {
    json!(nth + 1)
}

fn cell(value: &Legacy) -> Value {
    match value {
        Legacy::Bytes(bytes) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use rabita_sdk::survey::{Question, SurveyedEntity};
    use serde_json::Map;

    use super::*;

    fn made(from: Value, rows: Value) -> Option<Value> {
        let rows: Vec<Row> = serde_json::from_value(rows).expect("rows");
        let entity = SurveyedEntity { from, key: vec![Source::new("p.PIN")], ..SurveyedEntity::default() };
        let foreseen =
            Foreseen { settings: &Map::new(), entity: &entity, question: Question::Read(&[]), rows: &rows, tables: &[] };
        fixture(&foreseen)
    }

    #[test]
    fn a_record_stands_in_its_table() {
        let tables = made(json!("PEOPLE"), json!([{ "PIN": "1" }, { "PIN": "2" }]));
        assert_eq!(tables, Some(json!({ "PEOPLE": [{ "PIN": "1" }, { "PIN": "2" }] })));
        assert_eq!(made(json!("PEOPLE"), json!([])), Some(json!({ "PEOPLE": [] })));
    }

    #[test]
    fn joined_tables_and_conditions_are_held_together() {
        let from = json!({
            "table": "PEOPLE", "as": "p", "where": "p.KIND = 'P' and p.NTH = 0",
            "joins": [{ "table": "PLACES", "as": "o", "on": "o.ID = p.PLACE" }, { "table": "LANDS", "on": "LANDS.CODE = p.LAND" }]
        });
        let rows =
            json!([{ "p.PIN": "1", "o.NAME": "Baku", "LANDS.NAME": null }, { "p.PIN": "2", "o.NAME": null, "LANDS.NAME": "x" }]);
        assert_eq!(
            made(from, rows),
            Some(json!({
                "PEOPLE": [{ "KIND": "P", "NTH": 0, "PIN": "1", "PLACE": 1 }, { "KIND": "P", "LAND": 2, "NTH": 0, "PIN": "2" }],
                "PLACES": [{ "ID": 1, "NAME": "Baku" }],
                "LANDS": [{ "CODE": 2, "NAME": "x" }],
            }))
        );
    }

    #[test]
    fn the_items_of_a_group_hang_on_their_record() {
        let from = json!({
            "table": "PEOPLE", "as": "p", "groups": { "homes": { "table": "HOMES", "on": { "PERSON": "p.ID" }, "where": "OLD = 0" } }
        });
        let rows = json!([{ "p.PIN": "1", "homes": [{ "STREET": "a" }, { "STREET": "b" }] }]);
        assert_eq!(
            made(from, rows),
            Some(json!({
                "PEOPLE": [{ "ID": 1, "PIN": "1" }],
                "HOMES": [{ "OLD": 0, "PERSON": 1, "STREET": "a" }, { "OLD": 0, "PERSON": 1, "STREET": "b" }],
            }))
        );
    }

    #[test]
    fn a_hand_written_select_has_no_tables_to_put_rows_into() {
        assert_eq!(made(json!({ "select": "SELECT 1 AS PIN" }), json!([])), None);
    }
}
