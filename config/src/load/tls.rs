//! The node's own settings: its certificates can be read, and its listeners do not stand in each other's way.

use std::collections::BTreeSet;
use std::path::Path;

use rabita_sdk::Finding;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::{Loader, Read};
use crate::node::Node;

impl Loader<'_> {
    pub(super) fn check_node(&mut self, node: &Read<Node>) {
        let mut addresses = BTreeSet::new();
        addresses.insert(node.is.admin.address);
        for (at, listener) in node.is.listeners.iter().enumerate() {
            let place = format!("/listeners/{at}");
            if listener.address.port() != 0 && !addresses.insert(listener.address) {
                let message = format!("{} is the address of another listener", listener.address);
                self.find(&node.document, Finding::new(format!("{place}/address"), message));
            }
            let tls = &listener.tls;
            self.pem(node, &format!("{place}/tls/certificate"), &tls.certificate, "certificate", certificates);
            self.pem(node, &format!("{place}/tls/client_authorities"), &tls.client_authorities, "certificate", certificates);
            self.pem(node, &format!("{place}/tls/key"), &tls.key, "private key", |pem| {
                PrivateKeyDer::from_pem_slice(pem).map(|_| 1).map_err(|error| error.to_string())
            });
            if let Some(revocations) = &tls.revocations {
                self.pem(node, &format!("{place}/tls/revocations"), revocations, "revocation list", |pem| {
                    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
                    lists.map(|lists| lists.len()).map_err(|error| error.to_string())
                });
            }
        }
    }

    fn pem(&mut self, node: &Read<Node>, pointer: &str, file: &Path, what: &str, count: impl Fn(&[u8]) -> Result<usize, String>) {
        let message = match std::fs::read(self.directory.join(file)) {
            Err(error) => format!("{} cannot be read: {error}", file.display()),
            Ok(pem) => match count(&pem) {
                Ok(0) => format!("{} holds no {what} in PEM form", file.display()),
                Ok(_) => return,
                Err(error) => format!("{} holds no {what} in PEM form: {error}", file.display()),
            },
        };
        self.find(&node.document, Finding::new(pointer, message));
    }
}

fn certificates(pem: &[u8]) -> Result<usize, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.map(|all| all.len()).map_err(|error| error.to_string())
}
