//! Issuers of access tokens, and the keys that sign answers.

use std::collections::BTreeSet;

use rabita_keys::SigningKey;
use rabita_model::Rule;
use rabita_sdk::{Finding, SecretRef};
use serde_json::Value;

use super::{Loader, Read};
use crate::identity::JwksSource;
use crate::node::Node;
use crate::signing::KeySource;

impl Loader<'_> {
    pub(super) fn check_identity(&mut self, node: &Read<Node>) {
        let issuers = &node.is.identity.issuers;
        let names = issuers.iter().map(|issuer| issuer.issuer.as_str());
        self.refuse_twice(&node.document, "/identity/issuers", "issuer", names);
        for (at, issuer) in issuers.iter().enumerate() {
            let place = format!("/identity/issuers/{at}/keys");
            match &issuer.keys {
                JwksSource::File { file } => {
                    let read = self.counted(file, false);
                    if let Err(message) =
                        read.and_then(|text| key_set(&text).map_err(|fault| format!("{}: {fault}", file.display())))
                    {
                        self.find(&node.document, Finding::new(format!("{place}/file"), message).breaks(Rule::CertificateWrong));
                    }
                }
                JwksSource::Url { url, authorities, keep_s } => {
                    if let Some(message) = address_fault(url) {
                        self.find(&node.document, Finding::new(format!("{place}/url"), message));
                    }
                    if let Some(authorities) = authorities {
                        self.pem(
                            &node.document,
                            &format!("{place}/authorities"),
                            authorities,
                            "certificate",
                            super::tls::certificates,
                        );
                    }
                    if *keep_s == 0 {
                        self.find(&node.document, Finding::new(format!("{place}/keep_s"), "is at least 1"));
                    }
                }
            }
        }
    }

    pub(super) fn check_signing(&mut self, node: &Read<Node>) {
        let mut seen = BTreeSet::new();
        for (at, key) in node.is.signing.keys.iter().enumerate() {
            let place = format!("/signing/keys/{at}");
            let (KeySource::File { id, .. } | KeySource::Pkcs11 { id, .. }) = key;
            if !seen.insert(id) {
                self.find(
                    &node.document,
                    Finding::new(format!("{place}/id"), format!("`{id}` is there already")).breaks(Rule::NameTaken),
                );
            }
            self.signing_key(node, &place, key);
        }
    }

    /// Reads a private key where it is in a file; one in a module is tried only where the node runs.
    pub(super) fn signing_key(&mut self, node: &Read<Node>, place: &str, key: &KeySource) -> Option<SigningKey> {
        match key {
            KeySource::File { id, file } => {
                let read = self.counted(file, true);
                match read.and_then(|pem| SigningKey::from_pem(id, &pem).map_err(|error| error.to_string())) {
                    Ok(key) => return Some(key),
                    Err(message) => {
                        self.find(&node.document, Finding::new(format!("{place}/file"), message).breaks(Rule::CertificateWrong));
                    }
                }
            }
            KeySource::Pkcs11 { pkcs11, .. } => {
                if !self.directory.join(&pkcs11.module).is_file() {
                    let message = format!("the module {} is not there", pkcs11.module.display());
                    self.find(
                        &node.document,
                        Finding::new(format!("{place}/pkcs11/module"), message).breaks(Rule::FileUnreadable),
                    );
                }
                if let SecretRef::File(pin) = &pkcs11.pin
                    && let Err(message) = self.counted(&pin.file, true)
                {
                    self.find(
                        &node.document,
                        Finding::new(format!("{place}/pkcs11/pin/file"), message).breaks(Rule::FileUnreadable),
                    );
                }
            }
        }
        None
    }
}

/// What is wrong with a JWK set (RFC 7517, 5).
fn key_set(text: &[u8]) -> Result<(), &'static str> {
    let set: Value = serde_json::from_slice(text).map_err(|_| "is no JSON")?;
    let keys = set["keys"].as_array().ok_or("is no JWK set: it has no list `keys`")?;
    if keys.is_empty() {
        return Err("holds no key");
    }
    if keys.iter().any(|key| !key["kty"].is_string()) {
        return Err("holds a key without `kty`");
    }
    if keys.iter().any(|key| key["kty"] == "oct" || key.get("d").is_some()) {
        return Err("holds a secret key: an issuer's public keys belong here");
    }
    Ok(())
}

/// What was fetched in the clear could be another's keys.
pub(super) fn address_fault(url: &str) -> Option<&'static str> {
    let rest = url.strip_prefix("http://");
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_here = host.is_some_and(|host| {
        ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|own| host == *own || host.strip_prefix(own).is_some_and(|port| port.starts_with(':')))
    });
    (!url.starts_with("https://") && !is_here).then_some("is fetched by `https:`, by `http:` only from this machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_in_the_clear_from_this_machine_alone() {
        for (url, is_good) in [
            ("https://id.example/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://localhost/keys", true),
            ("http://[::1]:1/keys", true),
            ("http://id.example/keys", false),
            ("http://localhost.example/keys", false),
            ("file:///keys", false),
        ] {
            assert_eq!(address_fault(url).is_none(), is_good, "{url}");
        }
    }

    #[test]
    fn a_key_set_holds_public_keys() {
        assert_eq!(key_set(br#"{"keys":[{"kty":"OKP"}]}"#), Ok(()));
        for wrong in
            ["", "[]", r#"{"keys":[]}"#, r#"{"keys":[{}]}"#, r#"{"keys":[{"kty":"oct"}]}"#, r#"{"keys":[{"kty":"EC","d":"x"}]}"#]
        {
            assert!(key_set(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
