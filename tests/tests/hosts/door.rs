//! The TLS of a listener for hosts, where a test is the bus.

use std::sync::Arc;

use rabita_tests::bus::Authority;
use rabita_wire::ALPN;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Shows the bus's certificate, and lets in whoever has one of the authority.
pub fn tls() -> ServerConfig {
    let authority = Authority::get();
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&authority.certificate)).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let key = PrivateKeyDer::from_pem_slice(authority.server.key.as_bytes()).expect("a key");
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.3")
        .with_client_cert_verifier(clients.expect("a verifier"))
        .with_single_cert(vec![certificate(&authority.server.certificate)], key)
        .expect("a certificate and its key");
    server.alpn_protocols = vec![ALPN.to_vec()];
    server
}
