//! The TLS of the listeners: their certificates, and whose client certificates they take. All of it can be read anew
//! while the node runs.
//!
//! What is read anew is checked whole before it takes the place of what was there. Open connections learn of it, and
//! end where their client certificate no longer holds: `listener/connection.rs`.

mod clients;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rabita_config::Country;
use rustls::ServerConfig;
use rustls::server::VerifierBuilderError;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime, pem};
use tokio::sync::watch;

/// Why a listener has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be used: {source}", .file.display())]
    Pem { file: PathBuf, source: pem::Error },
    #[error("{} holds a certificate that is no authority: {source}", .file.display())]
    Authority { file: PathBuf, source: rustls::Error },
    #[error("{} holds a revocation list that cannot be read", .file.display())]
    Revocations { file: PathBuf },
    #[error("client certificates cannot be verified with {}: {source}", .file.display())]
    Verifier { file: PathBuf, source: VerifierBuilderError },
    #[error("{} and {} do not go together: {source}", .certificate.display(), .key.display())]
    Certificate { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("the listeners are others than those that the node started with: that needs a restart")]
    Listeners,
}

/// The TLS of all listeners, in their order; that for hosts comes last.
#[derive(Debug)]
pub(super) struct Transports {
    addresses: Vec<SocketAddr>,
    transports: Vec<Arc<Transport>>,
}

/// The TLS of one listener, as it is now.
#[derive(Debug)]
pub(super) struct Transport(watch::Sender<Arc<Loaded>>);

/// What was read at one time.
#[derive(Debug)]
pub(super) struct Loaded {
    pub server: Arc<ServerConfig>,
    clients: Arc<dyn ClientCertVerifier>,
    /// When the first of the revocation lists is over, in seconds since 1970.
    pub lists_until: Option<i64>,
    /// The SHA-256 of what it was made of.
    sha256: Vec<u8>,
}

/// What was read anew and is not yet in use; nothing for a listener where nothing has changed.
#[derive(Debug)]
pub(super) struct PreparedTransports(Vec<Option<Loaded>>);

impl Transports {
    /// Reads what the listeners need.
    ///
    /// # Errors
    /// When a file cannot be used, naming it.
    pub fn open(country: &Country) -> Result<Self, TlsError> {
        let transports = load::all(country)?.into_iter().map(|loaded| Arc::new(Transport(watch::Sender::new(Arc::new(loaded)))));
        Ok(Self { addresses: addresses(country), transports: transports.collect() })
    }

    /// The TLS of the listener at this place.
    pub fn of(&self, at: usize) -> Arc<Transport> {
        Arc::clone(&self.transports[at])
    }

    /// The TLS of the listener for hosts, where there is one.
    pub fn of_hosts(&self, country: &Country) -> Option<Arc<Transport>> {
        country.node.hosts.as_ref().and(self.transports.last()).map(Arc::clone)
    }

    /// Reads all of it anew and changes nothing.
    ///
    /// # Errors
    /// When a file cannot be used, or the listeners are others.
    pub fn prepare(&self, country: &Country) -> Result<PreparedTransports, TlsError> {
        if addresses(country) != self.addresses {
            return Err(TlsError::Listeners);
        }
        // Nobody is asked anew for a certificate, and no connection is looked at, because of a change of grants.
        let changed = |(loaded, transport): (Loaded, &Arc<Transport>)| {
            let is_same = transport.0.borrow().sha256 == loaded.sha256;
            (!is_same).then_some(loaded)
        };
        Ok(PreparedTransports(load::all(country)?.into_iter().zip(&self.transports).map(changed).collect()))
    }

    /// Puts it in the place of what was there.
    pub fn swap(&self, prepared: PreparedTransports) {
        for (transport, loaded) in self.transports.iter().zip(prepared.0) {
            if let Some(loaded) = loaded {
                transport.0.send_replace(Arc::new(loaded));
            }
        }
    }
}

fn addresses(country: &Country) -> Vec<SocketAddr> {
    let hosts = country.node.hosts.iter().map(|hosts| hosts.address);
    country.node.listeners.iter().map(|listener| listener.address).chain(hosts).collect()
}

impl Transport {
    /// What is in use, now and from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<Loaded>> {
        self.0.subscribe()
    }
}

impl Loaded {
    /// Whether a client certificate holds now: its authority, its time, its use, and that nobody took it back.
    ///
    /// # Errors
    /// When it does not.
    pub fn holds(&self, chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
        let (certificate, intermediates) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        self.clients.verify_client_cert(certificate, intermediates, UnixTime::now()).map(drop)
    }
}
