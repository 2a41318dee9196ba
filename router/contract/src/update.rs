//! Changes on their way: the answer to one, and the document that tells how it stands.
//!
//! - A change that was applied is answered with 200, or 201 where it made a record; one that is still on its way, or
//!   waits for a person, with 202 and the update's address. One that came to nothing is a problem with the code of its
//!   end. All have `Rabita-Update`.
//! - The body is the update's document, or what an action replies.
//! - `Preference-Applied` (RFC 7240) names the preference that shaped the answer.
//! - A document tells what came in the way until the update ends, and then how it ended; never what was to be written.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use rabita_model::ask::Key;
use rabita_model::{Blame, Code, Conclusion, Entry, Operation, Outcome, Retry, Target, Wait};
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Body, put_caching, serialised, whole};
use crate::problem::{Error, concluded};
use crate::request::encode_key;
use crate::{Asked, Frame};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What the answer to a change needs to know beside the update.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChangeTerms<'a> {
    /// How long the caller was ready to wait, cut down to what the node allows.
    pub wait: Wait,
    /// The path of the record that was to be made, where its key may stand in a URL.
    pub record: Option<&'a str>,
    /// Where in the body the record stands: [`rabita_model::Submission::within`].
    pub within: &'a str,
}

/// The answer to a change, as far as it has come.
#[must_use]
pub fn change_answer(entry: &Entry, terms: &ChangeTerms<'_>, asked: &Asked, frame: &Frame<'_>) -> Response<Bytes> {
    let frame = Frame { update: Some(entry.update.id), ..*frame };
    match &entry.conclusion {
        None => accepted(entry, terms, asked, &frame),
        Some(conclusion) => match failure(conclusion) {
            None => applied(entry, conclusion, terms, asked, &frame),
            Some(code) => concluded(code, conclusion, terms.within, asked, &frame),
        },
    }
}

/// The document of one update.
#[must_use]
pub fn update(entry: &Entry) -> Body {
    Body::json(&Document::of(entry))
}

/// Several updates, in their order. Without `next` they are the last.
#[must_use]
pub fn updates(entries: &[Entry], next: Option<&str>) -> Body {
    #[derive(Serialize)]
    struct Updates<'a> {
        updates: Vec<Document<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<&'a str>,
    }
    Body::json(&Updates { updates: entries.iter().map(Document::of).collect(), next })
}

/// The path of a record: what [`crate::parse`] reads its key from.
#[must_use]
pub fn record_path(target: &Target, key: &Key) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values: Vec<String> = key.0.iter().map(text).collect();
    format!("/api/{target}/{}", encode_key(&values.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Why a change was not applied, where it was not.
fn failure(conclusion: &Conclusion) -> Option<Code> {
    let by_itself = match conclusion.outcome {
        Outcome::Applied => return None,
        Outcome::Refused => Code::RegistryRefused,
        Outcome::Conflicted => Code::PreconditionFailed,
        Outcome::Expired => Code::UpdateExpired,
    };
    Some(conclusion.code.unwrap_or(by_itself))
}

fn applied(entry: &Entry, conclusion: &Conclusion, terms: &ChangeTerms<'_>, asked: &Asked, frame: &Frame<'_>) -> Response<Bytes> {
    let mut headers = head(frame);
    let is_made = entry.update.operation == Operation::Create;
    if let Some(path) = terms.record.filter(|_| is_made) {
        // A path of percent-encoded names is a header value.
        headers.extend(HeaderValue::from_str(path).map(|path| (LOCATION, path)).ok());
    }
    if let Wait::For(_) = terms.wait {
        put_applied(&mut headers, terms.wait);
    }
    let body = conclusion.reply.as_ref().map_or_else(|| serialised(&Document::of(entry)), serialised);
    whole(if is_made { StatusCode::CREATED } else { StatusCode::OK }, headers, body, asked)
}

fn accepted(entry: &Entry, terms: &ChangeTerms<'_>, asked: &Asked, frame: &Frame<'_>) -> Response<Bytes> {
    let mut headers = head(frame);
    let location = HeaderValue::try_from(format!("/bus/updates/{}", entry.update.id)).expect("a UUID is a header value");
    headers.insert(LOCATION, location);
    headers.insert(RETRY_AFTER, HeaderValue::from(1));
    put_applied(&mut headers, terms.wait);
    whole(StatusCode::ACCEPTED, headers, serialised(&Document::of(entry)), asked)
}

fn head(frame: &Frame<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    frame.put(&mut headers);
    put_caching(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn put_applied(headers: &mut HeaderMap, wait: Wait) {
    let applied = match wait {
        Wait::Unsaid => return,
        Wait::Not => HeaderValue::from_static("respond-async"),
        Wait::For(time) => HeaderValue::try_from(format!("wait={}", time.as_secs())).expect("digits are a header value"),
    };
    headers.insert(PREFERENCE_APPLIED, applied);
}

#[derive(Serialize)]
struct Document<'a> {
    id: String,
    #[serde(flatten)]
    target: &'a Target,
    operation: Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    state: &'static str,
    accepted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    apply_until: Option<String>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Ended<'a>>,
    idempotency_key: &'a str,
    exchange: String,
}

/// A code with its answers.
#[derive(Serialize)]
struct Said {
    code: Code,
    blame: Blame,
    retry: Retry,
    title: &'static str,
}

#[derive(Serialize)]
struct Ended<'a> {
    at: String,
    #[serde(flatten)]
    said: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Error<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<&'a Value>,
}

impl<'a> Document<'a> {
    fn of(entry: &'a Entry) -> Self {
        let Entry { update, progress, conclusion, .. } = entry;
        let is_on_its_way = conclusion.is_none();
        Self {
            id: update.id.to_string(),
            target: &update.target,
            operation: update.operation,
            action: update.action.as_ref().map(rabita_model::ActionName::as_str),
            state: entry.state().as_str(),
            accepted_at: update.accepted_at.to_string(),
            apply_until: update.apply_until.map(|time| time.to_string()),
            attempts: entry.attempts(),
            next_at: progress.next_at.filter(|_| is_on_its_way && !entry.is_parked).map(|time| time.to_string()),
            trouble: progress.trouble.as_ref().filter(|_| is_on_its_way).map(|trouble| Said::of(trouble.code)),
            outcome: conclusion.as_ref().map(Ended::of),
            idempotency_key: &update.idempotency_key,
            exchange: update.exchange.to_string(),
        }
    }
}

impl Said {
    const fn of(code: Code) -> Self {
        Self { code, blame: code.blame(), retry: code.retry(), title: code.public_message() }
    }
}

impl<'a> Ended<'a> {
    fn of(conclusion: &'a Conclusion) -> Self {
        let code = failure(conclusion);
        let errors = conclusion.faults.iter().map(|told| Error::told(told, ""));
        Self {
            at: conclusion.at.to_string(),
            said: code.map(Said::of),
            reason: conclusion.reason.as_deref(),
            // As in a problem: what a registry broke is not quoted.
            errors: if code == Some(Code::RegistryBrokeContract) {
                errors.map(Error::without_message).collect()
            } else {
                errors.collect()
            },
            reply: conclusion.reply.as_ref(),
        }
    }
}
