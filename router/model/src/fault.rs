//! One thing that is wrong with a request, a reply or a record.

use serde::Serialize;

/// A fault at one place. A refusal carries all of them at once.
///
/// No part of it holds a value from a payload: the pointer says where, the code and the message say what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where, as a JSON Pointer (RFC 6901) into the body, or `""` for the whole.
    pub pointer: String,
    /// The stable word for the kind of fault: `required`, `type`, `unknown_filter`, ...
    pub code: &'static str,
    /// What is wrong and, where we can tell, what would be right. For a person.
    pub message: String,
    /// The query parameter or header at fault, where it is no place in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

impl Fault {
    /// A fault at a place in the body.
    pub fn at(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, message: message.into(), parameter: None }
    }

    /// The same fault in a part of the body that stands at this place.
    #[must_use]
    pub fn under(mut self, place: &str) -> Self {
        if self.parameter.is_none() {
            self.pointer.insert_str(0, place);
        }
        self
    }

    /// A fault in a query parameter or a header.
    pub fn parameter(name: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: String::new(), code, message: message.into(), parameter: Some(name.into()) }
    }
}
