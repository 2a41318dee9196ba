//! Values that look like the ones that were sampled and are nobody's.
//!
//! Digits stand for digits, letters for letters of the same alphabet and the same case; everything else stays, so
//! that lengths, widths, blanks and signs are those of the real thing. Days are moved. One value always becomes the
//! same look-alike, so that rows which belong together still do. What it becomes depends on a secret key: without it
//! nobody can try out who might have become this, however few the possible values are.

mod day;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lc_rs::hmac;
use rabita_sdk::{Legacy, Row, Source};

/// Texts with fewer letters and digits may coincide with somebody's: they point to nobody.
pub const TELLING: usize = 4;

/// How often another look-alike is tried before a value is given up.
const TRIES: u32 = 200;

/// How the values of a source are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disguise {
    /// Not at all: codes, flags, what is the same in every row.
    Keep,
    /// Character by character.
    Characters,
    /// As a day in this format of `strftime`, which may have zeros for what is unknown.
    Day(String),
}

/// Makes look-alikes of the values of one entity.
pub struct LookAlikes {
    key: hmac::Key,
    disguises: BTreeMap<Source, Disguise>,
    /// Values that stand for none, as they are.
    sentinels: BTreeSet<String>,
    /// Every sampled text that must not come out again.
    real: BTreeSet<String>,
    /// The letters and signs that stand at the same place in every value of a source.
    fixed: HashMap<Source, Vec<Option<char>>>,
    /// The letters beyond ASCII that a source has.
    letters: HashMap<Source, Vec<char>>,
}

impl LookAlikes {
    /// For rows of these sources. `key` is the secret.
    #[must_use]
    pub fn new(key: &[u8], disguises: BTreeMap<Source, Disguise>, sentinels: BTreeSet<String>, rows: &[Row]) -> Self {
        let mut made = Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            disguises,
            sentinels,
            real: BTreeSet::new(),
            fixed: HashMap::new(),
            letters: HashMap::new(),
        };
        let sources: Vec<(Source, Disguise)> = made.disguises.iter().map(|(source, how)| (source.clone(), how.clone())).collect();
        for (source, how) in sources.into_iter().filter(|(_, how)| *how != Disguise::Keep) {
            let mut texts = Vec::new();
            for row in rows {
                each_scalar(row.find(&source), &mut |value| texts.extend(value.to_text().map(std::borrow::Cow::into_owned)));
            }
            if how == Disguise::Characters {
                made.fixed.insert(source.clone(), fixed_places(&texts));
                let beyond: BTreeSet<char> =
                    texts.iter().flat_map(|text| text.chars()).filter(|c| !c.is_ascii() && c.is_alphabetic()).collect();
                made.letters.insert(source, beyond.into_iter().collect());
            }
            made.real.extend(texts.into_iter().filter(|text| tells(text)));
        }
        made
    }

    /// The look-alike of a row; what has no disguise is left out. `None` where a value cannot be given another.
    #[must_use]
    pub fn row(&self, row: &Row) -> Option<Row> {
        let mut made = Row::new();
        for (source, how) in &self.disguises {
            let Some(value) = row.find(source) else { continue };
            let value = self.value(source, how, value)?;
            // As it stood: under the whole name, or within groups.
            if row.get(source.as_str()).is_some() { made.set(source.as_str(), value) } else { made.put(source, value) }
        }
        Some(made)
    }

    fn value(&self, source: &Source, how: &Disguise, value: &Legacy) -> Option<Legacy> {
        Some(match value {
            Legacy::List(items) => Legacy::List(items.iter().map(|item| self.value(source, how, item)).collect::<Option<_>>()?),
            Legacy::Null | Legacy::Bool(_) => value.clone(),
            _ if *how == Disguise::Keep => value.clone(),
            Legacy::Bytes(_) => Legacy::Bytes(vec![0]),
            // Its members are given by their own sources.
            Legacy::Group(_) => return None,
            Legacy::Int(_) | Legacy::Float(_) | Legacy::Text(_) => self.scalar(source, how, value)?,
        })
    }

    fn scalar(&self, source: &Source, how: &Disguise, value: &Legacy) -> Option<Legacy> {
        let text = value.to_text()?;
        // Nothing but zeros is the number of nobody.
        let is_nothing = text.chars().all(|character| character == '0' || !character.is_alphanumeric());
        if self.sentinels.contains(text.trim()) || is_nothing {
            return Some(value.clone());
        }
        let fixed = self.fixed.get(source).map_or(&[][..], Vec::as_slice);
        (0..TRIES).find_map(|attempt| {
            let mut dice = Dice::new(&self.key, &text, attempt);
            // Of a column with few values each letter may be one that all have: then none of them stays.
            let fixed = if attempt < TRIES / 2 { fixed } else { &[] };
            let made = match how {
                Disguise::Day(format) => {
                    day::moved(&text, format, &mut dice).or_else(|| Some(self.characters(source, &text, fixed, &mut dice)))
                }
                Disguise::Keep | Disguise::Characters => Some(self.characters(source, &text, fixed, &mut dice)),
            }?;
            let is_another = made != *text || !tells(&text);
            if !is_another || self.real.contains(&made) {
                return None;
            }
            match value {
                Legacy::Int(_) => made.parse().ok().map(Legacy::Int),
                Legacy::Float(_) => made.parse().ok().map(Legacy::Float),
                _ => Some(Legacy::Text(made)),
            }
        })
    }

    fn characters(&self, source: &Source, text: &str, fixed: &[Option<char>], dice: &mut Dice) -> String {
        let letters = self.letters.get(source).map_or(&[][..], Vec::as_slice);
        let is_hexadecimal = text.len() >= 8
            && text.bytes().any(|byte| byte.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let mut is_leading = true;
        text.chars()
            .enumerate()
            .map(|(at, character)| {
                let is_first = is_leading;
                is_leading = is_leading && matches!(character, '0' | '-' | '+');
                if fixed.get(at) == Some(&Some(character)) {
                    return character;
                }
                match character {
                    // Zeros that fill a number up stay; a number does not begin with others.
                    '0' if is_first => '0',
                    '0'..='9' if is_first => dice.among(&['1', '2', '3', '4', '5', '6', '7', '8', '9']),
                    '0'..='9' => dice.between('0', '9'),
                    'a'..='f' if is_hexadecimal => dice.between('a', 'f'),
                    'A'..='F' if is_hexadecimal => dice.between('A', 'F'),
                    'a'..='z' => dice.between('a', 'z'),
                    'A'..='Z' => dice.between('A', 'Z'),
                    letter if letter.is_alphabetic() => beyond_ascii(letter, letters, dice),
                    other => other,
                }
            })
            .collect()
    }
}

/// Whether a text has enough in it to point to somebody.
#[must_use]
pub fn tells(text: &str) -> bool {
    text.chars().filter(|character| character.is_alphanumeric()).count() >= TELLING
}

/// A letter of the same alphabet and case, first of those that the column has.
fn beyond_ascii(letter: char, seen: &[char], dice: &mut Dice) -> char {
    let like = |other: &char| {
        other.is_uppercase() == letter.is_uppercase()
            && other.is_lowercase() == letter.is_lowercase()
            && alphabet(*other) == alphabet(letter)
    };
    let mut choices: Vec<char> = seen.iter().copied().filter(like).collect();
    if choices.len() < FEW {
        let block = u32::from(letter) & !0x7f;
        choices = (block..block + 0x80).filter_map(char::from_u32).filter(|other| other.is_alphabetic()).filter(like).collect();
    }
    dice.among(&choices)
}

/// With fewer letters than these one would too often stand for itself.
const FEW: usize = 6;

/// The blocks of Unicode that make an alphabet: Latin with its extensions, Greek, Cyrillic; others by their block.
fn alphabet(letter: char) -> u32 {
    match u32::from(letter) {
        0x80..=0x24f | 0x1e00..=0x1eff => 1,
        0x370..=0x3ff | 0x1f00..=0x1fff => 2,
        0x400..=0x52f => 3,
        other => 1000 + (other >> 7),
    }
}

/// The characters that stand at the same place in every text: a prefix, signs between digits. Only of many texts that
/// differ otherwise.
fn fixed_places(texts: &[String]) -> Vec<Option<char>> {
    let distinct: BTreeSet<&String> = texts.iter().collect();
    let mut distinct = distinct.into_iter();
    let Some(first) = distinct.next().filter(|_| distinct.len() >= 10) else { return Vec::new() };
    let mut fixed: Vec<Option<char>> = first.chars().map(Some).collect();
    for text in distinct {
        for (at, character) in text.chars().enumerate().take(fixed.len()) {
            if fixed[at] != Some(character) {
                fixed[at] = None;
            }
        }
        fixed.truncate(text.chars().count());
    }
    fixed
}

fn each_scalar<'a>(value: Option<&'a Legacy>, tell: &mut impl FnMut(&'a Legacy)) {
    match value {
        Some(Legacy::List(items)) => items.iter().for_each(|item| each_scalar(Some(item), tell)),
        Some(value) => tell(value),
        None => {}
    }
}

/// Draws that the same value always brings.
pub(super) struct Dice<'a> {
    key: &'a hmac::Key,
    about: Vec<u8>,
    drawn: Vec<u8>,
    block: u32,
}

impl<'a> Dice<'a> {
    fn new(key: &'a hmac::Key, text: &str, attempt: u32) -> Self {
        // The source is no part of it: a number that stands in two tables is the same number in both.
        let about = [&attempt.to_be_bytes()[..], text.trim().as_bytes()].concat();
        Self { key, about, drawn: Vec::new(), block: 0 }
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        if self.drawn.len() < 4 {
            let about = [&self.about[..], &self.block.to_be_bytes()].concat();
            self.drawn.extend_from_slice(hmac::sign(self.key, &about).as_ref());
            self.block += 1;
        }
        let drawn: Vec<u8> = self.drawn.drain(..4).collect();
        let number = drawn.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        number % end.max(1)
    }

    pub(super) fn between(&mut self, first: char, last: char) -> char {
        let span = u32::from(last) - u32::from(first) + 1;
        let drawn = u32::try_from(self.below(span as usize)).unwrap_or(0);
        char::from_u32(u32::from(first) + drawn).unwrap_or(first)
    }

    fn among(&mut self, choices: &[char]) -> char {
        choices.get(self.below(choices.len())).copied().unwrap_or('x')
    }
}

#[cfg(test)]
mod tests;
