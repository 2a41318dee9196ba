//! What a system used an idempotency key for.

use rabita_model::{SystemId, UpdateId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::row;
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

/// Notes what the key is used for. One that was used before keeps its first use; answers whether this is the first.
///
/// # Errors
/// As the store fails.
pub fn put_claim(
    connection: &Connection,
    system: &SystemId,
    idempotency_key: &str,
    id: UpdateId,
    digest: &str,
) -> Result<bool, JournalError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO claims (system, idempotency_key, id, digest) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    Ok(statement.execute(params![system.as_str(), idempotency_key, id.uuid().as_bytes(), digest])? == 1)
}
