//! The systems: by what they are known, each by something of its own, and the keys with which they sign.

use std::collections::{BTreeMap, BTreeSet};

use rabita_keys::VerifyingKey;
use rabita_model::Rule;
use rabita_sdk::Finding;

use super::{Loader, Read};
use crate::node::Node;
use crate::system::{CertificateMatch, System, TokenMatch};

/// What systems are known by, with the system that had it first.
type Known<T> = BTreeMap<T, String>;

impl Loader<'_> {
    pub(super) fn check_systems(&mut self, systems: &[Read<System>], node: Option<&Read<Node>>) {
        let mut certificates = Known::new();
        let mut tokens = Known::new();
        for system in systems {
            if system.is.certificates.is_empty() && system.is.tokens.is_empty() {
                let message = "nothing says by what this system is known: give `certificates`, `tokens` or both";
                self.find(&system.document, Finding::new("/system", message));
            }
            self.check_certificates(system, &mut certificates);
            self.check_tokens(system, node, &mut tokens);
            self.check_request_keys(system);
        }
    }

    fn check_certificates(&mut self, system: &Read<System>, known: &mut Known<String>) {
        for (at, certificate) in system.is.certificates.iter().enumerate() {
            let pointer = format!("/certificates/{at}");
            if certificate.is_empty() {
                self.find(&system.document, Finding::new(pointer, "names nothing that a certificate must have"));
                continue;
            }
            if let Some(message) = certificate.uri.as_deref().and_then(uri_fault) {
                self.find(&system.document, Finding::new(format!("{pointer}/uri"), message));
            }
            let CertificateMatch { dns, uri, common_name, .. } = certificate;
            let identity = format!("{:?}{dns:?}{uri:?}{common_name:?}", certificate.fingerprint());
            if let Some(other) = known.insert(identity, system.is.system.to_string()) {
                let message = format!("the same certificate is that of `{other}` already");
                self.find(&system.document, Finding::new(pointer, message).breaks(Rule::NameTaken));
            }
        }
    }

    fn check_tokens(&mut self, system: &Read<System>, node: Option<&Read<Node>>, known: &mut Known<TokenMatch>) {
        for (at, token) in system.is.tokens.iter().enumerate() {
            let pointer = format!("/tokens/{at}");
            if let Some(node) = node {
                let issuers: Vec<&str> = node.is.identity.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
                self.require(&format!("{pointer}/issuer"), "issuer", &token.issuer, &issuers, &system.document);
            }
            if let Some(other) = known.insert(token.clone(), system.is.system.to_string()) {
                let message = format!("the same token is that of `{other}` already");
                self.find(&system.document, Finding::new(pointer, message).breaks(Rule::NameTaken));
            }
        }
    }

    fn check_request_keys(&mut self, system: &Read<System>) {
        let mut seen = BTreeSet::new();
        for (at, key) in system.is.keys.iter().enumerate() {
            if !seen.insert(&key.id) {
                self.find(
                    &system.document,
                    Finding::new(format!("/keys/{at}/id"), format!("`{}` is there already", key.id)).breaks(Rule::NameTaken),
                );
            }
            let read = self.counted(&key.file, false);
            let read = read.and_then(|pem| VerifyingKey::from_pem(&key.id, &pem).map_err(|error| error.to_string()));
            if let Err(message) = read {
                self.find(&system.document, Finding::new(format!("/keys/{at}/file"), message).breaks(Rule::CertificateWrong));
            }
        }
    }
}

/// A URI is compared whole: what looks like a pattern would never match.
fn uri_fault(uri: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("a URI has a scheme, as in `spiffe://example.az/portal`") };
    let is_spiffe = scheme.eq_ignore_ascii_case("spiffe");
    (is_spiffe && rest.contains(['*', '?', '#'])).then_some("a SPIFFE ID has no `*`, query or fragment; it is compared whole")
}
