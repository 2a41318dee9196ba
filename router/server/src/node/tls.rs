//! The TLS of a listener: its certificate, and whose client certificates it takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rabita_config::node::{ClientCertificate, Tls, TlsVersion};
use rustls::crypto::aws_lc_rs;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, version};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

/// Why a listener has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be used: {source}", .file.display())]
    Pem { file: PathBuf, source: pem::Error },
    #[error("{} holds a certificate that is no authority: {source}", .file.display())]
    Authority { file: PathBuf, source: rustls::Error },
    #[error("client certificates cannot be verified with {}: {source}", .file.display())]
    Verifier { file: PathBuf, source: VerifierBuilderError },
    #[error("{} and {} do not go together: {source}", .certificate.display(), .key.display())]
    Certificate { certificate: PathBuf, key: PathBuf, source: rustls::Error },
}

/// Makes the TLS of a listener.
///
/// # Errors
/// When a file cannot be used, naming it.
pub(super) fn server(directory: &Path, tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V1_3 => &[&version::TLS13],
    };
    let file = directory.join(&tls.client_authorities);
    let mut roots = RootCertStore::empty();
    for authority in certificates(&file)? {
        roots.add(authority).map_err(|source| TlsError::Authority { file: file.clone(), source })?;
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    if let Some(revocations) = &tls.revocations {
        verifier = verifier.with_crls(revocation_lists(&directory.join(revocations))?).allow_unknown_revocation_status();
    }
    if tls.client_certificate == ClientCertificate::Optional {
        verifier = verifier.allow_unauthenticated();
    }
    let verifier = verifier.build().map_err(|source| TlsError::Verifier { file, source })?;

    let (certificate, key) = (directory.join(&tls.certificate), directory.join(&tls.key));
    let chain = certificates(&certificate)?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|source| TlsError::Pem { file: key.clone(), source })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private)
        .map_err(|source| TlsError::Certificate { certificate, key, source })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { file: file.to_owned(), source };
    CertificateDer::pem_file_iter(file).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)
}

fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { file: file.to_owned(), source };
    CertificateRevocationListDer::pem_file_iter(file).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)
}
