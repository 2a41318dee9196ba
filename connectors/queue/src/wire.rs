//! A connection to a broker that can be ended from outside, and tells when it has ended, whatever is spoken on it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::io::{AsyncRead, AsyncWrite};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A connection to a broker.
pub(crate) struct Wire {
    inner: Inner,
    life: Life,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

enum Inner {
    Plain(Compat<TcpStream>),
    Secured(Box<Compat<TlsStream<TcpStream>>>),
}

/// What is known of a connection from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    /// Cancelled when the connection has ended; to cancel it ends the connection.
    pub(crate) ended: CancellationToken,
    heard: Arc<AtomicU64>,
}

impl Life {
    /// One that ends with another thing at the latest.
    pub(crate) fn within(whole: &CancellationToken) -> Self {
        Self { ended: whole.child_token(), ..Self::default() }
    }

    /// How often something came from the broker: the same number twice means that nothing came between.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

impl Address {
    /// Reads `host:port`, or the host alone where there is a usual port.
    pub(crate) fn parse(text: &str, usual: Option<u16>) -> Option<Self> {
        let is_host = |host: &str| ServerName::try_from(host.to_owned()).is_ok();
        if is_host(text) {
            return Some(Self { host: text.to_owned(), port: usual? });
        }
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        is_host(&host).then_some(Self { host, port: port.parse().ok().filter(|port| *port > 0)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Wire {
    /// Connects, with TLS where it is asked for.
    ///
    /// # Errors
    /// Why it can't.
    pub(crate) async fn connect(address: &Address, tls: Option<&Arc<ClientConfig>>, life: &Life) -> Result<Self, String> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let Some(tls) = tls else { return Ok(Self::new(Inner::Plain(stream.compat()), life.clone())) };
        let name = ServerName::try_from(address.host.clone()).map_err(|_| "this is no host name".to_owned())?;
        let secured = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        let secured = secured.map_err(|error| format!("TLS: {error}"))?;
        Ok(Self::new(Inner::Secured(Box::new(secured.compat())), life.clone()))
    }

    fn new(inner: Inner, life: Life) -> Self {
        Self { inner, ended: Box::pin(life.ended.clone().cancelled_owned()), life }
    }

    fn inner(&mut self) -> Pin<&mut dyn Stream> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream),
            Inner::Secured(stream) => Pin::new(&mut **stream),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let read = self.inner().poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(1..))) {
            self.life.heard.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.life.ended.cancel();
    }
}

/// Ends a connection on which something was given up before the broker had even given its word for it, if nothing at all
/// comes on it for a moment more: it hangs, and the next call shall not wait for it.
pub(crate) struct Patience<'a> {
    life: &'a Life,
    heard: u64,
    /// The broker gave its word.
    pub(crate) is_over: bool,
}

/// So long a broker may be silent that owes its word for a request.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

impl<'a> Patience<'a> {
    pub(crate) fn with(life: &'a Life) -> Self {
        Self { life, heard: life.heard(), is_over: false }
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if self.is_over || self.life.ended.is_cancelled() || self.life.heard() != self.heard {
            return;
        }
        let (life, heard) = (self.life.clone(), self.heard);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(SILENCE).await;
                if life.heard() == heard {
                    life.ended.cancel();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_and_without_a_port() {
        let address = |host: &str, port| Some(Address { host: host.to_owned(), port });
        assert_eq!(Address::parse("mq.example", Some(5672)), address("mq.example", 5672));
        assert_eq!(Address::parse("mq.example", None), None);
        assert_eq!(Address::parse("10.0.0.7:5673", Some(5671)), address("10.0.0.7", 5673));
        assert_eq!(Address::parse("[::1]:5672", None), address("::1", 5672));
        for wrong in ["", "mq:", "mq:0", "mq:70000", "amqp://mq:5672", "a b:1", ":5672"] {
            assert_eq!(Address::parse(wrong, Some(1)), None, "{wrong}");
        }
    }
}
