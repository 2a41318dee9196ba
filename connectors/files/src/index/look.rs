//! Finding records in a table, by key and page by page.

use rabita_sdk::Legacy;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params_from_iter};

use super::query::{Query, Table};
use super::value::value_of;

/// A record that was found: its key, and the values that were picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub key: Vec<u8>,
    /// The record is ended; there are no values.
    pub is_gone: bool,
    pub digest: i64,
    pub values: Vec<Legacy>,
}

/// Looks into a table.
pub struct Looking<'a> {
    pub connection: &'a Connection,
    pub table: &'a Table,
    /// Whether records can be marked as ended in it.
    pub can_be_gone: bool,
}

impl Looking<'_> {
    /// The record of a key, with the values at these places.
    pub fn one(&self, key: &[u8], places: &[usize]) -> rusqlite::Result<Option<Found>> {
        let sql = format!("SELECT {} FROM {} WHERE k = ?", self.selected(places), self.table.name);
        self.connection.prepare_cached(&sql)?.query_row([key], |row| found(row, places.len())).optional()
    }

    /// Hands the records of a query to `each` in the order of their keys, until it says that it has enough.
    pub fn each(
        &self,
        query: &Query,
        places: &[usize],
        mut each: impl FnMut(Found) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&self.sql(query, places))?;
        let mut rows = statement.query(params_from_iter(&query.values))?;
        while let Some(found) = next(&mut rows, places.len())? {
            if !each(found)? {
                break;
            }
        }
        Ok(())
    }

    /// The SQL of a query.
    pub fn sql(&self, query: &Query, places: &[usize]) -> String {
        format!("SELECT {} FROM {} WHERE 1{} ORDER BY k", self.selected(places), self.table.name, query.condition)
    }

    fn selected(&self, places: &[usize]) -> String {
        let picked: String = places.iter().map(|place| format!(", c{place}")).collect();
        format!("k, {}, d{picked}", if self.can_be_gone { "gone" } else { "0" })
    }
}

/// The next of some rows.
pub fn next(rows: &mut Rows<'_>, values: usize) -> rusqlite::Result<Option<Found>> {
    rows.next()?.map(|row| found(row, values)).transpose()
}

fn found(row: &Row<'_>, values: usize) -> rusqlite::Result<Found> {
    Ok(Found {
        key: row.get(0)?,
        is_gone: row.get(1)?,
        digest: row.get(2)?,
        values: (0..values).map(|at| value_of(row.get_ref(at + 3)?)).collect::<Result<_, _>>()?,
    })
}
