//! The WSDL: its documents, its service, and the operations of its port.

use rabita_sdk::survey::{Documents, SurveyError};
use roxmltree::{Document, Node};

use super::schema::{Part, Schemas};

pub(super) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
const SOAP_1_1: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
const SOAP_1_2: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";
pub(super) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// Documents that a description consists of, at most.
const DOCUMENTS: usize = 64;

/// The description and everything that it imports. A document from the network leads to no file.
pub(super) async fn fetched(place: &str, documents: &dyn Documents) -> Result<Vec<(String, String)>, SurveyError> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut wanted = vec![place.to_owned()];
    while let Some(place) = wanted.pop() {
        if texts.iter().any(|(own, _)| *own == place) {
            continue;
        }
        if texts.len() == DOCUMENTS {
            return Err(SurveyError::Unsuitable(format!("the description consists of more than {DOCUMENTS} documents")));
        }
        let bytes = documents.get(&place).await?;
        let unreadable = |message: String| SurveyError::Unreadable { place: place.clone(), message };
        let text = decoded(bytes).ok_or_else(|| unreadable("it is not in an encoding that is known".to_owned()))?;
        let document = Document::parse(&text).map_err(|error| unreadable(error.to_string()))?;
        for node in document.descendants().filter(|node| is_import(node)) {
            let leads = node.attribute("schemaLocation").or_else(|| node.attribute("location"));
            wanted.extend(leads.and_then(|relative| resolved(&place, relative)));
        }
        texts.push((place, text));
    }
    Ok(texts)
}

fn is_import(node: &Node<'_, '_>) -> bool {
    let name = node.tag_name();
    (name.namespace() == Some(XSD) && matches!(name.name(), "import" | "include"))
        || (name.namespace() == Some(WSDL) && name.name() == "import")
}

fn decoded(bytes: Vec<u8>) -> Option<String> {
    let (encoding, _) = encoding_rs::Encoding::for_bom(&bytes).unwrap_or((encoding_rs::UTF_8, 0));
    let (text, _, has_faults) = encoding.decode(&bytes);
    (!has_faults).then(|| text.into_owned())
}

/// Where a reference in a document leads.
fn resolved(place: &str, relative: &str) -> Option<String> {
    let is_http = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if is_http(relative) {
        return Some(relative.to_owned());
    }
    if relative.contains("://") || relative.is_empty() {
        return None;
    }
    if is_http(place) {
        return url::Url::parse(place).ok()?.join(relative).ok().map(|url| url.to_string());
    }
    let directory = std::path::Path::new(place).parent()?;
    Some(directory.join(relative).display().to_string())
}

/// The documents, parsed. None has a document type: the parser refuses one.
pub(super) fn parsed(texts: &[(String, String)]) -> Result<Vec<Document<'_>>, SurveyError> {
    texts
        .iter()
        .map(|(place, text)| {
            Document::parse(text).map_err(|error| SurveyError::Unreadable { place: place.clone(), message: error.to_string() })
        })
        .collect()
}

/// A service at one of its ports.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) location: String,
    /// Of SOAP.
    pub(super) version: &'static str,
    pub(super) operations: Vec<Described>,
    pub(super) unsure: Vec<String>,
}

/// An operation.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) action: String,
    pub(super) comment: Option<String>,
    pub(super) request: Part,
    pub(super) response: Part,
}

/// What the documents say together.
pub(super) struct Description<'a, 'b> {
    documents: &'a [Document<'b>],
    schemas: &'a Schemas<'a, 'b>,
}

impl<'a, 'b> Description<'a, 'b> {
    pub(super) const fn of(documents: &'a [Document<'b>], schemas: &'a Schemas<'a, 'b>) -> Self {
        Self { documents, schemas }
    }

    /// The first port of SOAP.
    pub(super) fn service(&self) -> Option<Service> {
        let services =
            self.documents.iter().flat_map(|document| document.descendants()).filter(|node| node.has_tag_name((WSDL, "service")));
        for service in services {
            for port in service.children().filter(|node| node.has_tag_name((WSDL, "port"))) {
                for (namespace, version) in [(SOAP_1_1, "1.1"), (SOAP_1_2, "1.2")] {
                    let Some(address) = port.children().find(|node| node.has_tag_name((namespace, "address"))) else { continue };
                    let binding = self.named("binding", port.attribute("binding")?)?;
                    let port_type = self.named("portType", binding.attribute("type")?)?;
                    let mut unsure = Vec::new();
                    let operations = self.operations(binding, port_type, namespace, &mut unsure);
                    return Some(Service {
                        name: service.attribute("name").unwrap_or("service").to_owned(),
                        location: address.attribute("location")?.to_owned(),
                        version,
                        operations,
                        unsure,
                    });
                }
            }
        }
        None
    }

    /// A part of the description by its kind and its name, whatever its prefix.
    fn named(&self, kind: &str, name: &str) -> Option<Node<'a, 'b>> {
        let local = name.rsplit(':').next().unwrap_or(name);
        let all = self.documents.iter().flat_map(|document| document.descendants());
        all.into_iter().find(|node| node.has_tag_name((WSDL, kind)) && node.attribute("name") == Some(local))
    }

    fn operations(&self, binding: Node<'a, 'b>, port_type: Node<'a, 'b>, soap: &str, unsure: &mut Vec<String>) -> Vec<Described> {
        let style = |node: Node<'a, 'b>, kind: &str| {
            let own = node.children().find(|child| child.has_tag_name((soap, kind)));
            own.and_then(|child| child.attribute("style"))
        };
        let usual = style(binding, "binding").unwrap_or("document");
        let mut described = Vec::new();
        for operation in binding.children().filter(|node| node.has_tag_name((WSDL, "operation"))) {
            let Some(name) = operation.attribute("name") else { continue };
            if style(operation, "operation").unwrap_or(usual) != "document" {
                unsure.push(format!("the operation {name} was left out: it is of style rpc"));
                continue;
            }
            let action = operation.children().find(|child| child.has_tag_name((soap, "operation")));
            let action = action.and_then(|child| child.attribute("soapAction")).unwrap_or_default().to_owned();
            let abstracted =
                port_type.children().find(|node| node.has_tag_name((WSDL, "operation")) && node.attribute("name") == Some(name));
            let Some(abstracted) = abstracted else { continue };
            let message = |kind: &str| self.message(abstracted.children().find(|node| node.has_tag_name((WSDL, kind)))?);
            match (message("input"), message("output")) {
                (Some(request), Some(response)) => {
                    described.push(Described {
                        name: name.to_owned(),
                        action,
                        comment: documentation(abstracted),
                        request,
                        response,
                    });
                }
                _ => unsure.push(format!("the operation {name} was left out: its messages are not one element each")),
            }
        }
        described
    }

    /// The element of a message that has one part.
    fn message(&self, of: Node<'a, 'b>) -> Option<Part> {
        let message = self.named("message", of.attribute("message")?)?;
        let mut parts = message.children().filter(|node| node.has_tag_name((WSDL, "part")));
        let part = parts.next().filter(|_| parts.next().is_none())?;
        self.schemas.element_named(part, part.attribute("element")?)
    }
}

fn documentation(node: Node<'_, '_>) -> Option<String> {
    let own = node.children().find(|child| child.has_tag_name((WSDL, "documentation")))?;
    let text = own.text()?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty() && text.len() <= 200).then_some(text)
}
