//! Answers are signed. Each answer comes by here, so the text is made in one go and nothing is looked up twice.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::HeaderValue;
use http::request::Parts;
use http::{HeaderMap, Response};
use sfv::{Dictionary, ListEntry, Parser};

use super::component::Base;
use super::{SIGNATURE, SIGNATURE_INPUT};

/// The headers of an answer that are covered where they are there.
const FIELDS: [&str; 12] = [
    "content-digest",
    "repr-digest",
    "content-type",
    "etag",
    "location",
    "age",
    "idempotency-replayed",
    "rabita-exchange",
    "rabita-observed",
    "rabita-receipt",
    "rabita-stale",
    "rabita-update",
];

/// What stands before the signature and its parameters, in both headers.
const LABEL: &[u8] = b"rabita=";

/// Who signs, and when.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// What the key is named in `keyid`: printable ASCII.
    pub key_id: &'a str,
    /// The algorithm's name in the registry of RFC 9421.
    pub algorithm: &'static str,
    /// Seconds since the epoch.
    pub created: i64,
}

/// What is signed of an answer.
#[derive(Debug)]
pub struct AnswerBase {
    base: Vec<u8>,
    /// Where the signature's parameters begin: they are the last line, and `Signature-Input`.
    parameters: usize,
}

impl AnswerBase {
    /// Takes it from an answer whose head is complete, and the request.
    #[must_use]
    pub fn of<B>(response: &Response<B>, request: &Parts, signing: &Signing<'_>) -> Self {
        let mut base = Base(Vec::with_capacity(1024 + request.uri.path().len() + request.uri.query().map_or(0, str::len)));
        base.line("@status", "", response.status().as_str().as_bytes());
        let fields = FIELDS.map(|name| base.field(response.headers(), name));
        base.line("@method", ";req", request.method.as_str().as_bytes());
        base.line("@path", ";req", request.uri.path().as_bytes());
        base.query(";req", request);
        let signed = signature_of(&request.headers);
        if let Some((label, signature)) = &signed {
            base.name("signature", &of_request(label));
            base.0.push(b':');
            base.0.extend_from_slice(BASE64.encode(signature).as_bytes());
            base.0.extend_from_slice(b":\n");
        }
        base.name("@signature-params", "");
        let Base(mut base) = base;
        let parameters = base.len();
        base.extend_from_slice(b"(\"@status\"");
        for (name, _) in FIELDS.iter().zip(fields).filter(|(_, is_there)| *is_there) {
            base.extend_from_slice(b" \"");
            base.extend_from_slice(name.as_bytes());
            base.push(b'"');
        }
        base.extend_from_slice(b" \"@method\";req \"@path\";req \"@query\";req");
        if let Some((label, _)) = &signed {
            base.extend_from_slice(b" \"signature\"");
            base.extend_from_slice(of_request(label).as_bytes());
        }
        let Signing { key_id, algorithm, created } = signing;
        write!(base, ");created={created};keyid=\"{key_id}\";alg=\"{algorithm}\"").expect("memory takes what is written");
        Self { base, parameters }
    }

    /// What is signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.base
    }

    /// Puts the signature of [`Self::bytes`] into the answer.
    ///
    /// # Panics
    /// When the key's name is not printable ASCII.
    pub fn put(self, headers: &mut HeaderMap, signature: &[u8]) {
        let parameters = &self.base[self.parameters..];
        let mut text = Vec::with_capacity(LABEL.len() + parameters.len());
        text.extend_from_slice(LABEL);
        text.extend_from_slice(parameters);
        headers.insert(SIGNATURE_INPUT, header(text));
        let mut text = String::with_capacity(LABEL.len() + signature.len() * 4 / 3 + 6);
        text.push_str("rabita=:");
        BASE64.encode_string(signature, &mut text);
        text.push(':');
        headers.insert(SIGNATURE, header(text.into_bytes()));
    }
}

/// Signs an answer whose head is complete, with `Content-Digest` where its body is at hand.
///
/// # Errors
/// Whatever `sign` says. The answer is as it was then.
pub fn sign_answer<B, E>(
    response: &mut Response<B>,
    request: &Parts,
    signing: &Signing<'_>,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    let base = AnswerBase::of(response, request, signing);
    let signature = sign(base.bytes())?;
    base.put(response.headers_mut(), &signature);
    Ok(())
}

/// The one signature of a request, with its label.
fn signature_of(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let mut values = headers.get_all(SIGNATURE).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let signatures: Dictionary = Parser::new(value.as_bytes()).parse().ok()?;
    let mut signatures = signatures.into_iter();
    let ((label, ListEntry::Item(item)), None) = (signatures.next()?, signatures.next()) else { return None };
    Some((label.as_str().to_owned(), item.bare_item.as_byte_sequence()?.to_vec()))
}

/// The parameters of a component that is a member of a header of the request (RFC 9421, 2.1.2 and 2.4). A label needs
/// no escape.
fn of_request(label: &str) -> String {
    format!(";req;key=\"{label}\"")
}

fn header(text: Vec<u8>) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("names of keys and components are a header value")
}
