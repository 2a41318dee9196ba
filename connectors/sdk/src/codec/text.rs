//! Codecs between texts: outer white space, filling, capitals, affixes, masks, lists in one text.

use super::spec::{Capitals, CaseSpec, Language, ListSpec, MaskSpec, PadSpec, Side, StripSpec, TextSide, TrimSpec};
use super::{CodecFault, Step};
use crate::{Finding, Legacy};

/// A legacy or contract value as text, where a codec is about text.
pub(super) fn text_of(codec: &str, value: Legacy) -> Result<String, CodecFault> {
    match value {
        Legacy::Text(text) => Ok(text),
        other => Err(CodecFault::kind(codec, "text", &other)),
    }
}

/// As [`text_of`], taking integers as well: a legacy system may hold digits as a number.
fn text_or_digits(codec: &str, value: Legacy) -> Result<String, CodecFault> {
    match value {
        Legacy::Int(number) => Ok(number.to_string()),
        other => text_of(codec, other),
    }
}

pub(super) struct Trim(TextSide);

impl Trim {
    pub(super) const fn new(spec: &TrimSpec) -> Self {
        Self(spec.side)
    }
}

impl Step for Trim {
    /// Other kinds pass: a driver may hand one column's values over as text or as numbers.
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let Legacy::Text(text) = legacy else { return Ok(legacy) };
        let trimmed = match self.0 {
            TextSide::Both => text.trim(),
            TextSide::Start => text.trim_start(),
            TextSide::End => text.trim_end(),
        };
        Ok(Legacy::Text(if trimmed.len() == text.len() { text } else { trimmed.to_owned() }))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        Ok(contract)
    }

    fn keeps_prefix(&self) -> bool {
        true
    }

    fn keeps_order(&self) -> bool {
        true
    }
}

pub(super) struct Pad(PadSpec);

impl Pad {
    pub(super) fn new(spec: &PadSpec) -> Result<Self, Finding> {
        match spec.width {
            1..=1000 => Ok(Self(spec.clone())),
            _ => Err(Finding::new("/width", "a width is a number from 1 to 1000")),
        }
    }
}

impl Step for Pad {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_or_digits("pad", legacy)?;
        let bare = match self.0.side {
            Side::Start => text.trim_start_matches(self.0.with),
            Side::End => text.trim_end_matches(self.0.with),
        };
        // Of nothing but zeros, one is the number zero.
        if bare.is_empty() && !text.is_empty() && self.0.with == '0' {
            return Ok("0".into());
        }
        Ok(Legacy::Text(bare.to_owned()))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_of("pad", contract)?;
        let missing =
            self.0.width.checked_sub(text.chars().count()).ok_or_else(|| {
                CodecFault::unrepresentable(format!("the registry holds at most {} characters here", self.0.width))
            })?;
        let filling = std::iter::repeat_n(self.0.with, missing);
        Ok(Legacy::Text(match self.0.side {
            Side::Start => filling.chain(text.chars()).collect(),
            Side::End => text.chars().chain(filling).collect(),
        }))
    }
}

pub(super) struct Case(CaseSpec);

impl Case {
    pub(super) fn new(spec: &CaseSpec) -> Result<Self, Finding> {
        if spec.legacy == spec.contract {
            return Err(Finding::new("/contract", "legacy and contract have the same capitals, so there is nothing to do"));
        }
        Ok(Self(spec.clone()))
    }

    fn capitalise(&self, text: &str, capitals: Capitals) -> String {
        match capitals {
            Capitals::Upper => text.chars().flat_map(|char| self.upper(char)).collect(),
            Capitals::Lower => self.lower(text),
            Capitals::Title => {
                let mut inside = false;
                let mut title = String::with_capacity(text.len());
                for char in self.lower(text).chars() {
                    if inside || !char.is_alphanumeric() {
                        title.push(char);
                    } else {
                        title.extend(self.upper(char));
                    }
                    inside = char.is_alphanumeric();
                }
                title
            }
        }
    }

    fn upper(&self, char: char) -> Vec<char> {
        match (char, self.0.language) {
            ('i', Some(Language::Az | Language::Tr)) => vec!['İ'],
            _ => char.to_uppercase().collect(),
        }
    }

    fn lower(&self, text: &str) -> String {
        match self.0.language {
            Some(Language::Az | Language::Tr) => text.replace('I', "ı").replace('İ', "i").to_lowercase(),
            None => text.to_lowercase(),
        }
    }
}

impl Step for Case {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        Ok(Legacy::Text(self.capitalise(&text_of("case", legacy)?, self.0.contract)))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        Ok(Legacy::Text(self.capitalise(&text_of("case", contract)?, self.0.legacy)))
    }

    fn keeps_prefix(&self) -> bool {
        true
    }
}

pub(super) struct Strip(StripSpec);

impl Strip {
    pub(super) fn new(spec: &StripSpec) -> Result<Self, Finding> {
        if spec.prefix.is_empty() && spec.suffix.is_empty() {
            return Err(Finding::new("", "give a `prefix`, a `suffix` or both"));
        }
        Ok(Self(spec.clone()))
    }
}

impl Step for Strip {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_or_digits("strip", legacy)?;
        text.strip_prefix(&self.0.prefix)
            .and_then(|text| text.strip_suffix(&self.0.suffix))
            .map(Legacy::from)
            .ok_or_else(|| CodecFault::new("unexpected_form", "the text lacks the prefix or suffix that is always there"))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_of("strip", contract)?;
        Ok(Legacy::Text(format!("{}{text}{}", self.0.prefix, self.0.suffix)))
    }

    fn keeps_prefix(&self) -> bool {
        self.0.suffix.is_empty()
    }

    fn keeps_order(&self) -> bool {
        self.0.suffix.is_empty()
    }
}

pub(super) struct Mask(Vec<Place>);

enum Place {
    Digit,
    Letter,
    Any,
    Literal(char),
}

impl Place {
    fn takes(&self, char: char) -> bool {
        match self {
            Self::Digit => char.is_ascii_digit(),
            Self::Letter => char.is_alphabetic(),
            Self::Any => true,
            Self::Literal(literal) => char == *literal,
        }
    }

    const fn is_kept(&self) -> bool {
        !matches!(self, Self::Literal(_))
    }
}

impl Mask {
    pub(super) fn new(spec: &MaskSpec) -> Result<Self, Finding> {
        let mut places = Vec::new();
        let mut chars = spec.mask.chars();
        while let Some(char) = chars.next() {
            places.push(match char {
                '#' => Place::Digit,
                '@' => Place::Letter,
                '*' => Place::Any,
                '\\' => Place::Literal(chars.next().ok_or_else(|| Finding::new("/mask", "the last `\\` stands before nothing"))?),
                char => Place::Literal(char),
            });
        }
        if !places.iter().any(Place::is_kept) {
            return Err(Finding::new("/mask", "the mask has no `#`, `@` or `*`, so nothing would be left"));
        }
        Ok(Self(places))
    }
}

impl Step for Mask {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_or_digits("mask", legacy)?;
        let mut chars = text.chars();
        let mut kept = String::with_capacity(self.0.len());
        for place in &self.0 {
            match chars.next() {
                Some(char) if place.takes(char) => kept.extend(place.is_kept().then_some(char)),
                _ => return Err(off_mask()),
            }
        }
        if chars.next().is_some() { Err(off_mask()) } else { Ok(Legacy::Text(kept)) }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_of("mask", contract)?;
        let mut chars = text.chars();
        let mut masked = String::with_capacity(self.0.len());
        for place in &self.0 {
            if let Place::Literal(literal) = place {
                masked.push(*literal);
            } else {
                masked.push(chars.next().filter(|char| place.takes(*char)).ok_or_else(off_mask_back)?);
            }
        }
        if chars.next().is_some() { Err(off_mask_back()) } else { Ok(Legacy::Text(masked)) }
    }
}

fn off_mask() -> CodecFault {
    CodecFault::new("unexpected_form", "the text does not fit its mask")
}

fn off_mask_back() -> CodecFault {
    CodecFault::unrepresentable("the text does not fit the registry's mask")
}

pub(super) struct SplitList(String);

impl SplitList {
    pub(super) fn new(spec: &ListSpec) -> Result<Self, Finding> {
        if spec.separator.is_empty() {
            return Err(Finding::new("/separator", "a separator is at least one character"));
        }
        Ok(Self(spec.separator.clone()))
    }
}

impl Step for SplitList {
    fn takes_lists(&self) -> bool {
        true
    }

    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_or_digits("split_list", legacy)?;
        if text.is_empty() {
            return Ok(Legacy::List(Vec::new()));
        }
        Ok(Legacy::List(text.split(&self.0).map(Legacy::from).collect()))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let Legacy::List(items) = contract else { return Err(CodecFault::kind("split_list", "a list", &contract)) };
        let texts: Vec<String> = items.into_iter().map(|item| text_of("split_list", item)).collect::<Result<_, _>>()?;
        Ok(Legacy::Text(texts.join(&self.0)))
    }
}
