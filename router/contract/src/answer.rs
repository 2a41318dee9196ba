//! Answers: a [`Body`], its entity tag and a [`Frame`] become a response.
//!
//! - A record is its JSON object. Several records are `{"records": [...]}` in the order of the keys, with `null` where
//!   there is none. A page is `{"records": [...], "next": "cursor"}`; without `next` it is the last.
//! - The body is made first and the response from it, so that its digest (for the ledger, and the [`ETag`]) is taken
//!   over the very bytes that leave, and nothing is serialised twice.
//! - `Cache-Control: private, no-cache`: no shared cache may keep personal data, and the caller's own asks again each
//!   time, which `ETag` and `304` make cheap. An answer to a `POST` is not cacheable anyway.
//! - `Vary` names what in the headers can change an answer. A caller known by certificate has none, hence `private`.
//! - The answer to `HEAD` has the length of the body it leaves out.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY};
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::Value;

use crate::signature::content_digest;
use crate::{Asked, ETag, Frame};

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// More than the headers that any answer has, so that the map never grows.
const HEADERS: usize = 16;

/// The body of an answer.
#[derive(Debug, Clone)]
pub struct Body {
    bytes: Bytes,
    media_type: &'static str,
}

impl Body {
    /// One record.
    #[must_use]
    pub fn record(record: &(impl Serialize + ?Sized)) -> Self {
        Self::json(record)
    }

    /// Several records in the order of the keys.
    #[must_use]
    pub fn many(records: &[Option<Value>]) -> Self {
        Self::json(&Records { records, next: None })
    }

    /// One page of a search.
    #[must_use]
    pub fn page(records: &[Value], next: Option<&str>) -> Self {
        Self::json(&Records { records, next })
    }

    /// Any JSON of the bus's own, such as the catalogue.
    #[must_use]
    pub fn json(value: &(impl Serialize + ?Sized)) -> Self {
        Self { bytes: serialised(value), media_type: "application/json" }
    }

    /// A JSON Schema.
    #[must_use]
    pub fn schema(document: &Value) -> Self {
        Self { bytes: serialised(document), media_type: "application/schema+json" }
    }

    /// The bytes that leave, for a digest.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// The answer: 200, or 304 when the caller has it already.
#[must_use]
pub fn respond(body: Body, etag: Option<&ETag>, asked: &Asked, frame: &Frame<'_>) -> Response<Bytes> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    frame.put(&mut headers);
    put_caching(&mut headers);
    if let Some(etag) = etag {
        headers.insert(ETAG, etag.header().clone());
        if asked.if_none_match.matches(etag) {
            return response(StatusCode::NOT_MODIFIED, headers, Bytes::new());
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.media_type));
    whole(StatusCode::OK, headers, body.bytes, asked)
}

/// The head of a binary answer, whose body the server streams. `sha256` is given where the whole value is at hand.
///
/// A media type that is none becomes `application/octet-stream`. Nothing the registry holds is shown as a page of the
/// bus: `Content-Security-Policy: sandbox` takes scripts and origin from it.
#[must_use]
pub fn binary_head(media_type: &str, length: Option<u64>, sha256: Option<&[u8; 32]>, frame: &Frame<'_>) -> Response<()> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    frame.put(&mut headers);
    put_caching(&mut headers);
    headers.insert(http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    let media_type = HeaderValue::from_str(media_type).ok().filter(|_| media_type.contains('/'));
    headers.insert(CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(sha256) = sha256 {
        headers.insert(REPR_DIGEST, content_digest(sha256));
    }
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    response
}

/// A response whose body is at hand, left out for `HEAD`.
pub(crate) fn whole(status: StatusCode, mut headers: HeaderMap, body: Bytes, asked: &Asked) -> Response<Bytes> {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response(status, headers, if asked.head_only { Bytes::new() } else { body })
}

fn response(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

pub(crate) fn put_caching(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization, Rabita-Purpose"));
}

pub(crate) fn serialised(value: &(impl Serialize + ?Sized)) -> Bytes {
    let mut buffer = Vec::with_capacity(1024);
    serde_json::to_writer(&mut buffer, value).expect("a value with text for names serialises into memory");
    Bytes::from(buffer)
}

struct Records<'a, T> {
    records: &'a [T],
    next: Option<&'a str>,
}

impl<T: Serialize> Serialize for Records<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("records", self.records)?;
        if let Some(next) = self.next {
            map.serialize_entry("next", next)?;
        }
        map.end()
    }
}
