//! Envelopes read and written. The reader keeps only what the service asks for: texts by the names on the way to them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// The namespace of WS-Security (OASIS, 2004).
pub(super) const SECURITY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

/// A request: its texts by path, without prefixes.
pub(super) struct Request {
    texts: BTreeMap<String, String>,
    operation: Option<String>,
}

impl Request {
    /// Reads an envelope; `None` when it is no XML.
    pub(super) fn parse(body: &str) -> Option<Self> {
        let mut reader = Reader::from_str(body);
        let mut path: Vec<String> = Vec::new();
        let mut request = Self { texts: BTreeMap::new(), operation: None };
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) => {
                    path.push(element.local_name().as_ref().to_owned());
                    request.opened(&path);
                }
                Event::Empty(element) => {
                    path.push(element.local_name().as_ref().to_owned());
                    request.opened(&path);
                    path.pop();
                }
                Event::End(_) => {
                    path.pop();
                }
                Event::Text(text) => request.add(&path, &text),
                Event::CData(text) => request.add(&path, &text),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(letter) => letter.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&reference)?.to_owned(),
                    };
                    request.add(&path, &resolved);
                }
                Event::Eof => return Some(request),
                _ => {}
            }
        }
    }

    /// The name of the body's element.
    pub(super) fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// An argument that is there and not empty.
    pub(super) fn argument(&self, name: &str) -> Option<&str> {
        let path = format!("Envelope/Body/{}/{name}", self.operation()?);
        self.texts.get(&path).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// A text of the header.
    pub(super) fn header(&self, path: &str) -> Option<&str> {
        self.texts.get(&format!("Envelope/Header/{path}")).map(String::as_str)
    }

    fn opened(&mut self, path: &[String]) {
        if let [envelope, body, operation] = path
            && envelope == "Envelope"
            && body == "Body"
        {
            self.operation = Some(operation.clone());
        }
    }

    fn add(&mut self, path: &[String], text: &str) {
        self.texts.entry(path.join("/")).or_default().push_str(text);
    }
}

/// An envelope around a body's content.
pub(super) fn wrap(content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <soap:Body>{content}</soap:Body></soap:Envelope>"
    )
}

/// Text for an element or attribute. All but ASCII is written as references, as the library of that time did.
pub(super) fn text(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            letter if letter.is_ascii() => written.push(letter),
            letter => {
                // Writing to a String cannot fail.
                let _ = write!(written, "&#{};", u32::from(letter));
            }
        }
    }
    written
}
