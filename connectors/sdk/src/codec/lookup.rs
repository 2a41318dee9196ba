//! Codecs that look values up: sentinels, code lists, booleans.

use std::collections::HashMap;
use std::sync::Arc;

use super::spec::{BooleanSpec, CodesSpec, LegacyForm, NullIfSpec, Unmapped};
use super::{CodecFault, Step};
use crate::codes::{CodeBook, CodeList};
use crate::{Finding, Legacy};

fn is_scalar(value: &Legacy) -> bool {
    !matches!(value, Legacy::List(_) | Legacy::Group(_) | Legacy::Bytes(_))
}

pub(super) struct NullIf {
    /// The texts of the sentinels: 0 and "0" are the same one.
    sentinels: Vec<String>,
    blank: bool,
    /// What null is encoded to.
    null: Legacy,
}

/// The word for texts of nothing but white space.
const BLANK: &str = "blank";

impl NullIf {
    pub(super) fn new(spec: &NullIfSpec) -> Result<Self, Finding> {
        let Some(first) = spec.values.first() else {
            return Err(Finding::new("/values", "name at least one value that stands for none"));
        };
        if let Some(place) = spec.values.iter().position(|value| !is_scalar(value)) {
            return Err(Finding::new(format!("/values/{place}"), "this takes texts, numbers, booleans and null"));
        }
        let is_blank = |value: &Legacy| *value == Legacy::from(BLANK);
        Ok(Self {
            sentinels: spec
                .values
                .iter()
                .filter(|value| !is_blank(value))
                .filter_map(|value| value.to_text().map(std::borrow::Cow::into_owned))
                .collect(),
            blank: spec.values.iter().any(is_blank),
            null: if is_blank(first) { "".into() } else { first.clone() },
        })
    }
}

impl Step for NullIf {
    fn takes_null(&self) -> bool {
        true
    }

    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let is_null = legacy
            .to_text()
            .is_some_and(|text| self.sentinels.iter().any(|sentinel| *sentinel == text) || self.blank && text.trim().is_empty());
        Ok(if is_null { Legacy::Null } else { legacy })
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        Ok(if contract.is_null() { self.null.clone() } else { contract })
    }

    fn keeps_prefix(&self) -> bool {
        true
    }

    fn keeps_order(&self) -> bool {
        true
    }
}

pub(super) struct Codes {
    list: Arc<CodeList>,
    unmapped: Unmapped,
    legacy: Option<LegacyForm>,
}

impl Codes {
    pub(super) fn new(spec: &CodesSpec, codes: &CodeBook) -> Result<Self, Finding> {
        let list = codes.get(&spec.list).ok_or_else(|| Finding::unknown("/list", "code list", &spec.list, codes.names()))?;
        Ok(Self { list: Arc::clone(list), unmapped: spec.unmapped, legacy: spec.legacy })
    }

    fn unmapped(&self) -> CodecFault {
        CodecFault::new("unmapped_code", format!("the code is not in the list {}", self.list.name()))
    }
}

impl Step for Codes {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        if !is_scalar(&legacy) {
            return Err(CodecFault::kind("codes", "a scalar", &legacy));
        }
        match (self.list.decode(&legacy)?, self.unmapped) {
            (Some(value), _) => Ok(value),
            (None, Unmapped::Refuse) => Err(self.unmapped()),
            (None, Unmapped::Null) => Ok(Legacy::Null),
            (None, Unmapped::Keep) => Ok(legacy),
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        if !is_scalar(&contract) {
            return Err(CodecFault::kind("codes", "a scalar", &contract));
        }
        let code = match (self.list.encode(&contract)?, self.unmapped) {
            (Some(code), _) => code,
            (None, Unmapped::Keep) => contract,
            (None, _) => {
                let message = format!("no code of the list {} stands for this value", self.list.name());
                return Err(CodecFault::unrepresentable(message));
            }
        };
        match (self.legacy, code) {
            (Some(LegacyForm::Integer), Legacy::Text(text)) => text
                .parse()
                .map(Legacy::Int)
                .map_err(|_| CodecFault::unrepresentable(format!("the code of the list {} is no integer", self.list.name()))),
            (Some(LegacyForm::Text), code) => Ok(code.to_text().map_or(Legacy::Null, |text| Legacy::Text(text.into_owned()))),
            (_, code) => Ok(code),
        }
    }

    fn is_invertible(&self) -> bool {
        self.unmapped != Unmapped::Null
    }
}

pub(super) struct Boolean {
    truths: HashMap<String, bool>,
    ignore_case: bool,
    yes: Legacy,
    no: Legacy,
}

impl Boolean {
    pub(super) fn new(spec: &BooleanSpec) -> Result<Self, Finding> {
        let mut truths = HashMap::new();
        for (name, truth, values) in [("/true", true, &spec.truths), ("/false", false, &spec.falsehoods)] {
            for value in values {
                let text = value.to_text().ok_or_else(|| {
                    Finding::new(name, "this takes texts, numbers and booleans; for null, put `null_if` before this codec")
                })?;
                if truths.insert(fold(&text, spec.ignore_case), truth) == Some(!truth) {
                    return Err(Finding::new(name, "one value stands for both true and false"));
                }
            }
        }
        match (spec.truths.first(), spec.falsehoods.first()) {
            (Some(yes), Some(no)) => Ok(Self { truths, ignore_case: spec.ignore_case, yes: yes.clone(), no: no.clone() }),
            (None, _) => Err(Finding::new("/true", "name at least one value for true")),
            (_, None) => Err(Finding::new("/false", "name at least one value for false")),
        }
    }
}

impl Step for Boolean {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = legacy.to_text().ok_or_else(|| CodecFault::kind("boolean", "a scalar", &legacy))?;
        match self.truths.get(&fold(&text, self.ignore_case)) {
            Some(truth) => Ok(Legacy::Bool(*truth)),
            None => Err(CodecFault::new("not_a_boolean", "this is none of the values for true and false")),
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        match contract {
            Legacy::Bool(true) => Ok(self.yes.clone()),
            Legacy::Bool(false) => Ok(self.no.clone()),
            other => Err(CodecFault::kind("boolean", "a boolean", &other)),
        }
    }
}

fn fold(text: &str, ignore_case: bool) -> String {
    if ignore_case { text.to_lowercase() } else { text.to_owned() }
}
