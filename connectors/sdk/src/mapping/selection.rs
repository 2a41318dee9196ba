//! A choice of an entity's fields, cheap to compare and to hash.

/// A set of fields, by their places in the mapping.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selection(Box<[u64]>);

impl Selection {
    /// The fields of `count` for which `has` answers true.
    pub(super) fn of(count: usize, has: impl Fn(usize) -> bool) -> Self {
        let mut words = vec![0_u64; count.div_ceil(64)];
        for at in (0..count).filter(|at| has(*at)) {
            words[at / 64] |= 1 << (at % 64);
        }
        Self(words.into_boxed_slice())
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    /// What both hold.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// What one of them holds.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    /// What this holds and the other does not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}
