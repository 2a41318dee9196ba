//! Faults of SOAP 1.1 and 1.2, and what the manifest says that they mean.

use std::collections::BTreeMap;

use rabita_sdk::reply::Meaning;
use rabita_sdk::{Legacy, Row};

/// A fault. Its texts are the legacy system's: they are compared with the manifest's words and never handed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The local name of the code: `Client`, `Server.Timeout`, `Sender`.
    code: String,
    /// The local names of the subcodes, outermost first.
    subcodes: Vec<String>,
    /// The fault string, or the reason in each language.
    texts: Vec<String>,
    /// The local name of the first element in the detail.
    detail: Option<String>,
}

impl Fault {
    /// Reads the fault's element, in the form of either version: some services put one's form into the other's
    /// envelope.
    pub(crate) fn read(fault: &Legacy) -> Self {
        let Legacy::Group(fault) = fault else { return Self::default() };
        match group(fault, "Code") {
            None => Self {
                code: local(&text(fault, "faultcode")),
                subcodes: Vec::new(),
                texts: vec![text(fault, "faultstring")],
                detail: first_element(fault, "detail"),
            },
            Some(code) => Self {
                code: local(&text(code, "Value")),
                subcodes: subcodes(code),
                texts: group(fault, "Reason").map(reasons).unwrap_or_default(),
                detail: first_element(fault, "Detail"),
            },
        }
    }

    /// What it means, with the word of the manifest that it was known by. The most particular word holds.
    pub(crate) fn meaning<'m>(&self, words: &'m BTreeMap<String, Meaning>) -> (Meaning, Option<&'m str>) {
        let general = self.code.split('.').next();
        let own = self.texts.iter().map(|text| text.trim()).chain(self.detail.as_deref());
        let own = own.chain(self.subcodes.iter().rev().map(String::as_str)).chain([self.code.as_str()]).chain(general);
        for word in own {
            if let Some((word, meaning)) = words.get_key_value(word) {
                return (*meaning, Some(word));
            }
        }
        let blames_sender = matches!(general, Some("Client" | "Sender"));
        (if blames_sender { Meaning::Refused } else { Meaning::Unavailable }, None)
    }

    /// The code for the operator, if it looks like one.
    pub(crate) fn code(&self) -> &str {
        let is_code =
            self.code.len() <= 40 && self.code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if is_code && !self.code.is_empty() { &self.code } else { "of an unknown code" }
    }
}

fn subcodes(code: &Row) -> Vec<String> {
    let mut found = Vec::new();
    let mut inner = group(code, "Subcode");
    while let Some(subcode) = inner {
        found.push(local(&text(subcode, "Value")));
        inner = group(subcode, "Subcode");
    }
    found
}

fn reasons(reason: &Row) -> Vec<String> {
    match reason.get("Text") {
        Some(Legacy::List(texts)) => texts.iter().map(plain).collect(),
        Some(one) => vec![plain(one)],
        None => Vec::new(),
    }
}

fn first_element(fault: &Row, name: &str) -> Option<String> {
    group(fault, name)?.iter().map(|(name, _)| name).find(|name| !name.starts_with(['@', '#'])).map(local)
}

fn group<'a>(row: &'a Row, name: &str) -> Option<&'a Row> {
    match row.get(name) {
        Some(Legacy::Group(group)) => Some(group),
        _ => None,
    }
}

fn text(row: &Row, name: &str) -> String {
    row.get(name).map(plain).unwrap_or_default()
}

fn plain(value: &Legacy) -> String {
    match value {
        Legacy::Text(text) => text.trim().to_owned(),
        Legacy::Group(row) => text(row, "#text"),
        _ => String::new(),
    }
}

/// A qualified name in a text without its prefix.
fn local(name: &str) -> String {
    name.rsplit_once(':').map_or(name, |(_, local)| local).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{self, Content};

    fn fault(xml: &str) -> Fault {
        match envelope::read(xml, &envelope::names()) {
            Ok(Content::Fault(fault)) => fault,
            other => panic!("no fault: {other:?}"),
        }
    }

    fn old(inside: &str) -> Fault {
        fault(&format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>{inside}</s:Fault></s:Body></s:Envelope>"#
        ))
    }

    const NEW: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="urn:t"><s:Body><s:Fault>
        <s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>t:Busy</s:Value></s:Subcode></s:Code>
        <s:Reason><s:Text xml:lang="az">məşğul</s:Text><s:Text xml:lang="en">busy</s:Text></s:Reason>
        <s:Detail><t:busyFault><t:seconds>5</t:seconds></t:busyFault></s:Detail></s:Fault></s:Body></s:Envelope>"#;

    #[test]
    fn knows_a_fault_by_its_string_its_detail_its_subcode_and_its_code() {
        let words = |word: &str| BTreeMap::from([(word.to_owned(), Meaning::Absent)]);
        let known = old(
            "<faultcode>s:Server.Lookup</faultcode><faultstring>NOT_FOUND</faultstring><detail><x:lost xmlns:x='urn:x'/></detail>",
        );
        for word in ["NOT_FOUND", "lost", "Server.Lookup", "Server"] {
            assert_eq!(known.meaning(&words(word)), (Meaning::Absent, Some(word)));
        }
        assert_eq!(known.meaning(&words("NOT")), (Meaning::Unavailable, None));
        for word in ["məşğul", "busy", "busyFault", "Busy", "Sender"] {
            assert_eq!(fault(NEW).meaning(&words(word)), (Meaning::Absent, Some(word)));
        }
    }

    #[test]
    fn lets_the_code_speak_for_a_fault_that_the_manifest_does_not_name() {
        let none = BTreeMap::new();
        assert_eq!(old("<faultcode>s:Client</faultcode><faultstring>x</faultstring>").meaning(&none), (Meaning::Refused, None));
        assert_eq!(old("<faultcode>s:Client.Auth</faultcode>").meaning(&none), (Meaning::Refused, None));
        assert_eq!(old("<faultcode>s:Server</faultcode>").meaning(&none), (Meaning::Unavailable, None));
        assert_eq!(old("").meaning(&none), (Meaning::Unavailable, None));
        assert_eq!(fault(NEW).meaning(&none), (Meaning::Refused, None));
    }

    #[test]
    fn shows_the_operator_no_text_that_merely_stands_where_a_code_should() {
        assert_eq!(old("<faultcode>s:Client</faultcode>").code(), "Client");
        assert_eq!(old("<faultcode>No record of Əliyeva</faultcode>").code(), "of an unknown code");
    }
}
