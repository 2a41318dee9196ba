//! Reads the TLS of the listeners from its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rabita_config::Country;
use rabita_config::node::{ClientCertificate, Tls, TlsVersion};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, version};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::clients::Clients;
use super::{Loaded, TlsError};

/// What all listeners need, in their order; that for hosts comes last.
pub(super) fn all(country: &Country) -> Result<Vec<Loaded>, TlsError> {
    let callers = country.node.listeners.iter().map(|listener| one(&country.directory, &listener.tls, &[b"h2", b"http/1.1"]));
    let hosts = country.node.hosts.iter().map(|hosts| one(&country.directory, &hosts.tls, &[rabita_wire::ALPN]));
    callers.chain(hosts).collect()
}

/// A file with what it holds.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What one listener names, each file read once.
struct Files {
    certificate: File,
    key: File,
    authorities: File,
    revocations: Option<File>,
}

fn one(directory: &Path, tls: &Tls, protocols: &[&[u8]]) -> Result<Loaded, TlsError> {
    let files = Files::read(directory, tls)?;
    let provider = Arc::new(provider::default_provider());
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V1_3 => &[&version::TLS13],
    };
    let (clients, lists_until) = clients(&files, tls, &provider)?;
    let private = PrivateKeyDer::from_pem_slice(&files.key.bytes).map_err(|source| files.key.pem(source))?;
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_client_cert_verifier(Arc::clone(&clients))
        .with_single_cert(files.certificate.certificates()?, private)
        .map_err(|source| TlsError::Certificate {
            certificate: files.certificate.path.clone(),
            key: files.key.path.clone(),
            source,
        })?;
    server.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Loaded { server: Arc::new(server), clients, lists_until, sha256: files.digest(tls) })
}

/// What verifies client certificates, and until when all of its lists are current. Where there are lists, each
/// authority of a chain needs one that is current: a list that nobody renews would hide what was taken back since.
fn clients(
    files: &Files,
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ClientCertVerifier>, Option<i64>), TlsError> {
    let file = || files.authorities.path.clone();
    let mut roots = RootCertStore::empty();
    for authority in files.authorities.certificates()? {
        roots.add(authority).map_err(|source| TlsError::Authority { file: file(), source })?;
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let mut until = None;
    if let Some(revocations) = &files.revocations {
        let (lists, first_over) = revocations.revocation_lists()?;
        until = first_over;
        verifier = verifier.with_crls(lists).enforce_revocation_expiration();
    }
    if tls.client_certificate == ClientCertificate::Optional {
        verifier = verifier.allow_unauthenticated();
    }
    let verifier = verifier.build().map_err(|source| TlsError::Verifier { file: file(), source })?;
    Ok((Arc::new(Clients(verifier)), until))
}

impl Files {
    fn read(directory: &Path, tls: &Tls) -> Result<Self, TlsError> {
        let read = |file: &PathBuf| File::read(directory.join(file));
        Ok(Self {
            certificate: read(&tls.certificate)?,
            key: read(&tls.key)?,
            authorities: read(&tls.client_authorities)?,
            revocations: tls.revocations.as_ref().map(read).transpose()?,
        })
    }

    /// The SHA-256 of all that was read, and of what is made of it.
    fn digest(&self, tls: &Tls) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        context.update(format!("{:?} {:?}", tls.min_version, tls.client_certificate).as_bytes());
        let files = [Some(&self.certificate), Some(&self.key), Some(&self.authorities), self.revocations.as_ref()];
        for file in files.into_iter().flatten() {
            context.update(&(file.bytes.len() as u64).to_be_bytes());
            context.update(&file.bytes);
        }
        context.finish().as_ref().to_vec()
    }
}

impl File {
    fn read(path: PathBuf) -> Result<Self, TlsError> {
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Self { path, bytes }),
            Err(error) => Err(TlsError::Pem { file: path, source: pem::Error::Io(error) }),
        }
    }

    fn pem(&self, source: pem::Error) -> TlsError {
        TlsError::Pem { file: self.path.clone(), source }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        CertificateDer::pem_slice_iter(&self.bytes).collect::<Result<_, _>>().map_err(|source| self.pem(source))
    }

    /// The lists, and when the first of them is over.
    fn revocation_lists(&self) -> Result<(Vec<CertificateRevocationListDer<'static>>, Option<i64>), TlsError> {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&self.bytes).collect();
        let lists = lists.map_err(|source| self.pem(source))?;
        let mut first_over = None;
        for list in &lists {
            let unread = |_| TlsError::Revocations { file: self.path.clone() };
            let (_, list) = CertificateRevocationList::from_der(list).map_err(unread)?;
            let until = list.next_update().map(|time| time.timestamp());
            first_over = [first_over, until].into_iter().flatten().min();
        }
        Ok((lists, first_over))
    }
}
