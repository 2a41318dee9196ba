//! Something wrong with a configuration, at a place in a document.

pub use rabita_model::Rule;
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
    /// The rule that is broken, where it is another than that of the place.
    pub rule: Option<Rule>,
    /// A warning does not make the configuration bad.
    pub is_warning: bool,
}

impl Finding {
    /// An error at a value.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), at_name: false, message: message.into(), instead: None, rule: None, is_warning: false }
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
        // What, and within what: "source in `from`".
        let message = match what.split_once(" in ") {
            Some((what, within)) if within.ends_with('`') => format!("there is no {what} `{word}` in {within}"),
            _ => format!("there is no {what} `{word}`"),
        };
        Self::new(pointer, message).breaks(Rule::NameUnknown).among(word, candidates)
    }

    /// The finding about a word with the candidate that was likely meant.
    #[must_use]
    pub fn likely<'a>(mut self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.instead = likely(word, candidates).map(str::to_owned);
        self
    }

    /// The finding about a word with the candidate that was likely meant, or with all where none was and they are few.
    #[must_use]
    pub fn among<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known: Vec<&str> = Vec::new();
        for candidate in candidates {
            if !known.contains(&candidate) {
                known.push(candidate);
            }
        }
        let mut finding = self.likely(word, known.iter().copied());
        if finding.instead.is_none() && !known.is_empty() && known.len() <= LISTED {
            finding.message = format!("{}; there is {}", finding.message, known.join(", "));
        }
        finding
    }

    /// The finding with the rule that is broken; one that was given before stays, since it is closer to the fault.
    #[must_use]
    pub fn breaks(mut self, rule: Rule) -> Self {
        self.rule.get_or_insert(rule);
        self
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
