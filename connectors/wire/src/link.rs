//! A connection that a host dialled, from the bus's side: the bus asks, the host answers.
//!
//! The host opened the connection, so that it needs no open port; from then on the roles are turned round, and the bus
//! is the client of HTTP/2 on it. HTTP/2 brings many calls at once, flow control, and the end of a call that nobody
//! waits for any more.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::try_unfold;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, BodyStream, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{Counter, counter};
use rabita_sdk::{Call, Failure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::convert::plain;
use crate::message::{Describe, Description, RegistryDescription, Welcome};
use crate::transport::{Outgoing, REQUEST_ID, Streaming, TRACEPARENT, failure, headers, no_answer};
use crate::version::Versions;

/// A silent connection is asked for a sign of life so often,
pub const PING_EVERY: Duration = Duration::from_secs(10);
/// and given up when none comes in this time.
pub const PING_PATIENCE: Duration = Duration::from_secs(5);
/// What one stream may have under way before it is read. The default of HTTP/2 is for slow lines.
pub const WINDOW: u32 = 1024 * 1024;

/// So many calls that were dropped are remembered until their last frame has come.
const RESETS_REMEMBERED: usize = 1024;

/// One connection to one host.
pub struct Link {
    /// Who it is, by its certificate.
    pub host: String,
    pub description: Description,
    sender: http2::SendRequest<Full<Bytes>>,
    in_flight: Arc<AtomicUsize>,
    calls: Counter,
    answer_max: usize,
    ends: CancellationToken,
}

/// What a link needs to know beside its stream.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    pub host: String,
    pub versions: Versions,
    /// The longest answer that is read, in bytes; binary values are not bounded.
    pub answer_max: usize,
    /// The longest that the host may take to describe itself.
    pub patience: Duration,
}

/// Drives a connection; it is over when this is.
pub type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a connection is not used.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("it does not speak HTTP/2 as the serving side: {0}")]
    Protocol(#[from] hyper::Error),
    #[error("it did not describe itself: {0}")]
    Description(Failure),
    #[error("it describes itself in another form than the wire contract's")]
    Form,
}

impl Link {
    /// Takes the roles on a connection, and asks the host to describe itself.
    ///
    /// # Errors
    /// When that does not speak the wire contract, or no version that we do.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        options: LinkOptions,
    ) -> Result<(Arc<Self>, Driver), LinkError> {
        let ends = CancellationToken::new();
        let (sender, connection) = http2::Builder::new(Tied(ends.clone()))
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_PATIENCE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 4)
            // What still comes of a call that was dropped is no fault of the host, however often that happens.
            .max_concurrent_reset_streams(RESETS_REMEMBERED)
            .max_local_error_reset_streams(None)
            .handshake(TokioIo::new(stream))
            .await?;
        let over = ends.clone();
        let mut driver: Driver = Box::pin(async move {
            tokio::select! {
                _ = connection => {}
                () = over.cancelled() => {}
            }
        });
        let calls = counter!("rabita_host_calls_total", "host" => options.host.clone());
        let unknown =
            Description { wire: options.versions.newest, instance: String::new(), software: None, registries: Vec::new() };
        let mut link = Self {
            host: options.host,
            description: unknown,
            sender,
            in_flight: Arc::default(),
            calls,
            answer_max: options.answer_max,
            ends,
        };
        let describe = async {
            let described = link.describe(options.versions, options.patience).await;
            if let Err(error) = &described {
                link.welcome(&Welcome { accepted: false, remarks: vec![error.to_string()] }, options.patience).await;
            }
            described
        };
        let described = tokio::select! {
            described = describe => described?,
            () = &mut driver => return Err(LinkError::Description(Failure::unavailable("it ended the connection"))),
        };
        link.description = described;
        Ok((Arc::new(link), driver))
    }

    async fn describe(&self, versions: Versions, patience: Duration) -> Result<Description, LinkError> {
        let body = self.ask_about_itself("describe", &Describe { wire: versions }, patience).await;
        let mut described: Description =
            serde_json::from_slice(&body.map_err(LinkError::Description)?).map_err(|_| LinkError::Form)?;
        if !versions.speak(described.wire) {
            return Err(LinkError::Form);
        }
        described.instance = plain(&described.instance);
        described.software = described.software.as_deref().map(plain);
        Ok(described)
    }

    /// Tells the host what became of its description. Whether it listens is its own business.
    pub async fn welcome(&self, welcome: &Welcome, patience: Duration) {
        let _ = self.ask_about_itself("welcome", welcome, patience).await;
    }

    async fn ask_about_itself<Q: serde::Serialize>(
        &self,
        call: &'static str,
        question: &Q,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let body = serde_json::to_vec(question).map_err(|_| Failure::unsupported("it cannot be written as JSON"))?;
        let exchange = rabita_model::ExchangeId::new(uuid::Uuid::now_v7());
        let at = Call { exchange, deadline: std::time::Instant::now() + patience, traceparent: None };
        let ask = Outgoing { registry: None, call, entity: None, body: body.into(), changes: false };
        let late = || Failure::timed_out("it took too long");
        tokio::time::timeout(patience, self.send(&ask, &at)).await.unwrap_or_else(|_| Err(late()))
    }

    /// The registries that the host says to serve.
    pub fn registries(&self) -> impl Iterator<Item = &RegistryDescription> {
        self.description.registries.iter()
    }

    /// How many calls are under way on it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it takes no more calls.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.sender.is_closed()
    }

    /// Breaks the connection off; what is under way is lost.
    pub fn cut(&self) {
        self.ends.cancel();
    }

    /// Sends a message and reads the answer to its end.
    ///
    /// # Errors
    /// As [`crate::transport::Transport::send`].
    pub async fn send(&self, ask: &Outgoing, call: &Call) -> Result<Bytes, Failure> {
        let _counted = Counted::begin(&self.in_flight);
        let response = self.request(ask, call).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), self.answer_max).collect().await;
        let body = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
            true => no_answer("the answer is longer than answer_max_bytes", ask.changes),
            false => self.broken(ask.changes),
        });
        let body = body?.to_bytes();
        if status == StatusCode::OK { Ok(body) } else { Err(failure(status.as_u16(), &body, ask.changes)) }
    }

    /// Sends a message and hands over the answer as it comes.
    ///
    /// # Errors
    /// As [`crate::transport::Transport::stream`].
    pub async fn stream(&self, ask: &Outgoing, call: &Call) -> Result<Streaming, Failure> {
        let counted = Counted::begin(&self.in_flight);
        let response = self.request(ask, call).await?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::NO_CONTENT {
            return Ok(Streaming { body: None, length: None, media_type: None });
        }
        if head.status != StatusCode::OK {
            let body = Limited::new(body, self.answer_max).collect().await.map_err(|_| self.broken(false))?;
            return Err(failure(head.status.as_u16(), &body.to_bytes(), false));
        }
        let said = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let length = said(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let media_type = said(CONTENT_TYPE).map(str::to_owned);
        let deadline = call.deadline.into();
        let broken = |_| Failure::malformed("the connection to the host broke within the bytes");
        let frames = TryStreamExt::map_err(BodyStream::new(body), broken);
        let chunks = try_unfold((frames, counted), move |(mut frames, counted)| async move {
            loop {
                let late = |_| Failure::timed_out("the deadline passed");
                let Some(frame) = tokio::time::timeout_at(deadline, frames.try_next()).await.map_err(late)?? else {
                    return Ok(None);
                };
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some((chunk, (frames, counted))));
                }
            }
        });
        Ok(Streaming { body: Some(Box::pin(chunks)), length, media_type })
    }

    async fn request(&self, ask: &Outgoing, call: &Call) -> Result<Response<Incoming>, Failure> {
        self.calls.increment(1);
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = Method::POST;
        // The authority of a connection that was dialled from the other side names nobody.
        *request.uri_mut() = format!("https://host{}", ask.path())
            .parse::<Uri>()
            .map_err(|_| Failure::unsupported("the name of the registry cannot stand in a path"))?;
        let all = request.headers_mut();
        *all = headers(self.description.wire, call);
        if let Ok(exchange) = HeaderValue::try_from(call.exchange.to_string()) {
            all.insert(REQUEST_ID, exchange);
        }
        if let Some(Ok(parent)) = call.traceparent.as_deref().map(HeaderValue::from_str) {
            all.insert(TRACEPARENT, parent);
        }
        let sent = self.sender.clone().try_send_request(request).await;
        sent.map_err(|error| {
            let was_sent = error.message().is_none() && !is_refused(error.error());
            self.broken(ask.changes && was_sent)
        })
    }

    /// The connection broke: of a change that was sent, nobody knows whether it was done.
    fn broken(&self, is_in_doubt: bool) -> Failure {
        let detail = format!("the connection to host `{}` broke", self.host);
        if is_in_doubt { Failure::Unknown { detail } } else { Failure::unavailable(detail) }
    }
}

/// RFC 9113, 8.7: a stream that was refused was not processed.
fn is_refused(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason() == Some(h2::Reason::REFUSED_STREAM);
        }
        cause = error.source();
    }
    false
}

/// Counts a call for as long as it is under way.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs what belongs to a connection for no longer than that may last.
#[derive(Clone)]
struct Tied(CancellationToken);

impl<F> hyper::rt::Executor<F> for Tied
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        let ends = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = work => {}
                () = ends.cancelled() => {}
            }
        });
    }
}
