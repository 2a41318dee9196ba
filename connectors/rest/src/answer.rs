//! What an answer means: its status, and its JSON.

use std::collections::BTreeMap;

use http::StatusCode;
use rabita_http::Incoming;
use rabita_sdk::reply::{Dotted, code};
use rabita_sdk::{Failure, Legacy};

use crate::settings::{Errors, Meaning};

/// What statuses mean at this registry.
pub struct Statuses {
    own: BTreeMap<u16, Meaning>,
    refused_code: Option<Dotted>,
}

impl Statuses {
    /// Takes what the manifest says. `check` has seen that its names are statuses.
    pub fn new(errors: &Errors) -> Self {
        let own = errors.statuses.iter().filter_map(|(status, meaning)| Some((status.parse().ok()?, *meaning)));
        Self { own: own.collect(), refused_code: errors.refused_code.as_deref().map(Dotted::new) }
    }

    /// What the manifest says a status means, if it does.
    pub fn stated(&self, status: StatusCode) -> Option<Meaning> {
        self.own.get(&status.as_u16()).copied()
    }

    /// What the status of an answer to a question means.
    pub fn of_read(&self, status: StatusCode) -> Meaning {
        self.stated(status).unwrap_or_else(|| match status.as_u16() {
            200 | 203 => Meaning::Ok,
            204 | 205 | 404 | 410 => Meaning::Absent,
            401 | 403 | 408 | 425 | 429 | 500.. => Meaning::Unavailable,
            400.. => Meaning::Refused,
            _ => Meaning::Malformed,
        })
    }

    /// What the status of an answer to a change means. Behind most 5xx a part of the work may have been done; those by
    /// which a server says that it did not begin are `Unavailable`.
    pub fn of_change(&self, status: StatusCode) -> Meaning {
        self.stated(status).unwrap_or_else(|| match status.as_u16() {
            200..=299 => Meaning::Ok,
            404 | 410 => Meaning::Absent,
            409 | 412 => Meaning::Conflict,
            401 | 403 | 408 | 425 | 429 | 501 | 503 => Meaning::Unavailable,
            500.. => Meaning::Unknown,
            400.. => Meaning::Refused,
            _ => Meaning::Malformed,
        })
    }

    /// The failure that an answer of this meaning is.
    pub fn failure(&self, meaning: Meaning, answer: &Incoming) -> Failure {
        let status = answer.status.as_u16();
        let detail = match status {
            401 | 403 => format!("the registry does not take the bus's credentials (status {status})"),
            _ => format!("status {status}"),
        };
        match meaning {
            Meaning::Refused | Meaning::Conflict | Meaning::Absent => Failure::Refused { detail, reason: self.reason(answer) },
            Meaning::Unavailable => Failure::Unavailable { detail, retry_after: answer.retry_after() },
            Meaning::Unknown => Failure::Unknown { detail },
            Meaning::Malformed | Meaning::Ok => Failure::malformed(detail),
        }
    }

    fn reason(&self, answer: &Incoming) -> Option<String> {
        let mut body = json(answer).ok()?;
        code(self.refused_code.as_ref()?.find(&mut body)?)
    }
}

/// The answer's JSON.
///
/// # Errors
/// `Malformed` when it is none.
pub fn json(answer: &Incoming) -> Result<Legacy, Failure> {
    if let Some(media_type) = answer.media_type()
        && !is_json(media_type)
    {
        return Err(Failure::malformed("the answer's media type is not JSON"));
    }
    let text = answer.text()?;
    // The parser's own words may quote the answer.
    serde_json::from_str(&text)
        .map_err(|error| Failure::malformed(format!("the answer is no JSON at line {}, column {}", error.line(), error.column())))
}

fn is_json(media_type: &str) -> bool {
    let lower = media_type.to_ascii_lowercase();
    matches!(lower.as_str(), "application/json" | "text/json" | "text/plain" | "application/octet-stream")
        || lower.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).expect("a status")
    }

    #[test]
    fn every_status_has_a_meaning_and_the_manifest_can_change_it() {
        let usual = Statuses::new(&Errors::default());
        for code in 100..=999 {
            let (read, change) = (usual.of_read(status(code)), usual.of_change(status(code)));
            assert_eq!(read == Meaning::Ok, matches!(code, 200 | 203), "{code}");
            assert_eq!(change == Meaning::Ok, (200..300).contains(&code), "{code}");
            assert_ne!(read, Meaning::Unknown, "{code}");
        }
        let own = Errors { statuses: BTreeMap::from([("403".to_owned(), Meaning::Refused)]), refused_code: None };
        assert_eq!(Statuses::new(&own).of_read(status(403)), Meaning::Refused);
    }

    #[test]
    fn a_reason_is_a_code_and_never_a_text() {
        let statuses = Statuses::new(&Errors { refused_code: Some("error.code".to_owned()), statuses: BTreeMap::new() });
        let reason = |body: &'static str| {
            let answer = Incoming { status: status(422), headers: http::HeaderMap::new(), body: body.into() };
            match statuses.failure(Meaning::Refused, &answer) {
                Failure::Refused { reason, .. } => reason,
                other => panic!("{other}"),
            }
        };
        assert_eq!(reason(r#"{"error":{"code":"E-17.a_b"}}"#), Some("E-17.a_b".to_owned()));
        assert_eq!(reason(r#"{"error":{"code":4711}}"#), Some("4711".to_owned()));
        for none in [r#"{"error":{"code":"Ali Aliyev was born in 1978"}}"#, r#"{"error":{"code":""}}"#, "{}", "<html>", "[]"] {
            assert_eq!(reason(none), None, "{none}");
        }
    }
}
