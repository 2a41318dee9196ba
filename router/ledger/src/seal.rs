//! What is done with one pseudonym key: pseudonyms, keyed digests, sealing and opening.
//!
//! HKDF (RFC 5869) makes of the key's 32 bytes a key for each exchange, and of that one what each use needs. So an
//! [`Opening`], which is the key of one exchange, opens that exchange and says nothing of any other.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, rand};
use rabita_model::{ExchangeId, Subject};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::entry::{KeyedDigest, Pseudonym, RequestSignature, Sealed};
use crate::period::KeyName;

mod opening;

pub use opening::Opening;

/// The bytes of a pseudonym key, and of every key that is made of it.
pub(crate) const KEY_BYTES: usize = 32;

/// The bytes of a pseudonym.
const HALF: usize = 16;
const SALT: &[u8] = b"rabita ledger v1";
/// What the pseudonym key is made into.
const PERSON: &[u8] = b"person:";
const PERSONS: &[u8] = b"persons:";
const EXCHANGE: &[u8] = b"exchange:";
/// What the key of an exchange is made into.
const SUBJECT: &[u8] = b"subject:";
const REQUEST: &[u8] = b"request:";
const ANSWER: &[u8] = b"answer:";
const SEAL: &[u8] = b"seal:";

/// No random bytes could be had, which a running system always has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandom;

/// What only those who hold the key may read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// The caller's signature of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<RequestSignature>,
}

impl Private {
    const fn is_empty(&self) -> bool {
        self.user.is_none() && self.case.is_none() && self.consent.is_none() && self.signature.is_none()
    }
}

/// One pseudonym key, ready for use. Its memory is overwritten when it is dropped.
pub(crate) struct Keys {
    root: hmac::Key,
    person: hmac::Key,
}

impl Keys {
    pub(crate) fn new(secret: &[u8; KEY_BYTES]) -> Self {
        // RFC 5869, section 2.2.
        let root = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SALT), secret).as_ref());
        let person = hmac::Key::new(hmac::HMAC_SHA256, &*expand(&root, PERSON, &[]));
        Self { root, person }
    }

    /// A key that is kept nowhere: what it seals is lost at once.
    pub(crate) fn lost() -> Result<Self, NoRandom> {
        Ok(Self::new(&*secret()?))
    }

    /// What stands for a person wherever this key is used. It never stands in an entry in clear: who reads one person, and
    /// with it one entry, must not find the others of that person.
    pub(crate) fn person(&self, subject: &Subject) -> Pseudonym {
        half(&expand(&self.person, SUBJECT, subject.expose().as_bytes()))
    }

    /// Seals what stands for persons wherever this key is used.
    pub(crate) fn seal_persons(&self, exchange: ExchangeId, persons: &[Pseudonym]) -> Result<Option<Sealed>, NoRandom> {
        if persons.is_empty() {
            return Ok(None);
        }
        let bytes = persons.iter().flat_map(|person| person.0).collect();
        seal(&expand(&self.root, PERSONS, exchange.uuid().as_bytes()), exchange, bytes).map(Some)
    }

    /// Opens what [`Keys::seal_persons`] sealed.
    pub(crate) fn open_persons(&self, exchange: ExchangeId, sealed: &Sealed) -> Option<Vec<Pseudonym>> {
        let bytes = open(&expand(&self.root, PERSONS, exchange.uuid().as_bytes()), exchange, sealed)?;
        let (persons, rest) = bytes.as_chunks::<HALF>();
        rest.is_empty().then(|| persons.iter().copied().map(Pseudonym).collect())
    }

    /// The keys of one exchange.
    pub(crate) fn of(&self, exchange: ExchangeId) -> ExchangeKeys {
        ExchangeKeys::new(exchange, &expand(&self.root, EXCHANGE, exchange.uuid().as_bytes()))
    }

    /// What opens this exchange and no other.
    pub(crate) fn opening(&self, name: &KeyName, exchange: ExchangeId) -> Opening {
        Opening::new(name, exchange, &expand(&self.root, EXCHANGE, exchange.uuid().as_bytes()))
    }
}

/// What is done with the key of one exchange.
pub(crate) struct ExchangeKeys {
    exchange: ExchangeId,
    root: hmac::Key,
}

impl ExchangeKeys {
    fn new(exchange: ExchangeId, secret: &[u8; KEY_BYTES]) -> Self {
        Self { exchange, root: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// What stands for a person in the entries of this exchange.
    pub(crate) fn subject(&self, subject: &Subject) -> Pseudonym {
        half(&expand(&self.root, SUBJECT, subject.expose().as_bytes()))
    }

    /// The keyed digest of the request.
    pub(crate) fn request(&self, sha256: &[u8; 32]) -> KeyedDigest {
        KeyedDigest(*expand(&self.root, REQUEST, sha256))
    }

    /// The keyed digest of the answer.
    pub(crate) fn answer(&self, sha256: &[u8; 32]) -> KeyedDigest {
        KeyedDigest(*expand(&self.root, ANSWER, sha256))
    }

    /// Seals; `None` where there is nothing to seal.
    pub(crate) fn seal(&self, private: &Private) -> Result<Option<Sealed>, NoRandom> {
        if private.is_empty() {
            return Ok(None);
        }
        let text = serde_json::to_vec(private).expect("texts are always JSON");
        seal(&expand(&self.root, SEAL, &[]), self.exchange, text).map(Some)
    }

    /// Opens what was sealed. `None` where it was sealed with another key, or for another exchange.
    pub(crate) fn open(&self, sealed: &Sealed) -> Option<Private> {
        serde_json::from_slice(&open(&expand(&self.root, SEAL, &[]), self.exchange, sealed)?).ok()
    }
}

/// The bytes of a new pseudonym key.
pub(crate) fn secret() -> Result<Zeroizing<[u8; KEY_BYTES]>, NoRandom> {
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(&mut *secret).map_err(|_| NoRandom)?;
    Ok(secret)
}

/// The SHA-256 of what was said.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

/// HKDF-Expand (RFC 5869, section 2.3) for the 32 bytes that one block of it gives. It is an HMAC of its parts, so it makes
/// keyed digests as well as keys; the first part says of what, and none is the beginning of another.
fn expand(root: &hmac::Key, what: &[u8], of: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut context = hmac::Context::with_key(root);
    context.update(what);
    context.update(of);
    context.update(&[1]);
    Zeroizing::new(context.sign().as_ref().try_into().expect("an HMAC-SHA256 has 32 bytes"))
}

fn cipher(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"))
}

fn half(tag: &[u8; KEY_BYTES]) -> Pseudonym {
    let (half, _) = tag.split_first_chunk().expect("half of 32 bytes is less");
    Pseudonym(*half)
}

/// Seals with a key that serves one exchange and one use; the nonce is random, since an exchange can have several entries.
fn seal(key: &[u8; KEY_BYTES], exchange: ExchangeId, mut text: Vec<u8>) -> Result<Sealed, NoRandom> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| NoRandom)?;
    let tag = cipher(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(exchange.uuid().as_bytes()), &mut text)
        .expect("what fits into an entry is within what AES-256-GCM takes");
    Ok(Sealed([&nonce, &*text, tag.as_ref()].concat()))
}

fn open(key: &[u8; KEY_BYTES], exchange: ExchangeId, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.0.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut rest = Zeroizing::new(rest.to_vec());
    let length = cipher(key).open_in_place(nonce, Aad::from(exchange.uuid().as_bytes()), &mut rest).ok()?.len();
    rest.truncate(length);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hkdf;

    use super::*;

    fn exchange(number: u128) -> ExchangeId {
        ExchangeId::new(uuid::Uuid::from_u128(number))
    }

    fn private() -> Private {
        Private { user: Some("5ZJBKH7".into()), case: Some("A-17".into()), ..Private::default() }
    }

    #[test]
    fn keys_are_those_that_hkdf_of_the_library_makes() {
        struct Len;
        impl hkdf::KeyType for Len {
            fn len(&self) -> usize {
                KEY_BYTES
            }
        }
        let secret = [7; KEY_BYTES];
        let mut expected = [0; KEY_BYTES];
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&secret);
        let uuid = exchange(9).uuid();
        prk.expand(&[EXCHANGE, uuid.as_bytes()], Len).and_then(|okm| okm.fill(&mut expected)).expect("32 bytes of HKDF");
        assert_eq!(*expand(&Keys::new(&secret).root, EXCHANGE, uuid.as_bytes()), expected);
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_exchange_only() {
        let keys = Keys::new(&[7; KEY_BYTES]);
        let sealed = keys.of(exchange(1)).seal(&private()).expect("random bytes").expect("something to seal");
        assert_eq!(keys.of(exchange(1)).open(&sealed), Some(private()));
        assert_eq!(keys.of(exchange(2)).open(&sealed), None);
        assert_eq!(Keys::new(&[8; KEY_BYTES]).of(exchange(1)).open(&sealed), None);
        for at in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[at] ^= 1;
            assert_eq!(keys.of(exchange(1)).open(&changed), None, "byte {at}");
        }
        assert_eq!(keys.of(exchange(1)).open(&Sealed(vec![0; 3])), None);
        assert_eq!(keys.of(exchange(1)).seal(&Private::default()), Ok(None));
    }

    #[test]
    fn an_opening_opens_its_own_exchange_and_no_other() {
        let name = KeyName::try_from("interior/2026-11".to_owned()).expect("a name");
        let keys = Keys::new(&[7; KEY_BYTES]);
        let (one, other) = (keys.of(exchange(1)), keys.of(exchange(2)));
        let (request, answer) = (sha256(b"asked"), sha256(b"answered"));
        let opening = keys.opening(&name, exchange(1));
        assert!(opening.is_request(&request, &one.request(&request)) && opening.is_answer(&answer, &one.answer(&answer)));
        assert!(!opening.is_request(&answer, &one.request(&request)) && !opening.is_answer(&request, &one.request(&request)));
        assert!(!opening.is_request(&request, &other.request(&request)));
        let sealed = other.seal(&private()).expect("random bytes").expect("something to seal");
        assert_eq!(opening.private(&sealed), None);
        assert_eq!(keys.opening(&name, exchange(2)).private(&sealed), Some(private()));
        let persons = [Subject::new("5ZJBKH7"), Subject::new("1AAAAA1")];
        let [written, another] = persons.each_ref().map(|person| one.subject(person));
        assert!(opening.is_subject(&persons[0], &written) && !opening.is_subject(&persons[0], &another));
        assert!(!opening.is_subject(&persons[0], &other.subject(&persons[0])));
    }

    #[test]
    fn whom_an_entry_is_about_opens_with_the_key_and_never_with_an_opening() {
        let keys = Keys::new(&[7; KEY_BYTES]);
        let persons = ["5ZJBKH7", "1AAAAA1"].map(|number| keys.person(&Subject::new(number)));
        let sealed = keys.seal_persons(exchange(1), &persons).expect("random bytes").expect("something to seal");
        assert_eq!(keys.open_persons(exchange(1), &sealed), Some(persons.to_vec()));
        assert_eq!(keys.open_persons(exchange(2), &sealed), None);
        assert_eq!(keys.of(exchange(1)).open(&sealed), None);
        assert_eq!(keys.seal_persons(exchange(1), &[]), Ok(None));
    }

    #[test]
    fn an_opening_reads_back_and_never_shows_its_key_in_a_log() {
        let name = KeyName::try_from("_bus/2026".to_owned()).expect("a name");
        let opening = Keys::new(&[7; KEY_BYTES]).opening(&name, exchange(1));
        let text = serde_json::to_string(&opening).expect("JSON");
        assert_eq!(serde_json::from_str::<Opening>(&text).expect("an opening"), opening);
        assert!(format!("{opening:?}").contains("Secret(..)"));
    }
}
