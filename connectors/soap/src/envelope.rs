//! SOAP's envelope, in versions 1.1 and 1.2: writing requests and telling answers from faults.

use std::sync::Arc;

use rabita_sdk::{Legacy, Row};

use crate::fault::Fault;
use crate::settings::SoapVersion;
use crate::xml::{self, Names, Unreadable, XSI, Xml};

/// Prefixes that the envelope itself uses.
pub(crate) const RESERVED_PREFIXES: [&str; 6] = ["soapenv", "xsi", "wsse", "wsu", "xml", "xmlns"];

/// What an envelope held.
#[derive(Debug, PartialEq)]
pub(crate) enum Content {
    /// The element in the body, with its name.
    Answer(Arc<str>, Legacy),
    /// The body was empty.
    Nothing,
    Fault(Fault),
}

/// Why something is no answer of a SOAP service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoEnvelope {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("it is no SOAP envelope")]
    OtherDocument,
    #[error("its envelope has no body")]
    NoBody,
}

/// Opens the envelope of a request.
pub(crate) fn open<'n>(
    version: SoapVersion,
    namespaces: impl IntoIterator<Item = (&'n str, &'n str)>,
    xml: &mut Xml,
) -> Result<(), xml::Unwritable> {
    let declared: Vec<(String, &str)> = namespaces.into_iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri)).collect();
    let own = [("xmlns:soapenv", uri(version)), ("xmlns:xsi", XSI)];
    xml.open("soapenv:Envelope", own.into_iter().chain(declared.iter().map(|(name, uri)| (name.as_str(), *uri))))
}

/// Names by which envelopes of both versions are told from everything else: no name in a document has a brace.
pub(crate) fn names() -> Names {
    let mut names = Names::default();
    for (version, uri) in [("1.1", SOAP_1_1), ("1.2", SOAP_1_2)] {
        for local in ["Envelope", "Header", "Body", "Fault"] {
            names.call(uri, local, &format!("{{{version}}}{local}"));
        }
    }
    names
}

/// Reads an answer. Its version need not be that of the request: a service says so that it knows only the other.
pub(crate) fn read(text: &str, names: &Names) -> Result<Content, NoEnvelope> {
    let root = xml::read(text, names)?;
    let (body, fault) = match &*root.name {
        "{1.1}Envelope" => ("{1.1}Body", "{1.1}Fault"),
        "{1.2}Envelope" => ("{1.2}Body", "{1.2}Fault"),
        _ => return Err(NoEnvelope::OtherDocument),
    };
    let Legacy::Group(mut envelope) = root.value else { return Err(NoEnvelope::NoBody) };
    match envelope.get_mut(body).map(std::mem::take) {
        Some(Legacy::Group(mut row)) => Ok(match row.get_mut(fault).map(std::mem::take) {
            Some(found) => Content::Fault(Fault::read(&found)),
            None => answer(&mut row),
        }),
        Some(Legacy::Text(_) | Legacy::Null) => Ok(Content::Nothing),
        _ => Err(NoEnvelope::NoBody),
    }
}

const SOAP_1_1: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_1_2: &str = "http://www.w3.org/2003/05/soap-envelope";

const fn uri(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::V1_1 => SOAP_1_1,
        SoapVersion::V1_2 => SOAP_1_2,
    }
}

fn answer(body: &mut Row) -> Content {
    let name = body.iter().map(|(name, _)| name).find(|name| !name.starts_with(['@', '#'])).map(Arc::<str>::from);
    match name.and_then(|name| Some((body.get_mut(&name).map(std::mem::take)?, name))) {
        Some((value, name)) => Content::Answer(name, value),
        None => Content::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(body: &str) -> Result<Content, NoEnvelope> {
        let xml = format!(r#"<e:Envelope xmlns:e="{SOAP_1_1}"><e:Header><x/></e:Header><e:Body>{body}</e:Body></e:Envelope>"#);
        read(&xml, &names())
    }

    #[test]
    fn finds_the_element_in_the_body() {
        assert_eq!(
            content("<r><a>1</a></r>"),
            Ok(Content::Answer("r".into(), [("a", Legacy::from("1"))].into_iter().collect::<Row>().into_group()))
        );
        assert_eq!(content(" "), Ok(Content::Nothing));
    }

    #[test]
    fn tells_whatever_is_no_envelope() {
        assert_eq!(read("<html><body/></html>", &names()), Err(NoEnvelope::OtherDocument));
        assert_eq!(read("<Envelope><Body/></Envelope>", &names()), Err(NoEnvelope::OtherDocument));
        assert_eq!(read(&format!(r#"<Envelope xmlns="{SOAP_1_2}"/>"#), &names()), Err(NoEnvelope::NoBody));
        assert!(matches!(read("{}", &names()), Err(NoEnvelope::Unreadable(_))));
    }

    trait IntoGroup {
        fn into_group(self) -> Legacy;
    }

    impl IntoGroup for Row {
        fn into_group(self) -> Legacy {
            Legacy::Group(self)
        }
    }
}
