//! Whose certificates hold, on both sides.

use std::path::Path;
use std::sync::Arc;

use rabita_sdk::Failure;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{call, get, open_in};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A server for `registry.test` that asks for a certificate of the authority's when `mutual`.
async fn server(authority: &Authority, mutual: bool) -> String {
    let (cert, key) = authority.issue("registry.test", ExtendedKeyUsagePurpose::ServerAuth);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = if mutual { builder.with_client_cert_verifier(verifier) } else { builder.with_no_client_auth() };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let _count = stream.read(&mut [0; 8192]).await?;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await?;
                stream.shutdown().await
            });
        }
    });
    format!("https://{address}")
}

async fn ask(url: &str, tls: Value, directory: &Path) -> Result<u16, Failure> {
    let client = open_in(json!({ "url": url, "tls": tls }), directory).await.expect("a client");
    client.send(get("/"), &call(10_000)).await.map(|answer| answer.status.as_u16())
}

#[tokio::test]
async fn takes_the_given_authority_and_name_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    std::fs::write(directory.path().join("ca.pem"), authority.0.pem()).unwrap();
    std::fs::write(directory.path().join("stranger.pem"), stranger.0.pem()).unwrap();
    let url = server(&authority, false).await;
    let named = json!({ "ca_file": "ca.pem", "server_name": "registry.test" });
    assert_eq!(ask(&url, named, directory.path()).await, Ok(200));
    for wrong in [
        json!({ "ca_file": "stranger.pem", "server_name": "registry.test" }),
        json!({ "ca_file": "ca.pem", "server_name": "other.test" }),
        json!({ "ca_file": "ca.pem" }),
        json!({ "server_name": "registry.test" }),
    ] {
        let failure = ask(&url, wrong.clone(), directory.path()).await.expect_err("a refusal");
        assert!(
            matches!(&failure, Failure::Unavailable { detail, .. } if detail.starts_with("no connection: TLS: ")),
            "{wrong}: {failure}"
        );
    }
    let anyone = json!({ "dangerously_accept_any_certificate": true, "min_version": "1.3" });
    assert_eq!(ask(&url, anyone, directory.path()).await, Ok(200));
}

#[tokio::test]
async fn shows_its_certificate_to_a_registry_that_asks_for_one() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (cert, key) = authority.issue("the-bus", ExtendedKeyUsagePurpose::ClientAuth);
    for (name, pem) in [("ca.pem", authority.0.pem()), ("cert.pem", cert.pem()), ("key.pem", key.serialize_pem())] {
        std::fs::write(directory.path().join(name), pem).unwrap();
    }
    let url = server(&authority, true).await;
    let mut tls = json!({ "ca_file": "ca.pem", "server_name": "registry.test" });
    let failure = ask(&url, tls.clone(), directory.path()).await.expect_err("a refusal");
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure}");
    tls["cert_file"] = "cert.pem".into();
    tls["key_file"] = "key.pem".into();
    assert_eq!(ask(&url, tls, directory.path()).await, Ok(200));
}

#[tokio::test]
async fn says_which_file_is_missing_or_is_not_what_it_should_be() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("empty.pem"), "nothing").unwrap();
    for (tls, expected) in [
        (json!({ "ca_file": "gone.pem" }), "tls.ca_file: gone.pem: No such file"),
        (json!({ "ca_file": "empty.pem" }), "tls.ca_file holds no certificate in PEM"),
        (json!({ "ca_file": { "env": "MISSING" } }), "tls.ca_file: the environment variable MISSING is not set"),
        (json!({ "cert_file": "empty.pem" }), "/tls/cert_file: a certificate needs its key"),
    ] {
        let error = open_in(json!({ "url": "https://x", "tls": tls }), directory.path()).await.err().expect("an error");
        assert!(error.0.starts_with(expected), "{error}");
    }
}
