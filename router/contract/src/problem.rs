//! Problems (RFC 9457): the only place where a refusal becomes a status and a body.
//!
//! A problem adds `code`, `blame`, `retry` and `exchange`, `reason` where a registry gave one for callers, and
//! `errors`. Its `detail` is [`Refusal::explanation`]. An error is `{pointer | parameter, code, message}`. Where the registry broke its contract, an error has
//! pointer and code only: messages could quote what the registry holds. [`Refusal::detail`] is never shown.
//!
//! `Retry-After` stands wherever the same request may succeed later; where nobody knows when, it is one second.
//! Problems are `no-store`. The media type is `application/problem+json` whatever `Accept` says: a caller that takes
//! nothing else is better told than left without a word.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use rabita_model::update;
use rabita_model::{Blame, Code, Conclusion, Fault, Refusal, Retry};
use serde::{Serialize, Serializer};

use crate::answer::{serialised, whole};
use crate::request::PATCH_TYPES;
use crate::{Asked, Frame};

const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What `type` of a problem begins with; the code follows.
pub(crate) const TYPE: &str = "urn:rabita:problem:";

/// The status of a code.
#[must_use]
pub const fn status(code: Code) -> StatusCode {
    match code {
        Code::MalformedRequest | Code::IdentifierInUrl | Code::CursorInvalid | Code::IdempotencyKeyMissing => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated | Code::TokenInvalid | Code::SignatureMissing | Code::SignatureInvalid => StatusCode::UNAUTHORIZED,
        Code::NotPermitted
        | Code::FieldNotPermitted
        | Code::PurposeMissing
        | Code::PurposeNotPermitted
        | Code::GrantExpired
        | Code::OutsideHours
        | Code::BindingMissing
        | Code::ConsentMissing
        | Code::ConsentInvalid => StatusCode::FORBIDDEN,
        Code::RouteAbsent | Code::RecordAbsent | Code::UpdateAbsent | Code::SubscriptionAbsent | Code::LedgerEntryAbsent => {
            StatusCode::NOT_FOUND
        }
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Code::RecordExists | Code::UpdateDiscarded => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MediaTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::InvalidRequest | Code::RegistryRefused | Code::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::RegistryBrokeContract => StatusCode::BAD_GATEWAY,
        Code::RegistryUnavailable
        | Code::RegistryCircuitOpen
        | Code::RegistryBusy
        | Code::UpdateBehind
        | Code::JournalUnavailable
        | Code::LedgerUnavailable
        | Code::BusOverloaded
        | Code::BusStopping => StatusCode::SERVICE_UNAVAILABLE,
        Code::RegistryTimeout | Code::UpdateExpired | Code::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The response that says no.
#[must_use]
pub fn problem(refusal: &Refusal, asked: &Asked, frame: &Frame<'_>) -> Response<bytes::Bytes> {
    let errors = refusal.faults.iter().map(Error::of).collect();
    let told = Told { detail: refusal.explanation.as_deref(), reason: refusal.reason.as_deref(), errors };
    refused(refusal.code, told, refusal.retry_after, asked, frame)
}

/// The response that tells how a change ended that was not applied. Pointers of its faults lead into the record, which
/// stands `within` the request's body.
pub(crate) fn concluded(
    code: Code,
    conclusion: &Conclusion,
    within: &str,
    asked: &Asked,
    frame: &Frame<'_>,
) -> Response<bytes::Bytes> {
    let errors = conclusion.faults.iter().map(|told| Error::told(told, within)).collect();
    let told = Told { detail: None, reason: conclusion.reason.as_deref(), errors };
    refused(code, told, None, asked, frame)
}

/// What is told of a refusal besides its code.
struct Told<'a> {
    detail: Option<&'a str>,
    reason: Option<&'a str>,
    errors: Vec<Error<'a>>,
}

fn refused(
    code: Code,
    told: Told<'_>,
    retry_after: Option<Duration>,
    asked: &Asked,
    frame: &Frame<'_>,
) -> Response<bytes::Bytes> {
    let mut headers = HeaderMap::with_capacity(16);
    frame.put(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match code {
        // RFC 9110 wants a challenge; neither a client certificate nor a signature has a scheme of its own.
        Code::Unauthenticated | Code::SignatureMissing | Code::SignatureInvalid => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rabita\""));
        }
        // RFC 6750, 3: which of its checks failed is nobody's business but the operator's.
        Code::TokenInvalid => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rabita\", error=\"invalid_token\""));
        }
        Code::MethodNotAllowed => {
            headers.insert(ALLOW, HeaderValue::from_static(asked.allow));
        }
        Code::MediaTypeUnsupported => {
            let (name, types) = match asked.is_patch {
                // RFC 5789, 2.2.
                true => (ACCEPT_PATCH, HeaderValue::try_from(PATCH_TYPES.join(", ")).expect("media types are a header value")),
                false => (ACCEPT, HeaderValue::from_static("application/json")),
            };
            headers.insert(name, types);
        }
        _ => {}
    }
    if let Some(seconds) = wait_s(code, retry_after) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    whole(status(code), headers, serialised(&Problem::of(code, told, frame)), asked)
}

/// Whole seconds, rounded up, so that a caller which obeys does not come too early.
fn wait_s(code: Code, known: Option<Duration>) -> Option<u64> {
    let waits = status(code) == StatusCode::SERVICE_UNAVAILABLE || code.retry() == Retry::After;
    let wait = known.or(waits.then_some(Duration::from_secs(1)))?;
    Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type", serialize_with = "urn")]
    kind: Code,
    title: &'static str,
    status: u16,
    code: &'static str,
    blame: Blame,
    retry: Retry,
    #[serde(serialize_with = "displayed")]
    exchange: rabita_model::ExchangeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Error<'a>>,
}

/// One thing that is wrong, as callers see it.
#[derive(Serialize)]
pub(crate) struct Error<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> Problem<'a> {
    fn of(code: Code, told: Told<'a>, frame: &Frame<'_>) -> Self {
        let Told { detail, reason, errors } = told;
        let quotes_nothing = code != Code::RegistryBrokeContract;
        Self {
            kind: code,
            title: code.public_message(),
            status: status(code).as_u16(),
            code: code.as_str(),
            blame: code.blame(),
            retry: code.retry(),
            exchange: frame.exchange,
            detail,
            reason,
            errors: errors.into_iter().map(|error| if quotes_nothing { error } else { error.without_message() }).collect(),
        }
    }
}

impl<'a> Error<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self {
            pointer: fault.parameter.is_none().then_some(Cow::Borrowed(fault.pointer.as_str())),
            parameter: fault.parameter.as_deref(),
            code: fault.code,
            message: Some(fault.message.as_str()),
        }
    }

    /// A fault of a change that was accepted, with its place `within` a body.
    pub(crate) fn told(told: &'a update::Told, within: &str) -> Self {
        let pointer = if within.is_empty() {
            Cow::Borrowed(told.pointer.as_str())
        } else {
            Cow::Owned(format!("{within}{}", told.pointer))
        };
        Self { pointer: Some(pointer), parameter: None, code: &told.code, message: Some(&told.message) }
    }

    pub(crate) fn without_message(self) -> Self {
        Self { message: None, ..self }
    }
}

fn urn<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{TYPE}{code}"))
}

fn displayed<S: Serializer>(id: &rabita_model::ExchangeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
