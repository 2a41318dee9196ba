//! Formats of dates and times, in the notation of `strftime`: read, written, and checked when they are compiled.

use super::CodecFault;
use crate::{Finding, Legacy};

/// A format, compiled.
#[derive(Debug, Clone)]
pub(super) struct Format {
    tokens: Vec<Token>,
    /// The first two-digit year of the last century.
    pivot: u16,
    /// Names of the months, in lower case, and as they are written.
    months: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// A number of so many digits; of up to so many when it is not `fixed`.
    Number {
        part: Part,
        digits: usize,
        fixed: bool,
    },
    MonthName,
    /// A fraction of a second, of so many digits; of any number from 1 to 9 when `None`.
    Fraction(Option<usize>),
}

/// What a number in a format is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    ShortYear,
    Month,
    Day,
    Ordinal,
    Hour,
    Minute,
    Second,
}

const PARTS: usize = 8;

/// The numbers of a date and time, as a format has them; `None` where it has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts {
    numbers: [Option<u16>; PARTS],
    pub(super) nanoseconds: Option<u32>,
}

impl Parts {
    pub(super) const fn get(&self, part: Part) -> Option<u16> {
        self.numbers[part as usize]
    }

    pub(super) const fn set(&mut self, part: Part, number: u16) {
        self.numbers[part as usize] = Some(number);
    }

    /// Whether every number is zero.
    pub(super) fn are_zero(&self) -> bool {
        self.numbers.iter().flatten().all(|number| *number == 0)
    }
}

/// What a format may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    pub(super) date: bool,
    pub(super) time: bool,
}

const ENGLISH: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Format {
    /// Compiles a format. Places of findings: `/format`, `/pivot`, `/months`.
    pub(super) fn new(format: &str, allowed: Allowed, pivot: Option<u8>, months: Option<&[String]>) -> Result<Self, Finding> {
        let tokens = tokens(format, allowed).map_err(|message| Finding::new("/format", message))?;
        let names: Vec<String> = months.map_or_else(|| ENGLISH.map(str::to_owned).to_vec(), <[String]>::to_vec);
        let months: Vec<(String, String)> = names.into_iter().map(|name| (name.to_lowercase(), name)).collect();
        if months.len() != 12 || months.iter().any(|(folded, _)| folded.is_empty()) {
            return Err(Finding::new("/months", "give the names of twelve months"));
        }
        for (place, (name, _)) in months.iter().enumerate() {
            if months.iter().skip(place + 1).any(|(other, _)| other == name) {
                return Err(Finding::new("/months", "two months have the same name"));
            }
        }
        let format = Self { tokens, pivot: pivot.map_or(0, u16::from), months };
        match (format.has(Part::ShortYear), pivot) {
            (true, None) => Err(Finding::new("/format", "`%y` needs a `pivot`: the first two-digit year of the last century")),
            (false, Some(_)) => Err(Finding::new("/pivot", "a pivot goes with the two-digit year `%y`")),
            (_, Some(pivot)) if pivot > 99 => Err(Finding::new("/pivot", "a pivot is from 0 to 99")),
            _ => Ok(format),
        }
    }

    /// Whether the format has this number.
    pub(super) fn has(&self, part: Part) -> bool {
        self.tokens.iter().any(|token| match token {
            Token::Number { part: own, .. } => *own == part,
            Token::MonthName => part == Part::Month,
            Token::Literal(_) | Token::Fraction(_) => false,
        })
    }

    /// Whether it has a fraction of a second.
    pub(super) fn has_fraction(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Fraction(_)))
    }

    /// The digits of a value, when it is of nothing else and always of as many: then it can be an integer.
    pub(super) fn digits(&self) -> Option<usize> {
        self.tokens
            .iter()
            .map(|token| match token {
                Token::Number { digits, fixed: true, .. } | Token::Fraction(Some(digits)) => Some(*digits),
                _ => None,
            })
            .sum::<Option<usize>>()
            .filter(|digits| *digits <= 18)
    }

    /// Whether values are ordered as what they stand for: from the year on downwards, in fixed places.
    pub(super) fn keeps_order(&self) -> bool {
        let mut last = None;
        self.tokens.iter().all(|token| match token {
            Token::Literal(_) => true,
            Token::Number { part: Part::ShortYear, .. } | Token::MonthName | Token::Number { fixed: false, .. } => false,
            Token::Number { part, .. } => {
                let ordered = last.is_none_or(|last: usize| last < *part as usize);
                last = Some(*part as usize);
                ordered
            }
            Token::Fraction(digits) => digits.is_some(),
        }) && self.tokens.iter().any(|token| matches!(token, Token::Number { part: Part::Year | Part::Hour, .. }))
    }

    /// The text of a legacy value: an integer has lost its leading zeros.
    pub(super) fn text(&self, codec: &str, legacy: Legacy) -> Result<String, CodecFault> {
        match (legacy, self.digits()) {
            (Legacy::Text(text), _) => Ok(text),
            (Legacy::Int(number), Some(width)) => Ok(format!("{number:0width$}")),
            (Legacy::Float(float), Some(width)) => match super::number::whole(float) {
                Some(number) => Ok(format!("{number:0width$}")),
                None => Err(CodecFault::kind(codec, "text or an integer", &Legacy::Float(float))),
            },
            (other, None) => Err(CodecFault::kind(codec, "text", &other)),
            (other, Some(_)) => Err(CodecFault::kind(codec, "text or an integer", &other)),
        }
    }

    /// The numbers in a text; `None` when it is not of this format.
    pub(super) fn read(&self, text: &str) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = text;
        for token in &self.tokens {
            match *token {
                Token::Literal(literal) => rest = rest.strip_prefix(literal)?,
                Token::Number { part, digits, fixed } => {
                    let (number, after) = take_digits(rest, digits, fixed)?;
                    rest = after;
                    let number: u16 = number.parse().ok()?;
                    if part == Part::ShortYear {
                        parts.set(Part::ShortYear, number);
                        parts.set(Part::Year, number + if number < self.pivot { 2000 } else { 1900 });
                    } else {
                        parts.set(part, number);
                    }
                }
                Token::MonthName => {
                    let (number, after) = self.take_month(rest)?;
                    parts.set(Part::Month, number);
                    rest = after;
                }
                Token::Fraction(digits) => {
                    let (fraction, after) = take_digits(rest, digits.unwrap_or(9), digits.is_some())?;
                    parts.nanoseconds = Some(format!("{fraction:0<9}").parse().ok()?);
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(parts)
    }

    /// The text of these numbers; `None` when one is missing or does not fit.
    pub(super) fn write(&self, parts: &Parts) -> Option<String> {
        let mut text = String::new();
        for token in &self.tokens {
            match *token {
                Token::Literal(literal) => text.push(literal),
                Token::Number { part, digits, fixed } => {
                    let number = match part {
                        Part::ShortYear => parts.get(Part::Year)? % 100,
                        part => parts.get(part)?,
                    };
                    text.push_str(&if fixed { format!("{number:0digits$}") } else { number.to_string() });
                }
                Token::MonthName => {
                    let month = usize::from(parts.get(Part::Month)?).checked_sub(1)?;
                    text.push_str(&self.months.get(month)?.1);
                }
                Token::Fraction(digits) => {
                    let nanoseconds = format!("{:09}", parts.nanoseconds.unwrap_or(0));
                    let shortest = nanoseconds.trim_end_matches('0').len().max(1);
                    text.push_str(nanoseconds.get(..digits.unwrap_or(shortest))?);
                }
            }
        }
        Some(text)
    }

    /// The longest name that the text begins with, so that no name hides one that it begins.
    fn take_month<'t>(&self, text: &'t str) -> Option<(u16, &'t str)> {
        let mut found: Option<(u16, &str)> = None;
        for (number, (folded, name)) in (1..).zip(&self.months) {
            let length = name.chars().count();
            let end = text.char_indices().nth(length).map_or(text.len(), |(end, _)| end);
            let (start, rest) = text.split_at(end);
            if start.to_lowercase() == *folded && found.is_none_or(|(_, shortest)| rest.len() < shortest.len()) {
                found = Some((number, rest));
            }
        }
        found
    }
}

/// The legacy value of a text, in the kind that the manifest asks for.
pub(super) fn as_legacy(text: String, form: super::LegacyForm) -> Result<Legacy, CodecFault> {
    match form {
        super::LegacyForm::Text => Ok(Legacy::Text(text)),
        super::LegacyForm::Integer => {
            text.parse().map(Legacy::Int).map_err(|_| CodecFault::unrepresentable("the format gives no integer"))
        }
    }
}

/// A finding when a format that gives no integer is to give one.
pub(super) fn check_form(format: &Format, form: super::LegacyForm) -> Result<(), Finding> {
    if form == super::LegacyForm::Integer && format.digits().is_none() {
        return Err(Finding::new("/legacy", "a format with other than digits in fixed places gives no integer"));
    }
    Ok(())
}

fn take_digits(text: &str, digits: usize, fixed: bool) -> Option<(&str, &str)> {
    let found = text.bytes().take(digits).take_while(u8::is_ascii_digit).count();
    if found == 0 || fixed && found < digits { None } else { text.split_at_checked(found) }
}

fn tokens(format: &str, allowed: Allowed) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            tokens.push(Token::Literal(char));
            continue;
        }
        let sign = chars.next().ok_or("the last `%` stands before nothing; write `%%` for the character")?;
        tokens.push(match sign {
            '%' => Token::Literal('%'),
            '-' => number(chars.next(), false).ok_or("`%-` goes with `m`, `d`, `H`, `M` or `S`")?,
            'b' => Token::MonthName,
            'f' => Token::Fraction(None),
            '1'..='9' if chars.next() == Some('f') => Token::Fraction(sign.to_digit(10).map(|digits| digits as usize)),
            '1'..='9' => return Err(format!("`%{sign}` goes with `f`, as `%{sign}f`")),
            sign => number(Some(sign), true).ok_or_else(|| unknown(sign))?,
        });
    }
    check(&tokens, allowed)?;
    Ok(tokens)
}

fn unknown(sign: char) -> String {
    format!("there is no `%{sign}`; there is %Y, %y, %m, %d, %j, %b, %H, %M, %S, %f and %%")
}

fn number(sign: Option<char>, fixed: bool) -> Option<Token> {
    let (part, digits) = match sign? {
        'Y' if fixed => (Part::Year, 4),
        'y' if fixed => (Part::ShortYear, 2),
        'j' if fixed => (Part::Ordinal, 3),
        'm' => (Part::Month, 2),
        'd' => (Part::Day, 2),
        'H' => (Part::Hour, 2),
        'M' => (Part::Minute, 2),
        'S' => (Part::Second, 2),
        _ => return None,
    };
    Some(Token::Number { part, digits, fixed })
}

fn check(tokens: &[Token], allowed: Allowed) -> Result<(), String> {
    let parts: Vec<usize> = tokens
        .iter()
        .filter_map(|token| match token {
            // Year, month and day have each one place, whatever form it has.
            Token::Number { part: Part::ShortYear, .. } => Some(Part::Year as usize),
            Token::Number { part, .. } => Some(*part as usize),
            Token::MonthName => Some(Part::Month as usize),
            Token::Fraction(_) => Some(PARTS),
            Token::Literal(_) => None,
        })
        .collect();
    let is_time = |part: &usize| *part >= Part::Hour as usize;
    if parts.iter().enumerate().any(|(place, part)| parts[..place].contains(part)) {
        return Err("one part is there twice".to_owned());
    }
    if !allowed.time && parts.iter().any(is_time) {
        return Err("this codec knows no time of day; `datetime` does".to_owned());
    }
    if !allowed.date && !parts.iter().all(is_time) {
        return Err("this codec knows no date; `datetime` does".to_owned());
    }
    for pair in tokens.windows(2) {
        let open = matches!(pair[0], Token::Number { fixed: false, .. } | Token::Fraction(None));
        let digits = match pair[1] {
            Token::Literal(literal) => literal.is_ascii_digit(),
            Token::MonthName => false,
            Token::Number { .. } | Token::Fraction(_) => true,
        };
        if open && digits {
            return Err("a part without a fixed number of digits stands right before digits".to_owned());
        }
    }
    Ok(())
}
