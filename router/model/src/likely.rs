//! The word that was likely meant.

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
