//! The person whom a record is about.

use std::fmt;
use std::sync::Arc;

/// The personal number of a person whom an exchange is about, as the contract writes it. The ledger keeps a keyed
/// pseudonym of it; nothing may log it, which its `Debug` sees to.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Takes a personal number.
    #[must_use]
    pub fn new(number: &str) -> Self {
        Self(number.into())
    }

    /// The number in clear.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(..)")
    }
}
