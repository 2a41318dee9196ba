//! Something wrong with a configuration, at a place in a document.

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

/// Below this likeness (Jaro-Winkler, 0 to 1) a guess confuses more than it helps.
const LIKELY: f64 = 0.8;

/// The candidate that was likely meant by a word, if one is near enough.
pub fn likely<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A member's name as a token of a JSON Pointer.
#[must_use]
pub fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_the_likely_word_and_stays_silent_when_nothing_is_near() {
        assert_eq!(likely("colunm", ["column", "codec"]), Some("column"));
        assert_eq!(likely("SOYAT", ["SOYAD", "AD", "FIN"]), Some("SOYAD"));
        assert_eq!(likely("xyz", ["column", "codec"]), None);
    }
}
