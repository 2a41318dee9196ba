//! How the bus says no.

use std::time::Duration;

use crate::{Code, Fault};

/// Why an exchange failed. What may leave the bus and what only operators may see are held apart.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {}", .detail.as_deref().unwrap_or_else(|| code.public_message()))]
pub struct Refusal {
    /// Which of the ways of failing this is.
    pub code: Code,
    /// Everything that is wrong, for the caller.
    pub faults: Vec<Fault>,
    /// When it is worth to try again, where the bus knows.
    pub retry_after: Option<Duration>,
    /// For the operator's log only. Holds no payload either.
    pub detail: Option<String>,
    /// What is missing, for the caller, in one sentence that tells nothing that the caller may not know.
    pub explanation: Option<String>,
    /// A reason that the registry gave for callers, such as a fault code that its manifest declares public.
    pub reason: Option<String>,
}

impl Refusal {
    /// A refusal without faults.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, faults: Vec::new(), retry_after: None, detail: None, explanation: None, reason: None }
    }

    /// A refusal with all that is wrong.
    #[must_use]
    pub const fn with_faults(code: Code, faults: Vec<Fault>) -> Self {
        Self { code, faults, retry_after: None, detail: None, explanation: None, reason: None }
    }

    /// Adds a word for the operator.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says to the caller in one sentence what is missing.
    #[must_use]
    pub fn explained(mut self, explanation: impl Into<String>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}
