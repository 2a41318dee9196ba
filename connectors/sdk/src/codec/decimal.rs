//! Decimal numbers, digit by digit: no arithmetic that rounds.

use super::number::{not_a_number, whole};
use super::spec::{DecimalSpec, NumberForm, Sign};
use super::{CodecFault, Step};
use crate::{Finding, Legacy};

/// Enough for every number of a registry; more is an attempt to waste time.
const MOST_DIGITS: usize = 400;

/// A decimal number: its digits without needless zeros before them.
#[derive(Debug, PartialEq, Eq)]
struct Digits {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Digits {
    /// Reads `whole` and `fraction`, which have nothing but digits.
    fn new(negative: bool, whole: &str, fraction: &str) -> Result<Self, CodecFault> {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() + fraction.len() > MOST_DIGITS || !is_digits(whole) || !is_digits(fraction) {
            return Err(not_a_number());
        }
        let is_zero = whole.bytes().chain(fraction.bytes()).all(|byte| byte == b'0');
        let whole = whole.trim_start_matches('0');
        Ok(Self {
            negative: negative && !is_zero,
            whole: if whole.is_empty() { "0" } else { whole }.to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    /// Reads `-123.45`.
    fn plain(text: &str) -> Result<Self, CodecFault> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        match text.split_once('.') {
            Some((_, "")) => Err(not_a_number()),
            Some((whole, fraction)) => Self::new(negative, whole, fraction),
            None => Self::new(negative, text, ""),
        }
    }

    /// The number with this many digits in its fraction, if that loses nothing.
    fn scaled(mut self, scale: usize) -> Result<Self, CodecFault> {
        if self.fraction.len() > scale {
            let (kept, lost) = self.fraction.split_at(scale);
            if lost.bytes().any(|byte| byte != b'0') {
                return Err(CodecFault::unrepresentable(format!("the number has more than {scale} digits after the point")));
            }
            self.fraction = kept.to_owned();
        }
        self.fraction.extend(std::iter::repeat_n('0', scale - self.fraction.len()));
        Ok(self)
    }

    fn write(&self, separator: char, grouping: Option<char>, sign: Sign) -> String {
        let mut text = String::new();
        for (place, digit) in self.whole.chars().enumerate() {
            if place > 0 && (self.whole.len() - place).is_multiple_of(3) {
                text.extend(grouping);
            }
            text.push(digit);
        }
        if !self.fraction.is_empty() {
            text.push(separator);
            text.push_str(&self.fraction);
        }
        match (self.negative, sign) {
            (false, _) => text,
            (true, Sign::Leading) => format!("-{text}"),
            (true, Sign::Trailing) => format!("{text}-"),
            (true, Sign::Parentheses) => format!("({text})"),
        }
    }

    /// The contract value.
    fn contract(&self, form: NumberForm) -> Result<Legacy, CodecFault> {
        let text = self.write('.', None, Sign::Leading);
        if form == NumberForm::Text {
            return Ok(Legacy::Text(text));
        }
        let shortened = text.strip_suffix(&format!(".{}", "0".repeat(self.fraction.len()))).unwrap_or(&text);
        if let Ok(number) = shortened.parse() {
            return Ok(Legacy::Int(number));
        }
        let float: f64 = text.parse().map_err(|_| not_a_number())?;
        // The shortest decimal of the float is the number itself, or the number is not exactly a float's.
        let inexact = || CodecFault::new("not_a_number", "the number has more digits than a JSON number keeps");
        let back = Self::plain(&float.to_string()).and_then(|back| back.scaled(self.fraction.len())).map_err(|_| inexact())?;
        if back == *self { Ok(Legacy::Float(float)) } else { Err(inexact()) }
    }
}

pub(super) struct Decimal {
    spec: DecimalSpec,
    separator: char,
    /// The scale, when the point is implied.
    implied: Option<usize>,
}

impl Decimal {
    pub(super) fn new(spec: &DecimalSpec) -> Result<Self, Finding> {
        if spec.scale.is_some_and(|scale| scale > 18) {
            return Err(Finding::new("/scale", "a scale is at most 18"));
        }
        let separator = spec.separator.unwrap_or('.');
        for (place, char) in [("/separator", spec.separator), ("/grouping", spec.grouping)] {
            if char.is_some_and(|char| char.is_ascii_digit() || matches!(char, '-' | '+' | '(' | ')')) {
                return Err(Finding::new(place, "a digit or a sign separates nothing"));
            }
        }
        if spec.grouping == Some(separator) {
            return Err(Finding::new("/grouping", "the same character stands between whole and fraction"));
        }
        let implied = if spec.separator.is_none() && spec.grouping.is_none() { spec.scale } else { None };
        match (spec.width, implied) {
            (Some(_), None) => Err(Finding::new("/width", "a width goes with a `scale` and without a `separator`")),
            (Some(width), Some(_)) if !(1..=38).contains(&width) => {
                Err(Finding::new("/width", "a width is a number from 1 to 38"))
            }
            _ => Ok(Self { spec: spec.clone(), separator, implied }),
        }
    }

    /// Legacy text with a point, contract number.
    pub(super) fn number() -> Self {
        Self { spec: DecimalSpec { contract: NumberForm::Number, ..DecimalSpec::default() }, separator: '.', implied: None }
    }

    fn read(&self, text: &str) -> Result<Digits, CodecFault> {
        let (negative, text) = self.take_sign(text.trim());
        if let Some(scale) = self.implied {
            let padded = format!("{text:0>width$}", width = scale + 1);
            if !padded.is_ascii() || text.is_empty() {
                return Err(not_a_number());
            }
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            return Digits::new(negative, whole, fraction);
        }
        let (whole, fraction) = match text.split_once(self.separator) {
            Some((_, "")) => return Err(not_a_number()),
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        // `,5` is a half.
        let whole = if whole.is_empty() && !fraction.is_empty() { "0" } else { whole };
        let digits = match self.spec.grouping {
            Some(grouping) => Digits::new(negative, &ungroup(whole, grouping)?, fraction)?,
            None => Digits::new(negative, whole, fraction)?,
        };
        match self.spec.scale {
            Some(scale) => digits.scaled(scale).map_err(|_| not_a_number()),
            None => Ok(digits),
        }
    }

    fn take_sign<'t>(&self, text: &'t str) -> (bool, &'t str) {
        let bare = match self.spec.sign {
            Sign::Leading => text.strip_prefix('-'),
            Sign::Trailing => text.strip_suffix('-'),
            Sign::Parentheses => text.strip_prefix('(').and_then(|text| text.strip_suffix(')')),
        };
        match (bare, self.spec.sign) {
            (Some(bare), _) => (true, bare),
            (None, Sign::Leading) => (false, text.strip_prefix('+').unwrap_or(text)),
            (None, Sign::Trailing) => (false, text.strip_suffix('+').unwrap_or(text)),
            (None, Sign::Parentheses) => (false, text),
        }
    }

    fn write_implied(&self, digits: Digits, scale: usize) -> Result<Legacy, CodecFault> {
        let digits = digits.scaled(scale)?;
        let unscaled = format!("{}{}", digits.whole, digits.fraction);
        let unscaled = unscaled.trim_start_matches('0');
        let unscaled = if unscaled.is_empty() { "0" } else { unscaled };
        let Some(width) = self.spec.width else {
            let sign = if digits.negative { "-" } else { "" };
            let number = format!("{sign}{unscaled}").parse();
            return number.map(Legacy::Int).map_err(|_| CodecFault::unrepresentable("the number is too large for the registry"));
        };
        if unscaled.len() > width {
            return Err(CodecFault::unrepresentable(format!("the registry holds {width} digits here")));
        }
        let text = format!("{unscaled:0>width$}");
        Ok(Legacy::Text(match (digits.negative, self.spec.sign) {
            (false, _) => text,
            (true, Sign::Leading) => format!("-{text}"),
            (true, Sign::Trailing) => format!("{text}-"),
            (true, Sign::Parentheses) => format!("({text})"),
        }))
    }
}

impl Step for Decimal {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let digits = match legacy {
            Legacy::Text(text) => self.read(&text)?,
            Legacy::Int(number) if self.implied.is_some() => {
                let unsigned = number.unsigned_abs().to_string();
                let scale = self.implied.unwrap_or_default();
                let padded = format!("{unsigned:0>width$}", width = scale + 1);
                let (whole, fraction) = padded.split_at(padded.len() - scale);
                Digits::new(number < 0, whole, fraction)?
            }
            Legacy::Float(float) if self.implied.is_some() => {
                return whole(float).ok_or_else(not_a_number).and_then(|number| self.decode(Legacy::Int(number)));
            }
            // A driver that knows the column as a number has already done what this codec is for.
            Legacy::Int(number) => self.rescale(Digits::plain(&number.to_string())?)?,
            Legacy::Float(float) if float.is_finite() => self.rescale(Digits::plain(&float.to_string())?)?,
            Legacy::Float(_) => return Err(not_a_number()),
            other => return Err(CodecFault::kind("decimal", "a number or its digits", &other)),
        };
        digits.contract(self.spec.contract)
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = match (contract, self.spec.contract) {
            (Legacy::Text(text), NumberForm::Text) => text,
            (Legacy::Int(number), NumberForm::Number) => number.to_string(),
            (Legacy::Float(float), NumberForm::Number) if float.is_finite() => float.to_string(),
            (other, NumberForm::Text) => return Err(CodecFault::kind("decimal", "text as \"123.45\"", &other)),
            (other, NumberForm::Number) => return Err(CodecFault::kind("decimal", "a number", &other)),
        };
        let digits = Digits::plain(&text).map_err(|_| CodecFault::unrepresentable("the text is no decimal number"))?;
        if let Some(scale) = self.implied {
            return self.write_implied(digits, scale);
        }
        let digits = self.rescale(digits)?;
        Ok(Legacy::Text(digits.write(self.separator, self.spec.grouping, self.spec.sign)))
    }

    /// Texts of numbers are not ordered as the numbers are; integers are.
    fn keeps_order(&self) -> bool {
        self.implied.is_some() && self.spec.width.is_none()
    }
}

impl Decimal {
    fn rescale(&self, digits: Digits) -> Result<Digits, CodecFault> {
        match self.spec.scale {
            Some(scale) => digits.scaled(scale),
            None => Ok(digits),
        }
    }
}

/// Takes the marks between thousands away, which stand nowhere else.
fn ungroup(whole: &str, grouping: char) -> Result<String, CodecFault> {
    let groups: Vec<&str> = whole.split(grouping).collect();
    match groups.split_first() {
        Some((first, rest)) if rest.is_empty() || (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3) => {
            Ok(groups.concat())
        }
        _ => Err(not_a_number()),
    }
}
