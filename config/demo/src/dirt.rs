//! What decades do to a register: the ways in which old rows are written.

use crate::random::Random;

/// How a name came to stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    Clean,
    /// Blanks before or after, from fields of fixed width.
    Blanks,
    /// Two blanks between words.
    DoubleBlanks,
    UpperCase,
    /// Typed on a keyboard without the letters.
    WithoutDiacritics,
    /// Never converted since the change of the alphabet.
    Cyrillic,
}

impl Spelling {
    /// The spelling of a row first written for someone born in this year.
    #[must_use]
    pub fn draw(born_year: i32, random: &mut Random) -> Self {
        let old = born_year < 1985;
        match random.below(1000) {
            0..=59 => Self::Blanks,
            60..=74 => Self::DoubleBlanks,
            75..=114 => Self::UpperCase,
            115..=139 => Self::WithoutDiacritics,
            140..=159 if old => Self::Cyrillic,
            _ => Self::Clean,
        }
    }

    /// The text as it stands in the row.
    #[must_use]
    pub fn write(self, text: &str, random: &mut Random) -> String {
        match self {
            Self::Clean => text.to_owned(),
            Self::Blanks => match random.below(3) {
                0 => format!(" {text}"),
                1 => format!("{text}  "),
                _ => format!("{text:<24}"),
            },
            Self::DoubleBlanks => {
                if text.contains(' ') {
                    text.replace(' ', "  ")
                } else {
                    format!("{text} ")
                }
            }
            Self::UpperCase => upper_case(text),
            Self::WithoutDiacritics => without_diacritics(text),
            Self::Cyrillic => cyrillic(text),
        }
    }
}

/// Upper case by the rules of the language: i becomes İ, ı becomes I.
#[must_use]
pub fn upper_case(text: &str) -> String {
    text.replace('i', "İ").replace('ı', "I").to_uppercase()
}

/// The letters that an English keyboard has.
#[must_use]
pub fn without_diacritics(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            'ə' => 'e',
            'Ə' => 'E',
            'ı' => 'i',
            'İ' => 'I',
            'ö' => 'o',
            'Ö' => 'O',
            'ü' => 'u',
            'Ü' => 'U',
            'ğ' => 'g',
            'Ğ' => 'G',
            'ş' => 's',
            'Ş' => 'S',
            'ç' => 'c',
            'Ç' => 'C',
            other => other,
        })
        .collect()
}

const LATIN: &str = "abcçdeəfgğhxıijkqlmnoöprsştuüvyzABCÇDEƏFGĞHXIİJKQLMNOÖPRSŞTUÜVYZ";
const CYRILLIC: &str = "абҹчдеәфҝғһхыижкглмноөпрсштуүвјзАБҸЧДЕӘФҜҒҺХЫИЖКГЛМНОӨПРСШТУҮВЈЗ";

/// The alphabet in use until 1991.
#[must_use]
pub fn cyrillic(text: &str) -> String {
    text.chars()
        .map(|letter| {
            let place = LATIN.chars().position(|latin| latin == letter);
            place.and_then(|place| CYRILLIC.chars().nth(place)).unwrap_or(letter)
        })
        .collect()
}

/// The text in the Turkish code page 1254, which has no ə: as in the alphabet of 1991, ä stands for it.
#[must_use]
pub fn code_page_1254(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| match letter {
            'ə' => 0xE4,
            'Ə' => 0xC4,
            'ğ' => 0xF0,
            'Ğ' => 0xD0,
            'ı' => 0xFD,
            'İ' => 0xDD,
            'ş' => 0xFE,
            'Ş' => 0xDE,
            'ö' => 0xF6,
            'Ö' => 0xD6,
            'ü' => 0xFC,
            'Ü' => 0xDC,
            'ç' => 0xE7,
            'Ç' => 0xC7,
            ascii if ascii.is_ascii() => u8::try_from(ascii).unwrap_or(b'?'),
            _ => b'?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_writes_what_its_age_wrote() {
        let mut random = Random::new(1, "spellings");
        let name = "İsmayılova Aygün";
        assert_eq!(Spelling::UpperCase.write(name, &mut random), "İSMAYILOVA AYGÜN");
        assert_eq!(Spelling::WithoutDiacritics.write(name, &mut random), "Ismayilova Aygun");
        assert_eq!(Spelling::Cyrillic.write("Əliyeva", &mut random), "Әлијева");
        assert_eq!(Spelling::DoubleBlanks.write(name, &mut random), "İsmayılova  Aygün");
        assert_eq!(Spelling::Blanks.write(name, &mut random).trim(), name);
    }

    #[test]
    fn the_alphabets_are_of_one_length_and_the_code_page_is_one_byte_a_letter() {
        assert_eq!(LATIN.chars().count(), CYRILLIC.chars().count());
        assert_eq!(code_page_1254("Şəki"), [0xDE, 0xE4, b'k', b'i']);
    }
}
