//! The headers and parameters that go with every request, made once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use rabita_sdk::{OpenError, SecretRef, Secrets};
use url::{Url, form_urlencoded};

use crate::Settings;
use crate::settings::{ApiKey, Auth};
use crate::token::TokenSource;

/// What every request carries.
pub struct Credentials {
    pub headers: HeaderMap,
    /// Encoded as in an address.
    pub query: Option<String>,
    pub tokens: Option<TokenSource>,
}

impl Credentials {
    /// Looks all secrets up. A user and password in the address move out of it.
    ///
    /// # Errors
    /// When a secret is missing, or can't stand where it belongs.
    pub fn new(settings: &Settings, base: &mut Url, secrets: &dyn Secrets) -> Result<Self, OpenError> {
        let mut made = Self { headers: HeaderMap::new(), query: None, tokens: None };
        for (name, value) in &settings.headers {
            let at = || format!("headers.{name}");
            let text = secrets.text(value).map_err(|missing| OpenError(format!("{}: {missing}", at())))?;
            made.insert(name, text.expose(), &at())?;
        }
        if !base.username().is_empty() || base.password().is_some() {
            let user = decoded(base.username());
            let password = decoded(base.password().unwrap_or_default());
            made.insert(AUTHORIZATION.as_str(), &basic(&user, &password), "url")?;
            let bare = base.set_username("").and_then(|()| base.set_password(None));
            bare.map_err(|()| OpenError("url: this is no address".to_owned()))?;
        }
        let lookup =
            |secret: &SecretRef, at: &str| secrets.resolve(secret).map_err(|missing| OpenError(format!("auth.{at}: {missing}")));
        match &settings.auth {
            None => {}
            Some(Auth::Basic(auth)) => {
                let user = secrets.text(&auth.user).map_err(|missing| OpenError(format!("auth.basic.user: {missing}")))?;
                let password = lookup(&auth.password, "basic.password")?;
                made.insert(AUTHORIZATION.as_str(), &basic(user.expose(), password.expose()), "auth.basic")?;
            }
            Some(Auth::Bearer(auth)) => {
                let token = lookup(&auth.token, "bearer.token")?;
                made.insert(AUTHORIZATION.as_str(), &format!("Bearer {}", token.expose()), "auth.bearer.token")?;
            }
            Some(Auth::ApiKey(auth)) => made.add_key(auth, lookup(&auth.value, "api_key.value")?.expose())?,
            Some(Auth::OAuth2(auth)) => made.tokens = Some(TokenSource::new(auth, secrets)?),
        }
        Ok(made)
    }

    fn add_key(&mut self, auth: &ApiKey, value: &str) -> Result<(), OpenError> {
        if let Some(name) = &auth.query {
            self.query = Some(form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish());
        }
        match &auth.header {
            Some(name) => self.insert(name, value, "auth.api_key"),
            None => Ok(()),
        }
    }

    fn insert(&mut self, name: &str, value: &str, at: &str) -> Result<(), OpenError> {
        let bad = |what: &str| OpenError(format!("{at}: {what}"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("this is no name of a header"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad("this can't stand in a header"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }
}

/// The value of a basic `Authorization` header.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
