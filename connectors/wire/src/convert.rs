//! Between the messages of the sdk and those of the wire.

use std::time::Duration;

use rabita_sdk::{Applied, ChangeKind, Condition, Detected, Failure, GroupSpec, Legacy, Row, Wanted};

use crate::message::{
    AppliedWord, ChangeWord, ConditionMessage, DetectedMessage, FailureMessage, FailureWord, GroupMessage, WantedMessage,
};
use crate::value::{Exact, ExactRow};
use crate::version::Versions;

impl From<Wanted> for WantedMessage {
    fn from(wanted: Wanted) -> Self {
        let group = |GroupSpec { name, sources }| GroupMessage { name, sources };
        Self { sources: wanted.sources, groups: wanted.groups.into_iter().map(group).collect() }
    }
}

impl From<WantedMessage> for Wanted {
    fn from(wanted: WantedMessage) -> Self {
        let group = |GroupMessage { name, sources }| GroupSpec { name, sources };
        Self { sources: wanted.sources, groups: wanted.groups.into_iter().map(group).collect() }
    }
}

impl From<Condition> for ConditionMessage {
    fn from(condition: Condition) -> Self {
        let Condition { source, comparison, value, ignore } = condition;
        Self { source, comparison, value: Exact(value), ignore }
    }
}

impl From<ConditionMessage> for Condition {
    fn from(condition: ConditionMessage) -> Self {
        let ConditionMessage { source, comparison, value, ignore } = condition;
        Self { source, comparison, value: value.0, ignore }
    }
}

impl From<ChangeKind> for ChangeWord {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Create => Self::Create,
            ChangeKind::Replace => Self::Replace,
            ChangeKind::Update => Self::Update,
            ChangeKind::Delete => Self::Delete,
        }
    }
}

impl From<ChangeWord> for ChangeKind {
    fn from(word: ChangeWord) -> Self {
        match word {
            ChangeWord::Create => Self::Create,
            ChangeWord::Replace => Self::Replace,
            ChangeWord::Update => Self::Update,
            ChangeWord::Delete => Self::Delete,
        }
    }
}

impl From<Applied> for AppliedWord {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Done => Self::Done,
            Applied::Before => Self::Before,
            Applied::Absent => Self::Absent,
            Applied::Conflict => Self::Conflict,
        }
    }
}

impl From<AppliedWord> for Applied {
    fn from(word: AppliedWord) -> Self {
        match word {
            AppliedWord::Done => Self::Done,
            AppliedWord::Before => Self::Before,
            AppliedWord::Absent => Self::Absent,
            AppliedWord::Conflict => Self::Conflict,
        }
    }
}

impl From<Detected> for DetectedMessage {
    fn from(detected: Detected) -> Self {
        match detected {
            Detected::Row(row) => Self::Row(ExactRow(row)),
            Detected::Key { key, is_gone: false } => Self::Key(exact(key)),
            Detected::Key { key, is_gone: true } => Self::Gone(exact(key)),
        }
    }
}

impl From<DetectedMessage> for Detected {
    fn from(message: DetectedMessage) -> Self {
        match message {
            DetectedMessage::Row(row) => Self::Row(row.0),
            DetectedMessage::Key(key) => Self::Key { key: legacy(key), is_gone: false },
            DetectedMessage::Gone(key) => Self::Key { key: legacy(key), is_gone: true },
        }
    }
}

impl From<Failure> for FailureMessage {
    fn from(failure: Failure) -> Self {
        let of = |failure, detail| Self { failure, detail, reason: None, retry_after_ms: None, wire: None };
        match failure {
            Failure::Refused { detail, reason } => Self { reason, ..of(FailureWord::Refused, detail) },
            Failure::Unavailable { detail, retry_after } => {
                let retry_after_ms = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                Self { retry_after_ms, ..of(FailureWord::Unavailable, detail) }
            }
            Failure::TimedOut { detail } => of(FailureWord::TimedOut, detail),
            Failure::Unknown { detail } => of(FailureWord::Unknown, detail),
            Failure::Malformed { detail } => of(FailureWord::Malformed, detail),
            Failure::Unsupported { detail } => of(FailureWord::Unsupported, detail),
        }
    }
}

impl From<FailureMessage> for Failure {
    fn from(message: FailureMessage) -> Self {
        let detail = plain(&message.detail);
        match message.failure {
            FailureWord::Refused => Self::Refused { detail, reason: message.reason.as_deref().map(plain) },
            FailureWord::Unavailable => {
                Self::Unavailable { detail, retry_after: message.retry_after_ms.map(Duration::from_millis) }
            }
            FailureWord::TimedOut => Self::TimedOut { detail },
            FailureWord::Unknown => Self::Unknown { detail },
            FailureWord::Malformed => Self::Malformed { detail },
            FailureWord::Unsupported => Self::Unsupported { detail },
            FailureWord::Version => Self::unavailable(detail),
        }
    }
}

/// Says that none of the other side's versions is spoken.
pub(crate) fn unspoken(own: Versions, other: Versions) -> FailureMessage {
    FailureMessage {
        failure: FailureWord::Version,
        detail: format!("it speaks version {own} of the wire contract, and was asked for {other}: renew whichever is older"),
        reason: None,
        retry_after_ms: None,
        wire: Some(own),
    }
}

/// What another machine says of itself, as a log can hold it.
pub(crate) fn plain(text: &str) -> String {
    const LONGEST: usize = 400;
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

pub(crate) fn exact(values: Vec<Legacy>) -> Vec<Exact> {
    values.into_iter().map(Exact).collect()
}

pub(crate) fn legacy(values: Vec<Exact>) -> Vec<Legacy> {
    values.into_iter().map(|value| value.0).collect()
}

pub(crate) fn row(row: Option<ExactRow>) -> Option<Row> {
    row.map(|row| row.0)
}
