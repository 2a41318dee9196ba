//! Requests signed by their system (RFC 9421).

use jiff::Timestamp;
use rabita_keys::{Algorithm, SigningKey};

/// The key's name in the configuration.
pub const KEY: &str = "portal-1";

/// What a system signs its reads with.
#[derive(Debug)]
pub struct Signer(SigningKey);

impl Signer {
    /// A new key.
    ///
    /// # Panics
    /// When the system gives no random bytes.
    pub fn new() -> Self {
        let (key, _) = SigningKey::generate(KEY, Algorithm::Ed25519).expect("random bytes");
        Self(key)
    }

    /// What the configuration names as the system's key.
    pub fn public_pem(&self) -> String {
        self.0.verifying().pem()
    }

    /// The headers that sign a read of this path, sent to `localhost` with these other headers.
    pub fn headers(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let names: String = headers.iter().map(|(name, _)| format!(" \"{name}\"")).collect();
        let input = format!("(\"@method\" \"@target-uri\"{names});created={};keyid=\"{KEY}\"", Timestamp::now().as_second());
        let lines: String = headers.iter().map(|(name, value)| format!("\"{name}\": {value}\n")).collect();
        let base = format!("\"@method\": GET\n\"@target-uri\": https://localhost{path}\n{lines}\"@signature-params\": {input}");
        let signature = self.0.sign(base.as_bytes()).expect("a key in memory signs");
        format!("signature-input: sig={input}\r\nsignature: sig=:{}:\r\n", base64(&signature))
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
