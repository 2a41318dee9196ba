//! A caller's connection, bare: with whatever certificate and key, kept open, and seen to end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rabita_tests::bus::{Authority, Identity};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The longest that is waited for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Wire {
    stream: TlsStream<TcpStream>,
}

/// Shows a certificate whether or not the key is its own.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What a caller's connections share: the certificate, and sessions that can be taken up again.
pub fn caller(identity: &Identity) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).map(|der| der.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let key = provider.key_provider.load_private_key(key).expect("a key that can sign");
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(Authority::get().certificate.as_bytes()).expect("a certificate");
    roots.add(authority).expect("an authority");
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions of TLS");
    let shows = Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key))));
    Arc::new(config.with_root_certificates(roots).with_client_cert_resolver(shows))
}

impl Wire {
    /// Connects. With TLS 1.3 a caller hears only later that its certificate was refused.
    pub async fn open(address: SocketAddr, caller: &Arc<ClientConfig>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        Ok(Self { stream: TlsConnector::from(Arc::clone(caller)).connect(name, stream).await? })
    }

    /// Asks over the open connection; the status of the answer.
    pub async fn get(&mut self, path: &str) -> io::Result<u16> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        self.stream.read_exact(&mut body).await?;
        Ok(head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"))
    }

    /// Waits for the other side to end the connection.
    pub async fn ended(mut self) {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is still open");
    }

    /// The certificate that the bus showed.
    pub fn shown(&self) -> Vec<u8> {
        self.stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
    }
}

/// How a certificate is refused: with which alert, if any came through; or the status of the answer.
pub async fn verdict(address: SocketAddr, identity: &Identity, path: &str) -> Result<u16, Option<AlertDescription>> {
    let asked = async { Wire::open(address, &caller(identity)).await?.get(path).await };
    asked.await.map_err(|error| match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    })
}
