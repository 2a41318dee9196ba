//! Codecs: pairs that turn a legacy value into a contract value and back.
//!
//! A codec decodes what the legacy system holds and encodes what the contract holds; a [`Codec`] is a chain of them,
//! decoding first to last and encoding last to first. The law of every chain: a contract value that encodes at all
//! decodes to itself again. [`Codec::encode`] holds it at run time, by decoding what it made. Contract values are
//! [`Legacy`] too, until [`json`] makes JSON of them.

use std::fmt;
use std::sync::Arc;

use crate::codes::CodeBook;
use crate::{Finding, Legacy};

mod bytes;
mod calendar;
mod date;
mod datetime;
mod decimal;
pub mod json;
mod lookup;
mod number;
mod short;
mod spec;
mod text;

pub use spec::{
    BooleanSpec, Capitals, CaseSpec, CharsetSpec, CodecSpec, CodesSpec, DateSpec, DateTimeSpec, DecimalSpec, DigitsSpec,
    EpochSpec, EpochUnit, HexSpec, IntegerSpec, Language, LegacyForm, ListSpec, MaskSpec, NullIfSpec, NumberForm, PadSpec, Plain,
    Side, Sign, StripSpec, TextSide, TimeSpec, TrimSpec, Unmapped,
};

pub(crate) use bytes::encoding;
pub(crate) use date::DateFormat;

/// Why a value can't be decoded or encoded. Neither part ever holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct CodecFault {
    /// Stable, for counting and for tests.
    pub code: &'static str,
    /// What is wrong, in words.
    pub message: String,
}

impl CodecFault {
    /// A fault of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A contract value that has no legacy form under the codec.
    pub(crate) fn unrepresentable(message: impl Into<String>) -> Self {
        Self::new("unrepresentable", message)
    }

    /// A value of a kind that the codec does not take.
    pub(crate) fn kind(codec: &str, wants: &str, value: &Legacy) -> Self {
        Self::new("wrong_kind", format!("{codec} takes {wants}, this is {}", value.kind()))
    }
}

/// A chain of codecs, compiled.
#[derive(Clone, Default)]
pub struct Codec {
    steps: Arc<[Box<dyn Step>]>,
}

impl Codec {
    /// The empty chain: the legacy value is the contract value.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Compiles a chain. The places of the findings are relative to it: `/0/date/format`.
    ///
    /// # Errors
    /// Everything wrong with it.
    pub fn compile(specs: &[CodecSpec], codes: &CodeBook) -> Result<Self, Vec<Finding>> {
        let mut steps = Vec::with_capacity(specs.len());
        let mut findings = Vec::new();
        for (place, spec) in specs.iter().enumerate() {
            match compile_step(spec, codes) {
                Ok(step) => steps.push(step),
                Err(finding) => findings.push(finding.under(&format!("/{place}/{}", spec.name()))),
            }
        }
        if findings.is_empty() { Ok(Self { steps: steps.into() }) } else { Err(findings) }
    }

    /// The contract value of a legacy value.
    ///
    /// # Errors
    /// When the legacy value is none that the chain knows.
    pub fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        self.steps.iter().try_fold(legacy, |value, step| decode_step(&**step, value))
    }

    /// The legacy value of a contract value. What it answers decodes to the contract value again.
    ///
    /// # Errors
    /// When there is no such legacy value.
    pub fn encode(&self, contract: &Legacy) -> Result<Legacy, CodecFault> {
        let legacy = self.encode_unchecked(contract.clone())?;
        let Some(last) = self.steps.last() else { return Ok(legacy) };
        let back = self.decode(legacy.clone()).map_err(|_| lost())?;
        if alike(&**last, &back, contract) { Ok(legacy) } else { Err(lost()) }
    }

    /// The beginning of the legacy values of all contract values that begin with this text. Only where
    /// [`Self::keeps_prefix`].
    ///
    /// # Errors
    /// When the text can't begin a contract value.
    pub fn encode_prefix(&self, prefix: &str) -> Result<Legacy, CodecFault> {
        self.encode_unchecked(Legacy::Text(prefix.to_owned()))
    }

    /// Whether contract values can be encoded without losing what the legacy system held.
    #[must_use]
    pub fn is_invertible(&self) -> bool {
        self.steps.iter().all(|step| step.is_invertible())
    }

    /// Whether the beginning of a contract text, encoded, is the beginning of the legacy text, so that a search by
    /// prefix may go through.
    #[must_use]
    pub fn keeps_prefix(&self) -> bool {
        self.steps.iter().all(|step| step.keeps_prefix())
    }

    /// Whether encoded values are ordered as the contract values are, so that a search by range may go through. A
    /// legacy value that decodes to null (a sentinel) can lie within the range: the caller leaves such records out.
    #[must_use]
    pub fn keeps_order(&self) -> bool {
        self.steps.iter().all(|step| step.keeps_order())
    }

    fn encode_unchecked(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        self.steps.iter().rev().try_fold(contract, |value, step| encode_step(&**step, value))
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec of {} steps", self.steps.len())
    }
}

/// One codec of a chain. Takes neither null, unless it says so, nor lists, unless it says so: null stays null, and a
/// list is taken item by item.
trait Step: Send + Sync {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault>;

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault>;

    fn takes_null(&self) -> bool {
        false
    }

    fn takes_lists(&self) -> bool {
        false
    }

    /// Whether two contract values that are not the same mean the same: one instant at two offsets from UTC.
    fn equivalent(&self, _one: &Legacy, _other: &Legacy) -> bool {
        false
    }

    fn is_invertible(&self) -> bool {
        true
    }

    fn keeps_prefix(&self) -> bool {
        false
    }

    fn keeps_order(&self) -> bool {
        false
    }
}

fn decode_step(step: &dyn Step, value: Legacy) -> Result<Legacy, CodecFault> {
    match value {
        Legacy::Null if !step.takes_null() => Ok(Legacy::Null),
        Legacy::List(items) if !step.takes_lists() => {
            items.into_iter().map(|item| decode_step(step, item)).collect::<Result<_, _>>().map(Legacy::List)
        }
        value => step.decode(value),
    }
}

fn encode_step(step: &dyn Step, value: Legacy) -> Result<Legacy, CodecFault> {
    match value {
        Legacy::Null if !step.takes_null() => Ok(Legacy::Null),
        // Only decoding makes a list, so that the codecs between here and the one that made it see its items.
        Legacy::List(items) if !step.takes_lists() => {
            items.into_iter().map(|item| encode_step(step, item)).collect::<Result<_, _>>().map(Legacy::List)
        }
        value => step.encode(value),
    }
}

fn lost() -> CodecFault {
    CodecFault::unrepresentable("the value does not survive the way to the registry and back")
}

/// Whether two contract values are the same, or mean the same to the codec next to the contract.
fn alike(last: &dyn Step, one: &Legacy, other: &Legacy) -> bool {
    match (one, other) {
        (Legacy::List(ones), Legacy::List(others)) if !last.takes_lists() => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| alike(last, one, other))
        }
        _ => same(one, other) || last.equivalent(one, other),
    }
}

/// Whether two values are one to JSON: 5 and 5.0 are, 5 and "5" are not.
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "a float is the integer only when it is exactly that")]
pub(crate) fn same(one: &Legacy, other: &Legacy) -> bool {
    match (one, other) {
        (Legacy::Int(int), Legacy::Float(float)) | (Legacy::Float(float), Legacy::Int(int)) => {
            int.unsigned_abs() <= EXACT && *int as f64 == *float
        }
        (Legacy::List(ones), Legacy::List(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

/// Up to here every integer is a float.
const EXACT: u64 = 1 << 53;

fn compile_step(spec: &CodecSpec, codes: &CodeBook) -> Result<Box<dyn Step>, Finding> {
    Ok(match spec {
        CodecSpec::Trim(spec) => Box::new(text::Trim::new(spec)),
        CodecSpec::Pad(spec) => Box::new(text::Pad::new(spec)?),
        CodecSpec::Case(spec) => Box::new(text::Case::new(spec)?),
        CodecSpec::NullIf(spec) => Box::new(lookup::NullIf::new(spec)?),
        CodecSpec::Codes(spec) => Box::new(lookup::Codes::new(spec, codes)?),
        CodecSpec::Boolean(spec) => Box::new(lookup::Boolean::new(spec)?),
        CodecSpec::Integer(spec) => Box::new(number::Integer::new(spec)?),
        CodecSpec::Digits(spec) => Box::new(number::Digits::new(spec)?),
        CodecSpec::Decimal(spec) => Box::new(decimal::Decimal::new(spec)?),
        CodecSpec::Number(Plain {}) => Box::new(decimal::Decimal::number()),
        CodecSpec::Text(Plain {}) => Box::new(number::NumberAsText),
        CodecSpec::Date(spec) => Box::new(date::Date::new(spec)?),
        CodecSpec::Datetime(spec) => Box::new(datetime::DateTime::new(spec)?),
        CodecSpec::Time(spec) => Box::new(datetime::Time::new(spec)?),
        CodecSpec::Epoch(spec) => Box::new(datetime::Epoch::new(spec)),
        CodecSpec::Charset(spec) => bytes::charset(spec)?,
        CodecSpec::Base64(Plain {}) => Box::new(bytes::Base64),
        CodecSpec::Hex(spec) => Box::new(bytes::Hex::new(spec)),
        CodecSpec::Strip(spec) => Box::new(text::Strip::new(spec)?),
        CodecSpec::Mask(spec) => Box::new(text::Mask::new(spec)?),
        CodecSpec::SplitList(spec) => Box::new(text::SplitList::new(spec)?),
    })
}

#[cfg(test)]
mod law;
#[cfg(test)]
mod tests;
