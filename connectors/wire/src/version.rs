//! Versions of the wire contract: each side says which it speaks, and the newest that both do is spoken.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The versions that one side speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    pub oldest: u16,
    pub newest: u16,
}

/// What this build speaks. A release that adds a version keeps the one before it: so both ends of a connection can be
/// renewed one after the other.
pub const SPOKEN: Versions = Versions { oldest: 1, newest: 1 };

impl Versions {
    /// The newest that both sides speak.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }

    /// Whether this version is among them.
    #[must_use]
    pub const fn speak(self, version: u16) -> bool {
        self.oldest <= version && version <= self.newest
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest { write!(f, "{}", self.newest) } else { write!(f, "{} to {}", self.oldest, self.newest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_meet_and_those_two_apart_do_not() {
        let of = |oldest, newest| Versions { oldest, newest };
        for (one, other, expected) in [
            (of(1, 1), of(1, 1), Some(1)),
            (of(1, 1), of(1, 2), Some(1)),
            (of(1, 2), of(2, 3), Some(2)),
            (of(1, 2), of(3, 4), None),
            (of(1, 1), of(2, 3), None),
        ] {
            assert_eq!(one.common(other), expected);
            assert_eq!(other.common(one), expected);
        }
        assert_eq!((of(1, 1).to_string(), of(2, 3).to_string()), ("1".to_owned(), "2 to 3".to_owned()));
    }
}
