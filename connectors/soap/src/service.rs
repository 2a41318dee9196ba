//! One call of the service: a request out, and what came back told apart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rabita_http::{Client, Incoming, Outgoing};
use rabita_sdk::reply::Meaning;
use rabita_sdk::request::{Values, WithCall};
use rabita_sdk::{Call, Failure, Legacy};

use crate::envelope::{self, Content, NoEnvelope};
use crate::plan::Ask;
use crate::security::{Guard, Moment};
use crate::settings::SoapVersion;
use crate::template::Template;
use crate::xml::{Names, Xml, decode};

/// A service behind SOAP.
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) version: SoapVersion,
    pub(crate) namespaces: BTreeMap<String, String>,
    pub(crate) header: Template,
    pub(crate) guard: Option<Guard>,
    pub(crate) faults: BTreeMap<String, Meaning>,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// The element in the body.
    Answer(String, Legacy),
    /// Nothing, which says that it was taken.
    Nothing,
    /// A fault with a meaning that is neither a refusal nor unavailability.
    Said(Meaning),
}

impl Service {
    /// Writes a request.
    ///
    /// # Errors
    /// When a value can't be written.
    pub(crate) fn request(&self, ask: &Ask, values: &dyn Values, changes: bool, call: &Call) -> Result<Outgoing, Failure> {
        let values = WithCall { values, call };
        let mut xml = Xml::new();
        let namespaces = self.namespaces.iter().map(|(prefix, uri)| (prefix.as_str(), uri.as_str()));
        let unwritable = |_| Failure::unsupported("a setting has a character that XML can't carry");
        envelope::open(self.version, namespaces, &mut xml).map_err(unwritable)?;
        if self.guard.is_some() || !self.header.is_empty() {
            xml.open("soapenv:Header", []).map_err(unwritable)?;
            if let Some(guard) = &self.guard {
                let moment = Moment::now().map_err(|_| Failure::unavailable("no random bytes for a nonce"))?;
                guard.write("soapenv", &moment, &mut xml).map_err(unwritable)?;
            }
            self.header.write(&values, &mut xml)?;
            xml.close();
        }
        xml.open("soapenv:Body", []).map_err(unwritable)?;
        ask.template.write(&values, &mut xml)?;
        let headers = self.headers(&ask.action)?;
        Ok(Outgoing { method: Method::POST, path: String::new(), headers, body: Some(Bytes::from(xml.finish())), changes })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no answer, none that is understood, or a fault that is a failure.
    pub(crate) async fn send(&self, outgoing: Outgoing, names: &Names, call: &Call) -> Result<Reply, Failure> {
        let changes = outgoing.changes;
        let incoming = self.client.send(outgoing, call).await?;
        self.understand(&incoming, names, changes)
    }

    fn headers(&self, action: &str) -> Result<HeaderMap, Failure> {
        let value = |text: String| HeaderValue::try_from(text).map_err(|_| Failure::unsupported("the SOAPAction is no header"));
        let mut headers = HeaderMap::new();
        match self.version {
            SoapVersion::V1_1 => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
                headers.insert(SOAP_ACTION, value(format!("\"{action}\""))?);
            }
            SoapVersion::V1_2 if action.is_empty() => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/soap+xml; charset=utf-8"));
            }
            SoapVersion::V1_2 => {
                headers.insert(CONTENT_TYPE, value(format!("application/soap+xml; charset=utf-8; action=\"{action}\""))?);
            }
        }
        headers.insert(ACCEPT, HeaderValue::from_static("text/xml, application/soap+xml"));
        Ok(headers)
    }

    fn understand(&self, incoming: &Incoming, names: &Names, changes: bool) -> Result<Reply, Failure> {
        if incoming.status.is_success() && incoming.body.trim_ascii().is_empty() {
            return Ok(Reply::Nothing);
        }
        let media_type = incoming.media_type().unwrap_or_default().to_ascii_lowercase();
        if media_type.starts_with("multipart/") {
            return Err(no_answer(changes, "it has attachments, which are not spoken".into()));
        }
        let content = decode(&incoming.body, charset(incoming))
            .map_err(NoEnvelope::from)
            .and_then(|text: Cow<'_, str>| envelope::read(&text, names));
        match content {
            Ok(Content::Answer(name, value)) if incoming.status.is_success() => Ok(Reply::Answer(name.to_string(), value)),
            Ok(Content::Nothing) if incoming.status.is_success() => Ok(Reply::Nothing),
            Ok(Content::Answer(..) | Content::Nothing) => Err(by_status(incoming, changes)),
            Ok(Content::Fault(fault)) => {
                let (meaning, word) = fault.meaning(&self.faults);
                if word.is_none() && is_for_the_operator(incoming.status) {
                    return Err(by_status(incoming, changes));
                }
                let detail = word.map_or_else(|| format!("a fault {}", fault.code()), |word| format!("the fault {word}"));
                said(meaning, word, detail, incoming)
            }
            Err(wrong) if incoming.status.is_success() => Err(no_answer(changes, wrong.to_string())),
            Err(_) => Err(by_status(incoming, changes)),
        }
    }
}

/// Something else came than what was agreed. After a change it stays open whether it was applied.
pub(crate) fn no_answer(changes: bool, detail: String) -> Failure {
    if changes { Failure::Unknown { detail } } else { Failure::Malformed { detail } }
}

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

fn said(meaning: Meaning, word: Option<&str>, detail: String, incoming: &Incoming) -> Result<Reply, Failure> {
    match meaning.or_failure(word, detail) {
        Err(Failure::Unavailable { detail, .. }) => Err(Failure::Unavailable { detail, retry_after: incoming.retry_after() }),
        outcome => outcome.map(Reply::Said),
    }
}

/// What a status says when the service itself says nothing: something before it has answered.
fn by_status(incoming: &Incoming, changes: bool) -> Failure {
    let detail = format!("status {}", incoming.status.as_u16());
    let unavailable = |detail| Failure::Unavailable { detail, retry_after: incoming.retry_after() };
    match incoming.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => unavailable(detail),
        // The service may have worked, and only its answer been lost on the way.
        status if status.is_server_error() && changes => Failure::Unknown { detail },
        status if status.is_server_error() => unavailable(detail),
        status if is_for_the_operator(status) => unavailable(detail),
        status if status.is_client_error() => Failure::refused(detail),
        _ => no_answer(changes, detail),
    }
}

/// Credentials and addresses are the operator's to mend, and then the same request will do.
const fn is_for_the_operator(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 405 | 407)
}

fn charset(incoming: &Incoming) -> Option<&str> {
    let whole = incoming.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let mut named = whole.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"')).filter(|value| !value.is_empty())
}
