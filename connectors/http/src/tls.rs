//! How a connection to the registry is secured.

use std::path::Path;
use std::sync::Arc;

use rabita_sdk::{OpenError, Secrets};
use rabita_tls::Files;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::settings::Tls;

/// Makes the client's side of TLS for HTTP/1.1. Where no https is spoken the platform's authorities are not asked for, and
/// nobody's certificate holds.
///
/// # Errors
/// When a file or secret is missing, or is not what it should be.
pub(crate) async fn for_http(tls: &Tls, https: bool, secrets: &dyn Secrets, directory: &Path) -> Result<ClientConfig, OpenError> {
    if !https {
        let builder = ClientConfig::builder_with_provider(rabita_tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("the versions of TLS", &error))?;
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
    let files = Files {
        ca_file: tls.ca_file.as_ref(),
        cert_file: tls.cert_file.as_ref(),
        key_file: tls.key_file.as_ref(),
        min_version: tls.min_version,
        secrets,
        directory,
    };
    files.client_config(verifier(tls, &files).await?).await
}

async fn verifier(tls: &Tls, files: &Files<'_>) -> Result<Arc<dyn ServerCertVerifier>, OpenError> {
    if tls.dangerously_accept_any_certificate {
        return Ok(Arc::new(Anyone(rabita_tls::provider())));
    }
    let verifier = files.verifier().await?;
    let Some(name) = &tls.server_name else { return Ok(verifier) };
    let name = ServerName::try_from(name.clone()).map_err(|error| wrong("tls.server_name", &error))?;
    Ok(Arc::new(Named { name, verifier }))
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
