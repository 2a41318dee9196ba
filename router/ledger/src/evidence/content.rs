//! What was asked and answered, as bytes of which there is one form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The bytes of a request or an answer, in Base64 within a bundle.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Content(pub Vec<u8>);

impl TryFrom<String> for Content {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self).map_err(|_| "this is not Base64")
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        STANDARD.encode(content.0)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// The bytes of a request that its digest is of: the method, the path with the query, the headers that count by name and then
/// value, an empty line, the body. Names of headers are in lower case; neither names nor values hold a line feed.
pub fn request_bytes<'a>(
    method: &str,
    path_and_query: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    body: &[u8],
) -> Vec<u8> {
    let mut headers: Vec<_> = headers.into_iter().collect();
    headers.sort_unstable();
    let length = headers.iter().map(|(name, value)| name.len() + value.len() + 3).sum::<usize>();
    let mut bytes = Vec::with_capacity(method.len() + path_and_query.len() + length + body.len() + 3);
    bytes.extend_from_slice(method.as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(path_and_query.as_bytes());
    bytes.push(b'\n');
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_form_whatever_the_order_of_its_headers() {
        let purpose: (&str, &[u8]) = ("rabita-purpose", b"birth-registration");
        let case: (&str, &[u8]) = ("rabita-case", b"A-17");
        let one = request_bytes("POST", "/api/population/v1/persons/query?x=1", [purpose, case], b"{}");
        assert_eq!(
            String::from_utf8_lossy(&one),
            "POST /api/population/v1/persons/query?x=1\nrabita-case: A-17\nrabita-purpose: birth-registration\n\n{}"
        );
        assert_eq!(one, request_bytes("POST", "/api/population/v1/persons/query?x=1", [case, purpose], b"{}"));
        assert_eq!(request_bytes("GET", "/", [], b""), b"GET /\n\n");
    }
}
