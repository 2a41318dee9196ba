//! An update as a row, and back.

use rabita_model::{Conclusion, Entry, State, Update, UpdateId};
use rusqlite::Row;
use serde::de::DeserializeOwned;

use crate::JournalError;
use crate::store::corrupt;

/// What [`entry`] reads, in its order, without the payload.
pub(crate) const COLUMNS: &str = "seq, state, generation, progress, conclusion, body";
/// The same and the payload.
pub(crate) const WHOLE: &str = "seq, state, generation, progress, conclusion, body, payload";

/// The number that stands for a state. The partial indices name some of them.
pub(crate) const fn number(state: State) -> i64 {
    match state {
        State::Accepted => 0,
        State::Retrying => 1,
        State::Parked => 2,
        State::Applied => 3,
        State::Refused => 4,
        State::Conflicted => 5,
        State::Expired => 6,
    }
}

/// The state of a number.
pub(crate) fn state(number: i64) -> Result<State, JournalError> {
    State::ALL.into_iter().find(|state| self::number(*state) == number).ok_or_else(|| corrupt("the state of an update"))
}

/// The state of an update with this conclusion.
pub(crate) const fn concluded(conclusion: &Conclusion) -> State {
    use rabita_model::Outcome;
    match conclusion.outcome {
        Outcome::Applied => State::Applied,
        Outcome::Refused => State::Refused,
        Outcome::Conflicted => State::Conflicted,
        Outcome::Expired => State::Expired,
    }
}

pub(crate) fn update_id(bytes: [u8; 16]) -> UpdateId {
    UpdateId::new(uuid::Uuid::from_bytes(bytes))
}

/// The update of a row of [`COLUMNS`], or with `is_whole` of [`WHOLE`], and its number.
pub(crate) fn entry(row: &Row<'_>, is_whole: bool) -> Result<(i64, Entry), JournalError> {
    let mut update: Update = parse(row, 5, "the body of an update")?.ok_or_else(|| corrupt("the body of an update"))?;
    if is_whole {
        update.payload = parse(row, 6, "the payload of an update")?;
    }
    let entry = Entry {
        update,
        generation: row.get(2)?,
        progress: parse(row, 3, "the progress of an update")?.unwrap_or_default(),
        is_parked: row.get::<_, i64>(1)? == number(State::Parked),
        conclusion: parse(row, 4, "the conclusion of an update")?,
    };
    Ok((row.get(0)?, entry))
}

fn parse<T: DeserializeOwned>(row: &Row<'_>, column: usize, what: &str) -> Result<Option<T>, JournalError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|_| corrupt(what))?;
    text.map(|text| serde_json::from_str(text).map_err(|_| corrupt(what))).transpose()
}
