//! The modules of this process. A PKCS #11 library is started once in a process, whoever uses it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::reason;
use crate::key::KeyError;

static MODULES: LazyLock<Mutex<BTreeMap<PathBuf, Arc<Module>>>> = LazyLock::new(Mutex::default);

/// A start ends the sessions of all keys in the module, so a token that stays away must not cause one after the other.
const RESTART_EVERY: Duration = Duration::from_secs(10);

/// A module that is loaded.
pub(super) struct Module {
    path: PathBuf,
    context: Pkcs11,
    /// Held for writing only while the module is started: nothing may be under way then.
    starts: RwLock<Starts>,
}

struct Starts {
    number: u64,
    last: Option<Instant>,
}

/// A module that stays started as long as this is held.
pub(super) struct Running<'a> {
    pub(super) context: &'a Pkcs11,
    /// The number of the start.
    pub(super) start: u64,
}

impl Module {
    /// Loads and starts it, if that was not done before.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, KeyError> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(path) {
            return Ok(Arc::clone(module));
        }
        let context = Pkcs11::new(path).map_err(|error| unusable(path, &error))?;
        start(&context).map_err(|error| unusable(path, &error))?;
        let starts = RwLock::new(Starts { number: 0, last: None });
        let module = Arc::new(Self { path: path.to_owned(), context, starts });
        modules.insert(path.to_owned(), Arc::clone(&module));
        Ok(module)
    }

    /// Does something with the module while it cannot be started anew.
    pub(super) fn running<T>(&self, work: impl FnOnce(&Running<'_>) -> T) -> T {
        let starts = self.starts.read().unwrap_or_else(PoisonError::into_inner);
        work(&Running { context: &self.context, start: starts.number })
    }

    /// Stops and starts the module, unless that was done a moment ago. Tells whether it was.
    pub(super) fn restart(&self) -> Result<bool, KeyError> {
        let mut starts = self.starts.write().unwrap_or_else(PoisonError::into_inner);
        if starts.last.is_some_and(|last| last.elapsed() < RESTART_EVERY) {
            return Ok(false);
        }
        starts.last = Some(Instant::now());
        starts.number += 1;
        // One that is not started any more cannot be stopped, and needn't.
        let _ = self.context.clone().finalize();
        start(&self.context).map_err(|error| self.unusable(&error))?;
        Ok(true)
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn unusable(&self, error: &Error) -> KeyError {
        unusable(&self.path, error)
    }
}

fn start(context: &Pkcs11) -> Result<(), Error> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn unusable(path: &Path, error: &Error) -> KeyError {
    KeyError::Module { module: path.display().to_string(), reason: reason(error) }
}
