//! Object classes (RFC 4512, section 2.4): which attributes an entry has and which it must have.

use std::collections::{BTreeSet, HashMap};

use crate::schema::Description;

/// The classes and attributes of a schema, by each of their names in lower case.
pub(crate) struct Classes {
    classes: HashMap<String, Description>,
    attributes: HashMap<String, Description>,
}

/// An attribute that entries of some classes may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) name: String,
    pub(crate) is_demanded: bool,
}

impl Classes {
    pub(crate) fn new(classes: Vec<Description>, attributes: &[Description]) -> Self {
        let by_name = |all: &[Description]| {
            all.iter().flat_map(|one| one.names().map(|name| (name.to_ascii_lowercase(), one.clone()))).collect()
        };
        Self { classes: by_name(&classes), attributes: by_name(attributes) }
    }

    /// What the schema says of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Description> {
        self.attributes.get(&name.to_ascii_lowercase())
    }

    pub(crate) fn class(&self, name: &str) -> Option<&Description> {
        self.classes.get(&name.to_ascii_lowercase())
    }

    /// The structural class of an entry: the one that is no superclass of another.
    pub(crate) fn structural<'a>(&self, classes: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
        let of = |name: &str| self.class(name).filter(|class| class.has("STRUCTURAL") || is_plain(class));
        let candidates = classes.clone().filter_map(of);
        let is_above = |class: &Description| {
            classes
                .clone()
                .filter_map(of)
                .any(|other| other.oid != class.oid && self.family(other).iter().any(|one| one.oid == class.oid))
        };
        let lowest = candidates.into_iter().find(|class| !is_above(class))?;
        lowest.names().next().map(str::to_owned)
    }

    /// The attributes that entries of these classes may have: those that they must have first.
    pub(crate) fn allowed<'a>(&self, classes: impl Iterator<Item = &'a str>) -> Vec<Allowed> {
        let mut allowed: Vec<Allowed> = Vec::new();
        let mut seen = BTreeSet::new();
        let family: Vec<&Description> =
            classes.filter_map(|name| self.class(name)).flat_map(|class| self.family(class)).collect();
        for (keyword, is_demanded) in [("MUST", true), ("MAY", false)] {
            for name in family.iter().flat_map(|class| class.all(keyword)) {
                let name = self.attribute(name).and_then(|attribute| attribute.names().next()).unwrap_or(name);
                if !name.eq_ignore_ascii_case("objectClass") && seen.insert(name.to_ascii_lowercase()) {
                    allowed.push(Allowed { name: name.to_owned(), is_demanded });
                }
            }
        }
        allowed
    }

    /// A class and its superclasses, which may not go round in a circle.
    fn family<'a>(&'a self, class: &'a Description) -> Vec<&'a Description> {
        const MOST: usize = 64;
        let mut family = vec![class];
        let mut at = 0;
        while let Some(class) = family.get(at).copied().filter(|_| family.len() < MOST) {
            for parent in class.all("SUP").iter().filter_map(|name| self.class(name)) {
                if !family.iter().any(|own| own.oid == parent.oid) {
                    family.push(parent);
                }
            }
            at += 1;
        }
        family
    }
}

/// Without a word a class is structural (RFC 4512, section 4.1.1).
fn is_plain(class: &Description) -> bool {
    !class.has("ABSTRACT") && !class.has("AUXILIARY")
}
