//! An OpenAPI document, whatever its version and its notation, with references followed.

use rabita_sdk::survey::SurveyError;
use serde_json::{Map, Value, json};

/// References to references, at most.
const HOPS: usize = 16;

/// Media types, the best first; after them what else is JSON.
const JSON: [&str; 1] = ["application/json"];
/// A merge patch says what it does with what it does not name (RFC 7396).
const BODY: [&str; 2] = ["application/merge-patch+json", "application/json"];

/// A document.
pub(super) struct Document(Value);

/// A parameter of an operation.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) schema: Value,
}

impl Parameter {
    pub(super) fn is_integer(&self) -> bool {
        self.schema["type"] == "integer"
    }

    pub(super) fn maximum(&self) -> Option<u32> {
        self.schema["maximum"].as_u64().and_then(|most| u32::try_from(most).ok())
    }
}

/// An operation at a path.
pub(super) struct Operation<'a> {
    document: &'a Document,
    path: &'a Value,
    own: &'a Value,
}

impl Document {
    /// Reads JSON or YAML.
    pub(super) fn read(place: &str, bytes: &[u8]) -> Result<Self, SurveyError> {
        let unreadable = |message: String| SurveyError::Unreadable { place: place.to_owned(), message };
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is not in UTF-8".to_owned()))?;
        let value: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?
        } else {
            serde_saphyr::from_str(text).map_err(|error| unreadable(error.to_string()))?
        };
        let version = value["openapi"].as_str().or_else(|| value["swagger"].as_str()).map(str::to_owned);
        match version {
            Some(version) if version.starts_with('3') || version.starts_with('2') => Ok(Self(value)),
            Some(version) => Err(unreadable(format!("it is of OpenAPI {version}; 2.0, 3.0 and 3.1 are known"))),
            None => Err(unreadable("it says neither `openapi` nor `swagger`".to_owned())),
        }
    }

    pub(super) fn title(&self) -> Option<String> {
        self.0["info"]["title"].as_str().map(str::to_owned)
    }

    /// The address that paths are relative to.
    pub(super) fn base(&self, of_document: &str) -> Option<String> {
        let base = match self.0["servers"][0]["url"].as_str() {
            Some(url) => url.to_owned(),
            None => {
                let host = self.0["host"].as_str()?;
                let schemes: Vec<&str> = self.0["schemes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let scheme = if schemes.is_empty() || schemes.contains(&"https") { "https" } else { schemes[0] };
                format!("{scheme}://{host}{}", self.0["basePath"].as_str().unwrap_or_default())
            }
        };
        let base = match url::Url::parse(&base) {
            Ok(_) => base,
            // Relative to where the document is.
            Err(_) => url::Url::parse(of_document).ok()?.join(&base).ok()?.to_string(),
        };
        Some(base.trim_end_matches('/').to_owned())
    }

    /// The GETs, by path.
    pub(super) fn gets(&self) -> impl Iterator<Item = (&str, Operation<'_>)> {
        self.0["paths"].as_object().into_iter().flatten().filter_map(|(path, at)| {
            let own = at.get("get")?;
            Some((path.as_str(), Operation { document: self, path: at, own }))
        })
    }

    pub(super) fn get(&self, path: &str) -> Option<Operation<'_>> {
        self.gets().find(|(own, _)| *own == path).map(|(_, operation)| operation)
    }

    /// What a method does at a path.
    pub(super) fn operation(&self, path: &str, method: &str) -> Option<Operation<'_>> {
        let at = self.0["paths"].get(path)?;
        Some(Operation { document: self, path: at, own: at.get(method)? })
    }

    /// Everything that changes something.
    pub(super) fn changes(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, _)| ["post", "put", "patch", "delete"].map(|method| self.operation(path, method))).flatten()
    }

    /// What a reference leads to within the document. One that leads elsewhere is something nothing is known of.
    pub(super) fn followed<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        for _ in 0..HOPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
            match reference.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer)) {
                Some(found) => value = found,
                None => return &Value::Null,
            }
        }
        &Value::Null
    }

    /// The credentials that every call needs, by the names of environment variables, and a word on it.
    pub(super) fn auth(&self) -> Option<(Value, String)> {
        let required =
            self.0["security"].as_array().into_iter().flatten().find_map(|one| one.as_object()?.keys().next().cloned())?;
        let schemes = if self.0.get("swagger").is_some() {
            &self.0["securityDefinitions"]
        } else {
            &self.0["components"]["securitySchemes"]
        };
        let scheme = self.followed(schemes.get(&required)?);
        let secret = |name: &str| json!({ "env": name });
        let text = |key: &str| scheme[key].as_str().unwrap_or_default();
        let auth = match (text("type"), text("scheme").to_lowercase().as_str()) {
            ("http", "bearer") => json!({ "bearer": { "token": secret("REGISTRY_TOKEN") } }),
            ("http", _) | ("basic", _) => {
                json!({ "basic": { "user": secret("REGISTRY_USER"), "password": secret("REGISTRY_PASSWORD") } })
            }
            ("apiKey", _) if text("in") == "query" => {
                json!({ "api_key": { "value": secret("REGISTRY_KEY"), "query": text("name") } })
            }
            ("apiKey", _) if text("in") == "header" => {
                json!({ "api_key": { "value": secret("REGISTRY_KEY"), "header": text("name") } })
            }
            ("oauth2", _) => {
                let flow = if text("flow") == "application" { scheme } else { &scheme["flows"]["clientCredentials"] };
                let url = flow["tokenUrl"].as_str()?;
                json!({ "oauth2": { "token_url": url, "client_id": secret("REGISTRY_CLIENT"), "client_secret": secret("REGISTRY_SECRET") } })
            }
            _ => return None,
        };
        Some((
            auth,
            format!("the API asks for credentials ({required}); the environment variables under `auth` are to hold them"),
        ))
    }
}

impl Operation<'_> {
    pub(super) fn summary(&self) -> Option<String> {
        let text = self.own["summary"].as_str().or_else(|| self.own["description"].as_str())?;
        Some(text.lines().next().unwrap_or_default().trim().to_owned()).filter(|line| !line.is_empty() && line.len() <= 200)
    }

    pub(super) fn statuses(&self) -> Vec<String> {
        self.own["responses"].as_object().into_iter().flatten().map(|(status, _)| status.clone()).collect()
    }

    /// The query parameters, those of the path's own among them.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        self.parameters_in("query")
            .filter_map(|parameter| {
                // In 2.0 the parameter is its own schema.
                let schema = parameter.get("schema").map_or(parameter, |schema| self.document.followed(schema));
                Some(Parameter { name: parameter["name"].as_str()?.to_owned(), schema: schema.clone() })
            })
            .collect()
    }

    /// The names of the headers that a request may have.
    pub(super) fn header_parameters(&self) -> Vec<String> {
        self.parameters_in("header").filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
    }

    fn parameters_in(&self, place: &str) -> impl Iterator<Item = &Value> {
        let own = self.own["parameters"].as_array().into_iter().flatten();
        let all = self.path["parameters"].as_array().into_iter().flatten().chain(own);
        all.map(|parameter| self.document.followed(parameter)).filter(move |parameter| parameter["in"] == place)
    }

    /// The schema of the answer, where the document has one.
    pub(super) fn answer(&self) -> Option<Value> {
        let good = self.good_answer()?;
        if let Some(schema) = good.get("schema") {
            return Some(schema.clone());
        }
        preferred(&good["content"], &JSON)?.1.get("schema").cloned()
    }

    /// The names of the headers that the answer has.
    pub(super) fn answered_headers(&self) -> Vec<String> {
        let headers = self.good_answer().and_then(|good| good["headers"].as_object());
        headers.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn good_answer(&self) -> Option<&Value> {
        let responses = self.own["responses"].as_object()?;
        let good = responses.iter().find(|(status, _)| status.starts_with('2')).or_else(|| responses.get_key_value("default"))?.1;
        Some(self.document.followed(good))
    }

    /// The media type and the schema of the body that it takes, where the document has one.
    pub(super) fn request(&self) -> Option<(String, Value)> {
        if let Some(body) = self.parameters_in("body").next() {
            // 2.0, which says the media type for all operations or for one.
            let consumes = self.own.get("consumes").unwrap_or(&self.document.0["consumes"]);
            let consumes: Map<String, Value> = consumes
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| Some((one.as_str()?.to_owned(), Value::Null)))
                .collect();
            let media_type =
                preferred(&Value::Object(consumes), &JSON).map_or_else(|| JSON[0].to_owned(), |(media, _)| media.clone());
            return Some((media_type, body.get("schema")?.clone()));
        }
        let body = self.document.followed(self.own.get("requestBody")?);
        let (media_type, content) = preferred(&body["content"], &BODY)?;
        Some((media_type.split(';').next().unwrap_or_default().trim().to_owned(), content.get("schema")?.clone()))
    }
}

/// Of what is told by media type, the best.
fn preferred<'a>(content: &'a Value, best: &[&str]) -> Option<(&'a String, &'a Value)> {
    let content = content.as_object()?;
    let known = best.iter().find_map(|wanted| content.iter().find(|(media, _)| media.starts_with(wanted)));
    known.or_else(|| content.iter().find(|(media, _)| media.contains("json"))).or_else(|| content.iter().next())
}
