//! Statements on a connection's thread: how values go in as parameters, and come out of columns.

use bytes::Bytes;
use odbc_api::buffers::Indicator;
use odbc_api::handles::StatementImpl;
use odbc_api::parameter::{InputParameter, VarBinaryBox};
use odbc_api::{
    ColumnDescription, Cursor, CursorRow, DataType, IntoParameter as _, Preallocated, Prepared, ResultSetMetadata as _,
};
use rabita_relational::column::{Class, Column};
use rabita_relational::dialect::Dialect;
use rabita_relational::fault::AnyFault;
use rabita_relational::statement::{Param, Statement};
use rabita_relational::wanted_of;
use rabita_sdk::{Legacy, Row, Source};
use tokio::sync::{mpsc, oneshot};

use crate::fault::OdbcFault;
use crate::worker::Attached;

/// The size of a piece of a binary value, in bytes.
const PIECE: usize = 256 * 1024;

/// The rows of a query, each value decoded as its column says, and no more than the statement wants.
pub(crate) fn fetch(attached: &Attached, statement: &Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault> {
    let told = |error| attached.fault(error);
    let params = params(statement, attached.dialect)?;
    let mut handle = prepare(attached, &statement.sql)?;
    let mut rows = Vec::new();
    let Some(mut cursor) = handle.execute(&params[..]).map_err(told)? else { return Ok(rows) };
    while statement.rows_max.is_none_or(|most| rows.len() < most) {
        let Some(mut row) = cursor.next_row().map_err(told)? else { break };
        let mut values = Vec::with_capacity(columns.len());
        for (place, column) in (1_u16..).zip(columns) {
            values.push(value(attached, &mut row, place, column)?);
        }
        rows.push(values);
    }
    Ok(rows)
}

/// The first row of what an action answers.
pub(crate) fn answer(attached: &Attached, statement: &Statement, wanted: &[Source]) -> Result<Option<Row>, AnyFault> {
    let told = |error| attached.fault(error);
    let params = params(statement, attached.dialect)?;
    let mut handle = prepare(attached, &statement.sql)?;
    let Some(mut cursor) = handle.execute(&params[..]).map_err(told)? else { return Ok(None) };
    let columns = columns(attached, &mut cursor)?;
    let names: Vec<String> = cursor.column_names().and_then(Iterator::collect).map_err(told)?;
    let Some(mut row) = cursor.next_row().map_err(told)? else { return Ok(None) };
    // Places are read in their order, since not every driver reads a column after one that stands behind it.
    let read = |at: usize| value(attached, &mut row, u16::try_from(at + 1).unwrap_or(u16::MAX), &columns[at]);
    wanted_of(names.iter().map(String::as_str).collect(), wanted, read).map(Some)
}

/// Runs a statement; the number of rows that it changed.
pub(crate) fn execute(attached: &Attached, statement: &Statement) -> Result<u64, AnyFault> {
    let params = params(statement, attached.dialect)?;
    let mut handle = prepare(attached, &statement.sql)?;
    let _ = handle.execute(&params[..]).map_err(|error| attached.fault(error))?;
    let changed = handle.row_count().map_err(|error| attached.fault(error))?;
    Ok(changed.and_then(|changed| u64::try_from(changed).ok()).unwrap_or(0))
}

/// Runs a statement without parameters.
pub(crate) fn run(attached: &Attached, sql: &str) -> Result<(), AnyFault> {
    if attached.prepares_all {
        return prepare(attached, sql)?.execute(()).map(drop).map_err(|error| attached.fault(error));
    }
    let mut handle = allocate(attached)?;
    handle.execute(sql, ()).map(drop).map_err(|error| attached.fault(error))
}

/// The columns of a query that answers no row.
pub(crate) fn describe(attached: &Attached, query: &str) -> Result<Vec<Column>, AnyFault> {
    let mut handle = prepare(attached, query)?;
    let Some(mut cursor) = handle.execute(()).map_err(|error| attached.fault(error))? else { return Ok(Vec::new()) };
    columns(attached, &mut cursor)
}

/// Whether each statement is a transaction by itself.
pub(crate) fn autocommit(attached: &Attached, each: bool) -> Result<(), AnyFault> {
    attached.connection.set_autocommit(each).map_err(|error| attached.fault(error))
}

/// Ends a transaction so that what it did holds.
pub(crate) fn commit(attached: &Attached) -> Result<(), AnyFault> {
    attached.connection.commit().map_err(|error| attached.fault(error))?;
    // A driver that lost its connection after the last statement finds no transaction to end, and calls that a success.
    if attached.connection.is_dead().unwrap_or(true) {
        return Err(OdbcFault::gone(attached.dialect));
    }
    autocommit(attached, true)
}

/// Ends a transaction so that it did nothing.
pub(crate) fn rollback(attached: &Attached) -> Result<(), AnyFault> {
    attached.connection.rollback().map_err(|error| attached.fault(error))?;
    autocommit(attached, true)
}

type Opened = Result<Option<Option<u64>>, AnyFault>;

/// Hands on the one value of the one row of a query, piece by piece, for as long as somebody takes them. What it opens
/// with is the value's length, where the driver tells it; none where there is no value.
pub(crate) fn stream(
    attached: &Attached,
    statement: &Statement,
    column: &Column,
    opening: oneshot::Sender<Opened>,
    pieces: &mpsc::Sender<Result<Bytes, AnyFault>>,
) {
    let mut opening = Some(opening);
    let mut open = |length| opening.take().is_none_or(|opening| opening.send(Ok(length)).is_ok());
    match stream_value(attached, statement, column, &mut open, pieces) {
        Ok(()) => {}
        Err(fault) => match opening.take() {
            Some(opening) => drop(opening.send(Err(fault))),
            None => drop(pieces.blocking_send(Err(fault))),
        },
    }
}

fn stream_value(
    attached: &Attached,
    statement: &Statement,
    column: &Column,
    open: &mut impl FnMut(Option<Option<u64>>) -> bool,
    pieces: &mpsc::Sender<Result<Bytes, AnyFault>>,
) -> Result<(), AnyFault> {
    let told = |error| attached.fault(error);
    let params = params(statement, attached.dialect)?;
    let mut handle = prepare(attached, &statement.sql)?;
    let Some(mut cursor) = handle.execute(&params[..]).map_err(told)? else { return nothing(open) };
    let Some(mut row) = cursor.next_row().map_err(told)? else { return nothing(open) };
    if column.class != Class::Bytes {
        let value = value(attached, &mut row, 1, column)?;
        let Some(text) = value.to_text() else { return nothing(open) };
        let bytes = Bytes::from(text.into_owned().into_bytes());
        if open(Some(u64::try_from(bytes.len()).ok())) && !bytes.is_empty() {
            drop(pieces.blocking_send(Ok(bytes)));
        }
        return Ok(());
    }
    let mut piece = VarBinaryBox::from_buffer(vec![0; PIECE].into(), Indicator::NoTotal);
    row.get_data(1, &mut piece).map_err(told)?;
    let length = match piece.indicator() {
        Indicator::Null => return nothing(open),
        Indicator::NoTotal => None,
        Indicator::Length(length) => u64::try_from(length).ok(),
    };
    if !open(Some(length)) {
        return Ok(());
    }
    loop {
        let bytes = Bytes::copy_from_slice(piece.as_bytes().unwrap_or_default());
        let is_last = piece.is_complete();
        if !bytes.is_empty() && pieces.blocking_send(Ok(bytes)).is_err() || is_last {
            return Ok(());
        }
        row.get_data(1, &mut piece).map_err(told)?;
    }
}

fn nothing(open: &mut impl FnMut(Option<Option<u64>>) -> bool) -> Result<(), AnyFault> {
    open(None);
    Ok(())
}

pub(crate) fn allocate(attached: &Attached) -> Result<Preallocated<StatementImpl<'_>>, AnyFault> {
    let mut handle = attached.connection.preallocate().map_err(|error| attached.fault(error))?;
    if let Some(seconds) = attached.stops_after {
        // Not every driver can stop a statement; the kind's guide says so.
        let _ = handle.set_query_timeout_sec(seconds);
    }
    Ok(handle)
}

/// A statement with parameters. It is prepared by itself, for the sake of [`Attached::prepares_all`].
fn prepare<'a>(attached: &'a Attached, sql: &str) -> Result<Prepared<StatementImpl<'a>>, AnyFault> {
    let mut handle = attached.connection.prepare(sql).map_err(|error| attached.fault(error))?;
    if let Some(seconds) = attached.stops_after {
        let _ = handle.set_query_timeout_sec(seconds);
    }
    Ok(handle)
}

fn params(statement: &Statement, dialect: Dialect) -> Result<Vec<Box<dyn InputParameter>>, AnyFault> {
    let mut params: Vec<Box<dyn InputParameter>> = Vec::with_capacity(statement.params.len());
    for param in &statement.params {
        params.push(match param {
            Param::Null => Box::new(None::<String>.into_parameter()),
            Param::Int(number) => Box::new(*number),
            Param::Float(number) => Box::new(*number),
            // Drivers take a zero for the end, and would cut the text there without a word.
            Param::Text(text) if text.contains('\0') => return Err(OdbcFault::zero(dialect)),
            Param::Text(text) => Box::new(text.clone().into_parameter()),
            Param::Bytes(bytes) => Box::new(bytes.clone().into_parameter()),
        });
    }
    Ok(params)
}

fn value(attached: &Attached, row: &mut CursorRow<'_>, place: u16, column: &Column) -> Result<Legacy, AnyFault> {
    let told = |error| attached.fault(error);
    if column.class == Class::Bytes {
        let mut bytes = Vec::new();
        return Ok(if row.get_binary(place, &mut bytes).map_err(told)? { Legacy::Bytes(bytes) } else { Legacy::Null });
    }
    let mut units = Vec::new();
    if !row.get_wide_text(place, &mut units).map_err(told)? {
        return Ok(Legacy::Null);
    }
    let text = String::from_utf16(&units).map_err(|_| OdbcFault::encoding(attached.dialect) as AnyFault)?;
    Ok(match (column.class, text.as_str()) {
        (Class::Bool, "1" | "t" | "true" | "TRUE") => Legacy::Bool(true),
        (Class::Bool, "0" | "f" | "false" | "FALSE") => Legacy::Bool(false),
        _ => column.meaning(text),
    })
}

fn columns(attached: &Attached, cursor: &mut impl Cursor) -> Result<Vec<Column>, AnyFault> {
    let told = |error| attached.fault(error);
    let count = cursor.num_result_cols().map_err(told)?;
    let mut columns = Vec::new();
    let mut description = ColumnDescription::default();
    for place in 1..=u16::try_from(count).unwrap_or(0) {
        // Not every driver says the same by the attributes of a column.
        cursor.describe_col(place, &mut description).map_err(told)?;
        columns.push(described(description.data_type, attached.dialect));
    }
    Ok(columns)
}

/// What ODBC's type of a column means. Numbers of SQL Server's own stand in its header `msodbcsql.h`.
fn described(data_type: DataType, dialect: Dialect) -> Column {
    let (class, name) = match data_type {
        DataType::Integer | DataType::SmallInt | DataType::TinyInt | DataType::BigInt => (Class::Int, "integer"),
        DataType::Numeric { precision: 1..=18, scale: 0 } | DataType::Decimal { precision: 1..=18, scale: 0 }
            if dialect.has_only_decimals() =>
        {
            (Class::Int, "number")
        }
        DataType::Numeric { .. } | DataType::Decimal { .. } => (Class::Decimal, "decimal"),
        DataType::Float { .. } | DataType::Real | DataType::Double => (Class::Float, "double precision"),
        DataType::Char { .. }
        | DataType::WChar { .. }
        | DataType::Varchar { .. }
        | DataType::WVarchar { .. }
        | DataType::LongVarchar { .. }
        | DataType::WLongVarchar { .. } => (Class::Text, "varchar"),
        DataType::Binary { .. } | DataType::Varbinary { .. } | DataType::LongVarbinary { .. } => (Class::Bytes, "blob"),
        DataType::Date => (Class::Date, "date"),
        DataType::Timestamp { .. } => (Class::Timestamp, "timestamp"),
        DataType::Bit if !dialect.has_booleans() => (Class::Bits, "bit"),
        DataType::Bit => (Class::Bool, "bit"),
        DataType::Other { data_type, .. } if data_type.0 == -11 => (Class::Uuid, "uniqueidentifier"),
        DataType::Other { data_type, .. } if data_type.0 == -155 => (Class::Instant, "datetimeoffset"),
        _ => (Class::Other, ""),
    };
    Column::new(class, name)
}
