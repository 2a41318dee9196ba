//! Who the bus is to a broker, and how the connection is secured, whichever broker it is.

use std::path::Path;
use std::sync::Arc;

use rabita_http::settings::Tls;
use rabita_sdk::{Finding, OpenError, SecretRef, SecretText, Secrets, TextOrSecret};
use rustls::ClientConfig;

use crate::kind::CONNECTOR;

/// What a broker's settings say of it.
pub(crate) struct Access<'a> {
    /// Under which key of the connector they stand.
    pub(crate) key: &'static str,
    pub(crate) user: Option<&'a TextOrSecret>,
    pub(crate) password: Option<&'a SecretRef>,
    pub(crate) tls: Option<&'a Tls>,
}

impl Access<'_> {
    /// Everything wrong with it that the schema can't say.
    pub(crate) fn check(&self, findings: &mut Vec<Finding>) {
        let at = |key: &str| format!("{CONNECTOR}/{}/{key}", self.key);
        if let Some(tls) = self.tls {
            findings.extend(tls.check(&at("tls")));
        }
        match (self.user, self.password) {
            (Some(_), None) => findings.push(Finding::new(at("user"), "a user needs a password: add `password`")),
            (None, Some(_)) => findings.push(Finding::new(at("password"), "a password needs a user: add `user`")),
            _ => {}
        }
    }

    /// The user's name and password, where there is one.
    ///
    /// # Errors
    /// When a secret is missing.
    pub(crate) fn user(&self, secrets: &dyn Secrets) -> Result<Option<(SecretText, SecretText)>, OpenError> {
        let (Some(user), Some(password)) = (self.user, self.password) else { return Ok(None) };
        let missing = |key: &str, missing: String| OpenError(format!("{}.{key}: {missing}", self.key));
        let user = secrets.text(user).map_err(|why| missing("user", why))?;
        let password = secrets.resolve(password).map_err(|why| missing("password", why))?;
        Ok(Some((user, password)))
    }

    /// The client's side of TLS, where it is spoken.
    ///
    /// # Errors
    /// When a file or secret is missing, or is not what it should be.
    pub(crate) async fn tls(&self, secrets: &dyn Secrets, directory: &Path) -> Result<Option<Arc<ClientConfig>>, OpenError> {
        match self.tls {
            Some(tls) => Ok(Some(Arc::new(rabita_http::tls::client_config(tls, secrets, directory).await?))),
            None => Ok(None),
        }
    }
}
