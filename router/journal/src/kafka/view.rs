//! The view: what this node knows of the topics, in the tables of the store and two of its own.
//!
//! Topics have no order among each other, so a message may be read before one that was written earlier: what an update
//! came to before the update itself. Whatever the order, the view must come to the same: a conclusion stands, a higher
//! generation is newer than a lower one, and what is told of an update that is not known yet is laid by (`early`) until
//! it is. The order of updates is that of their own topic.

use rabita_model::{Code, Entry, RegistryId, UpdateId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::JournalError;
use crate::kafka::message::{Claimed, Concluded, Message, Outcome};
use crate::store::updates::{self, Draft, Moved, json};
use crate::store::{acts, claims, kept};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS places (
        id BLOB PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, place INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS places_lowest ON places (topic, partition, place);
    CREATE TABLE IF NOT EXISTS early (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS early_of ON early (id);
";
const FORGET: &str = "
    DELETE FROM marks; DELETE FROM claims; DELETE FROM updates; DELETE FROM events; DELETE FROM kept; DELETE FROM acts;
    DELETE FROM places; DELETE FROM early; DELETE FROM sqlite_sequence;
";

/// A message and where it was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) message: Message,
}

/// What messages changed in the view.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Registries with new updates on their way.
    pub(super) accepted: Vec<RegistryId>,
    /// On their way again: where they stand in the line of their registry.
    pub(super) again: Vec<(RegistryId, i64)>,
    /// Parked or concluded.
    pub(super) settled: Vec<(RegistryId, UpdateId)>,
    /// Parked behind an update that is parked no longer: nobody would fetch them.
    pub(super) forlorn: Vec<UpdateId>,
    /// The number of the newest event.
    pub(super) newest: Option<i64>,
}

/// Makes the view's own tables.
pub(super) fn open(connection: &Connection) -> Result<(), JournalError> {
    Ok(connection.execute_batch(TABLES)?)
}

/// Forgets everything: the topics are others than before.
pub(super) fn forget(connection: &Connection) -> Result<(), JournalError> {
    Ok(connection.execute_batch(FORGET)?)
}

/// Brings messages into the view, and notes how far it has come with them.
pub(super) fn apply(connection: &Connection, batch: &[Read]) -> Result<Applied, JournalError> {
    let mut applied = Applied::default();
    for read in batch {
        take_in(connection, read, &mut applied)?;
    }
    // Partitions are read in order, so the last of a partition is the furthest.
    for read in batch {
        kept::set_mark(connection, &mark_of(&read.topic, read.partition), &(read.offset + 1).to_string())?;
    }
    Ok(applied)
}

/// Where reading goes on; `None` where nothing was read yet.
pub(super) fn reached(connection: &Connection, topic: &str, partition: i32) -> Result<Option<i64>, JournalError> {
    Ok(kept::mark(connection, &mark_of(topic, partition))?.and_then(|text| text.parse().ok()))
}

/// The place of the oldest update in a partition that is not concluded.
pub(super) fn lowest(connection: &Connection, topic: &str, partition: i32) -> Result<Option<i64>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT MIN(place) FROM places WHERE topic = ?1 AND partition = ?2")?;
    Ok(statement.query_row(params![topic, partition], |row| row.get(0))?)
}

/// What was forgotten before this node read it: events up to this number are not kept.
pub(super) fn note_forgotten(connection: &Connection, seq: i64) -> Result<(), JournalError> {
    let known = crate::store::events::forgotten(connection)?;
    if seq > known {
        kept::set_mark(connection, crate::store::events::FORGOTTEN, &seq.to_string())?;
    }
    Ok(())
}

fn mark_of(topic: &str, partition: i32) -> String {
    format!("read/{topic}/{partition}")
}

fn take_in(connection: &Connection, read: &Read, applied: &mut Applied) -> Result<(), JournalError> {
    match &read.message {
        Message::Claimed(claimed) => claim(connection, claimed),
        Message::Accepted(update) => {
            let draft = Draft::new(update.as_ref().clone());
            accept(connection, read, &draft, applied)
        }
        Message::Outcome(outcome) => move_on(connection, outcome, applied),
        Message::Parked(entry) => park(connection, entry, applied),
        Message::Event(event) => {
            // The number is the place in the one partition and one more, so it is the same at every node.
            let seq = read.offset + 1;
            connection
                .prepare_cached("INSERT INTO events (seq, id, at, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
                .execute(params![seq, event.id.uuid().as_bytes(), event.at.as_microsecond(), json(event)])?;
            applied.newest = Some(seq);
            Ok(())
        }
        Message::Kept(kept) => kept::keep(connection, kept),
        Message::Act(act) => acts::record_act(connection, act),
        Message::Nothing => Ok(()),
    }
}

fn claim(connection: &Connection, claimed: &Claimed) -> Result<(), JournalError> {
    let Claimed { system, idempotency_key, id, digest } = claimed;
    claims::put_claim(connection, system, idempotency_key, *id, digest)
}

fn accept(connection: &Connection, read: &Read, draft: &Draft, applied: &mut Applied) -> Result<(), JournalError> {
    let is_new = updates::put_update(connection, draft)?.is_some();
    claims::hold_claim(connection, draft)?;
    if updates::standing(connection, draft.id)?.is_some_and(|standing| standing.state.is_final()) {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO places (id, topic, partition, place) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
        .execute(params![draft.id.uuid().as_bytes(), read.topic, read.partition, read.offset])?;
    if is_new {
        applied.accepted.push(draft.registry.clone());
        catch_up(connection, draft.id, applied)?;
    }
    Ok(())
}

/// Takes in what was told of an update before it was known.
fn catch_up(connection: &Connection, id: UpdateId, applied: &mut Applied) -> Result<(), JournalError> {
    let bodies: Vec<String> = {
        let mut statement = connection.prepare_cached("SELECT body FROM early WHERE id = ?1 ORDER BY seq")?;
        let rows = statement.query_map([id.uuid().as_bytes()], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    if bodies.is_empty() {
        return Ok(());
    }
    drop_early(connection, id)?;
    for body in bodies {
        let entry: Option<Entry> = serde_json::from_str(&body).ok();
        let outcome: Option<Outcome> = serde_json::from_str(&body).ok();
        match (entry, outcome) {
            (Some(entry), _) => park(connection, &entry, applied)?,
            (None, Some(outcome)) => move_on(connection, &outcome, applied)?,
            (None, None) => return Err(crate::store::corrupt("what was laid by for an update")),
        }
    }
    Ok(())
}

fn lay_by(connection: &Connection, id: UpdateId, body: &str) -> Result<(), JournalError> {
    connection.prepare_cached("INSERT INTO early (id, body) VALUES (?1, ?2)")?.execute(params![id.uuid().as_bytes(), body])?;
    Ok(())
}

fn drop_early(connection: &Connection, id: UpdateId) -> Result<(), JournalError> {
    connection.prepare_cached("DELETE FROM early WHERE id = ?1")?.execute([id.uuid().as_bytes()])?;
    Ok(())
}

fn move_on(connection: &Connection, outcome: &Outcome, applied: &mut Applied) -> Result<(), JournalError> {
    match outcome {
        Outcome::Progress { id, generation, progress } => {
            if updates::set_progress(connection, *id, *generation, progress)? == Moved::Absent {
                lay_by(connection, *id, &json(outcome))?;
            }
            Ok(())
        }
        Outcome::Unparked { id, generation, progress } => {
            let Some(standing) = updates::standing(connection, *id)? else {
                return lay_by(connection, *id, &json(outcome));
            };
            if standing.state.is_final() || standing.generation >= *generation {
                return Ok(());
            }
            raise(connection, *id, *generation)?;
            updates::set_progress(connection, *id, *generation, progress)?;
            applied.again.push((standing.registry.clone(), standing.seq));
            applied.forlorn.extend(forlorn(connection, &standing)?);
            Ok(())
        }
        Outcome::Concluded(concluded) => conclude(connection, concluded, applied),
    }
}

fn conclude(connection: &Connection, concluded: &Concluded, applied: &mut Applied) -> Result<(), JournalError> {
    let Concluded { update, generation, progress, conclusion } = concluded;
    let draft = Draft::new(update.clone());
    if updates::put_update(connection, &draft)?.is_some() {
        // An update that waited for long ends when its claim is gone from the topics.
        claims::hold_claim(connection, &draft)?;
        raise(connection, update.id, *generation)?;
        updates::set_progress(connection, update.id, *generation, progress)?;
    }
    updates::conclude(connection, update.id, None, conclusion)?;
    connection.prepare_cached("DELETE FROM places WHERE id = ?1")?.execute([update.id.uuid().as_bytes()])?;
    drop_early(connection, update.id)?;
    applied.settled.push((update.target.registry.clone(), update.id));
    Ok(())
}

fn park(connection: &Connection, entry: &Entry, applied: &mut Applied) -> Result<(), JournalError> {
    let Entry { update, generation, progress, .. } = entry;
    let Some(standing) = updates::standing(connection, update.id)? else {
        return lay_by(connection, update.id, &json(entry));
    };
    if standing.generation < *generation {
        raise(connection, update.id, *generation)?;
    }
    if updates::park(connection, update.id, *generation, progress)? == Moved::Done {
        applied.settled.push((update.target.registry.clone(), update.id));
        let is_behind = progress.trouble.as_ref().is_some_and(|trouble| trouble.code == Code::UpdateBehind);
        let first = updates::parked_before(connection, &standing.registry, &standing.record, standing.seq)?;
        if is_behind && first.is_none() {
            applied.forlorn.push(update.id);
        }
    }
    Ok(())
}

/// An update that is not concluded is at this generation from now on, and on its way.
fn raise(connection: &Connection, id: UpdateId, generation: u32) -> Result<(), JournalError> {
    connection
        .prepare_cached("UPDATE updates SET generation = ?2, state = 0 WHERE id = ?1 AND generation < ?2 AND state < 3")?
        .execute(params![id.uuid().as_bytes(), generation])?;
    Ok(())
}

/// What stays parked behind an update that is on its way again, though nothing before it is parked.
fn forlorn(connection: &Connection, standing: &updates::Standing) -> Result<Option<UpdateId>, JournalError> {
    let parked = updates::parked_of_record(connection, &standing.registry, &standing.record)?;
    let Some((seq, id)) = parked.first().filter(|(seq, _)| *seq > standing.seq) else { return Ok(None) };
    let code: Option<String> = connection
        .prepare_cached("SELECT code FROM updates WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))
        .optional()?
        .flatten();
    Ok((code.as_deref() == Some(Code::UpdateBehind.as_str())).then_some(*id))
}

#[cfg(test)]
mod tests;
