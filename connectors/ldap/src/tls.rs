//! How a connection to the directory is secured.

use std::path::Path;
use std::sync::Arc;

use rabita_sdk::{OpenError, Secrets};
use rabita_tls::Files;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::settings::{Address, Tls};

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
    let files = Files {
        ca_file: tls.ca_file.as_ref(),
        cert_file: tls.cert_file.as_ref(),
        key_file: tls.key_file.as_ref(),
        min_version: tls.min_version,
        secrets,
        directory,
    };
    let config = files.client_config(files.verifier().await?).await?;
    let name = tls.server_name.clone().unwrap_or_else(|| address.host.clone());
    let name =
        ServerName::try_from(name).map_err(|error| OpenError(format!("the name in the directory's certificate: {error}")))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}
