//! Names that stand once: operations and components.

use std::collections::BTreeSet;

/// The names given so far.
#[derive(Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// This name, with the first number behind it that makes it unlike all before.
    pub(crate) fn unique(&mut self, name: &str) -> String {
        // Generators turn names to their own taste, so names that differ in case alone count as the same.
        let mut candidate = name.to_owned();
        let mut number = 2_u32;
        while !self.0.insert(candidate.to_ascii_lowercase()) {
            candidate = format!("{name}{number}");
            number += 1;
        }
        candidate
    }
}

/// `civil-registry`, `v1`, `birth_records` become `CivilRegistryV1BirthRecords`.
pub(crate) fn pascal(words: &[&str]) -> String {
    let mut name = String::new();
    for part in words.iter().flat_map(|word| word.split(|c: char| !c.is_ascii_alphanumeric())) {
        let mut characters = part.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    name
}
