//! The contract's names, made of the legacy system's own. They are spelt differently and never translated: what a
//! word means is for a person to say.

use std::collections::HashSet;

/// The longest member of a field's name; the whole may have more.
const MEMBER_MAX: usize = 60;

/// A legacy name in small letters of ASCII, its words joined by `_`: `SOYAD`, `dateOfBirth`, `Nom d'usage`.
pub(crate) fn snake(name: &str) -> String {
    let plain = any_ascii::any_ascii(name);
    let letters: Vec<char> = plain.chars().collect();
    let mut snake = String::with_capacity(plain.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let begins_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins_word && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake.truncate(MEMBER_MAX);
    snake.trim_matches('_').to_owned()
}

/// The field that a source becomes: each of its members in the contract's spelling.
pub(crate) fn field(source: &str) -> String {
    let members: Vec<String> = source.split('.').map(snake).filter(|member| !member.is_empty()).collect();
    if members.is_empty() { "value".to_owned() } else { members.join(".") }
}

/// The name of an entity, a code list, a registry: it begins with a letter.
pub(crate) fn word(name: &str) -> String {
    let snake = snake(name);
    match snake.chars().next() {
        Some(first) if first.is_ascii_lowercase() => snake,
        Some(_) => format!("n_{snake}"),
        None => "unnamed".to_owned(),
    }
}

/// The name of a registry or an agency: as [`word`], with `-`.
#[must_use]
pub fn slug(name: &str) -> String {
    word(name).replace('_', "-")
}

/// Gives names once each: a second `date` becomes `date_2`. No field lies within another.
#[derive(Debug, Default)]
pub(crate) struct Taken(HashSet<String>);

impl Taken {
    pub(crate) fn take(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.is_free(&name) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        self.0.insert(name.clone());
        name
    }

    fn is_free(&self, name: &str) -> bool {
        let within = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        self.0.iter().all(|own| own != name && !within(own, name) && !within(name, own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_legacy_names_as_the_contract_does_and_translates_none() {
        for (legacy, contract) in [
            ("SOYAD", "soyad"),
            ("geboorteDatum", "geboorte_datum"),
            ("DEYISHDI", "deyishdi"),
            ("VATNumber", "vat_number"),
            ("Ünvanı", "unvani"),
            ("address.postCode", "address.post_code"),
            ("@plate", "plate"),
            ("01.01.20", "01.01.20"),
            ("dn__x", "dn_x"),
            ("__", "value"),
        ] {
            assert_eq!(field(legacy), contract, "{legacy}");
        }
        assert_eq!(word("01 Person"), "n_01_person");
        assert_eq!(slug("VIES_Service"), "vies-service");
    }

    #[test]
    fn gives_no_name_twice_and_none_within_another() {
        let mut taken = Taken::default();
        assert_eq!(taken.take("date"), "date");
        assert_eq!(taken.take("date"), "date_2");
        assert_eq!(taken.take("form.code"), "form.code");
        assert_eq!(taken.take("form"), "form_2");
    }
}
