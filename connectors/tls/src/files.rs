//! Certificates and keys, and what is made of them.

use std::path::Path;
use std::sync::Arc;

use rabita_sdk::{OpenError, Secrets, TextOrSecret};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::TlsVersion;

/// What a manifest's `tls` says in every kind. A text is a file (PEM), relative to the configuration directory.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The authorities whose certificates hold. No others do; without it the platform's do.
    pub ca_file: Option<&'a TextOrSecret>,
    /// The certificate chain that the bus shows.
    pub cert_file: Option<&'a TextOrSecret>,
    /// The key of that certificate.
    pub key_file: Option<&'a TextOrSecret>,
    /// The lowest version that is spoken.
    pub min_version: TlsVersion,
    pub secrets: &'a dyn Secrets,
    /// The configuration directory.
    pub directory: &'a Path,
}

impl Files<'_> {
    /// The client's side of TLS, which takes the certificates that the `verifier` takes.
    ///
    /// # Errors
    /// When a file or secret is missing, or is not what it should be.
    pub async fn client_config(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, OpenError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&self.min_version.and_above())
            .map_err(|error| wrong("the versions of TLS", &error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match (self.cert_file, self.key_file) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(chain), Some(key)) => {
                let chain = self.certificates(chain, "cert_file").await?;
                let key = PrivateKeyDer::from_pem_slice(&self.pem(key, "key_file").await?)
                    .map_err(|error| wrong("tls.key_file holds no key in PEM", &error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| wrong("tls.cert_file and tls.key_file", &error))
            }
            _ => Err(OpenError("tls.cert_file and tls.key_file go together".to_owned())),
        }
    }

    /// What takes the certificates of the authorities, and of nobody else.
    ///
    /// # Errors
    /// When a file or secret is missing, or is not what it should be.
    pub async fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, OpenError> {
        let Some(file) = self.ca_file else {
            let platform = rustls_platform_verifier::Verifier::new(provider());
            return Ok(Arc::new(platform.map_err(|error| wrong("the platform's certificate authorities", &error))?));
        };
        let mut roots = RootCertStore::empty();
        for authority in self.certificates(file, "ca_file").await? {
            roots.add(authority).map_err(|error| wrong("tls.ca_file", &error))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        Ok(verifier.map_err(|error| wrong("tls.ca_file", &error))?)
    }

    async fn certificates(&self, from: &TextOrSecret, key: &str) -> Result<Vec<CertificateDer<'static>>, OpenError> {
        let pem = self.pem(from, key).await?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.map_err(|error| wrong(&format!("tls.{key}"), &error))?;
        if found.is_empty() {
            return Err(OpenError(format!("tls.{key} holds no certificate in PEM")));
        }
        Ok(found)
    }

    async fn pem(&self, from: &TextOrSecret, key: &str) -> Result<Vec<u8>, OpenError> {
        match from {
            TextOrSecret::Text(path) => {
                let read = tokio::fs::read(self.directory.join(path)).await;
                read.map_err(|error| OpenError(format!("tls.{key}: {path}: {error}")))
            }
            TextOrSecret::Secret(secret) => {
                let text = self.secrets.resolve(secret).map_err(|missing| OpenError(format!("tls.{key}: {missing}")))?;
                Ok(text.expose().as_bytes().to_vec())
            }
        }
    }
}

/// The one cryptography of the bus.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> OpenError {
    OpenError(format!("{what}: {error}"))
}
