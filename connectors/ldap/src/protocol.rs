//! LDAP's messages (RFC 4511), both ways: the connector sends requests and reads answers, the stand-in the reverse.
//!
//! What a message says beyond what a connector needs is dropped where it is read, texts of the server above all: they
//! may repeat values.

mod ber;
mod control;
mod decode;
mod encode;
mod filter;
mod frame;
#[cfg(test)]
mod tests;

pub(crate) use control::{ASSERTION, Control, PAGED_RESULTS};
pub(crate) use filter::{Filter, Substrings, parse as parse_filter};
pub(crate) use frame::{Broken, Frames, encoded};

/// One message: a request, or an answer to the request of the same number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: i32,
    pub(crate) op: Op,
    pub(crate) controls: Vec<Control>,
}

/// What a message asks or answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    BindRequest {
        dn: String,
        credentials: Credentials,
    },
    BindResponse(Code),
    UnbindRequest,
    SearchRequest(SearchRequest),
    SearchEntry(Entry),
    /// The search goes on at another server.
    SearchReference,
    SearchDone(Code),
    ModifyRequest {
        dn: String,
        modifications: Vec<Modification>,
    },
    ModifyResponse(Code),
    AddRequest(Entry),
    AddResponse(Code),
    DeleteRequest(String),
    DeleteResponse(Code),
    ExtendedRequest(String),
    ExtendedResponse(Code),
    /// Something that neither side has a use for.
    Other,
}

/// Who asks.
#[derive(Clone, PartialEq)]
pub(crate) enum Credentials {
    Password(Vec<u8>),
    /// Whoever the client certificate names (RFC 4513, section 5.2.3).
    External,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::External => "External",
        })
    }
}

/// The result code of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const SIZE_LIMIT_EXCEEDED: Self = Self(4);
    pub(crate) const NO_SUCH_OBJECT: Self = Self(32);
    pub(crate) const ENTRY_ALREADY_EXISTS: Self = Self(68);
    pub(crate) const ASSERTION_FAILED: Self = Self(122);
}

/// How far a search reaches from its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Base,
    One,
    Subtree,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SearchRequest {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    /// The most entries, 0 for as many as there are.
    pub(crate) size_limit: i32,
    /// The longest that the server works at it, in seconds, 0 for as long as it takes.
    pub(crate) time_limit: i32,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<String>,
}

/// An entry, or what was asked for of one.
#[derive(Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// An attribute and its values, which have no order.
#[derive(Clone, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) values: Vec<Vec<u8>>,
}

impl Entry {
    /// The values of an attribute. Names are the same whatever their case (RFC 4512, section 2.5).
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        found.map_or(&[], |attribute| attribute.values.as_slice())
    }
}

/// Entries are records: their values are shown to nobody.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.values.len())
    }
}

/// One step of a modification. The server does all steps or none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Modification {
    pub(crate) kind: ModificationKind,
    pub(crate) attribute: Attribute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModificationKind {
    Add,
    Delete,
    /// The given values instead of all that were there; none ends the attribute.
    Replace,
    /// Adds a number (RFC 4525).
    Increment,
}
