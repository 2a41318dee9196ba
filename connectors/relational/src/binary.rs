//! Binary values, piece by piece: one of a gigabyte takes no more memory than a piece.

use std::time::Instant;

use bytes::Bytes;
use rabita_sdk::{BinaryStream, Call, Failure, Legacy, OpenBinary};

use crate::backend::Session;
use crate::column::Column;
use crate::connector::Relational;
use crate::described::Entity;
use crate::fault::{Moment, Trouble};
use crate::read::{column, key_params, push_key};
use crate::statement::{Param, Statement, Verb};

const PIECE: usize = 256 * 1024;

/// A value being read by statements. All pieces are read in one transaction, so that they are of the same value.
struct Reading {
    session: Session,
    statement: Statement,
    columns: [Column; 2],
    next: usize,
    length: usize,
    deadline: Instant,
}

impl Relational {
    /// One binary value.
    pub(crate) async fn stream(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let entity = self.entity(ask.entity)?;
        let session = self.pool.session(call).await?;
        match tokio::time::timeout_at(call.deadline.into(), begin(session, entity, &ask, call.deadline)).await {
            Err(_) => Err(Failure::timed_out("the deadline passed while the database worked")),
            Ok(Err(Trouble::Failure(failure))) => Err(failure),
            Ok(Err(Trouble::Database(error))) if error.can_not_be() => Ok(None),
            Ok(Err(Trouble::Database(error))) => Err(self.told(Some(entity), &error).await),
            Ok(Ok(found)) => Ok(found),
        }
    }
}

async fn begin(
    mut session: Session,
    entity: &Entity,
    ask: &OpenBinary,
    deadline: Instant,
) -> Result<Option<BinaryStream>, Trouble> {
    let described = entity.described(&mut session).await?;
    let (spec, relation) = (&entity.plan.spec, &entity.plan.relation);
    let dialect = session.dialect;
    let Some(key) = key_params(&session, &spec.key, &described.record, &ask.key)? else {
        session.finish();
        return Ok(None);
    };
    let value = column(&described.record, &ask.source)?;
    let expression = relation.expression(dialect, ask.source.as_str());
    let by_statements = dialect.pieces().filter(|_| !session.streams());
    let mut statement = Statement::new(dialect, "SELECT ").about(Verb::Select, &relation.base, [ask.source.to_string()]);
    if let Some(pieces) = by_statements {
        statement.push(&pieces.length(&expression)).push(", ");
        let from = statement.bind(Param::Int(1));
        statement.push(&pieces.part(&expression, value, &from, PIECE));
    } else {
        statement.push(&dialect.listed(0, &dialect.selected(&expression, value)));
    }
    statement.push(&relation.body(dialect)).push(" AND ");
    push_key(&mut statement, relation, &spec.key, &described.record, key)?;
    statement.limit(2);
    match by_statements {
        Some(_) => by_pieces(session, statement, deadline).await,
        None => by_driver(session, statement, value, deadline).await,
    }
}

/// A value that the driver reads in pieces, all of one statement.
async fn by_driver(
    mut session: Session,
    statement: Statement,
    column: &Column,
    deadline: Instant,
) -> Result<Option<BinaryStream>, Trouble> {
    let Some(length) = session.open_value(statement, column).await? else {
        session.finish();
        return Ok(None);
    };
    let chunks = futures_util::stream::try_unfold(session, move |mut session| async move {
        match tokio::time::timeout_at(deadline.into(), session.next_piece()).await {
            Err(_) => Err(Failure::timed_out(LATE)),
            Ok(Err(fault)) => Err(fault.failure(Moment::Reading)),
            Ok(Ok(Some(piece))) => Ok(Some((piece, session))),
            Ok(Ok(None)) => {
                session.finish();
                Ok(None)
            }
        }
    });
    Ok(Some(BinaryStream { length, media_type: None, chunks: Box::pin(chunks) }))
}

/// A value that is read by a statement for each piece.
async fn by_pieces(mut session: Session, statement: Statement, deadline: Instant) -> Result<Option<BinaryStream>, Trouble> {
    session.begin_snapshot().await?;
    let mut reading = Reading { session, statement, columns: [Column::int(), Column::bytes()], next: 0, length: 0, deadline };
    let Some((length, first)) = reading.piece().await? else {
        reading.session.rollback().await?;
        reading.session.finish();
        return Ok(None);
    };
    reading.length = length;
    reading.next = first.len();
    Ok(Some(BinaryStream {
        length: u64::try_from(length).ok(),
        media_type: None,
        chunks: Box::pin(futures_util::stream::try_unfold((Some(reading), Some(first)), pieces)),
    }))
}

const LATE: &str = "the deadline passed in the middle of a binary value";

type Next = (Option<Reading>, Option<Bytes>);

impl Reading {
    /// The whole length, and the piece at the present place.
    async fn piece(&mut self) -> Result<Option<(usize, Bytes)>, Trouble> {
        let mut statement = self.statement.clone();
        statement.params[0] = Param::Int(i64::try_from(self.next).unwrap_or(i64::MAX).saturating_add(1));
        let mut rows = self.session.fetch(statement, &self.columns).await?;
        if rows.len() > 1 {
            return Err(Failure::malformed("several rows have the key of one record: look at the joins and at `where`").into());
        }
        match rows.pop().as_deref_mut() {
            Some([Legacy::Int(length), bytes]) => {
                let length = usize::try_from(*length).map_err(|_| Failure::malformed("a negative length"))?;
                Ok(match std::mem::take(bytes) {
                    Legacy::Bytes(bytes) => Some((length, bytes.into())),
                    Legacy::Text(text) => Some((length, text.into_bytes().into())),
                    // SQLite's piece of an empty value.
                    _ => Some((length, Bytes::new())),
                })
            }
            _ => Ok(None),
        }
    }
}

async fn pieces((reading, first): Next) -> Result<Option<(Bytes, Next)>, Failure> {
    let Some(mut reading) = reading else { return Ok(None) };
    if let Some(first) = first.filter(|first| !first.is_empty()) {
        return Ok(Some((first, (Some(reading), None))));
    }
    if reading.next >= reading.length {
        // Nothing was changed, so there is nothing to lose when the end of the transaction fails.
        if reading.session.rollback().await.is_ok() {
            reading.session.finish();
        }
        return Ok(None);
    }
    let deadline = reading.deadline.into();
    match tokio::time::timeout_at(deadline, reading.piece()).await {
        Err(_) => Err(Failure::timed_out(LATE)),
        Ok(Err(Trouble::Failure(failure))) => Err(failure),
        Ok(Err(Trouble::Database(error))) => Err(error.failure(Moment::Reading)),
        Ok(Ok(Some((length, piece)))) if length == reading.length && !piece.is_empty() => {
            reading.next += piece.len();
            Ok(Some((piece, (Some(reading), None))))
        }
        Ok(Ok(_)) => Err(Failure::malformed("a binary value changed while it was read")),
    }
}
