//! A stand-in for the service, from a test's `legacy:`.

use std::collections::BTreeMap;

use quick_xml::events::{BytesRef, Event};
use rabita_http::double::{Double as HttpDouble, Foreseen, Request as HttpRequest, Response as HttpResponse, Texts, Words};
use rabita_sdk::{OpenError, SecretRef, SecretText, Secrets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::{Settings, SoapVersion};
use crate::xml::Xml;

/// A call that the service is asked, and its answer. It may come any number of times; when several fit, the one that
/// says most of its request answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    #[serde(default)]
    pub request: Request,
    pub response: Response,
}

/// What must hold of a call; what is not given may be anything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Texts that the envelope must hold, to the letter.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Elements by their local name, with the text that one of them must have.
    #[serde(default)]
    pub values: BTreeMap<String, Words>,
    /// The SOAPAction.
    #[serde(default)]
    pub action: Option<String>,
}

/// An answer: one of `body`, `fault` and `raw`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// What stands in the envelope's body. The prefixes of the manifest's `namespaces` hold in it.
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub fault: Option<FaultResponse>,
    /// A whole answer that need not be SOAP at all.
    #[serde(default)]
    pub raw: Option<String>,
    /// 500 for a fault and 200 for all else when not given.
    #[serde(default)]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// How long the answer lets wait for itself.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Breaks the connection after so many bytes.
    #[serde(default)]
    pub cut_after_bytes: Option<usize>,
}

/// A fault.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultResponse {
    /// `Client` or `Server`, whatever the version.
    #[serde(default = "server")]
    pub code: String,
    /// The fault string, or the reason.
    #[serde(default)]
    pub string: String,
    /// What stands in the detail.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A call that went out. What a test leaves out may be anything.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The SOAPAction, without quotes.
    #[serde(default)]
    pub action: String,
    /// The text of each element that holds text alone, by its local name; several as a list.
    #[serde(default)]
    pub values: BTreeMap<String, Texts>,
    /// Headers of HTTP, by their names in small letters.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9!#$%&'*+.^_`|~-]+$" }))]
    #[serde(default)]
    pub headers: BTreeMap<String, Texts>,
    /// The whole envelope, to the letter.
    #[serde(default)]
    pub xml: String,
}

impl Asked {
    /// The call that a request makes; `None` for the question for the service's description.
    pub(crate) fn value_of(request: &rabita_http::double::Asked) -> Option<Value> {
        if request.method != "POST" {
            return None;
        }
        let header = |name: &str| match request.headers.get(name) {
            Some(Texts::One(text)) => text.as_str(),
            _ => "",
        };
        let of_type = header("content-type").split(';').filter_map(|part| part.trim().strip_prefix("action=")).next();
        let action = of_type.unwrap_or_else(|| header("soapaction")).trim_matches('"').to_owned();
        let values = Texts::collected(texts(&request.body));
        serde_json::to_value(Self { action, values, headers: request.headers.clone(), xml: request.body.clone() }).ok()
    }
}

/// The elements that hold text alone, in order, as far as the text is XML.
fn texts(xml: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    let mut reader = quick_xml::Reader::from_str(xml);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                open = Some((start.local_name().as_ref().to_owned(), String::new()));
            }
            Ok(Event::Empty(empty)) => {
                open = None;
                found.push((empty.local_name().as_ref().to_owned(), String::new()));
            }
            Ok(Event::Text(text)) => {
                if let Some((_, held)) = &mut open {
                    held.push_str(&text);
                }
            }
            Ok(Event::GeneralRef(reference)) => {
                if let Some((_, held)) = &mut open {
                    held.push_str(&referred(&reference));
                }
            }
            Ok(Event::End(_)) => found.extend(open.take()),
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

/// What a reference to a character or to one of XML's own entities stands for.
fn referred(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    quick_xml::escape::resolve_predefined_entity(reference).unwrap_or_default().to_owned()
}

/// The JSON Schema of a fixture.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Vec<Exchange>).to_value()
}

/// Starts the stand-in.
///
/// # Errors
/// When the fixture has not the right form.
pub(crate) async fn start(fixture: &Value, settings: &Settings) -> Result<HttpDouble, OpenError> {
    let exchanges: Vec<Exchange> = serde_json::from_value(fixture.clone()).map_err(|error| OpenError(error.to_string()))?;
    let mut foreseen = vec![description()];
    for exchange in exchanges {
        let request = exchange.request.foreseen(settings.version);
        let response = exchange.response.written(settings).map_err(OpenError)?;
        foreseen.push(Foreseen { request, response });
    }
    HttpDouble::start(foreseen).await.map_err(OpenError)
}

/// A stand-in needs no secrets.
pub(crate) struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("a stand-in has no secrets".to_owned())
    }
}

/// What the probe asks for.
fn description() -> Foreseen {
    let request = HttpRequest { method: Some("GET".to_owned()), path: "/".to_owned(), ..HttpRequest::default() };
    Foreseen { request, response: HttpResponse::default() }
}

impl Request {
    fn foreseen(self, version: SoapVersion) -> HttpRequest {
        let mut parts = self.contains;
        for (name, words) in &self.values {
            parts.extend(words.texts().iter().map(|text| format!("{name}>{}</", quick_xml::escape::partial_escape(text))));
        }
        let mut headers = BTreeMap::new();
        if let Some(action) = self.action {
            match version {
                SoapVersion::V1_1 => headers.insert("soapaction".to_owned(), format!("\"{action}\"")),
                SoapVersion::V1_2 => {
                    headers.insert("content-type".to_owned(), format!("application/soap+xml; charset=utf-8; action=\"{action}\""))
                }
            };
        }
        let words = parts.into_iter().map(Words::Text).collect();
        HttpRequest {
            method: Some("POST".to_owned()),
            path: "/".to_owned(),
            headers,
            xml_contains: Some(Words::Several(words)),
            ..HttpRequest::default()
        }
    }
}

impl Response {
    fn written(self, settings: &Settings) -> Result<HttpResponse, String> {
        let is_fault = self.fault.is_some();
        let text = match (self.body, self.fault, self.raw) {
            (Some(body), None, None) => envelope(settings, &body)?,
            (None, Some(fault), None) => envelope(settings, &fault.written(settings.version)?)?,
            (None, None, Some(raw)) => raw,
            _ => return Err("a response has one of body, fault and raw".to_owned()),
        };
        Ok(HttpResponse {
            status: self.status.or(is_fault.then_some(500)),
            xml: Some(text),
            delay_ms: self.delay_ms,
            cut_after_bytes: self.cut_after_bytes,
            ..HttpResponse::default()
        })
    }
}

impl FaultResponse {
    fn written(&self, version: SoapVersion) -> Result<String, String> {
        let detail = self.detail.as_deref().unwrap_or_default();
        let string = quick_xml::escape::partial_escape(&*self.string);
        let code = match (version, self.code.as_str()) {
            (SoapVersion::V1_2, "Client") => "Sender",
            (SoapVersion::V1_2, "Server") => "Receiver",
            (_, code) => code,
        };
        let code = quick_xml::escape::partial_escape(code);
        Ok(match version {
            SoapVersion::V1_1 => format!(
                "<soapenv:Fault><faultcode>soapenv:{code}</faultcode><faultstring>{string}</faultstring><detail>{detail}</detail></soapenv:Fault>"
            ),
            SoapVersion::V1_2 => format!(
                "<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:{code}</soapenv:Value></soapenv:Code><soapenv:Reason><soapenv:Text xml:lang=\"en\">{string}</soapenv:Text></soapenv:Reason><soapenv:Detail>{detail}</soapenv:Detail></soapenv:Fault>"
            ),
        })
    }
}

/// An envelope around a fragment that is already XML.
fn envelope(settings: &Settings, body: &str) -> Result<String, String> {
    const MARK: &str = "~";
    let mut xml = Xml::new();
    let namespaces = settings.namespaces.iter().map(|(prefix, uri)| (prefix.as_str(), uri.as_str()));
    let opened = crate::envelope::open(settings.version, namespaces, &mut xml).and_then(|()| xml.leaf("soapenv:Body", [], MARK));
    opened.map_err(|unwritable| unwritable.to_string())?;
    let whole = String::from_utf8(xml.finish()).map_err(|error| error.to_string())?;
    Ok(whole.replacen(&format!(">{MARK}<"), &format!(">{body}<"), 1))
}

fn server() -> String {
    "Server".to_owned()
}
