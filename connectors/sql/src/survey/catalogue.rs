//! The database's own description of its tables.

use rabita_sdk::Legacy;
use rabita_sdk::survey::{SurveyError, ValueType};

use super::{Surveyor, types};
use crate::column::Column;
use crate::dialect::Dialect;
use crate::statement::Statement;

/// What the catalogue says.
pub(super) struct Catalogue {
    pub(super) tables: Vec<Table>,
    pub(super) unsure: Vec<String>,
}

/// A table or a view.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// As a manifest names it: with its schema where that is not the usual one.
    pub(super) name: String,
    pub(super) is_view: bool,
    pub(super) comment: Option<String>,
    /// About how many rows the database thinks there are.
    pub(super) estimate: Option<u64>,
    /// How many there are, where they are few.
    pub(super) count: Option<u64>,
    pub(super) columns: Vec<TableColumn>,
    pub(super) key: Vec<String>,
    /// Columns that are unique by themselves.
    pub(super) unique: Vec<String>,
    /// Columns that an index begins with.
    pub(super) indexed: Vec<String>,
    pub(super) references: Vec<Foreign>,
}

#[derive(Debug)]
pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) value: ValueType,
    pub(super) not_null: bool,
    pub(super) comment: Option<String>,
    /// The values of an enumerated type.
    pub(super) labels: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Foreign {
    constraint: String,
    pub(super) columns: Vec<String>,
    pub(super) table: String,
    pub(super) of: Vec<String>,
}

/// Reads the catalogue.
pub(super) async fn read(surveyor: &Surveyor<'_>) -> Result<Catalogue, SurveyError> {
    let dialect = surveyor.pool.dialect();
    let usual = usual_schema(surveyor).await?;
    let mut catalogue = Catalogue { tables: Vec::new(), unsure: Vec::new() };
    let labels = labels(surveyor).await?;
    for row in texts(surveyor, columns_of(dialect), 10).await? {
        let [schema, table, kind, comment, estimate, column, declared, not_null, said, _] = row.as_slice() else { continue };
        if [schema, table, column].iter().any(|name| name.contains('.')) {
            let why = format!("{table}: names with a dot in them cannot be given in a manifest, and were left out");
            if !catalogue.unsure.contains(&why) {
                catalogue.unsure.push(why);
            }
            continue;
        }
        let name = qualified(&usual, schema, table);
        if catalogue.tables.last().is_none_or(|last| last.name != name) {
            let estimate = estimate.parse().ok();
            let comment = Some(comment.clone()).filter(|text| !text.is_empty() && text != "VIEW");
            catalogue.tables.push(Table { name, is_view: kind == "v", comment, estimate, ..Table::default() });
        }
        let Some(last) = catalogue.tables.last_mut() else { continue };
        let own = labels.iter().filter(|(of, _)| of == declared).map(|(_, label)| label.clone()).collect();
        let (value, listed) = types::value_type(dialect, declared);
        last.columns.push(TableColumn {
            name: column.clone(),
            declared: declared.clone(),
            value,
            not_null: not_null == "true",
            comment: Some(said.clone()).filter(|text| !text.is_empty()),
            labels: if listed.is_empty() { own } else { listed },
        });
    }
    add_keys(surveyor, &usual, &mut catalogue.tables).await?;
    add_references(surveyor, &usual, &mut catalogue.tables).await?;
    Ok(catalogue)
}

fn qualified(usual: &str, schema: &str, table: &str) -> String {
    if schema == usual { table.to_owned() } else { format!("{schema}.{table}") }
}

async fn usual_schema(surveyor: &Surveyor<'_>) -> Result<String, SurveyError> {
    let sql = match surveyor.pool.dialect() {
        Dialect::Postgres => "SELECT CAST(current_schema() AS text)",
        Dialect::MySql => "SELECT DATABASE()",
        Dialect::Sqlite => "SELECT 'main'",
    };
    Ok(texts(surveyor, sql, 1).await?.into_iter().flatten().next().unwrap_or_default())
}

async fn add_keys(surveyor: &Surveyor<'_>, usual: &str, tables: &mut [Table]) -> Result<(), SurveyError> {
    // Each index with its columns, in their order.
    let mut indexes: Vec<(String, String, String, Vec<String>)> = Vec::new();
    for row in texts(surveyor, keys_of(surveyor.pool.dialect()), 6).await? {
        let [schema, table, index, sort, column, _] = row.as_slice() else { continue };
        let name = qualified(usual, schema, table);
        match indexes.last_mut() {
            Some((of, own, _, columns)) if *of == name && own == index => columns.push(column.clone()),
            _ => indexes.push((name, index.clone(), sort.clone(), vec![column.clone()])),
        }
    }
    for (name, _, sort, columns) in indexes {
        let Some(table) = tables.iter_mut().find(|table| table.name == name) else { continue };
        if let Some(first) = columns.first()
            && !table.indexed.contains(first)
        {
            table.indexed.push(first.clone());
        }
        match (sort.as_str(), columns.as_slice()) {
            ("P", _) => table.key = columns,
            ("U", [one]) => table.unique.push(one.clone()),
            _ => {}
        }
    }
    Ok(())
}

async fn add_references(surveyor: &Surveyor<'_>, usual: &str, tables: &mut [Table]) -> Result<(), SurveyError> {
    for row in texts(surveyor, references_of(surveyor.pool.dialect()), 7).await? {
        let [schema, table, constraint, column, to_schema, to_table, to_column] = row.as_slice() else { continue };
        let name = qualified(usual, schema, table);
        let to = qualified(usual, to_schema, to_table);
        // SQLite leaves out what is the key.
        let to_key = tables.iter().find(|table| table.name == to).and_then(|table| table.key.first().cloned());
        let of = if to_column.is_empty() { to_key.unwrap_or_default() } else { to_column.clone() };
        let Some(table) = tables.iter_mut().find(|table| table.name == name) else { continue };
        match table.references.iter_mut().find(|reference| reference.constraint == *constraint) {
            Some(reference) => {
                reference.columns.push(column.clone());
                reference.of.push(of);
            }
            None => table.references.push(Foreign {
                constraint: constraint.clone(),
                columns: vec![column.clone()],
                table: to,
                of: vec![of],
            }),
        }
    }
    Ok(())
}

/// The values of enumerated types, by the type's name. MariaDB and MySQL have them in the column's type.
async fn labels(surveyor: &Surveyor<'_>) -> Result<Vec<(String, String)>, SurveyError> {
    if surveyor.pool.dialect() != Dialect::Postgres {
        return Ok(Vec::new());
    }
    let sql = "SELECT pg_catalog.format_type(t.oid, -1), CAST(e.enumlabel AS text) FROM pg_catalog.pg_enum e \
               JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid ORDER BY t.oid, e.enumsortorder";
    let rows = texts(surveyor, sql, 2).await?;
    Ok(rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).map(|[of, label]| (of, label)).collect())
}

/// Rows of so many texts; null is the empty text.
async fn texts(surveyor: &Surveyor<'_>, sql: &str, width: usize) -> Result<Vec<Vec<String>>, SurveyError> {
    let columns = vec![Column::text(); width];
    let rows = surveyor.ask(Statement::new(surveyor.pool.dialect(), sql), &columns).await?;
    let text = |value: &Legacy| value.to_text().map(std::borrow::Cow::into_owned).unwrap_or_default();
    Ok(rows.iter().map(|row| row.iter().map(text).collect()).collect())
}

const fn columns_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "SELECT CAST(n.nspname AS text), CAST(c.relname AS text), CASE WHEN c.relkind IN ('v', 'm') THEN 'v' ELSE 'r' END, \
             pg_catalog.obj_description(c.oid, 'pg_class'), CASE WHEN c.reltuples >= 1 THEN CAST(CAST(c.reltuples AS int8) AS text) END, \
             CAST(a.attname AS text), pg_catalog.format_type(a.atttypid, a.atttypmod), CAST(a.attnotnull AS text), \
             pg_catalog.col_description(c.oid, a.attnum), '' \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
             AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY n.nspname, c.relname, a.attnum"
        }
        Dialect::MySql => {
            "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, IF(t.TABLE_TYPE LIKE '%VIEW', 'v', 'r'), t.TABLE_COMMENT, \
             CAST(t.TABLE_ROWS AS CHAR), c.COLUMN_NAME, CAST(c.COLUMN_TYPE AS CHAR), IF(c.IS_NULLABLE = 'NO', 'true', 'false'), \
             c.COLUMN_COMMENT, '' FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
             ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME WHERE c.TABLE_SCHEMA = DATABASE() \
             ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION"
        }
        Dialect::Sqlite => {
            "SELECT 'main', m.name, CASE m.type WHEN 'view' THEN 'v' ELSE 'r' END, '', '', p.name, p.type, \
             CASE WHEN p.\"notnull\" = 1 OR p.pk > 0 THEN 'true' ELSE 'false' END, '', '' \
             FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) p WHERE m.type IN ('table', 'view') \
             AND substr(m.name, 1, 7) <> 'sqlite_' AND p.hidden IN (0, 2, 3) ORDER BY m.name, p.cid"
        }
    }
}

const fn keys_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "SELECT CAST(n.nspname AS text), CAST(c.relname AS text), CAST(i.indexrelid AS text), \
             CASE WHEN i.indisprimary THEN 'P' WHEN i.indisunique THEN 'U' ELSE 'I' END, CAST(a.attname AS text), CAST(k.place AS text) \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN LATERAL unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS k(attnum, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
             WHERE i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
             ORDER BY n.nspname, c.relname, i.indexrelid, k.place"
        }
        Dialect::MySql => {
            "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, IF(INDEX_NAME = 'PRIMARY', 'P', IF(NON_UNIQUE = 0, 'U', 'I')), \
             COLUMN_NAME, CAST(SEQ_IN_INDEX AS CHAR) FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME IS NOT NULL ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        }
        Dialect::Sqlite => {
            "SELECT 'main', m.name, 'key', 'P', p.name, CAST(p.pk AS text) FROM sqlite_schema m \
             JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND p.pk > 0 UNION ALL \
             SELECT 'main', m.name, l.name, CASE l.\"unique\" WHEN 1 THEN 'U' ELSE 'I' END, i.name, CAST(i.seqno + 1 AS text) \
             FROM sqlite_schema m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i \
             WHERE m.type = 'table' AND l.partial = 0 AND l.origin <> 'pk' AND i.name IS NOT NULL ORDER BY 2, 3, 6"
        }
    }
}

const fn references_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "SELECT CAST(n.nspname AS text), CAST(c.relname AS text), CAST(f.oid AS text), CAST(a.attname AS text), \
             CAST(rn.nspname AS text), CAST(r.relname AS text), CAST(ra.attname AS text) \
             FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class r ON r.oid = f.confrelid \
             JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
             CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(own, other, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.own \
             JOIN pg_catalog.pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = k.other \
             WHERE f.contype = 'f' ORDER BY f.oid, k.place"
        }
        Dialect::MySql => {
            "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
             REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
        }
        Dialect::Sqlite => {
            "SELECT 'main', m.name, m.name || f.id, f.\"from\", 'main', f.\"table\", f.\"to\" FROM sqlite_schema m \
             JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq"
        }
    }
}
