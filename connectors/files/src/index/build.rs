//! Makes the index of a drop, or finds everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rabita_sdk::Legacy;
use rusqlite::types::Value;
use rusqlite::{Connection, Statement, params_from_iter};

use super::query::Table;
use super::value::{digest, key_bytes, to_sql};
use crate::layout::{Fault, Input};
use crate::plan::Plan;

/// The table of a drop's records.
pub const RECORD: &str = "record";

/// What is made, and of what.
pub struct Building<'a> {
    pub plan: &'a Plan,
    /// The files of the drop: their names for people, and what opens them.
    pub files: &'a [(String, PathBuf)],
    /// Where the index is to be.
    pub target: &'a Path,
    /// Set when nobody wants it any more.
    pub is_over: &'a Arc<AtomicBool>,
    /// Fewer records than these are refused.
    pub least: u64,
}

/// How it ended.
#[derive(Debug)]
pub enum Built {
    /// There is an index of so many records.
    Whole(u64),
    /// The drop is bad: faults by file, the first ones, and how many there are in all.
    Bad(Vec<(String, Fault)>, u64),
    /// Nobody wanted it any more.
    Over,
}

/// So many faults are told of a drop.
const FAULTS_TOLD: usize = 100;
/// After so many faults nothing more is read.
const FAULTS_MAX: u64 = 10_000;
/// Memory for sorting, and for the pages of the file.
const CACHE_KIB: i64 = 64 * 1024;

/// Makes an index.
///
/// # Errors
/// When the index can't be written: the drop may be well.
pub fn build(building: &Building<'_>) -> Result<Built, String> {
    let _ = std::fs::remove_file(building.target);
    let built = made(building);
    match &built {
        Ok(Built::Whole(_)) => std::fs::File::open(building.target)
            .and_then(|file| file.sync_all())
            .map_err(|error| format!("the index can't be written: {}", error.kind()))?,
        _ => drop(std::fs::remove_file(building.target)),
    }
    built.map_err(|error| format!("the index can't be written: {error}"))
}

fn made(building: &Building<'_>) -> rusqlite::Result<Built> {
    let connection = Connection::open(building.target)?;
    let is_over = Arc::clone(building.is_over);
    connection.progress_handler(10_000, Some(move || is_over.load(Ordering::Relaxed)))?;
    // Until it is whole nobody reads it, and what is broken off is thrown away.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;")?;
    connection.execute_batch(&format!("PRAGMA cache_size = -{CACHE_KIB}; PRAGMA page_size = 8192;"))?;
    let table = Table::new(RECORD, building.plan);
    let (columns, marks) = (table.columns(), table.marks());
    connection.execute_batch(&format!("CREATE TABLE {RECORD} (n INTEGER PRIMARY KEY, f, l, k, d{columns}); BEGIN"))?;
    let mut faults = Faults::default();
    let insert = format!("INSERT INTO {RECORD} (f, l, k, d{columns}) VALUES (?, ?, ?, ?{marks})");
    let mut filling = Filling { building, table: &table, insert: connection.prepare(&insert)?, rows: 0, faults: &mut faults };
    for file in 0..building.files.len() {
        filling.file(file)?;
        if building.is_over.load(Ordering::Relaxed) {
            return Ok(Built::Over);
        }
    }
    let rows = filling.rows;
    drop(filling);
    if faults.count == 0 && rows < building.least {
        let expected = format!("{} records at least, and there are {rows}: the manifest's `shrink_max_percent`", building.least);
        faults.add(&building.files[0].0, Fault::last(0, expected));
    }
    if faults.count == 0 {
        connection.execute_batch(&format!("COMMIT; CREATE INDEX by_key ON {RECORD} (k, d)"))?;
        find_duplicates(&connection, building, &mut faults)?;
    }
    if faults.count > 0 {
        return Ok(Built::Bad(faults.told, faults.count));
    }
    for index in table.indexes() {
        connection.execute_batch(&index)?;
    }
    Ok(if building.is_over.load(Ordering::Relaxed) { Built::Over } else { Built::Whole(rows) })
}

#[derive(Default)]
struct Faults {
    told: Vec<(String, Fault)>,
    count: u64,
}

impl Faults {
    fn add(&mut self, file: &str, fault: Fault) {
        self.count += 1;
        if self.told.len() < FAULTS_TOLD {
            self.told.push((file.to_owned(), fault));
        }
    }
}

struct Filling<'a> {
    building: &'a Building<'a>,
    table: &'a Table,
    insert: Statement<'a>,
    rows: u64,
    faults: &'a mut Faults,
}

impl Filling<'_> {
    /// Puts the records of a file in; what is wrong with them is noted.
    fn file(&mut self, number: usize) -> rusqlite::Result<()> {
        const LOOK_EVERY: u64 = 1024;
        let plan = self.building.plan;
        let (name, path) = &self.building.files[number];
        let opened =
            std::fs::File::open(path).map_err(|error| Fault::last(0, format!("a file that can be read ({})", error.kind())));
        let opened = opened.and_then(|file| plan.layout.open(Box::new(file) as Input, &plan.kept));
        let mut records = match opened {
            Ok(records) => records,
            Err(fault) => {
                self.faults.add(name, fault);
                return Ok(());
            }
        };
        let mut values: Vec<Legacy> = Vec::with_capacity(plan.kept.width());
        loop {
            match records.next(&mut values) {
                Ok(Some(line)) => self.record(number, line, &values)?,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    let is_final = fault.is_final;
                    self.faults.add(name, fault);
                    if is_final {
                        return Ok(());
                    }
                }
            }
            let is_tired = self.faults.count >= FAULTS_MAX;
            if is_tired || self.rows.is_multiple_of(LOOK_EVERY) && self.building.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn record(&mut self, file: usize, line: u64, values: &[Legacy]) -> rusqlite::Result<()> {
        let plan = self.building.plan;
        let key =
            if plan.key.is_empty() { Some((self.rows + 1).to_be_bytes().to_vec()) } else { key_bytes(&plan.key_of(values)) };
        let Some(key) = key else {
            let empty = plan.key.iter().find(|place| values[**place].to_text().is_none()).copied().unwrap_or_default();
            let fault = Fault::in_column(line, &plan.kept.columns[empty], "a value: this is the key, or a part of it");
            self.faults.add(&self.building.files[file].0, fault);
            return Ok(());
        };
        self.rows += 1;
        if self.faults.count > 0 {
            // Nothing comes of it any more; what else is wrong is still told.
            return Ok(());
        }
        let stored: Vec<Value> = values.iter().map(to_sql).collect();
        let head = [
            Value::Integer(i64::try_from(file).unwrap_or_default()),
            Value::Integer(line.cast_signed()),
            Value::Blob(key),
            Value::Integer(digest(&stored)),
        ];
        self.insert.execute(params_from_iter(head.into_iter().chain(stored).chain(self.table.texts(values))))?;
        Ok(())
    }
}

/// Two records of one key: the second of them is the fault, and its text says where the first one is.
fn find_duplicates(connection: &Connection, building: &Building<'_>, faults: &mut Faults) -> rusqlite::Result<()> {
    let mut keys = connection.prepare(&format!("SELECT k, n FROM {RECORD} INDEXED BY by_key ORDER BY k"))?;
    let mut place = connection.prepare(&format!("SELECT f, l FROM {RECORD} WHERE n = ?"))?;
    let mut rows = keys.query([])?;
    let (mut last_key, mut last_number) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_blob()?;
        let number: i64 = row.get(1)?;
        if last_number > 0 && key == last_key.as_slice() {
            let mut at = |number: i64| place.query_row([number], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
            let (first, second) = (at(last_number.min(number))?, at(last_number.max(number))?);
            let name = |file: i64| usize::try_from(file).ok().and_then(|file| building.files.get(file)).map(|file| &file.0);
            let (Some(first_name), Some(second_name)) = (name(first.0), name(second.0)) else { continue };
            let expected = format!("a key of its own: line {} of {first_name} has the same", first.1);
            let mut fault = Fault::at(second.1.cast_unsigned(), expected);
            let key = building.plan.key.iter().map(|place| building.plan.kept.columns[*place].as_str());
            fault.column = Some(key.collect::<Vec<_>>().join(", "));
            faults.add(second_name, fault);
        }
        last_key.clear();
        last_key.extend_from_slice(key);
        last_number = number;
    }
    Ok(())
}
