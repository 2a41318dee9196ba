//! What administrators ask of grants: what would become of a request, and who can see a field.
//!
//! The admin listener answers of the configuration in force, for this machine alone; `rabita grants` asks the same of a
//! directory. Nothing of it reaches a registry, and nothing is recorded: it shows grants, no records.

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use rabita_contract::Route;
use rabita_core::Access;
use rabita_core::access::{Explanation, Holder};
use rabita_model::SystemId;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::operators::json_response;

/// The path below which everything of this module lies.
pub(crate) const ROOT: &str = "/grants";

/// A request that nobody makes.
pub(crate) struct Imagined<'a> {
    pub system: &'a str,
    pub method: &'a str,
    /// With its query: `/api/population/v1/persons/5ZJBKH7?fields=name`.
    pub path: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a str,
}

impl Imagined<'_> {
    /// What would become of it.
    ///
    /// # Errors
    /// When it is no request, or from nobody.
    pub(crate) fn explain(&self, access: &Access, now: Timestamp) -> Result<Explanation, String> {
        let system = SystemId::new(self.system).ok().filter(|system| access.systems.contains_key(system));
        let Some(system) = system else {
            let known = access.systems.keys().map(SystemId::as_str);
            return Err(format!("there is no system `{}`{}", self.system, meant(self.system, known)));
        };
        let mut request = http::Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let has = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        // What every change has, and no grant looks at.
        for (name, value) in [("content-type", "application/json"), ("idempotency-key", "explained")] {
            if !has(name) && !matches!(self.method, "GET" | "HEAD") {
                request = request.header(name, value);
            }
        }
        let (head, ()) = request.body(()).map_err(|error| format!("this is no request: {error}"))?.into_parts();
        match rabita_contract::parse(&head, self.body.as_bytes()) {
            Ok(Route::Entity(ask)) if access.owner(&ask.target).is_none() => {
                Err(format!("there is no `{}` in this configuration", ask.target))
            }
            Ok(Route::Entity(ask)) => Ok(access.explain(&system, &ask, now)),
            Ok(_) => Err("grants decide of registries alone: name a path below `/api/`".to_owned()),
            Err(refusal) => {
                let faults: Vec<String> =
                    refusal.faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect();
                Err(format!("{} {}", refusal.code.public_message(), faults.join("; ")).trim_end().to_owned())
            }
        }
    }
}

/// Who can see a field.
///
/// # Errors
/// When the pattern is none, or names nothing of this configuration.
pub(crate) fn who(access: &Access, pattern: &str) -> Result<Vec<Holder>, String> {
    if pattern.split('/').count() != 3 {
        return Err("a field is named as in `population/v1/persons.pin`; `*` stands for any part".to_owned());
    }
    Ok(access.who(pattern))
}

/// `; did you mean ...?`, where something is near.
fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    rabita_sdk::finding::likely(word, known).map(|likely| format!("; did you mean `{likely}`?")).unwrap_or_default()
}

/// Answers an administrator of this machine.
pub(super) fn answer(uri: &Uri, is_local: bool, access: &Access, now: Timestamp) -> Response<Full<Bytes>> {
    if !is_local {
        return told(StatusCode::FORBIDDEN, &json!({ "error": "grants are shown on the machine of the node alone" }));
    }
    let words: Vec<(String, String)> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let word = |name: &str| words.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let result = match uri.path() {
        "/grants/explain" => {
            let headers = [("purpose", "Rabita-Purpose"), ("consent", "Rabita-Consent")];
            let headers: Vec<(String, String)> =
                headers.iter().filter_map(|(name, header)| Some(((*header).to_owned(), word(name)?.to_owned()))).collect();
            match (word("system"), word("path")) {
                (Some(system), Some(path)) => {
                    let method = word("method").unwrap_or("GET");
                    let body = word("body").unwrap_or(EMPTY);
                    Imagined { system, method, path, headers: &headers, body }.explain(access, now).map(|told| json!(told))
                }
                _ => Err("name `system` and `path`, and `method`, `purpose`, `consent`, `body` where they matter".to_owned()),
            }
        }
        "/grants/who" => match word("field") {
            Some(field) => who(access, field).map(|holders| json!({ "holders": holders })),
            None => Err("name the `field`: `population/v1/persons.pin`".to_owned()),
        },
        _ => return told(StatusCode::NOT_FOUND, &json!({ "error": "there is /grants/explain and /grants/who" })),
    };
    match result {
        Ok(value) => told(StatusCode::OK, &value),
        Err(error) => told(StatusCode::BAD_REQUEST, &json!({ "error": error })),
    }
}

/// The body where none is given.
pub(crate) const EMPTY: &str = "{}";

fn told(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    json_response(status, value)
}
