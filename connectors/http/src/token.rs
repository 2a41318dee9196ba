//! Access tokens by client credentials (RFC 6749, section 4.4): fetched when needed, once for all who wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use rabita_sdk::{Failure, OpenError, Secrets};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use crate::credentials::basic;
use crate::settings::{ClientAuth, OAuth2};
use crate::transport;

/// Gives the token that is good now.
pub struct TokenSource {
    url: Url,
    form: String,
    client: Option<HeaderValue>,
    held: ArcSwapOption<Token>,
    fetching: Mutex<()>,
}

/// A token, as the header that shows it.
pub struct Token {
    pub authorization: HeaderValue,
    good_until: Option<Instant>,
}

impl TokenSource {
    /// Prepares the question for a token.
    ///
    /// # Errors
    /// When a secret is missing or the address is none.
    pub fn new(settings: &OAuth2, secrets: &dyn Secrets) -> Result<Self, OpenError> {
        let at = |key: &'static str| move |missing| OpenError(format!("auth.oauth2.{key}: {missing}"));
        let id = secrets.text(&settings.client_id).map_err(at("client_id"))?;
        let secret = secrets.resolve(&settings.client_secret).map_err(at("client_secret"))?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &settings.scope), ("audience", &settings.audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let client = match settings.client_auth {
            ClientAuth::Body => {
                form.append_pair("client_id", id.expose()).append_pair("client_secret", secret.expose());
                None
            }
            ClientAuth::Basic => {
                // Both are encoded as in a form first (RFC 6749, section 2.3.1).
                let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let mut value = HeaderValue::from_str(&basic(&encoded(id.expose()), &encoded(secret.expose())))
                    .map_err(|_| OpenError("auth.oauth2: this can't stand in a header".to_owned()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let url = Url::parse(&settings.token_url).map_err(|error| OpenError(format!("auth.oauth2.token_url: {error}")))?;
        Ok(Self { url, form: form.finish(), client, held: ArcSwapOption::empty(), fetching: Mutex::new(()) })
    }

    /// Whether the token endpoint is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The token that is held while it is good, else a new one.
    ///
    /// # Errors
    /// `Unavailable` when no token is to be had.
    pub async fn current(&self, http: &reqwest::Client) -> Result<Arc<Token>, Failure> {
        if let Some(token) = self.good() {
            return Ok(token);
        }
        let _turn = self.fetching.lock().await;
        match self.good() {
            Some(token) => Ok(token),
            None => self.fetch(http).await,
        }
    }

    /// A token in place of one that the registry took no longer.
    ///
    /// # Errors
    /// `Unavailable` when no token is to be had.
    pub async fn renewed(&self, old: &Arc<Token>, http: &reqwest::Client) -> Result<Arc<Token>, Failure> {
        let _turn = self.fetching.lock().await;
        match self.good() {
            Some(token) if !Arc::ptr_eq(&token, old) => Ok(token),
            _ => self.fetch(http).await,
        }
    }

    fn good(&self) -> Option<Arc<Token>> {
        let token = self.held.load_full()?;
        token.good_until.is_none_or(|until| Instant::now() < until).then_some(token)
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Arc<Token>, Failure> {
        let mut request = reqwest::Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(client) = &self.client {
            headers.insert(AUTHORIZATION, client.clone());
        }
        *request.body_mut() = Some(self.form.clone().into());
        let asked = Instant::now();
        let response = http.execute(request).await.map_err(|error| untaken(&transport::before_answer(&error, false)))?;
        let status = response.status();
        if !status.is_success() {
            return Err(Failure::unavailable(format!("no access token: the token endpoint answered {}", status.as_u16())));
        }
        let answer: TokenAnswer = serde_json::from_slice(&body(response).await?).map_err(|_| not_a_token())?;
        let token = Arc::new(answer.into_token(asked).ok_or_else(not_a_token)?);
        self.held.store(Some(Arc::clone(&token)));
        Ok(token)
    }
}

/// The answer of a token endpoint (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<Lifetime>,
}

/// The standard has a number; some endpoints write it as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lifetime {
    Seconds(f64),
    Text(String),
}

impl TokenAnswer {
    fn into_token(self, asked: Instant) -> Option<Token> {
        if self.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return None;
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", self.access_token)).ok()?;
        authorization.set_sensitive(true);
        let seconds = self.expires_in.and_then(|lifetime| match lifetime {
            Lifetime::Seconds(seconds) => Some(seconds),
            Lifetime::Text(text) => text.trim().parse().ok(),
        });
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let good_until = lifetime.and_then(|lifetime| asked.checked_add(lifetime - MARGIN.min(lifetime / 10)));
        Some(Token { authorization, good_until })
    }
}

/// A token is replaced so long before it ends, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(30);

const ANSWER_MAX_BYTES: usize = 64 * 1024;

async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| not_a_token())? {
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(not_a_token());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn not_a_token() -> Failure {
    Failure::unavailable("no access token: the token endpoint's answer holds none")
}

fn untaken(failure: &Failure) -> Failure {
    Failure::unavailable(format!("no access token: {failure}"))
}
