//! How a legacy system can fail an exchange.

use std::time::Duration;

/// Why a legacy system did not do what it was asked. Absence is no failure: a read answers `None`.
///
/// `detail` is for the operator: it names the step and the legacy system's own code (an SQLSTATE, a status, a fault
/// code), never a value from a request, a record or a legacy message text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The legacy system understood and said no. `reason` is a code that the manifest lets callers see.
    #[error("refused by the registry: {detail}")]
    Refused { detail: String, reason: Option<String> },
    /// It can't be reached, or says that it can't work now. Nothing was changed.
    #[error("registry unavailable: {detail}")]
    Unavailable { detail: String, retry_after: Option<Duration> },
    /// The deadline passed. Of a change it is unknown whether it was applied.
    #[error("no answer in time: {detail}")]
    TimedOut { detail: String },
    /// The connection broke after a change was sent: unknown whether it was applied.
    #[error("outcome unknown: {detail}")]
    Unknown { detail: String },
    /// It answered with something that is no answer: truncated, in a wrong encoding, of a wrong shape, too large.
    #[error("malformed answer: {detail}")]
    Malformed { detail: String },
    /// The connector can't do this for this entity. The manifest should not have offered it.
    #[error("not supported: {detail}")]
    Unsupported { detail: String },
}

impl Failure {
    /// A refusal without a public reason.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::Refused { detail: detail.into(), reason: None }
    }

    /// The registry can't be reached or used now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable { detail: detail.into(), retry_after: None }
    }

    /// The deadline passed.
    pub fn timed_out(detail: impl Into<String>) -> Self {
        Self::TimedOut { detail: detail.into() }
    }

    /// The answer is none.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed { detail: detail.into() }
    }

    /// The connector can't do this.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::Unsupported { detail: detail.into() }
    }

    /// Whether this speaks against the health of the legacy system, so that a circuit breaker counts it.
    #[must_use]
    pub const fn is_ill_health(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::TimedOut { .. } | Self::Unknown { .. })
    }
}
