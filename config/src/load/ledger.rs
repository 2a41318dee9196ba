//! `ledger:` of `rabita.yaml`: its name, its key, its witnesses, and who stamps it.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_keys::Algorithm;
use rabita_model::Rule;
use rabita_sdk::Finding;

use super::{Loader, Read};
use crate::node::Node;

impl Loader<'_> {
    pub(super) fn check_ledger(&mut self, node: &Read<Node>) {
        let ledger = &node.is.ledger;
        let document = &node.document;
        if node.is.journal.kafka.is_some() && ledger.is_enabled && document.value.pointer("/ledger/origin").is_none() {
            let message = "nodes that share a journal each need an `origin` of their own, or two logs of one name are taken for a \
                           forgery: write `origin: bus.example.az/node-1` under `ledger`, or with `{hostname}` in it where \
                           nodes share this file";
            self.find(document, Finding::new("/ledger", message));
        }
        if let Some(key) = &ledger.key
            && let Some(key) = self.signing_key(node, "/ledger/key", key)
            && key.verifying().algorithm() != Algorithm::Ed25519
        {
            self.find(document, Finding::new("/ledger/key", "checkpoints are signed with Ed25519 alone"));
        }
        if let Some(timestamps) = &ledger.timestamps {
            let place = "/ledger/timestamps";
            if !timestamps.url.starts_with("https://") && !timestamps.url.starts_with("http://") {
                self.find(
                    document,
                    Finding::new(format!("{place}/url"), "is an address that begins with `https://` or `http://`"),
                );
            }
            if let Some(authorities) = &timestamps.authorities {
                self.pem(&node.document, &format!("{place}/authorities"), authorities, "certificate", super::tls::certificates);
            }
        }
        let mut seen = BTreeSet::new();
        for (at, witness) in ledger.witnesses.iter().enumerate() {
            let place = format!("/ledger/witnesses/{at}");
            match witness_name(witness) {
                Err(message) => self.find(document, Finding::new(place, message)),
                Ok(_) if !seen.insert(witness) => {
                    self.find(document, Finding::new(place, "is there already").breaks(Rule::NameTaken))
                }
                Ok(name) if name == ledger.origin => {
                    self.find(document, Finding::new(place, "a ledger is no witness of itself"));
                }
                Ok(_) => {}
            }
        }
    }
}

/// The name in a verifier's key: `name+hash+key`, the hash four bytes in hexadecimal digits, the key in Base64 with its kind
/// before it (C2SP signed-note).
fn witness_name(key: &str) -> Result<&str, &'static str> {
    let form = "a witness has the form `name+hash+key`, as signed notes have it";
    let mut parts = key.splitn(3, '+');
    let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else { return Err(form) };
    if name.is_empty() || name.contains(char::is_whitespace) || hash.len() != 8 {
        return Err(form);
    }
    let key = STANDARD.decode(encoded).map_err(|_| form)?;
    // Ed25519 itself is kind 1, what a log signs with; Ed25519 that cosigns is kind 4.
    if key.len() != 33 || key[0] != 4 {
        return Err("this is no Ed25519 key of a witness: `rabita ledger key` makes one");
    }
    let mut told = digest::Context::new(&digest::SHA256);
    told.update(name.as_bytes());
    told.update(b"\n");
    told.update(&key);
    let told = told.finish();
    let own: String = told.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    if own == hash.to_lowercase() { Ok(name) } else { Err("name, hash and key of this witness do not go together") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_taken_only_where_its_three_parts_go_together() {
        let key = "witness.example/w1+01bbcb3a+BP7L1LtlBSi7hEZSNQ3CMtuVSOnDDVlxlvSzYGoCQHW6";
        assert_eq!(witness_name(key), Ok("witness.example/w1"));
        // A log's own key, the example of C2SP's signed-note, cosigns nothing.
        assert!(witness_name("example.com/foo+530d903d+AX7L1LtlBSi7hEZSNQ3CMtuVSOnDDVlxlvSzYGoCQHW6").is_err());
        for wrong in ["", "name", "name+hash", "name+00000000+AAAA", "na me+00000000+AA==", &key.replace("w1+", "w2+")] {
            assert!(witness_name(wrong).is_err(), "{wrong}");
        }
    }
}
