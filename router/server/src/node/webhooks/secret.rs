//! The secret of a subscription, and what is signed with it, as Standard Webhooks 1.0 prescribes.

use std::fmt;

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use rabita_model::EventId;
use serde::{Deserialize, Serialize};

/// What a symmetric secret begins with.
const PREFIX: &str = "whsec_";
/// Standard Webhooks asks for 24 to 64 bytes.
const BYTES: usize = 32;

/// A symmetric secret: `whsec_` and its bytes in Base64. Told once, to whom it is for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    /// A new one.
    pub fn draw() -> Self {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes).expect("the system gives random bytes");
        Self(format!("{PREFIX}{}", BASE64.encode(bytes)))
    }

    /// The text, for the answer to the subscription's creation alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: EventId, at: Timestamp, body: &[u8]) -> String {
        let bytes = BASE64.decode(self.0.trim_start_matches(PREFIX)).unwrap_or_default();
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        mac.update(format!("{id}.{}.", at.as_second()).as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.sign()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_another_and_shows_in_no_debug_text() {
        let (one, other) = (Secret::draw(), Secret::draw());
        assert_ne!(one.expose(), other.expose());
        assert!(!format!("{one:?}").contains(one.expose()));
        assert_eq!(BASE64.decode(&one.expose()[PREFIX.len()..]).map(|bytes| bytes.len()), Ok(BYTES));
    }

    #[test]
    fn a_signature_rests_on_id_time_body_and_secret() {
        let (secret, id) = (Secret::draw(), EventId::new(uuid::Uuid::now_v7()));
        let signature = secret.sign(id, Timestamp::UNIX_EPOCH, b"{}");
        assert_eq!(secret.sign(id, Timestamp::UNIX_EPOCH, b"{}"), signature);
        let later = Timestamp::from_second(1).expect("a time");
        let others = [
            secret.sign(id, later, b"{}"),
            secret.sign(id, Timestamp::UNIX_EPOCH, b"[]"),
            secret.sign(EventId::new(uuid::Uuid::nil()), Timestamp::UNIX_EPOCH, b"{}"),
            Secret::draw().sign(id, Timestamp::UNIX_EPOCH, b"{}"),
        ];
        assert!(others.iter().all(|other| *other != signature));
    }
}
