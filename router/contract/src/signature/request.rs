//! Signed requests are read.

use http::header::HeaderName;
use http::request::Parts;
use rabita_model::{Code, Fault, Refusal};
use sfv::{Dictionary, FieldType as _, InnerList, ListEntry, ListSerializer, Parameters, Parser};

use super::component::{Base, authority, path_and_query};
use super::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT};

/// Many more than a request has. Bounds what reading a signature costs.
const COMPONENTS_MAX: usize = 64;
/// So many bytes are read of each of the two headers. What they say is recorded, and an entry of the ledger has an end.
const HEADER_MAX: usize = 4_096;

/// A request's signature, read and not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// What the signature names its key.
    pub key_id: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// Seconds since the epoch.
    pub expires: Option<i64>,
    pub nonce: Option<String>,
    /// The algorithm's name in the registry of RFC 9421.
    pub algorithm: Option<String>,
    /// What was signed.
    pub base: Vec<u8>,
    pub signature: Vec<u8>,
    /// What the signature covers and its parameters, as `Signature-Input` has them.
    pub input: String,
}

/// Reads the signature of a request. `None` where it has none. `has_body` tells whether it has a body that counts.
///
/// # Errors
/// `signature_invalid`, with everything that the signature should have covered.
pub fn signed_request(head: &Parts, has_body: bool) -> Result<Option<SignedRequest>, Refusal> {
    if !head.headers.contains_key(SIGNATURE) && !head.headers.contains_key(SIGNATURE_INPUT) {
        return Ok(None);
    }
    let (label, entry) = only_member(head, &SIGNATURE, "Signature")?;
    let (input_label, inputs) = only_member(head, &SIGNATURE_INPUT, "Signature-Input")?;
    let ListEntry::Item(item) = entry else { return Err(malformed("Signature", "a signature is bytes")) };
    let Some(signature) = item.bare_item.as_byte_sequence() else {
        return Err(malformed("Signature", "a signature is bytes: `rabita=:...:`"));
    };
    let ListEntry::InnerList(list) = inputs else {
        return Err(malformed("Signature-Input", "what is covered is a list"));
    };
    if label != input_label {
        return Err(malformed("Signature-Input", "its label is another than that of the signature"));
    }
    let covered = covered(&list)?;
    cover_all(head, has_body, &covered)?;
    let input = serialised(&list);
    let mut base = Base(Vec::with_capacity(1024));
    for name in &covered {
        component(&mut base, head, name)?;
    }
    base.name("@signature-params", "");
    base.0.extend_from_slice(input.as_bytes());
    let text = |name| text(&list.params, name);
    Ok(Some(SignedRequest {
        key_id: text("keyid")?.ok_or_else(|| malformed("Signature-Input", "`keyid` is missing"))?,
        created: seconds(&list.params, "created")?.ok_or_else(|| malformed("Signature-Input", "`created` is missing"))?,
        expires: seconds(&list.params, "expires")?,
        nonce: text("nonce")?,
        algorithm: text("alg")?,
        base: base.0,
        signature: signature.to_vec(),
        input,
    }))
}

impl SignedRequest {
    /// Holds the signature's times against the clock: `now` in seconds since the epoch. Both ends belong to the window.
    ///
    /// # Errors
    /// `signature_invalid` where it is too old, from the future, or expired.
    pub fn check_time(&self, now: i64, window_s: u64) -> Result<(), Refusal> {
        let window = i64::try_from(window_s).unwrap_or(i64::MAX);
        if self.created < now.saturating_sub(window) {
            return Err(refused("Signature-Input", "too_old", "`created` is too long ago"));
        }
        if self.created > now.saturating_add(window) {
            return Err(refused("Signature-Input", "from_future", "`created` is in the future: one of the clocks is wrong"));
        }
        if self.expires.is_some_and(|expires| expires < now) {
            return Err(refused("Signature-Input", "expired", "`expires` is past"));
        }
        Ok(())
    }
}

/// The one member of a dictionary, which stands in one header in the form that RFC 9651 serialises.
fn only_member(head: &Parts, name: &HeaderName, told: &'static str) -> Result<(String, ListEntry), Refusal> {
    let mut values = head.headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| malformed(told, "one of `Signature` and `Signature-Input` is missing"))?;
    if values.next().is_some() {
        return Err(malformed(told, "this header stands twice"));
    }
    if value.len() > HEADER_MAX {
        return Err(refused(told, "too_long", "a signature and what it covers are told in 4096 bytes each"));
    }
    let members: Dictionary =
        Parser::new(value.as_bytes()).parse().map_err(|_| malformed(told, "this is no structured field (RFC 9651)"))?;
    if members.len() != 1 {
        return Err(malformed(told, "a request bears exactly one signature"));
    }
    if members.serialize().is_none_or(|text| text.as_bytes() != value.as_bytes().trim_ascii()) {
        return Err(malformed(
            told,
            "this header is not in the form that RFC 9651 serialises: something stands twice, or needlessly",
        ));
    }
    let (label, entry) = members.into_iter().next().expect("there is one");
    Ok((label.as_str().to_owned(), entry))
}

/// The names of what is covered.
fn covered(list: &InnerList) -> Result<Vec<&str>, Refusal> {
    if list.items.len() > COMPONENTS_MAX {
        return Err(malformed("Signature-Input", "the signature covers too much"));
    }
    let mut covered = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let name = item.bare_item.as_string().map(|name| name.as_str());
        let name = name.ok_or_else(|| malformed("Signature-Input", "what is covered is named by strings"))?;
        if !item.params.is_empty() {
            return Err(malformed("Signature-Input", "a component of a request has no parameters here"));
        }
        if covered.contains(&name) {
            return Err(malformed("Signature-Input", "something is covered twice"));
        }
        covered.push(name);
    }
    Ok(covered)
}

/// Refuses a signature that leaves out what decides what the request means, naming all of it.
fn cover_all(head: &Parts, has_body: bool, covered: &[&str]) -> Result<(), Refusal> {
    let has = |name: &str| covered.contains(&name);
    let is_whole = has("@target-uri");
    let mut missing: Vec<&str> = Vec::new();
    if !has("@method") {
        missing.push("@method");
    }
    if !is_whole && !has("@authority") {
        missing.push("@authority");
    }
    if !is_whole && !has("@request-target") {
        missing.extend(["@path", "@query"].into_iter().filter(|name| !has(name)));
    }
    if has_body && !head.headers.contains_key(CONTENT_DIGEST) {
        missing.push(CONTENT_DIGEST);
    }
    missing.extend(head.headers.keys().map(HeaderName::as_str).filter(|name| counts(name) && !has(name)));
    if missing.is_empty() {
        return Ok(());
    }
    let fault = |name| Fault::parameter("Signature-Input", "not_covered", format!("the signature has to cover `{name}`"));
    let faults = missing.into_iter().map(fault).collect();
    Err(Refusal::with_faults(Code::SignatureInvalid, faults).detail("the signature leaves out what has to be covered"))
}

/// Whether a header decides what a request means, so that it has to be covered where it is there.
fn counts(name: &str) -> bool {
    [CONTENT_DIGEST, "idempotency-key", "if-match", "authorization"].contains(&name) || name.starts_with("rabita-")
}

/// The line of a component.
fn component(base: &mut Base, head: &Parts, name: &str) -> Result<(), Refusal> {
    match name {
        "@method" => base.line(name, "", head.method.as_str().as_bytes()),
        "@authority" => base.line(name, "", authority(head)?.as_bytes()),
        // No listener is without TLS.
        "@scheme" => base.line(name, "", b"https"),
        "@target-uri" => base.line(name, "", format!("https://{}{}", authority(head)?, path_and_query(head)).as_bytes()),
        "@request-target" => base.line(name, "", path_and_query(head).as_bytes()),
        "@path" => base.line(name, "", head.uri.path().as_bytes()),
        "@query" => base.query("", head),
        // A signature cannot cover itself, and there is no other.
        "signature" | "signature-input" => return Err(malformed("Signature-Input", "the signature covers itself")),
        // RFC 9421, 2.1: in lower case.
        field if !is_field_name(field) => return Err(malformed("Signature-Input", "a component is unknown")),
        field => {
            if !base.field(&head.headers, field) {
                let message = "the signature covers a header that did not come";
                return Err(refused("Signature-Input", "absent", message));
            }
        }
    }
    Ok(())
}

fn is_field_name(name: &str) -> bool {
    HeaderName::from_lowercase(name.as_bytes()).is_ok()
}

/// What is covered, and the parameters.
fn serialised(list: &InnerList) -> String {
    let mut serialiser = ListSerializer::new();
    serialiser.members([&ListEntry::InnerList(list.clone())]);
    serialiser.finish().expect("a list with a member")
}

fn text(parameters: &Parameters, name: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = parameters.get(name) else { return Ok(None) };
    let text = value.as_string().map(|text| Some(text.as_str().to_owned()));
    text.ok_or_else(|| malformed("Signature-Input", "`keyid`, `nonce` and `alg` are strings"))
}

fn seconds(parameters: &Parameters, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = parameters.get(name) else { return Ok(None) };
    let seconds = value.as_integer().map(|seconds| Some(i64::from(seconds)));
    seconds.ok_or_else(|| malformed("Signature-Input", "`created` and `expires` are whole seconds"))
}

fn malformed(header: &'static str, message: &'static str) -> Refusal {
    refused(header, "syntax", message)
}

/// A signature that does not hold. The message says nothing that the request says.
pub(super) fn refused(header: &'static str, code: &'static str, message: &'static str) -> Refusal {
    Refusal::with_faults(Code::SignatureInvalid, vec![Fault::parameter(header, code, message)]).detail(message)
}
