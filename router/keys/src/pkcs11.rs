//! A key in the token of a PKCS #11 module: it signs there and never leaves.
//!
//! Sessions are kept and used again, at most [`SESSIONS_MAX`] at once. A token can be reset, pulled or restarted under a
//! running node: what fails is tried once more over a new connection, and once more after the module was started anew.
//! A PIN that was refused is not shown again, since tokens lock themselves after a few wrong ones.

mod module;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use crate::key::{Algorithm, KeyError, SIGNATURE_LENGTH};
use crate::verifying::VerifyingKey;
use module::{Module, Running};

/// More would not make a token faster, and many allow few.
const SESSIONS_MAX: usize = 16;
/// How long a signature waits for a session.
const WAIT: Duration = Duration::from_secs(5);

/// A private key in a token.
pub(crate) struct TokenKey {
    id: String,
    algorithm: Algorithm,
    place: Place,
    pool: Mutex<Pool>,
    freed: Condvar,
}

/// Where the key is.
struct Place {
    module: Arc<Module>,
    token: String,
    key: String,
    pin: AuthPin,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    /// Those in use, and those in `idle`.
    open: usize,
    is_pin_refused: bool,
}

/// A session that is logged in, with the key as it is called there.
struct Connection {
    session: Session,
    private: ObjectHandle,
    /// Which start of the module it belongs to: handles of another mean something else now.
    start: u64,
}

impl TokenKey {
    /// Finds the key pair, and gives the public half too.
    pub(crate) fn open(id: &str, module: &Path, token: &str, key: &str, pin: &str) -> Result<(Self, VerifyingKey), KeyError> {
        let (token, key) = (token.to_owned(), key.to_owned());
        let place = Place { module: Module::load(module)?, token, key, pin: AuthPin::new(pin.into()) };
        // A token that was put in after the module started can be seen by a new start only.
        let connection = match place.module.running(|running| place.connect(id, running)) {
            Err(KeyError::TokenAbsent { .. }) if place.module.restart()? => {
                place.module.running(|running| place.connect(id, running))
            }
            other => other,
        }?;
        let verifying = place.module.running(|_| place.public(id, &connection.session))?;
        let pool = Pool { idle: vec![connection], open: 1, is_pin_refused: false };
        let algorithm = verifying.algorithm();
        Ok((Self { id: id.to_owned(), algorithm, place, pool: Mutex::new(pool), freed: Condvar::new() }, verifying))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign_once(message).or_else(|_| {
            self.disconnect();
            self.sign_once(message).or_else(|error| {
                if !matches!(error, KeyError::Pin { .. } | KeyError::Busy { .. }) && self.place.module.restart()? {
                    return self.sign_once(message);
                }
                Err(error)
            })
        })
    }

    fn sign_once(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let kept = self.take()?;
        let signed = self.place.module.running(|running| {
            // What is kept of an earlier start is left alone: its handles may be another's by now.
            let kept = kept.filter(|connection| connection.start == running.start);
            let connection = match kept {
                Some(connection) => connection,
                None => self.place.connect(&self.id, running)?,
            };
            match sign(&connection, self.algorithm, message) {
                Ok(signature) => Ok((connection, signature)),
                Err(error) => {
                    let _ = connection.session.close();
                    Err(KeyError::Sign { id: self.id.clone(), reason: reason(&error) })
                }
            }
        });
        let mut pool = self.pool();
        match signed {
            Ok((connection, signature)) => {
                pool.idle.push(connection);
                drop(pool);
                self.freed.notify_one();
                let odd = || KeyError::Sign { id: self.id.clone(), reason: "the token gave no signature of 64 bytes".to_owned() };
                (signature.len() == SIGNATURE_LENGTH).then_some(signature).ok_or_else(odd)
            }
            Err(error) => {
                pool.open -= 1;
                pool.is_pin_refused |= matches!(error, KeyError::Pin { .. });
                drop(pool);
                self.freed.notify_one();
                Err(error)
            }
        }
    }

    /// A kept connection, or leave to make one.
    fn take(&self) -> Result<Option<Connection>, KeyError> {
        let is_full = |pool: &mut Pool| pool.idle.is_empty() && pool.open >= SESSIONS_MAX;
        let (mut pool, waited) =
            self.freed.wait_timeout_while(self.pool(), WAIT, is_full).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(KeyError::Busy { id: self.id.clone() });
        }
        if let Some(connection) = pool.idle.pop() {
            return Ok(Some(connection));
        }
        if pool.is_pin_refused {
            return Err(self.place.pin_refused(&self.id, "it was refused before, and is not tried again"));
        }
        pool.open += 1;
        Ok(None)
    }

    /// Closes what is kept.
    fn disconnect(&self) {
        let mut pool = self.pool();
        let kept = std::mem::take(&mut pool.idle);
        pool.open -= kept.len();
        drop(pool);
        self.freed.notify_all();
        self.place.module.running(|running| {
            for connection in kept.into_iter().filter(|connection| connection.start == running.start) {
                let _ = connection.session.close();
            }
        });
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TokenKey {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl Place {
    fn connect(&self, id: &str, running: &Running<'_>) -> Result<Connection, KeyError> {
        let failed = |error: &Error| self.module.unusable(error);
        let mut slots = running.context.get_slots_with_initialized_token().map_err(|error| failed(&error))?;
        // Labels are padded with blanks, which the library takes off.
        slots.retain(|slot| running.context.get_token_info(*slot).is_ok_and(|info| info.label() == self.token));
        let [slot] = slots[..] else {
            return Err(KeyError::TokenAbsent { module: self.module.name(), token: self.token.clone() });
        };
        let session = running.context.open_ro_session_no_drop(slot).map_err(|error| failed(&error))?;
        let found = self.login(id, &session).and_then(|()| self.find(&session, ObjectClass::PRIVATE_KEY, "private"));
        match found {
            Ok(private) => Ok(Connection { session, private, start: running.start }),
            Err(error) => {
                let _ = session.close();
                Err(error)
            }
        }
    }

    fn login(&self, id: &str, session: &Session) -> Result<(), KeyError> {
        match session.login(UserType::User, Some(&self.pin)) {
            // The sessions of one program are logged in together.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(
                error @ Error::Pkcs11(
                    RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinExpired | RvError::PinLocked,
                    _,
                ),
            ) => Err(self.pin_refused(id, &reason(&error))),
            Err(error) => Err(self.module.unusable(&error)),
        }
    }

    fn pin_refused(&self, id: &str, reason: &str) -> KeyError {
        KeyError::Pin { id: id.to_owned(), token: self.token.clone(), reason: reason.to_owned() }
    }

    fn find(&self, session: &Session, class: ObjectClass, half: &'static str) -> Result<ObjectHandle, KeyError> {
        let template = [Attribute::Class(class), Attribute::Label(self.key.clone().into_bytes())];
        let found = session.find_objects(&template).map_err(|error| self.module.unusable(&error))?;
        let [key] = found[..] else {
            return Err(KeyError::KeyAbsent { token: self.token.clone(), key: self.key.clone(), half });
        };
        Ok(key)
    }

    fn public(&self, id: &str, session: &Session) -> Result<VerifyingKey, KeyError> {
        let public = self.find(session, ObjectClass::PUBLIC_KEY, "public")?;
        let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
        let attributes = session.get_attributes(public, &wanted).map_err(|error| self.module.unusable(&error))?;
        let (mut curve, mut point) = (Vec::new(), Vec::new());
        for attribute in attributes {
            match attribute {
                Attribute::EcParams(value) => curve = value,
                Attribute::EcPoint(value) => point = value,
                _ => {}
            }
        }
        let algorithm = algorithm(&curve).ok_or_else(|| KeyError::Kind { id: id.to_owned() })?;
        VerifyingKey::from_raw(id, algorithm, unwrapped(algorithm, &point))
    }
}

fn sign(connection: &Connection, algorithm: Algorithm, message: &[u8]) -> cryptoki::error::Result<Vec<u8>> {
    let Connection { session, private, .. } = connection;
    match algorithm {
        Algorithm::Ed25519 => {
            let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            session.sign(&pure, *private, message)
        }
        // Not every token digests by itself.
        Algorithm::EcdsaP256 => session.sign(&Mechanism::Ecdsa, *private, digest(&SHA256, message).as_ref()),
    }
}

/// The algorithm of a curve (PKCS #11 3.0, 6.3.3): an object identifier, or for Edwards curves a name too.
fn algorithm(curve: &[u8]) -> Option<Algorithm> {
    match curve {
        b"\x06\x03\x2b\x65\x70" | b"\x13\x0cedwards25519" => Some(Algorithm::Ed25519),
        b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" => Some(Algorithm::EcdsaP256),
        _ => None,
    }
}

/// A point without the DER octet string that the standard puts around it, and some modules don't.
fn unwrapped(algorithm: Algorithm, point: &[u8]) -> &[u8] {
    let length = match algorithm {
        Algorithm::Ed25519 => 32,
        Algorithm::EcdsaP256 => 65,
    };
    match point {
        [0x04, told, raw @ ..] if usize::from(*told) == length && raw.len() == length => raw,
        raw => raw,
    }
}

/// What went wrong in a few words; those of the library are long.
fn reason(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{function}: {code:?}"),
        other => other.to_string(),
    }
}
