//! Codecs between whole numbers and digits.

use super::spec::{DigitsSpec, IntegerSpec};
use super::text::text_of;
use super::{CodecFault, Step};
use crate::{Finding, Legacy};

/// As many digits as an integer holds whatever they are.
const WIDEST: usize = 18;

pub(super) fn not_a_number() -> CodecFault {
    CodecFault::new("not_a_number", "this is no number of the form that is due")
}

/// A float that is whole, as the integer it is.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "only within the range where both are exact")]
pub(super) fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= super::EXACT as f64).then_some(float as i64)
}

fn check_width(width: usize) -> Result<usize, Finding> {
    match width {
        1..=WIDEST => Ok(width),
        _ => Err(Finding::new("/width", format!("a width is a number from 1 to {WIDEST}"))),
    }
}

/// A whole number from whatever a legacy system has for one.
fn integer_of(legacy: &Legacy) -> Result<i64, CodecFault> {
    match legacy {
        Legacy::Int(number) => Ok(*number),
        Legacy::Float(float) => whole(*float).ok_or_else(not_a_number),
        Legacy::Text(text) => text.trim().parse().map_err(|_| not_a_number()),
        other => Err(CodecFault::kind("a codec of numbers", "a number or digits", other)),
    }
}

pub(super) struct Integer {
    width: Option<usize>,
}

impl Integer {
    pub(super) fn new(spec: &IntegerSpec) -> Result<Self, Finding> {
        Ok(Self { width: spec.width.map(check_width).transpose()? })
    }
}

impl Step for Integer {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        integer_of(&legacy).map(Legacy::Int)
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let number = match contract {
            Legacy::Int(number) => number,
            Legacy::Float(float) => whole(float).ok_or_else(|| CodecFault::unrepresentable("the number is not whole"))?,
            other => return Err(CodecFault::kind("integer", "a whole number", &other)),
        };
        let Some(width) = self.width else { return Ok(Legacy::Text(number.to_string())) };
        let digits = format!("{number:0width$}");
        if number < 0 || digits.len() > width {
            return Err(CodecFault::unrepresentable(format!("the registry holds {width} digits and no sign here")));
        }
        Ok(Legacy::Text(digits))
    }

    /// Only digits of one length are ordered as their numbers are.
    fn keeps_order(&self) -> bool {
        self.width.is_some()
    }
}

pub(super) struct Digits {
    width: usize,
}

impl Digits {
    pub(super) fn new(spec: &DigitsSpec) -> Result<Self, Finding> {
        Ok(Self { width: check_width(spec.width)? })
    }
}

impl Step for Digits {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let number = integer_of(&legacy)?;
        let digits = format!("{number:0width$}", width = self.width);
        if number < 0 || digits.len() > self.width {
            return Err(CodecFault::new("not_a_number", format!("the number has a sign or more than {} digits", self.width)));
        }
        Ok(Legacy::Text(digits))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_of("digits", contract)?;
        if text.len() != self.width || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CodecFault::unrepresentable(format!("the text is not of {} digits", self.width)));
        }
        text.parse().map(Legacy::Int).map_err(|_| not_a_number())
    }

    fn keeps_order(&self) -> bool {
        true
    }
}

/// A legacy number that is text in the contract: an account number, a telephone number.
pub(super) struct NumberAsText;

impl Step for NumberAsText {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        match legacy {
            Legacy::Int(_) | Legacy::Text(_) => {}
            Legacy::Float(float) if float.is_finite() => {}
            Legacy::Float(_) => return Err(not_a_number()),
            other => return Err(CodecFault::kind("text", "a number or text", &other)),
        }
        // An integral float is written as the integer that it is encoded to.
        Ok(legacy.to_text().map_or(Legacy::Null, |text| Legacy::Text(text.into_owned())))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_of("text", contract)?;
        if let Ok(number) = text.parse() {
            return Ok(Legacy::Int(number));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Legacy::Float(float)),
            _ => Err(CodecFault::unrepresentable("the registry holds a number here")),
        }
    }
}
