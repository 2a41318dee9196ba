//! What is asked of the catalogues of databases that are known well enough.

/// The questions to a database's catalogue, each as SQL.
#[derive(Debug)]
pub struct Questions {
    /// The schema of tables whose name stands without one.
    pub usual_schema: &'static str,
    /// Ten texts of each column: schema, table, `v` for a view, comment, rows, column, type, whether it is never null,
    /// comment, nothing. Of one table after the other.
    pub columns: &'static str,
    /// Six texts of each column of an index: schema, table, index, `P` (primary key), `U` (unique) or `I`, column, place.
    pub keys: &'static str,
    /// Seven texts of each column of a foreign key: schema, table, constraint, column; schema, table, column there.
    pub references: &'static str,
    /// Two texts of each value of an enumerated type: the type, the value. None where types list their values.
    pub labels: Option<&'static str>,
    /// Whether `TABLESAMPLE` takes rows from all of a table.
    pub takes_samples: bool,
}

/// Those to PostgreSQL.
pub static POSTGRES: Questions = Questions {
    usual_schema: "SELECT CAST(current_schema() AS text)",
    columns: "SELECT CAST(n.nspname AS text), CAST(c.relname AS text), CASE WHEN c.relkind IN ('v', 'm') THEN 'v' ELSE 'r' END, \
     pg_catalog.obj_description(c.oid, 'pg_class'), CASE WHEN c.reltuples >= 1 THEN CAST(CAST(c.reltuples AS int8) AS text) END, \
     CAST(a.attname AS text), pg_catalog.format_type(a.atttypid, a.atttypmod), CAST(a.attnotnull AS text), \
     pg_catalog.col_description(c.oid, a.attnum), '' \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
     AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY n.nspname, c.relname, a.attnum",
    keys: "SELECT CAST(n.nspname AS text), CAST(c.relname AS text), CAST(i.indexrelid AS text), \
     CASE WHEN i.indisprimary THEN 'P' WHEN i.indisunique THEN 'U' ELSE 'I' END, CAST(a.attname AS text), CAST(k.place AS text) \
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     CROSS JOIN LATERAL unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS k(attnum, place) \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
     WHERE i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
     ORDER BY n.nspname, c.relname, i.indexrelid, k.place",
    references: "SELECT CAST(n.nspname AS text), CAST(c.relname AS text), CAST(f.oid AS text), CAST(a.attname AS text), \
     CAST(rn.nspname AS text), CAST(r.relname AS text), CAST(ra.attname AS text) \
     FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.conrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class r ON r.oid = f.confrelid \
     JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
     CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(own, other, place) \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.own \
     JOIN pg_catalog.pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = k.other \
     WHERE f.contype = 'f' ORDER BY f.oid, k.place",
    labels: Some(
        "SELECT pg_catalog.format_type(t.oid, -1), CAST(e.enumlabel AS text) FROM pg_catalog.pg_enum e \
               JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid ORDER BY t.oid, e.enumsortorder",
    ),
    takes_samples: true,
};

/// Those to MariaDB and MySQL.
pub static MYSQL: Questions = Questions {
    usual_schema: "SELECT DATABASE()",
    columns: "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, IF(t.TABLE_TYPE LIKE '%VIEW', 'v', 'r'), t.TABLE_COMMENT, \
     CAST(t.TABLE_ROWS AS CHAR), c.COLUMN_NAME, CAST(c.COLUMN_TYPE AS CHAR), IF(c.IS_NULLABLE = 'NO', 'true', 'false'), \
     c.COLUMN_COMMENT, '' FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
     ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME WHERE c.TABLE_SCHEMA = DATABASE() \
     ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION",
    keys: "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, IF(INDEX_NAME = 'PRIMARY', 'P', IF(NON_UNIQUE = 0, 'U', 'I')), \
     COLUMN_NAME, CAST(SEQ_IN_INDEX AS CHAR) FROM information_schema.STATISTICS \
     WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME IS NOT NULL ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
    references: "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
     REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
     WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
    labels: None,
    takes_samples: false,
};

/// Those to SQLite.
pub static SQLITE: Questions = Questions {
    usual_schema: "SELECT 'main'",
    columns: "SELECT 'main', m.name, CASE m.type WHEN 'view' THEN 'v' ELSE 'r' END, '', '', p.name, p.type, \
     CASE WHEN p.\"notnull\" = 1 OR p.pk > 0 THEN 'true' ELSE 'false' END, '', '' \
     FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) p WHERE m.type IN ('table', 'view') \
     AND substr(m.name, 1, 7) <> 'sqlite_' AND p.hidden IN (0, 2, 3) ORDER BY m.name, p.cid",
    keys: "SELECT 'main', m.name, 'key', 'P', p.name, CAST(p.pk AS text) FROM sqlite_schema m \
     JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND p.pk > 0 UNION ALL \
     SELECT 'main', m.name, l.name, CASE l.\"unique\" WHEN 1 THEN 'U' ELSE 'I' END, i.name, CAST(i.seqno + 1 AS text) \
     FROM sqlite_schema m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i \
     WHERE m.type = 'table' AND l.partial = 0 AND l.origin <> 'pk' AND i.name IS NOT NULL ORDER BY 2, 3, 6",
    references: "SELECT 'main', m.name, m.name || f.id, f.\"from\", 'main', f.\"table\", f.\"to\" FROM sqlite_schema m \
     JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq",
    labels: None,
    takes_samples: false,
};
