//! Sends a request to the registry and reads its answer, within the deadline.

use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rabita_sdk::{Call, Failure, OpenError, Secrets};
use url::{Position, Url};

use crate::credentials::Credentials;
use crate::token::{Token, TokenSource};
use crate::{Incoming, Settings, tls, transport};

/// A client of one registry. Calls run side by side over kept connections.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// The base without its query and without a slash at its end, for paths to follow.
    prefix: String,
    /// How much of it comes before the path.
    origin: usize,
    /// What stands in the query of every address.
    query: Option<String>,
    headers: HeaderMap,
    tokens: Option<TokenSource>,
    response_max_bytes: usize,
}

/// A request, before the client adds what every request has.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub method: Method,
    /// Path and query below the base address (nothing for the base itself), or a whole address of the same origin.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// Whether it changes a record. It is then sent once, and what breaks after that is `Unknown`.
    pub changes: bool,
}

/// An answer whose body is on its way.
pub struct Streaming {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub chunks: Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>,
}

impl Client {
    /// Makes the client. Does not connect. Relative files are below `directory`; `concurrency` is how many calls are
    /// under way at once.
    ///
    /// # Errors
    /// When a secret or file is missing, or a setting is unusable.
    pub async fn open(
        settings: &Settings,
        secrets: &dyn Secrets,
        directory: &Path,
        concurrency: usize,
    ) -> Result<Self, OpenError> {
        if let Some(finding) = settings.check("").into_iter().find(|finding| !finding.is_warning) {
            return Err(OpenError(format!("{}: {}", finding.pointer, finding.message)));
        }
        let mut base = base(settings, secrets)?;
        let credentials = Credentials::new(settings, &mut base, secrets)?;
        let https = base.scheme() == "https" || credentials.tokens.as_ref().is_some_and(TokenSource::is_https);
        let tls = tls::for_http(&settings.tls, https, secrets, directory).await?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .pool_max_idle_per_host(settings.idle_connections.unwrap_or(concurrency))
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .user_agent(concat!("rabita/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| OpenError("the HTTP client can't be made from these settings".to_owned()))?;
        let query = [base.query(), credentials.query.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("&");
        let mut bare = base.clone();
        bare.set_query(None);
        Ok(Self {
            http,
            prefix: bare.as_str().trim_end_matches('/').to_owned(),
            origin: bare[..Position::BeforePath].len(),
            base,
            query: Some(query).filter(|query| !query.is_empty()),
            headers: credentials.headers,
            tokens: credentials.tokens,
            response_max_bytes: settings.response_max_bytes,
        })
    }

    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// When there is no whole answer. An answer of any status is none, except a redirect.
    pub async fn send(&self, ask: Outgoing, call: &Call) -> Result<Incoming, Failure> {
        let work = async {
            let response = self.exchange(&ask, call).await?;
            self.gather(response, ask.changes).await
        };
        within(call.deadline, work).await
    }

    /// Sends a request and hands over the answer's body as it comes, not bounded in size.
    ///
    /// # Errors
    /// As [`Self::send`]; what breaks within the body comes in the stream.
    pub async fn send_streaming(&self, mut ask: Outgoing, call: &Call) -> Result<Streaming, Failure> {
        // Compressed, it would come without its length.
        ask.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut response = within(call.deadline, self.exchange(&ask, call)).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let (deadline, changes) = (call.deadline, ask.changes);
        let chunks = try_unfold(response, move |mut response| async move {
            let chunk =
                within(deadline, async { response.chunk().await.map_err(|error| transport::within_answer(&error, changes)) });
            Ok(chunk.await?.map(|chunk| (chunk, response)))
        });
        Ok(Streaming { status, headers, chunks: Box::pin(chunks) })
    }

    /// The address that paths are relative to, without credentials.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// Sends until there is the head of an answer: once more for a read whose kept connection turned out closed,
    /// and once more with a new token when the registry takes the old one no longer.
    async fn exchange(&self, ask: &Outgoing, call: &Call) -> Result<reqwest::Response, Failure> {
        let url = self.address(&ask.path)?;
        let token = match &self.tokens {
            Some(tokens) => Some((tokens, tokens.current(&self.http).await?)),
            None => None,
        };
        let old = token.as_ref().map(|(_, token)| &**token);
        let mut response = self.attempt(ask, call, url.clone(), old).await?;
        if let Some((tokens, old)) = &token
            && response.status() == StatusCode::UNAUTHORIZED
        {
            let new = tokens.renewed(old, &self.http).await?;
            response = self.attempt(ask, call, url, Some(&new)).await?;
        }
        if response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED {
            return Err(Failure::malformed(format!("the registry redirects elsewhere (status {})", response.status().as_u16())));
        }
        Ok(response)
    }

    async fn attempt(&self, ask: &Outgoing, call: &Call, url: Url, token: Option<&Token>) -> Result<reqwest::Response, Failure> {
        let again = (!ask.changes).then(|| url.clone());
        let first = self.http.execute(self.request(ask, call, url, token)).await;
        let outcome = match (first, again) {
            (Err(error), Some(url)) if transport::is_stale(&error) => {
                self.http.execute(self.request(ask, call, url, token)).await
            }
            (outcome, _) => outcome,
        };
        outcome.map_err(|error| transport::before_answer(&error, ask.changes))
    }

    fn request(&self, ask: &Outgoing, call: &Call, url: Url, token: Option<&Token>) -> reqwest::Request {
        let mut request = reqwest::Request::new(ask.method.clone(), url);
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.reserve(ask.headers.len() + 3);
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.authorization.clone());
        }
        for name in ask.headers.keys() {
            headers.remove(name);
        }
        for (name, value) in &ask.headers {
            headers.append(name, value.clone());
        }
        if let Ok(exchange) = HeaderValue::try_from(call.exchange.to_string()) {
            headers.insert(X_REQUEST_ID, exchange);
        }
        if let Some(Ok(parent)) = call.traceparent.as_deref().map(HeaderValue::from_str) {
            headers.insert(TRACEPARENT, parent);
        }
        *request.body_mut() = ask.body.clone().map(reqwest::Body::from);
        request
    }

    /// The whole address that a path means, credentials in its query included.
    ///
    /// # Errors
    /// When it is no address, or one of another origin.
    pub fn address(&self, path: &str) -> Result<Url, Failure> {
        if !path.is_empty() && !path.starts_with(['/', '?']) {
            return self.same_origin(path);
        }
        let query = self.query.as_deref().unwrap_or_default();
        let mut text = String::with_capacity(self.prefix.len() + path.len() + query.len() + 1);
        // The base keeps the slash at its end when it is meant itself.
        text.push_str(if path.starts_with('/') { &self.prefix } else { self.base_path() });
        text.push_str(path);
        if !query.is_empty() {
            text.push(if path.contains('?') { '&' } else { '?' });
            text.push_str(query);
        }
        // The origin was parsed once, its host most laboriously. Two slashes would name another origin, and a parser of
        // addresses takes `\` for `/` and overlooks tabs and line ends.
        let is_plain = |path: &&str| path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\t', '\n', '\r']);
        let relative = text.get(self.origin..).filter(is_plain);
        let url = relative.map_or_else(|| Url::parse(&text), |relative| self.base.join(relative));
        url.map_err(|_| Failure::refused("the request's address is none"))
    }

    fn base_path(&self) -> &str {
        let whole = self.base.as_str();
        whole.split_once('?').map_or(whole, |(path, _)| path)
    }

    /// An address that the registry gave. Elsewhere, credentials would go to a stranger.
    fn same_origin(&self, address: &str) -> Result<Url, Failure> {
        let mut url = Url::parse(address).map_err(|_| Failure::malformed("the registry gave an address that is none"))?;
        let origin = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        if origin(&url) != origin(&self.base) {
            return Err(Failure::malformed("the registry gave an address of another origin"));
        }
        let strip = url.set_username("").and_then(|()| url.set_password(None));
        strip.map_err(|()| Failure::malformed("the registry gave an address that is none"))?;
        url.set_fragment(None);
        if let Some(query) = &self.query
            && !url.query().is_some_and(|own| own.contains(query.as_str()))
        {
            let own = url.query().map(|own| format!("{own}&{query}"));
            url.set_query(Some(own.as_deref().unwrap_or(query)));
        }
        Ok(url)
    }

    async fn gather(&self, mut response: reqwest::Response, changes: bool) -> Result<Incoming, Failure> {
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let max = self.response_max_bytes;
        let length = response.content_length().and_then(|length| usize::try_from(length).ok());
        if length.is_some_and(|length| length > max) {
            return Err(too_large(changes));
        }
        let mut whole = Bytes::new();
        let mut parts = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport::within_answer(&error, changes))? {
            if whole.len() + parts.len() + chunk.len() > max {
                return Err(too_large(changes));
            }
            // Most answers come in one piece, which is taken as it is.
            if whole.is_empty() && parts.is_empty() {
                whole = chunk;
                continue;
            }
            if parts.is_empty() {
                parts.reserve(length.unwrap_or(whole.len() + chunk.len()));
                parts.extend_from_slice(&std::mem::take(&mut whole));
            }
            parts.extend_from_slice(&chunk);
        }
        let body = if parts.is_empty() { whole } else { parts.freeze() };
        Ok(Incoming { status, headers, body })
    }
}

/// How long an unused connection is kept: shorter than most servers do, so that few are found closed.
const IDLE: Duration = Duration::from_secs(20);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

async fn within<T>(deadline: Instant, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::timed_out("the deadline passed");
    if deadline <= Instant::now() {
        return Err(late());
    }
    tokio::time::timeout_at(deadline.into(), work).await.unwrap_or_else(|_| Err(late()))
}

fn too_large(changes: bool) -> Failure {
    let detail = "the answer is longer than response_max_bytes";
    if changes { transport::unknown(detail) } else { Failure::malformed(detail) }
}

fn base(settings: &Settings, secrets: &dyn Secrets) -> Result<Url, OpenError> {
    let text = secrets.text(&settings.url).map_err(|missing| OpenError(format!("url: {missing}")))?;
    let url = Url::parse(text.expose()).map_err(|error| OpenError(format!("url: this is no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.fragment().is_some() {
        return Err(OpenError("url: the address must be http or https, without a `#` part".to_owned()));
    }
    Ok(url)
}
