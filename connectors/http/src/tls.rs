//! How a connection to the registry is secured: whose certificates hold, and the bus's own.

use std::path::Path;
use std::sync::Arc;

use rabita_sdk::{OpenError, Secrets, TextOrSecret};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::settings::{Tls, TlsVersion};

/// Makes the client's side of TLS for HTTP/1.1. Where no https is spoken the platform's authorities are not asked for, and
/// nobody's certificate holds.
///
/// # Errors
/// When a file or secret is missing, or is not what it should be.
pub(crate) async fn for_http(tls: &Tls, https: bool, secrets: &dyn Secrets, directory: &Path) -> Result<ClientConfig, OpenError> {
    if !https {
        let builder = builder(tls, &Arc::new(aws_lc_rs::default_provider()))?;
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let mut config = client_config(tls, secrets, directory).await?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Makes the client's side of TLS, whatever is spoken within it.
///
/// # Errors
/// When a file or secret is missing, or is not what it should be.
pub async fn client_config(tls: &Tls, secrets: &dyn Secrets, directory: &Path) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = builder(tls, &provider)?;
    let verifier = verifier(tls, secrets, directory, &provider).await?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match (&tls.cert_file, &tls.key_file) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(chain), Some(key)) => {
            let chain = certificates(&pem(chain, "cert_file", secrets, directory).await?, "cert_file")?;
            let key = PrivateKeyDer::from_pem_slice(&pem(key, "key_file", secrets, directory).await?)
                .map_err(|error| wrong("tls.key_file holds no key in PEM", &error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong("tls.cert_file and tls.key_file", &error))
        }
        _ => Err(OpenError("tls.cert_file and tls.key_file go together".to_owned())),
    }
}

fn builder(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, OpenError> {
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider)).with_protocol_versions(versions);
    builder.map_err(|error| wrong("the versions of TLS", &error))
}

async fn verifier(
    tls: &Tls,
    secrets: &dyn Secrets,
    directory: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, OpenError> {
    if tls.dangerously_accept_any_certificate {
        return Ok(Arc::new(Anyone(Arc::clone(provider))));
    }
    let verifier: Arc<dyn ServerCertVerifier> = match &tls.ca_file {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(&pem(file, "ca_file", secrets, directory).await?, "ca_file")? {
                roots.add(authority).map_err(|error| wrong("tls.ca_file", &error))?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| wrong("tls.ca_file", &error))?
        }
        None => Arc::new(
            rustls_platform_verifier::Verifier::new(Arc::clone(provider))
                .map_err(|error| wrong("the platform's certificate authorities", &error))?,
        ),
    };
    let Some(name) = &tls.server_name else { return Ok(verifier) };
    let name = ServerName::try_from(name.clone()).map_err(|error| wrong("tls.server_name", &error))?;
    Ok(Arc::new(Named { name, verifier }))
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

/// Asks for another name in the certificate than the one that was dialled.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Takes every certificate, though the other side must still hold its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
