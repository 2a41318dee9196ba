//! The vault: the pseudonym keys, one for each agency and period, in files of their own.
//!
//! A key is on the disk before it is used for the first time. To destroy one is to forget: a tombstone is written first, so
//! that the key is never made again for its period, then the file is overwritten and removed. Overwriting is an effort, not
//! a promise: a disk that copies on write keeps old blocks, so the directory belongs on one that does not, or is encrypted.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use rabita_model::AgencyId;
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::period::{Keeper, KeyName, Period};
use crate::seal::Keys;

mod files;

use files::Files;

/// A key as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyState {
    pub key: KeyName,
    /// Absent as long as it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Tombstone>,
}

/// What is left of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    pub at: Timestamp,
    /// `retention`, or the words of whoever ordered it.
    pub why: String,
}

/// The keys.
pub(crate) struct Vault {
    files: Files,
    period: Period,
    known: RwLock<Known>,
    /// One key is made or destroyed at a time.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// For each keeper the key that was used last.
    current: HashMap<Keeper, Current>,
    keys: BTreeMap<KeyName, Place>,
}

/// The key of a stretch of time, found without telling the date.
struct Current {
    from: Timestamp,
    to: Timestamp,
    name: KeyName,
    keys: Arc<Keys>,
}

enum Place {
    /// On the disk; read when it is needed.
    Kept,
    Read(Arc<Keys>),
    Destroyed(Tombstone),
}

impl Vault {
    /// Finds the keys of a directory, which is made where it is not there, and ends what was being destroyed.
    pub(crate) fn open(directory: PathBuf, period: Period) -> Result<Self, LedgerError> {
        let files = Files::open(directory)?;
        let mut keys = BTreeMap::new();
        for name in files.keys()? {
            keys.insert(name, Place::Kept);
        }
        for (name, tombstone) in files.tombstones()? {
            if keys.insert(name.clone(), Place::Destroyed(tombstone)).is_some() {
                files.erase(&name)?;
            }
        }
        let known = RwLock::new(Known { current: HashMap::new(), keys });
        Ok(Self { files, period, known, turn: Mutex::default() })
    }

    /// The key with which something of this moment is written, where it is at hand.
    pub(crate) fn at_hand(&self, keeper: &Keeper, at: Timestamp) -> Option<(KeyName, Arc<Keys>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let current = known.current.get(keeper)?;
        (current.from <= at && at < current.to).then(|| (current.name.clone(), Arc::clone(&current.keys)))
    }

    /// The key with which something of this moment is written, made where there is none. Blocks. In a period whose key
    /// was destroyed it is one that is kept nowhere.
    pub(crate) fn for_writing(&self, keeper: Keeper, at: Timestamp) -> Result<(KeyName, Arc<Keys>), LedgerError> {
        let stretch = self.period.stretch(at);
        let name = KeyName { keeper, stretch };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tombstone(&name).is_some() {
            return Ok((name, Arc::new(Keys::lost()?)));
        }
        let keys = match self.read(&name)? {
            Some(keys) => keys,
            None => Arc::new(self.files.make(&name)?),
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.keys.insert(name.clone(), Place::Read(Arc::clone(&keys)));
        let current = Current { from: stretch.from(), to: stretch.to(), name: name.clone(), keys: Arc::clone(&keys) };
        known.current.insert(name.keeper.clone(), current);
        Ok((name, keys))
    }

    /// A key for reading. Blocks.
    ///
    /// # Errors
    /// [`LedgerError::Forgotten`] where it was destroyed, or is gone; [`LedgerError::Vault`] where it cannot be read.
    pub(crate) fn for_reading(&self, name: &KeyName) -> Result<Arc<Keys>, LedgerError> {
        let keys = self.read(name)?.ok_or_else(|| LedgerError::Forgotten(name.clone()))?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match known.keys.get_mut(name) {
            // It was destroyed while it was read.
            Some(Place::Destroyed(_)) | None => Err(LedgerError::Forgotten(name.clone())),
            Some(place) => {
                *place = Place::Read(Arc::clone(&keys));
                Ok(keys)
            }
        }
    }

    /// The names of the keys that are kept and serve for a moment within the range.
    pub(crate) fn within(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<KeyName> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_within =
            |name: &KeyName| from.is_none_or(|from| name.stretch.to() > from) && to.is_none_or(|to| name.stretch.from() < to);
        let kept = known.keys.iter().filter(|(_, place)| !matches!(place, Place::Destroyed(_)));
        kept.map(|(name, _)| name).filter(|name| is_within(name)).cloned().collect()
    }

    /// Every key that there is or was.
    pub(crate) fn states(&self) -> Vec<KeyState> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let destroyed = |place: &Place| if let Place::Destroyed(tombstone) = place { Some(tombstone.clone()) } else { None };
        known.keys.iter().map(|(key, place)| KeyState { key: key.clone(), destroyed: destroyed(place) }).collect()
    }

    /// The keys that their agencies no longer keep.
    pub(crate) fn outlived(&self, now: Timestamp, keep_months: &BTreeMap<AgencyId, u32>) -> Vec<KeyName> {
        let is_outlived = |name: &KeyName| match &name.keeper {
            Keeper::Agency(agency) => keep_months.get(agency).is_some_and(|months| name.stretch.ended_for(*months) <= now),
            Keeper::Bus => false,
        };
        self.within(None, Some(now)).into_iter().filter(is_outlived).collect()
    }

    /// Destroys a key, also one that was never made. `false` where it was destroyed before. Blocks.
    pub(crate) fn destroy(&self, name: &KeyName, tombstone: Tombstone) -> Result<bool, LedgerError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tombstone(name).is_some() {
            return Ok(false);
        }
        self.files.bury(name, &tombstone)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.current.get(&name.keeper).is_some_and(|current| current.name == *name) {
            known.current.remove(&name.keeper);
        }
        known.keys.insert(name.clone(), Place::Destroyed(tombstone));
        drop(known);
        self.files.erase(name)?;
        Ok(true)
    }

    fn tombstone(&self, name: &KeyName) -> Option<Tombstone> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Place::Destroyed(tombstone)) = known.keys.get(name) { Some(tombstone.clone()) } else { None }
    }

    fn read(&self, name: &KeyName) -> Result<Option<Arc<Keys>>, LedgerError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.keys.get(name) {
            Some(Place::Read(keys)) => Ok(Some(Arc::clone(keys))),
            Some(Place::Kept) => self.files.read(name).map(|keys| Some(Arc::new(keys))),
            Some(Place::Destroyed(_)) | None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
