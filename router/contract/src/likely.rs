//! The word that was likely meant, as faults tell it.

/// ` (did you mean `limit`?)` when a candidate is near enough, else nothing. The word itself is not repeated: it may
/// be a value that ended up in the wrong place.
pub(crate) fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    let likely = rabita_model::likely::likely(word, candidates.iter().copied());
    likely.map(|candidate| format!(" (did you mean `{candidate}`?)")).unwrap_or_default()
}
