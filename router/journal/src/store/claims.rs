//! What a system used an idempotency key for.

use rabita_model::{SystemId, UpdateId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::row;
use crate::store::updates::Draft;
use crate::{Claim, JournalError};

/// What the key was used for.
///
/// # Errors
/// As the store fails.
pub fn claim(connection: &Connection, system: &SystemId, idempotency_key: &str) -> Result<Option<Claim>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT id, digest FROM claims WHERE system = ?1 AND idempotency_key = ?2")?;
    let found = statement
        .query_row(params![system.as_str(), idempotency_key], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(id, digest)| Claim { id: row::update_id(id), digest }))
}

/// Notes what the key is used for. One that was used before keeps its first use.
///
/// # Errors
/// As the store fails.
pub fn put_claim(
    connection: &Connection,
    system: &SystemId,
    idempotency_key: &str,
    id: UpdateId,
    digest: &str,
) -> Result<(), JournalError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO claims (system, idempotency_key, id, digest) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    statement.execute(params![system.as_str(), idempotency_key, id.uuid().as_bytes(), digest])?;
    Ok(())
}

/// Notes that the key is that of an update which was taken on, wherever its claim is. Two are taken on under one key
/// only when the first was forgotten before the second came, so of two that are known the later one has it.
///
/// # Errors
/// As the store fails.
pub fn hold_claim(connection: &Connection, draft: &Draft) -> Result<(), JournalError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO claims (system, idempotency_key, id, digest) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (system, idempotency_key) DO UPDATE SET id = excluded.id, digest = excluded.digest
         WHERE id <> excluded.id
         AND NOT EXISTS (SELECT 1 FROM updates WHERE updates.id = claims.id AND updates.accepted_at >= ?5)",
    )?;
    let id = draft.id.uuid();
    let accepted_at = draft.accepted_at.as_microsecond();
    statement.execute(params![draft.system.as_str(), draft.idempotency_key, id.as_bytes(), draft.digest, accepted_at])?;
    Ok(())
}
