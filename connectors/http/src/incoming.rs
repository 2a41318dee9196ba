//! An answer, and what its headers say about its body.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use encoding_rs::Encoding;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use rabita_sdk::Failure;

/// An answer read to its end.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Incoming {
    /// The media type without its parameters, as the registry writes it.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        content_type(&self.headers).map(|whole| whole.split(';').next().unwrap_or_default().trim())
    }

    /// The body as text, in the encoding that the answer names, else UTF-8. A byte order mark does not belong to it.
    ///
    /// # Errors
    /// `Malformed` when the encoding is not known, or the body is not in it.
    pub fn text(&self) -> Result<Cow<'_, str>, Failure> {
        let encoding = match charset(&self.headers) {
            None => encoding_rs::UTF_8,
            Some(label) => Encoding::for_label(label.as_bytes())
                .ok_or_else(|| Failure::malformed("the answer names an encoding that is not known"))?,
        };
        let (text, _, bad) = encoding.decode(&self.body);
        if bad {
            return Err(Failure::malformed(format!("the answer is not in {}", encoding.name())));
        }
        Ok(text)
    }

    /// When the registry says that it is worth to try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }
}

/// What `Retry-After` says (RFC 9110, section 10.2.3). A date is compared with the answer's own `Date`, so that the
/// clocks of the bus and the registry need not agree.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text_of(headers, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let now = jiff::fmt::rfc2822::parse(text_of(headers, &DATE)?).ok()?.timestamp();
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    text_of(headers, &CONTENT_TYPE)
}

fn charset(headers: &HeaderMap) -> Option<&str> {
    let parameters = content_type(headers)?.split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, value) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"'))
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &'static str)], body: &'static [u8]) -> Incoming {
        let pairs = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
        Incoming { status: StatusCode::OK, headers: pairs.collect(), body: Bytes::from_static(body) }
    }

    #[test]
    fn reads_text_in_the_encoding_that_the_answer_names() {
        let latin = answer(&[("content-type", "application/json; Charset=\"ISO-8859-1\"")], b"K\xf8benhavn");
        assert_eq!(latin.text().expect("text"), "København");
        assert_eq!(latin.media_type(), Some("application/json"));
        let marked = answer(&[], b"\xef\xbb\xbf{}");
        assert_eq!(marked.text().expect("text"), "{}");
        for bad in [answer(&[], b"K\xf8benhavn"), answer(&[("content-type", "text/xml; charset=klingon")], b"x")] {
            assert!(matches!(bad.text(), Err(Failure::Malformed { .. })));
        }
    }

    #[test]
    fn understands_both_forms_of_retry_after() {
        assert_eq!(answer(&[("retry-after", "120")], b"").retry_after(), Some(Duration::from_secs(120)));
        let dated = [("date", "Fri, 31 Dec 1999 23:59:00 GMT"), ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")];
        assert_eq!(answer(&dated, b"").retry_after(), Some(Duration::from_secs(59)));
        let past = [("date", "Fri, 31 Dec 1999 23:59:59 GMT"), ("retry-after", "Fri, 31 Dec 1999 23:59:00 GMT")];
        assert_eq!(answer(&past, b"").retry_after(), Some(Duration::ZERO));
        assert_eq!(answer(&[("retry-after", "soon")], b"").retry_after(), None);
    }
}
