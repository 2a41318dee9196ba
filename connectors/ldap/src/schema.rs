//! The directory's schema (RFC 4512, section 4.2): what its attributes hold and how it compares them.
//!
//! An attribute that the directory has no rule to compare by finds nothing and tells no error, so it is asked for its
//! schema before anybody searches.

mod description;

use std::collections::HashMap;

use rabita_sdk::{Failure, Ignore};

use crate::failure::{Moment, refused};
use crate::link::Link;
use crate::protocol::{Code, Entry, Filter, Scope, SearchRequest};

pub(crate) use description::Description;

/// What an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Text,
    /// `TRUE` or `FALSE`.
    Boolean,
    Integer,
    Bytes,
    /// A time with its zone, as text that has one form for each value only in the eyes of the directory.
    Time,
    /// An identifier of RFC 4530, likewise.
    Uuid,
    /// Other text of that sort.
    Canonical,
}

/// An attribute's type, with what it has of its supertypes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttributeType {
    /// The name by which the directory answers.
    pub(crate) name: String,
    pub(crate) syntax: Syntax,
    pub(crate) equality: Option<String>,
    pub(crate) substrings: Option<String>,
    pub(crate) ordering: Option<String>,
}

impl AttributeType {
    /// Whether the directory overlooks a difference by itself where it compares.
    pub(crate) fn overlooks(&self, ignore: Ignore) -> bool {
        let rule = self.equality.as_deref().unwrap_or_default();
        match ignore {
            Ignore::Case => rule.starts_with("caseIgnore"),
            Ignore::OuterSpaces => rule.starts_with("caseIgnore") || rule.starts_with("caseExact"),
        }
    }
}

/// What a directory says of its attributes.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// By each name and object identifier, in lower case.
    attributes: HashMap<String, AttributeType>,
    /// Active Directory tells no rules.
    tells_rules: bool,
}

impl Schema {
    /// Asks the directory. One that hides its schema has an empty one.
    pub(crate) async fn ask(link: &mut Link) -> Result<Self, Failure> {
        let Some(entry) = subschema(link, &["attributeTypes"]).await? else { return Ok(Self::default()) };
        let texts = entry.values("attributeTypes").iter().filter_map(|value| std::str::from_utf8(value).ok());
        Ok(Self::of(texts.filter_map(Description::parse).collect()))
    }

    /// A schema of these attributes.
    pub(crate) fn of(descriptions: Vec<Description>) -> Self {
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (at, description) in descriptions.iter().enumerate() {
            by_name.extend(description.names().map(|name| (name.to_ascii_lowercase(), at)));
        }
        let find = |name: &str| by_name.get(&name.to_ascii_lowercase()).map(|at| &descriptions[*at]);
        let attributes: HashMap<String, AttributeType> =
            by_name.iter().map(|(name, at)| (name.clone(), resolved(&descriptions[*at], find))).collect();
        let tells_rules = attributes.values().any(|attribute| attribute.equality.is_some());
        Self { attributes, tells_rules }
    }

    /// The type of an attribute, whatever its options; none where the directory does not tell.
    pub(crate) fn attribute(&self, name: &str) -> Option<&AttributeType> {
        let name = name.split(';').next().unwrap_or_default();
        self.attributes.get(&name.to_ascii_lowercase())
    }

    /// The type of an attribute, where its rules are told.
    pub(crate) fn rules(&self, name: &str) -> Option<&AttributeType> {
        self.attribute(name).filter(|_| self.tells_rules)
    }

    /// The name by which the directory answers where this one was asked for.
    pub(crate) fn answered(&self, name: &str) -> String {
        let (plain, options) = name.split_once(';').map_or((name, None), |(plain, options)| (plain, Some(options)));
        let plain = self.attribute(plain).map_or(plain, |attribute| attribute.name.as_str());
        options.map_or_else(|| plain.to_owned(), |options| format!("{plain};{options}"))
    }
}

/// The subschema entry, with these of its attributes; none where the bus may not see it.
pub(crate) async fn subschema(link: &mut Link, attributes: &[&str]) -> Result<Option<Entry>, Failure> {
    let root = read(link, "", Filter::Present("objectClass".to_owned()), &["subschemaSubentry"]).await?;
    let named = root.as_ref().and_then(|root| root.values("subschemaSubentry").first().cloned());
    let Some(dn) = named.and_then(|dn| String::from_utf8(dn).ok()) else { return Ok(None) };
    read(link, &dn, Filter::Equal("objectClass".to_owned(), b"subschema".to_vec()), attributes).await
}

/// One entry by its name; none where the bus may not see it.
async fn read(link: &mut Link, dn: &str, filter: Filter, attributes: &[&str]) -> Result<Option<Entry>, Failure> {
    let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
    let request = SearchRequest { base: dn.to_owned(), scope: Scope::Base, size_limit: 0, time_limit: 0, filter, attributes };
    let mut found = None;
    let end = link.search(request, Vec::new(), |entry, _| {
        found = Some(entry);
        Ok(())
    });
    match end.await?.code {
        Code::SUCCESS => Ok(found),
        // Access denied and nothing there are one to those who may not know.
        Code::NO_SUCH_OBJECT | Code(50 | 53) => Ok(None),
        code => Err(refused(code, Moment::Connecting)),
    }
}

/// A type with what it has of its supertypes, which may not go round in a circle.
fn resolved<'a>(description: &'a Description, find: impl Fn(&str) -> Option<&'a Description>) -> AttributeType {
    const GENERATIONS_MAX: usize = 16;
    let mut family = vec![description];
    while let Some(parent) = family.last().and_then(|last| last.word("SUP")).and_then(&find) {
        if family.len() >= GENERATIONS_MAX {
            break;
        }
        family.push(parent);
    }
    let inherited = |keyword: &str| family.iter().find_map(|one| one.word(keyword)).map(str::to_owned);
    let name = description.names().next().unwrap_or_default().to_owned();
    let syntax = syntax(inherited("SYNTAX").as_deref().unwrap_or_default());
    let (equality, substrings, ordering) = (inherited("EQUALITY"), inherited("SUBSTR"), inherited("ORDERING"));
    AttributeType { name, syntax, equality, substrings, ordering }
}

/// What a syntax holds (RFC 4517, section 3.3); its number may have a length in braces.
fn syntax(oid: &str) -> Syntax {
    const STANDARD: &str = "1.3.6.1.4.1.1466.115.121.1.";
    let oid = oid.split('{').next().unwrap_or_default().trim_matches('\'');
    // Active Directory's security descriptors, too.
    match (oid.strip_prefix(STANDARD), oid) {
        (Some("7"), _) => Syntax::Boolean,
        (Some("27"), _) => Syntax::Integer,
        (Some("4" | "5" | "8" | "9" | "10" | "23" | "28" | "40" | "49"), _) | (None, "1.2.840.113556.1.4.907") => Syntax::Bytes,
        (Some("24"), _) => Syntax::Time,
        (None, "1.3.6.1.1.16.1") => Syntax::Uuid,
        (Some("53"), _) | (None, "1.3.6.1.4.1.4203.666.11.2.1") => Syntax::Canonical,
        (None, "1.2.840.113556.1.4.906") => Syntax::Integer,
        _ => Syntax::Text,
    }
}

#[cfg(test)]
mod tests;
