//! One attempt to bring one event: a signed `POST`, as Standard Webhooks 1.0 prescribes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use rabita_config::webhooks::Webhooks as Spec;
use rabita_model::{EventId, ExchangeId};
use reqwest::Certificate;
use reqwest::redirect::Policy;

use super::address;
use super::secret::Secret;

/// The longest that a receiver can put a next attempt off.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// Sends events.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: reqwest::Client,
    spec: Spec,
}

/// Why webhooks cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    #[error("the authorities of receivers in {0} cannot be read: {1}")]
    Authorities(PathBuf, std::io::Error),
    #[error("the authorities of receivers in {0} are no certificates")]
    NoCertificates(PathBuf),
    #[error("no client can be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The receiver wants no more, ever.
    Gone,
    Failed {
        /// In a few words, without the address and what the receiver said.
        why: String,
        /// When the receiver wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl Sender {
    /// What sends to where these settings permit. Relative files are relative to the directory.
    pub fn new(spec: &Spec, directory: &Path) -> Result<Self, SenderError> {
        let timeout = Duration::from_millis(spec.timeout_ms);
        let authorities = spec.authorities.as_ref().map(|file| authorities(&directory.join(file))).transpose()?;
        let client = reqwest::Client::builder()
            .tls_certs_merge(authorities.unwrap_or_default())
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .https_only(!spec.dangerously_allow_http_webhooks)
            .dns_resolver(address::Resolver { allow_private: spec.dangerously_allow_private_webhooks })
            .connect_timeout(timeout)
            .timeout(timeout)
            .user_agent(concat!("rabita/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, spec: spec.clone() })
    }

    /// Sends one event once, as this exchange.
    pub async fn send(&self, url: &str, secret: &Secret, id: EventId, exchange: ExchangeId, body: Bytes) -> Outcome {
        // The node's rules may have become stricter since the subscription was made.
        let Ok(url) = address::check(url, &self.spec) else {
            return Outcome::Failed { why: "the address is none that the bus connects to".to_owned(), retry_after: None };
        };
        let now = Timestamp::now();
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header("rabita-exchange", exchange.to_string())
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", secret.sign(id, now, &body))
            .body(body);
        match request.send().await {
            Ok(answer) => outcome(answer.status(), answer.headers(), now),
            Err(error) => Outcome::Failed { why: word(&error).to_owned(), retry_after: None },
        }
    }
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, SenderError> {
    let text = std::fs::read(file).map_err(|error| SenderError::Authorities(file.to_owned(), error))?;
    let found = Certificate::from_pem_bundle(&text).unwrap_or_default();
    if found.is_empty() { Err(SenderError::NoCertificates(file.to_owned())) } else { Ok(found) }
}

fn outcome(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Outcome {
    if status.is_success() {
        return Outcome::Done;
    }
    if status == StatusCode::GONE {
        return Outcome::Gone;
    }
    let waits = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = waits.then(|| headers.get(RETRY_AFTER)?.to_str().ok().and_then(|text| wait(text, now))).flatten();
    Outcome::Failed { why: format!("answered {}", status.as_u16()), retry_after }
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            Duration::try_from(date.duration_since(now)).ok()?
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// What went wrong, without the address.
fn word(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "could not be connected to"
    } else {
        "broke the exchange off"
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn failed(status: u16, retry_after: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        let status = StatusCode::from_u16(status).expect("a status");
        match outcome(status, &headers, Timestamp::UNIX_EPOCH) {
            Outcome::Failed { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_success_is_done_410_is_the_end_and_all_else_has_failed() {
        let of = |status| outcome(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new(), Timestamp::UNIX_EPOCH);
        assert_eq!((of(200), of(204), of(410)), (Outcome::Done, Outcome::Done, Outcome::Gone));
        for status in [301, 400, 404, 500] {
            assert!(matches!(of(status), Outcome::Failed { retry_after: None, .. }), "{status}");
        }
    }

    #[test]
    fn a_receiver_says_when_to_come_again_in_seconds_or_as_a_date() {
        assert_eq!(failed(429, "120"), Some(Duration::from_secs(120)));
        assert_eq!(failed(503, "Thu, 01 Jan 1970 00:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(failed(503, "Wed, 31 Dec 1969 00:00:30 GMT"), None, "a date that is over");
        assert_eq!(failed(503, "99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(failed(503, "soon"), None);
        assert_eq!(failed(500, "120"), None, "no other status puts off");
    }
}
