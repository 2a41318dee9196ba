//! Request headers.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use rabita_model::{Code, Fault, Purpose, Refusal};

/// What a patch may be sent as.
pub(crate) const PATCH_TYPES: [&str; 2] = ["application/merge-patch+json", "application/json"];

const TEXT_MAX: usize = 200;

/// What the headers say about the reason for the request.
pub(super) struct Words {
    pub(super) purpose: Option<Purpose>,
    pub(super) user: Option<String>,
    pub(super) case: Option<String>,
    pub(super) consent: Option<String>,
}

pub(super) fn words(headers: &HeaderMap, faults: &mut Vec<Fault>) -> Words {
    Words {
        purpose: text(headers, "Rabita-Purpose", faults).and_then(|word| match Purpose::new(&word) {
            Ok(purpose) => Some(purpose),
            Err(bad) => {
                faults.push(Fault::parameter("Rabita-Purpose", "purpose", format!("a purpose is {}", bad.expected)));
                None
            }
        }),
        user: text(headers, "Rabita-User", faults),
        case: text(headers, "Rabita-Case", faults),
        consent: text(headers, "Rabita-Consent", faults),
    }
}

/// Refuses a body that is not JSON.
pub(super) fn content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    uncoded(headers)?;
    let essence = essence(headers);
    let is_json = essence.as_deref().is_some_and(|essence| {
        essence == "application/json"
            || essence.strip_prefix("application/").and_then(|sub| sub.strip_suffix("+json")).is_some_and(|s| !s.is_empty())
    });
    if is_json { Ok(()) } else { Err(Code::MediaTypeUnsupported.into()) }
}

/// Refuses a patch that is no merge patch: another kind of patch is an array, or means something else by an object.
pub(super) fn patch_type(headers: &HeaderMap) -> Result<(), Refusal> {
    uncoded(headers)?;
    let is_merge_patch = essence(headers).is_some_and(|essence| PATCH_TYPES.contains(&essence.as_str()));
    if is_merge_patch { Ok(()) } else { Err(Code::MediaTypeUnsupported.into()) }
}

/// Refuses a body that is not plain text.
pub(super) fn text_type(headers: &HeaderMap) -> Result<(), Refusal> {
    uncoded(headers)?;
    if essence(headers).as_deref() == Some("text/plain") { Ok(()) } else { Err(Code::MediaTypeUnsupported.into()) }
}

/// Refuses a body that is compressed: unpacked, a small one may have no end (RFC 9110, 8.4 and 15.5.16).
fn uncoded(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_plain = headers.get_all(CONTENT_ENCODING).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_plain { Ok(()) } else { Err(Code::MediaTypeUnsupported.into()) }
}

fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Refuses when `Accept` is there and takes none of the media types in which the answer exists (RFC 9110, 12.5.1).
pub(super) fn accepts(headers: &HeaderMap, media_types: &[&str]) -> Result<(), Refusal> {
    if media_types.is_empty() || !headers.contains_key(ACCEPT) {
        return Ok(());
    }
    let ranges: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    let accepted = media_types.iter().any(|media_type| {
        // The most specific range that covers the type decides.
        ranges
            .iter()
            .filter_map(|range| covers(range, media_type))
            .max_by_key(|(rank, _)| *rank)
            .is_some_and(|(_, wanted)| wanted)
    });
    if accepted { Ok(()) } else { Err(Code::NotAcceptable.into()) }
}

/// How specific a media range is for a type that it covers, and whether its weight is above zero.
fn covers(range: &str, media_type: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let (main, _) = media_type.split_once('/')?;
    let rank = if essence == "*/*" {
        0
    } else if essence.split_once('/').is_some_and(|(range_main, sub)| sub == "*" && range_main.eq_ignore_ascii_case(main)) {
        1
    } else if essence.eq_ignore_ascii_case(media_type) {
        2
    } else {
        return None;
    };
    let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    Some((rank, weight.is_none_or(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0))))
}

fn text(headers: &HeaderMap, name: &'static str, faults: &mut Vec<Fault>) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        faults.push(Fault::parameter(name, "duplicate", "this header stands twice"));
        return None;
    }
    let text =
        decoded(value).filter(|text| !text.is_empty() && text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control));
    if text.is_none() {
        let message = format!("this header holds 1 to {TEXT_MAX} visible characters, in UTF-8 or as `UTF-8''percent-encoded`");
        faults.push(Fault::parameter(name, "header_text", message));
    }
    text
}

fn decoded(value: &HeaderValue) -> Option<String> {
    let text = std::str::from_utf8(value.as_bytes()).ok()?.trim();
    match text.get(..7).filter(|start| start.eq_ignore_ascii_case("utf-8''")) {
        Some(_) => super::decoded(&text[7..]).ok().map(|text| text.trim().to_owned()),
        None => Some(text.to_owned()),
    }
}
