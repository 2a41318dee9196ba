//! What is wrong with a schema document.

/// One thing that is wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{}{message}", .name, if .pointer.is_empty() { "" } else { "#" }, if .name.is_empty() && .pointer.is_empty() { String::new() } else { format!("{}: ", .pointer) })]
pub struct SchemaProblem {
    /// The schema's name, or its file where it has no name yet. Empty for a document that was handed over by itself.
    pub name: String,
    /// Where in the document, as a JSON Pointer.
    pub pointer: String,
    /// What is wrong, for a person.
    pub message: String,
}

impl SchemaProblem {
    /// A problem in a document whose name is not known here.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: String::new(), pointer: pointer.into(), message: message.into() }
    }

    /// Says which schema it is in, unless that is known already.
    #[must_use]
    pub fn within(mut self, name: &str) -> Self {
        if self.name.is_empty() {
            name.clone_into(&mut self.name);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_place_and_a_sentence() {
        assert_eq!(SchemaProblem::at("/type", "no such type").to_string(), "#/type: no such type");
        assert_eq!(SchemaProblem::at("/type", "no such type").within("a/b/v1").to_string(), "a/b/v1#/type: no such type");
        assert_eq!(SchemaProblem::at("", "not JSON").within("a/b/v1").to_string(), "a/b/v1: not JSON");
        assert_eq!(SchemaProblem::at("", "not an object").to_string(), "not an object");
    }
}
