//! A system that calls the bus, and what it is answered.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use reqwest::header::HeaderMap;
use reqwest::{Certificate, ClientBuilder, Method, RequestBuilder};
use serde_json::Value;

use super::authority::{Authority, Identity};

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http2,
    Either,
}

/// A system that calls the bus.
#[derive(Debug, Clone)]
pub struct Caller {
    client: reqwest::Client,
    base: String,
}

/// What a call was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub version: reqwest::Version,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Caller {
    /// One with this certificate, or none.
    #[must_use]
    pub fn new(address: SocketAddr, identity: Option<&Identity>, speaks: Speaks) -> Self {
        Self::with(address, identity, |client| match speaks {
            Speaks::Http1 => client.http1_only(),
            Speaks::Http2 => client.http2_prior_knowledge(),
            Speaks::Either => client,
        })
    }

    /// One with more settings.
    ///
    /// # Panics
    /// When the certificate is none.
    pub fn with(address: SocketAddr, identity: Option<&Identity>, more: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let authority = Certificate::from_pem(Authority::get().certificate.as_bytes()).expect("a certificate");
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).tls_certs_only([authority]);
        let client = match identity {
            None => client,
            Some(Identity { certificate, key }) => {
                let pem = format!("{certificate}{key}");
                client.identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("a certificate and its key"))
            }
        };
        Self { client: more(client).build().expect("a client"), base: format!("https://127.0.0.1:{}", address.port()) }
    }

    /// A request to add to.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.sent(self.request(Method::GET, path)).await
    }

    /// Asks with the arguments in the body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.sent(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When there is no whole answer.
    pub async fn sent(&self, request: RequestBuilder) -> Answer {
        Self::try_sent(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn try_sent(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let answer = request.send().await?;
        let (status, version, headers) = (answer.status().as_u16(), answer.version(), answer.headers().clone());
        let body = reqwest::Body::from(answer).collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Answer { status, version, headers, body: body.to_bytes(), trailers })
    }

    /// Reads, where no answer may come.
    ///
    /// # Errors
    /// When none does.
    pub async fn try_get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        Self::try_sent(self.request(Method::GET, path)).await
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {:?}", self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The problem's code; empty where this is no problem.
    #[must_use]
    pub fn code(&self) -> String {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(Value::Object(members)) => members.get("code").and_then(Value::as_str).unwrap_or_default().to_owned(),
            _ => String::new(),
        }
    }

    /// This, where the record or records were given.
    ///
    /// # Panics
    /// When they were not.
    pub fn good(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }

    /// This, where it was refused in this way.
    ///
    /// # Panics
    /// When it was not.
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text());
        self
    }

    /// The places and codes of a problem's errors, in order.
    #[must_use]
    pub fn errors(&self) -> Vec<(String, String)> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let word = |error: &Value, name: &str| error[name].as_str().map(str::to_owned);
        let place = |error: &Value| word(error, "pointer").or_else(|| word(error, "parameter")).unwrap_or_default();
        errors.iter().map(|error| (place(error), word(error, "code").unwrap_or_default())).collect()
    }
}
