//! A connection that can be ended from outside, and tells when it has ended, whatever the client of AMQP does with it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A connection to a broker.
pub(super) struct Wire {
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
pub(super) struct Life {
    /// Cancelled when the connection has ended; to cancel it ends the connection.
    pub(super) ended: CancellationToken,
    heard: Arc<AtomicU64>,
}

impl Life {
    /// How often something came from the broker: the same number twice means that nothing came between.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

impl Wire {
    pub(super) fn plain(stream: TcpStream, life: Life) -> Self {
        Self::new(Inner::Plain(stream.compat()), life)
    }

    pub(super) fn secured(stream: TlsStream<TcpStream>, life: Life) -> Self {
        Self::new(Inner::Secured(Box::new(stream.compat())), life)
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
