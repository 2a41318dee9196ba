//! The journal's settings: they name one engine, and what its protocol needs.

use rabita_sdk::Finding;

use super::{Loader, Read};
use crate::journal::KafkaSecurity;
use crate::node::Node;

impl Loader<'_> {
    pub(super) fn check_journal(&mut self, node: &Read<Node>) {
        let journal = &node.is.journal;
        let Some(kafka) = &journal.kafka else { return };
        if journal.embedded.is_some() {
            let message = "a journal has one engine: leave out `embedded`, or `kafka`";
            self.find(&node.document, Finding::new("/journal/kafka", message));
        }
        for (word, message) in faults(&kafka.security) {
            self.find(&node.document, Finding::new(format!("/journal/kafka/security/{word}"), message));
        }
        let files = [
            ("ca_file", &kafka.security.ca_file),
            ("certificate_file", &kafka.security.certificate_file),
            ("key_file", &kafka.security.key_file),
        ];
        for (word, file) in files {
            let Some(file) = file else { continue };
            if let Err(error) = std::fs::File::open(self.directory.join(file)) {
                let message = format!("{} cannot be read: {error}", file.display());
                self.find(&node.document, Finding::new(format!("/journal/kafka/security/{word}"), message));
            }
        }
    }
}

/// What does not go together: the word, and what is wrong with it.
fn faults(security: &KafkaSecurity) -> Vec<(&'static str, &'static str)> {
    let mut faults = Vec::new();
    if security.protocol.has_sasl() && (security.user.is_none() || security.password.is_none()) {
        faults.push(("protocol", "this protocol needs `user` and `password`"));
    }
    if !security.protocol.has_sasl() && (security.user.is_some() || security.password.is_some()) {
        faults.push(("protocol", "this protocol sends no `user` and `password`: use `sasl_ssl`, or leave them out"));
    }
    if security.certificate_file.is_some() != security.key_file.is_some() {
        faults.push(("protocol", "`certificate_file` and `key_file` are needed together"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::faults;

    fn words(security: Value) -> usize {
        faults(&serde_json::from_value(security).expect("settings")).len()
    }

    #[test]
    fn finds_what_a_protocol_lacks() {
        assert_eq!(words(json!({})), 0);
        assert_eq!(words(json!({ "protocol": "ssl", "certificate_file": "a", "key_file": "b" })), 0);
        assert_eq!(words(json!({ "protocol": "sasl_ssl", "user": "node", "password": { "env": "P" } })), 0);
        assert_eq!(words(json!({ "protocol": "sasl_ssl", "user": "node" })), 1);
        assert_eq!(words(json!({ "user": "node", "password": { "env": "P" } })), 1);
        assert_eq!(words(json!({ "protocol": "ssl", "key_file": "b" })), 1);
    }
}
