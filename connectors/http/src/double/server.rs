//! The stand-in's server.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::asked::Asked;
use super::foreseen::{Came, Foreseen, Response};

/// A server on the loopback address. It ends when this is dropped.
pub struct Double {
    base_url: String,
    state: Arc<State>,
    server: AbortHandle,
}

struct State {
    exchanges: Vec<Foreseen>,
    complaints: Mutex<Vec<String>>,
    asked: Mutex<Vec<Asked>>,
}

impl Double {
    /// Starts the server with what it is to answer.
    ///
    /// # Errors
    /// A sentence, when a response can't be written or there is no free port.
    pub async fn start(exchanges: Vec<Foreseen>) -> Result<Self, String> {
        for (place, exchange) in exchanges.iter().enumerate() {
            write(&exchange.response).map_err(|wrong| format!("exchange {}: {wrong}", place + 1))?;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|error| format!("the stand-in finds no port: {error}"))?;
        let address = listener.local_addr().map_err(|error| format!("the stand-in finds no port: {error}"))?;
        let state = Arc::new(State { exchanges, complaints: Mutex::default(), asked: Mutex::default() });
        let server = tokio::spawn(serve(listener, Arc::clone(&state))).abort_handle();
        Ok(Self { base_url: format!("http://{address}"), state, server })
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The requests that were not foreseen, in the order in which they came. Holds values: for fixtures only.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.state.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests that came, in their order. Holds values: for fixtures only.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn serve(listener: TcpListener, state: Arc<State>) {
    // The connections end with the server: they are tasks of its own.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // It answers without delay where it can't; then it is merely slower.
        let _slower = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            // A connection that a test breaks is no matter of the server's.
            let _broken = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(state: Arc<State>, request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
    let came = Came { method: &head.method, path: head.uri.path(), query: head.uri.query(), headers: &head.headers, body: &body };
    state.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked::from(&came));
    let fitting = state.exchanges.iter().filter(|exchange| exchange.request.differences(&came).is_empty());
    // The first of those that say most: `max_by_key` alone would take the last.
    let Some(exchange) = fitting.rev().max_by_key(|exchange| exchange.request.weight()) else {
        let complaint = complaint(&state.exchanges, &came);
        state.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(complaint);
        return Ok(unforeseen());
    };
    if let Some(delay) = exchange.response.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    Ok(write(&exchange.response).unwrap_or_else(|_| unforeseen()))
}

fn complaint(exchanges: &[Foreseen], came: &Came<'_>) -> String {
    let query = came.query.map(|query| format!("?{query}")).unwrap_or_default();
    let line = format!("not foreseen: {} {}{query}", came.method, came.path);
    let likeness = |exchange: &&Foreseen| {
        let differences = exchange.request.differences(came);
        let alike = exchange.request.path.bytes().zip(came.path.bytes()).take_while(|(a, b)| a == b).count();
        (differences.contains(&"the path".to_owned()), differences.len(), usize::MAX - alike)
    };
    match exchanges.iter().min_by_key(likeness) {
        None => format!("{line}; nothing is foreseen"),
        Some(nearest) => {
            let differences = nearest.request.differences(came).join(", ");
            format!("{line}; the nearest foreseen is {}, which differs in {differences}", nearest.request.line())
        }
    }
}

fn unforeseen() -> http::Response<Body> {
    let mut response = http::Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}

fn write(foreseen: &Response) -> Result<http::Response<Body>, String> {
    let given = [foreseen.json.is_some(), foreseen.xml.is_some(), foreseen.body.is_some(), foreseen.base64.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err("a response has one of json, xml, body and base64".to_owned());
    }
    let (bytes, media_type) = body_of(foreseen)?;
    let status = StatusCode::from_u16(foreseen.status.unwrap_or(200)).map_err(|_| "the status is none".to_owned())?;
    let length = bytes.len();
    let mut response = http::Response::new(match foreseen.cut_after_bytes {
        Some(kept) if kept < length => cut(bytes.slice(..kept)),
        _ => full(bytes),
    });
    *response.status_mut() = status;
    if foreseen.cut_after_bytes.is_some() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(media_type) = media_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    for (name, value) in &foreseen.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no name of a header"))?;
        let value = HeaderValue::from_str(value).map_err(|_| format!("the value of {name} can't stand in a header"))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

fn body_of(foreseen: &Response) -> Result<(Bytes, Option<&'static str>), String> {
    if let Some(json) = &foreseen.json {
        return Ok((json.to_string().into(), Some("application/json")));
    }
    if let Some(xml) = &foreseen.xml {
        return Ok((xml.clone().into(), Some("text/xml; charset=utf-8")));
    }
    if let Some(text) = &foreseen.base64 {
        let bytes = STANDARD.decode(text).map_err(|_| "base64 is none".to_owned())?;
        return Ok((bytes.into(), None));
    }
    Ok((foreseen.body.clone().unwrap_or_default().into(), None))
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn cut(kept: Bytes) -> Body {
    let broken = stream::once(async {
        // What stands before the break is sent only when the body lets wait.
        tokio::time::sleep(FLUSHED).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    BodyExt::boxed(StreamBody::new(stream::iter([Ok(Frame::data(kept))]).chain(broken)))
}

const FLUSHED: Duration = Duration::from_millis(5);
