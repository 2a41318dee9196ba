//! The word that was likely meant.

/// Below this likeness (Jaro-Winkler, 0 to 1) a guess confuses more than it helps.
const LIKELY: f64 = 0.8;

/// ` (did you mean `limit`?)` when a candidate is near enough, else nothing. The word itself is not repeated: it may
/// be a value that ended up in the wrong place.
pub(crate) fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    let word = word.to_lowercase();
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!(" (did you mean `{candidate}`?)"))
        .unwrap_or_default()
}
