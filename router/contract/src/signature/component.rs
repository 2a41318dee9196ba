//! What a signature covers, and the line that each component makes in the signature base (RFC 9421, 2).

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use super::request::refused;
use rabita_model::Refusal;

/// The lines of a signature base, one after the other.
pub(super) struct Base(pub(super) Vec<u8>);

impl Base {
    /// The start of a line: the component's name, and what stands after it.
    pub(super) fn name(&mut self, name: &str, parameters: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'"');
        self.0.extend_from_slice(parameters.as_bytes());
        self.0.extend_from_slice(b": ");
    }

    pub(super) fn line(&mut self, name: &str, parameters: &str, value: &[u8]) {
        self.name(name, parameters);
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    /// The line of a header: its values, joined (RFC 9421, 2.1). Tells whether the header is there.
    pub(super) fn field(&mut self, headers: &HeaderMap, name: &str) -> bool {
        let mut values = headers.get_all(name).iter();
        let Some(first) = values.next() else { return false };
        self.name(name, "");
        self.0.extend_from_slice(first.as_bytes().trim_ascii());
        for value in values {
            self.0.extend_from_slice(b", ");
            self.0.extend_from_slice(value.as_bytes().trim_ascii());
        }
        self.0.push(b'\n');
        true
    }

    /// `@query` (RFC 9421, 2.2.7): a request without a query has one of `?`.
    pub(super) fn query(&mut self, parameters: &str, head: &Parts) {
        self.name("@query", parameters);
        self.0.push(b'?');
        self.0.extend_from_slice(head.uri.query().unwrap_or_default().as_bytes());
        self.0.push(b'\n');
    }
}

/// `@authority` (RFC 9421, 2.2.3): in lower case, without the port that HTTPS has anyway.
pub(super) fn authority(head: &Parts) -> Result<String, Refusal> {
    let bad = |message| refused("Host", "authority", message);
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().map_err(|_| bad("the header is no host"))).transpose()?;
    if hosts.next().is_some() {
        return Err(bad("this header stands twice"));
    }
    let normal = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        text.strip_suffix(":443").map(str::to_owned).unwrap_or(text)
    };
    match (head.uri.authority().map(|authority| normal(authority.as_str())), host.map(normal)) {
        (Some(target), Some(host)) if target != host => Err(bad("the request names two hosts")),
        (Some(authority), _) | (None, Some(authority)) => Ok(authority),
        (None, None) => Err(bad("the request names no host")),
    }
}

/// What a client has as the path and the query of its request's target.
pub(super) fn path_and_query(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
}
