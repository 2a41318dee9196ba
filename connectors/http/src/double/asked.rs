//! What a stand-in was asked, as a test can describe it.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded;

use super::foreseen::Came;

/// A request that went out. What a test leaves out may be anything.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// In capitals.
    #[schemars(extend("pattern" = "^[A-Z]+$"))]
    #[serde(default)]
    pub method: String,
    /// The whole path, its percent signs undone but for `%2F`.
    #[serde(default)]
    pub path: String,
    /// Query parameters, as text.
    #[serde(default)]
    pub query: BTreeMap<String, Texts>,
    /// Headers by their names in small letters.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9!#$%&'*+.^_`|~-]+$" }))]
    #[serde(default)]
    pub headers: BTreeMap<String, Texts>,
    /// The body, where it is JSON.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The body as text, to the letter.
    #[serde(default)]
    pub body: String,
}

/// One text, or several of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    /// Adds each text to those of its name.
    pub fn collected(pairs: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, Self> {
        let mut by_name = BTreeMap::new();
        for (name, text) in pairs {
            let several = match by_name.remove(&name) {
                None => Self::One(text),
                Some(Self::One(first)) => Self::Several(vec![first, text]),
                Some(Self::Several(mut texts)) => {
                    texts.push(text);
                    Self::Several(texts)
                }
            };
            by_name.insert(name, several);
        }
        by_name
    }
}

impl From<&Came<'_>> for Asked {
    fn from(came: &Came<'_>) -> Self {
        let query = form_urlencoded::parse(came.query.unwrap_or_default().as_bytes());
        let headers =
            came.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Self {
            method: came.method.to_string(),
            path: shown(came.path),
            query: Texts::collected(query.map(|(name, value)| (name.into_owned(), value.into_owned()))),
            headers: Texts::collected(headers),
            json: serde_json::from_slice(came.body).ok(),
            body: String::from_utf8_lossy(came.body).into_owned(),
        }
    }
}

/// A path to be read: segment by segment, so that `A%2FB` stays one and `A/B` two.
fn shown(path: &str) -> String {
    let segments = path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().replace('/', "%2F"));
    segments.collect::<Vec<_>>().join("/")
}
