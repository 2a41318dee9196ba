//! Signatures at work: the node's keys sign its answers, the systems' keys verify their requests.
//!
//! What is signed is said by `rabita_contract::signature`, with which key by the configuration: the first of
//! `signing.keys` signs, all are published. A reload puts other keys in their place and forgets no signature that was
//! seen, so that nothing can be replayed across it.

mod keys;
mod replays;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Response;
use http::request::Parts;
use rabita_config::Country;
use rabita_contract::signature::{AnswerBase, Hash, SignedRequest, Signing, check_content_digest, sign_answer, signed_request};
use rabita_keys::KeyError;
use rabita_ledger::entry::RequestSignature;
use rabita_model::{Code, Fault, Refusal, SystemId};
use rabita_sdk::Secrets;
use serde_json::Value;

use keys::Keys;
use replays::{Known, Replays};

pub(super) use keys::{SigningError, own};

/// The signatures of a node.
pub(super) struct Signatures {
    keys: ArcSwap<Keys>,
    replays: Mutex<Replays>,
}

/// The keys of a configuration, ready to be put in the place of others.
pub(super) struct PreparedSignatures(Keys);

impl Signatures {
    /// Reads the keys. Blocks: a key can be in a token. `now` is in seconds since the epoch; no signature made before is
    /// taken, since this node can't know whether it was used.
    ///
    /// # Errors
    /// When a key cannot be used, naming it.
    pub(super) fn open(country: &Country, secrets: &dyn Secrets, now: i64) -> Result<Self, SigningError> {
        Self::prepare(country, secrets).map(|prepared| Self::of(prepared, now))
    }

    fn of(PreparedSignatures(keys): PreparedSignatures, now: i64) -> Self {
        let replays = Mutex::new(Replays::new(keys.window_s, now));
        Self { keys: ArcSwap::from_pointee(keys), replays }
    }

    /// Reads the keys of another configuration. Blocks, as [`Self::open`] does.
    ///
    /// # Errors
    /// When a key cannot be used, naming it.
    pub(super) fn prepare(country: &Country, secrets: &dyn Secrets) -> Result<PreparedSignatures, SigningError> {
        let keys = Keys::open(&country.directory, &country.node.signing, &country.systems, secrets);
        keys.map(PreparedSignatures)
    }

    /// Puts other keys, and another window, in the place of these. What was seen stays seen.
    pub(super) fn swap(&self, PreparedSignatures(keys): PreparedSignatures, now: i64) {
        self.replays().widen(keys.window_s, now);
        self.keys.store(Arc::new(keys));
    }

    /// The public keys with which answers can be verified, as a JSON Web Key Set.
    pub(super) fn jwks(&self) -> Value {
        self.keys.load().jwks.clone()
    }

    /// Signs an answer whose head is complete, with `Content-Digest` where its body is at hand. Without a key it stays
    /// as it is.
    ///
    /// # Errors
    /// When the key does not sign. The answer is as it was then.
    pub(super) async fn sign<B>(&self, response: &mut Response<B>, request: &Parts, now: i64) -> Result<(), KeyError> {
        let Some(key) = self.keys.load().signing.clone() else { return Ok(()) };
        let signing = Signing { key_id: key.id(), algorithm: key.algorithm().name(), created: now };
        if !key.is_in_token() {
            return sign_answer(response, request, &signing, |base| key.sign(base));
        }
        let base = AnswerBase::of(response, request, &signing);
        let signing = tokio::task::spawn_blocking(move || key.sign(base.bytes()).map(|signature| (base, signature)));
        let (base, signature) = signing.await.expect("a signature ends without a panic")?;
        base.put(response.headers_mut(), &signature);
        Ok(())
    }

    /// Holds `Content-Digest` against the body, and the signature, where there is one, against the system's keys, the
    /// clock and the signatures that were seen. `body` is empty where none counts.
    ///
    /// # Errors
    /// `malformed_request` for the digest, `signature_invalid` for the signature, `bus_overloaded` where no more
    /// signatures of the system can be remembered.
    pub(super) fn verify(
        &self,
        head: &Parts,
        body: &[u8],
        system: &SystemId,
        now: i64,
    ) -> Result<Option<RequestSignature>, Refusal> {
        check_content_digest(&head.headers, |hash| {
            let algorithm = match hash {
                Hash::Sha256 => &SHA256,
                Hash::Sha512 => &SHA512,
            };
            digest(algorithm, body).as_ref().to_vec()
        })?;
        let Some(signed) = signed_request(head, !body.is_empty())? else { return Ok(None) };
        let keys = self.keys.load();
        signed.check_time(now, keys.window_s)?;
        verify_with(&keys, &signed, system)?;
        // Only now, so that nobody else can fill a system's memory.
        match self.replays().remember(system, &signed, now) {
            Known::New => {}
            Known::Seen => return Err(refused("replayed", "this signature was used before: sign each request anew")),
            Known::BeforeMemory => {
                return Err(refused("too_old", "this node cannot know whether this signature was used: sign anew"));
            }
            Known::Full => return Err(Refusal::new(Code::BusOverloaded).detail("too many signatures within the window")),
        }
        let SignedRequest { key_id, signature, input, .. } = signed;
        Ok(Some(RequestSignature { key: key_id, signature: BASE64.encode(signature), input }))
    }

    fn replays(&self) -> std::sync::MutexGuard<'_, Replays> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verify_with(keys: &Keys, signed: &SignedRequest, system: &SystemId) -> Result<(), Refusal> {
    let key = keys.of_system(system, &signed.key_id);
    let key = key.ok_or_else(|| refused("unknown_key", "`keyid` names no key that is registered for this system"))?;
    if signed.algorithm.as_deref().is_some_and(|algorithm| algorithm != key.algorithm().name()) {
        return Err(refused("algorithm", "`alg` is not the algorithm of this key"));
    }
    let wrong = |_| refused("wrong", "the signature is not one of this request by this key");
    key.verify(&signed.base, &signed.signature).map_err(wrong)
}

fn refused(code: &'static str, message: &'static str) -> Refusal {
    Refusal::with_faults(Code::SignatureInvalid, vec![Fault::parameter("Signature", code, message)]).detail(message)
}

#[cfg(test)]
mod tests;
