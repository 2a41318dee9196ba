//! What a test foresees: a request, and the answer to it.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;

/// A request that is foreseen, and its answer. It may come any number of times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Foreseen {
    pub request: Request,
    #[serde(default)]
    pub response: Response,
}

/// What must hold of a request; what is not given may be anything. When several hold, the one that says most answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(default)]
    pub method: Option<String>,
    /// The whole path. A character that does not belong in a path may stand as it is.
    pub path: String,
    /// Query parameters that must be there, with their values.
    #[serde(default)]
    pub query: BTreeMap<String, Words>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, compared as JSON.
    #[serde(default)]
    pub json: Option<Value>,
    /// Text that the body must hold, or several.
    #[serde(default)]
    pub xml_contains: Option<Words>,
    /// The body, to the letter.
    #[serde(default)]
    pub body: Option<String>,
}

/// An answer. One of `json`, `xml`, `body` and `base64` gives the body.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// 200 when not given.
    #[serde(default)]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub json: Option<Value>,
    #[serde(default)]
    pub xml: Option<String>,
    /// Text of no stated type.
    #[serde(default)]
    pub body: Option<String>,
    /// Bytes of no stated type.
    #[serde(default)]
    pub base64: Option<String>,
    /// How long the answer lets wait for itself.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Breaks the connection after so many bytes of the body.
    #[serde(default)]
    pub cut_after_bytes: Option<usize>,
}

/// One value or several, compared as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Words {
    Text(String),
    Whole(i64),
    Number(f64),
    Truth(bool),
    Several(Vec<Words>),
}

impl Words {
    /// The values as text.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Whole(number) => vec![number.to_string()],
            Self::Number(number) => vec![number.to_string()],
            Self::Truth(truth) => vec![truth.to_string()],
            Self::Several(words) => words.iter().flat_map(Self::texts).collect(),
        }
    }
}

/// A request that came.
pub(super) struct Came<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a http::HeaderMap,
    pub(super) body: &'a [u8],
}

impl Request {
    /// In what a request that came is not this one; nothing when it is.
    pub(super) fn differences(&self, came: &Came<'_>) -> Vec<String> {
        let mut found = Vec::new();
        if self.method.as_ref().is_some_and(|method| !method.eq_ignore_ascii_case(came.method.as_str())) {
            found.push("the method".to_owned());
        }
        if !same_path(&self.path, came.path) {
            found.push("the path".to_owned());
        }
        let pairs: Vec<_> = form_urlencoded::parse(came.query.unwrap_or_default().as_bytes()).collect();
        for (name, words) in &self.query {
            let values: Vec<&str> = pairs.iter().filter(|(own, _)| own == name).map(|(_, value)| &**value).collect();
            if values != words.texts() {
                found.push(format!("the query parameter `{name}`"));
            }
        }
        for (name, value) in &self.headers {
            if !came.headers.get_all(name.as_str()).iter().any(|own| own.as_bytes() == value.as_bytes()) {
                found.push(format!("the header `{name}`"));
            }
        }
        let text = String::from_utf8_lossy(came.body);
        if let Some(json) = &self.json
            && serde_json::from_slice::<Value>(came.body).ok().as_ref() != Some(json)
        {
            found.push("the JSON of the body".to_owned());
        }
        for part in self.xml_contains.iter().flat_map(Words::texts) {
            if !text.contains(&part) {
                found.push(format!("the body, which does not hold `{part}`"));
            }
        }
        if self.body.as_ref().is_some_and(|body| *body != text) {
            found.push("the body".to_owned());
        }
        found
    }

    /// How much this says.
    pub(super) fn weight(&self) -> usize {
        usize::from(self.method.is_some())
            + self.query.len()
            + self.headers.len()
            + usize::from(self.json.is_some())
            + self.xml_contains.as_ref().map_or(0, |words| words.texts().len())
            + usize::from(self.body.is_some())
    }

    /// The request in one line.
    pub(super) fn line(&self) -> String {
        let query: Vec<_> = self.query.iter().map(|(name, words)| format!("{name}={}", words.texts().join(","))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method.as_deref().unwrap_or("*"), self.path, query.join("&"))
    }
}

/// Paths are compared segment by segment, so that `A%2FB` is one and `A/B` are two.
fn same_path(foreseen: &str, came: &str) -> bool {
    let segments = |path: &str| -> Vec<Vec<u8>> { path.split('/').map(|part| percent_decode_str(part).collect()).collect() };
    foreseen == came || segments(foreseen) == segments(came)
}
