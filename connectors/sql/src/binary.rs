//! Binary values, piece by piece: one of a gigabyte takes no more memory than a piece.

use std::time::Instant;

use bytes::Bytes;
use rabita_sdk::{BinaryStream, Call, Failure, Legacy, OpenBinary};

use crate::column::Column;
use crate::connector::{Entity, Sql, Trouble};
use crate::database::Session;
use crate::failure::{Moment, can_not_be, failure};
use crate::read::{column, key_params, push_key};
use crate::statement::{Param, Statement, Verb};

const PIECE: usize = 256 * 1024;

/// A value being read. All pieces are read in one transaction, so that they are of the same value.
struct Reading {
    session: Session,
    statement: Statement,
    columns: [Column; 2],
    next: usize,
    length: usize,
    deadline: Instant,
}

impl Sql {
    /// One binary value.
    pub(crate) async fn stream(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let entity = self.entity(ask.entity)?;
        let session = self.pool.session(call).await?;
        match tokio::time::timeout_at(call.deadline.into(), begin(session, entity, &ask, call.deadline)).await {
            Err(_) => Err(Failure::timed_out("the deadline passed while the database worked")),
            Ok(Err(Trouble::Failure(failure))) => Err(failure),
            Ok(Err(Trouble::Database(error))) if can_not_be(&error) => Ok(None),
            Ok(Err(Trouble::Database(error))) => Err(self.told(&error)),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some((reading, first)))) => Ok(Some(BinaryStream {
                length: u64::try_from(reading.length).ok(),
                media_type: None,
                chunks: Box::pin(futures_util::stream::try_unfold((Some(reading), Some(first)), pieces)),
            })),
        }
    }
}

type Next = (Option<Reading>, Option<Bytes>);

async fn begin(
    mut session: Session,
    entity: &Entity,
    ask: &OpenBinary,
    deadline: Instant,
) -> Result<Option<(Reading, Bytes)>, Trouble> {
    let described = entity.described(&mut session).await?;
    let (spec, relation) = (&entity.plan.spec, &entity.plan.relation);
    let dialect = session.dialect;
    let Some(key) = key_params(&session, &spec.key, &described.record, &ask.key)? else {
        session.finish();
        return Ok(None);
    };
    let value = column(&described.record, &ask.source)?;
    let expression = relation.expression(dialect, ask.source.as_str());
    let mut statement = Statement::new(dialect, &format!("SELECT {}, ", dialect.length(&expression))).about(
        Verb::Select,
        &relation.base,
        [ask.source.to_string()],
    );
    let from = statement.bind(Param::Int(1));
    statement.push(&dialect.part(&expression, value, &from, PIECE)).push(&relation.body(dialect)).push(" AND ");
    push_key(&mut statement, relation, &spec.key, &described.record, key)?;
    statement.push(" LIMIT 2");
    session.run(dialect.begin_snapshot()).await?;
    let mut reading = Reading { session, statement, columns: [Column::int(), Column::bytes()], next: 0, length: 0, deadline };
    let Some((length, first)) = reading.piece().await? else {
        reading.session.run("ROLLBACK").await?;
        reading.session.finish();
        return Ok(None);
    };
    reading.length = length;
    reading.next = first.len();
    Ok(Some((reading, first)))
}

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
        if reading.session.run("ROLLBACK").await.is_ok() {
            reading.session.finish();
        }
        return Ok(None);
    }
    let deadline = reading.deadline.into();
    match tokio::time::timeout_at(deadline, reading.piece()).await {
        Err(_) => Err(Failure::timed_out("the deadline passed in the middle of a binary value")),
        Ok(Err(Trouble::Failure(failure))) => Err(failure),
        Ok(Err(Trouble::Database(error))) => Err(failure(&error, Moment::Reading)),
        Ok(Ok(Some((length, piece)))) if length == reading.length && !piece.is_empty() => {
            reading.next += piece.len();
            Ok(Some((piece, (Some(reading), None))))
        }
        Ok(Ok(_)) => Err(Failure::malformed("a binary value changed while it was read")),
    }
}
