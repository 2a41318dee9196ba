//! Something wrong with a configuration, at a place in a document.

pub use rabita_model::likely::likely;

/// A finding of `rabita check`. The place becomes file, line and column where the document is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the document, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// Whether the place is the member's name rather than its value.
    pub at_name: bool,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The word that was likely meant.
    pub instead: Option<String>,
    /// A warning does not make the configuration bad.
    pub is_warning: bool,
}

impl Finding {
    /// An error at a value.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), at_name: false, message: message.into(), instead: None, is_warning: false }
    }

    /// An error at the name of a member.
    pub fn at_name(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at_name: true, ..Self::new(pointer, message) }
    }

    /// A warning at a value.
    pub fn warning(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::new(pointer, message) }
    }

    /// An error about a word that names nothing, with the candidate that was likely meant.
    pub fn unknown<'a>(
        pointer: impl Into<String>,
        what: &str,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut known: Vec<&str> = Vec::new();
        for candidate in candidates {
            if !known.contains(&candidate) {
                known.push(candidate);
            }
        }
        let candidates = known;
        // What, and within what: "source in `from`".
        let message = match what.split_once(" in ") {
            Some((what, within)) if within.ends_with('`') => format!("there is no {what} `{word}` in {within}"),
            _ => format!("there is no {what} `{word}`"),
        };
        let mut finding = Self::new(pointer, message);
        finding.instead = likely(word, candidates.iter().copied()).map(str::to_owned);
        if finding.instead.is_none() && !candidates.is_empty() && candidates.len() <= LISTED {
            finding.message = format!("{}; there is {}", finding.message, candidates.join(", "));
        }
        finding
    }

    /// The finding with its place moved below another.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

const LISTED: usize = 12;

/// A member's name as a token of a JSON Pointer.
#[must_use]
pub fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
