//! Days that are moved, whatever their form.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::Dice;

/// A day some years away, with the same parts unknown.
pub(super) fn moved(text: &str, format: &str, dice: &mut Dice<'_>) -> Option<String> {
    let places = places(format)?;
    let digits: Vec<char> = text.chars().collect();
    // An integer has lost the zeros before it.
    let width: usize = places.iter().map(|(_, digits)| digits).sum();
    let padded: Vec<char> = std::iter::repeat_n('0', width.saturating_sub(digits.len())).chain(digits.iter().copied()).collect();
    let mut numbers = BTreeMap::new();
    let mut at = 0;
    for (part, length) in &places {
        let piece: String = padded.get(at..at + length)?.iter().collect();
        at += length;
        if let Some(part) = part {
            numbers.insert(*part, piece.parse::<i16>().ok()?);
        }
    }
    let (year, month, day) = (numbers.get(&'Y').copied()?, numbers.get(&'m').copied(), numbers.get(&'d').copied());
    let real = Date::new(year, as_part(month)?, as_part(day)?).ok()?;
    let years = i64::try_from(dice.below(9)).ok()? + 1;
    let days = i64::try_from(dice.below(300)).ok()? + 1;
    let made = real.checked_sub(years.years()).and_then(|date| date.checked_sub(days.days())).ok()?;
    let mut made_text = String::new();
    let mut at = 0;
    for (part, length) in &places {
        let number = match part {
            Some('Y') => Some(made.year()),
            Some('m') => Some(if month == Some(0) { 0 } else { made.month().into() }),
            Some('d') => Some(if day == Some(0) { 0 } else { made.day().into() }),
            _ => None,
        };
        match number {
            Some(number) => made_text.push_str(&format!("{number:0length$}")),
            None => made_text.extend(padded.get(at..at + length)?),
        }
        at += length;
    }
    // What follows the day, such as a time, keeps its form.
    let rest: String = padded
        .get(at..)?
        .iter()
        .map(|character| if character.is_ascii_digit() { dice.between('0', '5') } else { *character })
        .collect();
    made_text.push_str(&rest);
    let is_number = digits.len() < width;
    Some(if is_number { made_text.trim_start_matches('0').to_owned() } else { made_text })
}

fn as_part(number: Option<i16>) -> Option<i8> {
    i8::try_from(number.unwrap_or(1).max(1)).ok()
}

/// The parts of a format and how many characters each has; `None` for those that stand for themselves.
fn places(format: &str) -> Option<Vec<(Option<char>, usize)>> {
    let mut places = Vec::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        places.push(match character {
            '%' => match characters.next()? {
                'Y' => (Some('Y'), 4),
                'm' => (Some('m'), 2),
                'd' => (Some('d'), 2),
                _ => return None,
            },
            _ => (None, 1),
        });
    }
    Some(places)
}
