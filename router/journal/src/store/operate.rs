//! An operator's act on parked updates.

use std::collections::BTreeSet;

use rabita_model::{Code, Conclusion, Outcome, RegistryId, State, UpdateId};
use rusqlite::Connection;

use crate::store::acts;
use crate::store::updates::{self, Standing};
use crate::{Acted, JournalError, OperatorAct, Verb};

/// What an act did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operated {
    /// For each id of the act, in its order.
    pub answers: Vec<(UpdateId, Acted)>,
    /// What is on its way again, with what was taken along.
    pub sent: Vec<Moved>,
    /// What has ended.
    pub discarded: Vec<Moved>,
}

/// An update that an act moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub id: UpdateId,
    pub seq: i64,
    pub registry: RegistryId,
}

/// Does the act and records it: [`crate::Journal::act`].
///
/// # Errors
/// As the store fails.
pub fn operate(connection: &Connection, act: &OperatorAct) -> Result<Operated, JournalError> {
    let chosen: BTreeSet<UpdateId> = act.ids.iter().copied().collect();
    let mut operated = Operated::default();
    let mut permitted = Vec::new();
    for id in &act.ids {
        let standing = updates::standing(connection, *id)?;
        let answer = judge(connection, standing.as_ref(), &chosen)?;
        permitted.extend(standing.filter(|_| answer == Acted::Done).map(|standing| (*id, standing)));
        operated.answers.push((*id, answer));
    }
    for (id, standing) in permitted {
        match act.verb {
            Verb::Retry => send(connection, &standing, &mut operated.sent)?,
            Verb::Discard => discard(connection, id, standing, act, &mut operated.discarded)?,
        }
    }
    acts::record_act(connection, act)?;
    Ok(operated)
}

/// What the act will answer for one update.
fn judge(connection: &Connection, standing: Option<&Standing>, chosen: &BTreeSet<UpdateId>) -> Result<Acted, JournalError> {
    let Some(standing) = standing else { return Ok(Acted::Absent) };
    if standing.state != State::Parked {
        return Ok(Acted::NotParked { state: standing.state });
    }
    let parked = updates::parked_of_record(connection, &standing.registry, &standing.record)?;
    let earlier = parked.into_iter().take_while(|(seq, _)| *seq < standing.seq).find(|(_, id)| !chosen.contains(id));
    Ok(earlier.map_or(Acted::Done, |(_, id)| Acted::Behind { id }))
}

/// Sends an update on its way, and all that are parked behind it.
fn send(connection: &Connection, standing: &Standing, sent: &mut Vec<Moved>) -> Result<(), JournalError> {
    for (seq, id) in updates::parked_of_record(connection, &standing.registry, &standing.record)? {
        // What was sent on its way a moment ago for another id of the act is parked no longer.
        if seq >= standing.seq && updates::unpark(connection, id)?.is_some() {
            sent.push(Moved { id, seq, registry: standing.registry.clone() });
        }
    }
    Ok(())
}

fn discard(
    connection: &Connection,
    id: UpdateId,
    standing: Standing,
    act: &OperatorAct,
    discarded: &mut Vec<Moved>,
) -> Result<(), JournalError> {
    let conclusion = Conclusion {
        outcome: Outcome::Refused,
        attempts: 0,
        at: act.at,
        code: Some(Code::UpdateDiscarded),
        reason: None,
        faults: Vec::new(),
        reply: None,
    };
    if updates::conclude(connection, id, None, &conclusion)? == updates::Moved::Done {
        discarded.push(Moved { id, seq: standing.seq, registry: standing.registry });
    }
    Ok(())
}
