//! The headers that go with a change: `Idempotency-Key`, `If-Match`, `Prefer` and `Rabita-Apply-Until`.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderValue;
use jiff::Timestamp;
use rabita_model::{Change, Code, Fault, IfMatch, Operation, Refusal, Submission, Wait};

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const APPLY_UNTIL: &str = "Rabita-Apply-Until";
const IF_MATCH_NAME: &str = "If-Match";
const KEY_MAX: usize = 200;

/// What the headers say of a change.
pub(super) struct Terms {
    idempotency_key: Option<String>,
    if_match: Option<IfMatch>,
    wait: Wait,
    apply_until: Option<Timestamp>,
    /// The worst that is wrong with them, where something is.
    code: Code,
}

impl Terms {
    pub(super) fn of(headers: &HeaderMap, faults: &mut Vec<Fault>) -> Self {
        let mut code = Code::InvalidRequest;
        let if_match = match if_match(headers) {
            Ok(found) => found,
            Err(fault) => {
                faults.push(fault);
                code = Code::MalformedRequest;
                None
            }
        };
        let idempotency_key = match idempotency_key(headers) {
            Ok(Some(key)) => Some(key),
            Ok(None) => {
                let message = "a change has a key of its caller's, the same at each repeat: a UUID will do";
                faults.push(Fault::parameter(IDEMPOTENCY_KEY, "required", message));
                code = Code::IdempotencyKeyMissing;
                None
            }
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        Self { idempotency_key, if_match, wait: wait(headers), apply_until: apply_until(headers, faults), code }
    }

    /// The change on these terms, or the refusal with all that is wrong.
    pub(super) fn submission(
        self,
        change: Option<(Change, &'static str)>,
        mut faults: Vec<Fault>,
    ) -> Result<Submission, Refusal> {
        if let (Some((change, _)), Some(_)) = (&change, &self.if_match)
            && change.operation() == Operation::Create
        {
            let message = "a new record has no version to rest on";
            faults.push(Fault::parameter(IF_MATCH_NAME, "excludes", message));
        }
        match (change, self.idempotency_key) {
            (Some((change, within)), Some(idempotency_key)) if faults.is_empty() => {
                let Self { if_match, wait, apply_until, .. } = self;
                Ok(Submission { change, within, idempotency_key, if_match, wait, apply_until })
            }
            _ => Err(Refusal::with_faults(self.code, faults)),
        }
    }
}

/// The key, without the quotes of a structured field's string (RFC 8941, 3.3.3). `None` where none is given.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = single(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    let text = value.as_bytes().trim_ascii();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > KEY_MAX || !text.iter().all(u8::is_ascii_graphic) {
        let message = format!("an idempotency key is 1 to {KEY_MAX} visible ASCII characters");
        return Err(Fault::parameter(IDEMPOTENCY_KEY, "header_text", message));
    }
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

/// `*` or one strong tag: with a list the caller would not know which version it changed.
fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, Fault> {
    let Some(value) = single(headers, IF_MATCH_NAME)? else { return Ok(None) };
    let text = value.as_bytes().trim_ascii();
    if text == b"*" {
        return Ok(Some(IfMatch::Any));
    }
    let tag = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    match tag.filter(|tag| !tag.is_empty() && tag.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"')) {
        Some(tag) => Ok(Some(IfMatch::Tag(String::from_utf8_lossy(tag).into_owned()))),
        None => Err(Fault::parameter(IF_MATCH_NAME, "etag", "`If-Match` is `*` or one strong entity tag in quotes")),
    }
}

/// RFC 7240: of preferences that stand twice the first counts, and what is not understood is passed over. `wait` beside
/// `respond-async` says how long to wait before the answer comes without the outcome.
fn wait(headers: &HeaderMap) -> Wait {
    let mut waits = None;
    let mut is_async = false;
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    for preference in lines.flat_map(|line| line.split(',')) {
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').map_or((preference, ""), |(name, value)| (name, value));
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => is_async = true,
            "wait" => waits = waits.or_else(|| value.trim().trim_matches('"').parse::<u32>().ok()),
            _ => {}
        }
    }
    match waits {
        Some(seconds) => Wait::For(Duration::from_secs(u64::from(seconds))),
        None if is_async => Wait::Not,
        None => Wait::Unsaid,
    }
}

fn apply_until(headers: &HeaderMap, faults: &mut Vec<Fault>) -> Option<Timestamp> {
    let value = match single(headers, APPLY_UNTIL) {
        Ok(value) => value?,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let time = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    if time.is_none() {
        faults.push(Fault::parameter(APPLY_UNTIL, "format", "a time is written as in RFC 3339: `2027-03-01T09:00:00Z`"));
    }
    time
}

/// A header that stands at most once.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a HeaderValue>, Fault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Fault::parameter(name, "duplicate", "this header stands twice"));
    }
    Ok(first)
}
