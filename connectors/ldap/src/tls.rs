//! How a connection to the directory is secured: whose certificates hold, and the bus's own.

use std::path::Path;
use std::sync::Arc;

use rabita_sdk::{OpenError, Secrets, TextOrSecret};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsConnector;

use crate::settings::{Address, Tls, TlsVersion};

/// Makes the client's side of TLS, and the name that the directory's certificate must have.
///
/// # Errors
/// When a file or secret is missing, or is not what it should be.
pub(crate) async fn security(
    tls: &Tls,
    address: &Address,
    secrets: &dyn Secrets,
    directory: &Path,
) -> Result<(TlsConnector, ServerName<'static>), OpenError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| wrong("the versions of TLS", &error))?;
    let verifier = verifier(tls, secrets, directory, &provider).await?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let config = match (&tls.cert_file, &tls.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(chain), Some(key)) => {
            let chain = certificates(&pem(chain, "cert_file", secrets, directory).await?, "cert_file")?;
            let key = PrivateKeyDer::from_pem_slice(&pem(key, "key_file", secrets, directory).await?)
                .map_err(|error| wrong("tls.key_file holds no key in PEM", &error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong("tls.cert_file and tls.key_file", &error))?
        }
        _ => return Err(OpenError("tls.cert_file and tls.key_file go together".to_owned())),
    };
    let name = tls.server_name.clone().unwrap_or_else(|| address.host.clone());
    let name = ServerName::try_from(name).map_err(|error| wrong("the name in the directory's certificate", &error))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

async fn verifier(
    tls: &Tls,
    secrets: &dyn Secrets,
    directory: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, OpenError> {
    let Some(file) = &tls.ca_file else {
        let platform = rustls_platform_verifier::Verifier::new(Arc::clone(provider));
        return Ok(Arc::new(platform.map_err(|error| wrong("the platform's certificate authorities", &error))?));
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&pem(file, "ca_file", secrets, directory).await?, "ca_file")? {
        roots.add(authority).map_err(|error| wrong("tls.ca_file", &error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    Ok(verifier.map_err(|error| wrong("tls.ca_file", &error))?)
}

async fn pem(from: &TextOrSecret, key: &str, secrets: &dyn Secrets, directory: &Path) -> Result<Vec<u8>, OpenError> {
    match from {
        TextOrSecret::Text(path) => {
            tokio::fs::read(directory.join(path)).await.map_err(|error| OpenError(format!("tls.{key}: {path}: {error}")))
        }
        TextOrSecret::Secret(secret) => {
            let text = secrets.resolve(secret).map_err(|missing| OpenError(format!("tls.{key}: {missing}")))?;
            Ok(text.expose().as_bytes().to_vec())
        }
    }
}

fn certificates(pem: &[u8], key: &str) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| wrong(&format!("tls.{key}"), &error))?;
    if found.is_empty() {
        return Err(OpenError(format!("tls.{key} holds no certificate in PEM")));
    }
    Ok(found)
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> OpenError {
    OpenError(format!("{what}: {error}"))
}
