//! Chance that can be had again: the same seed, the same throws.

/// A sequence of throws (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own for each number.
    #[must_use]
    pub fn apart(&self, number: usize) -> Self {
        let mut other = Self(self.0 ^ (number as u64 + 1).wrapping_mul(0xa076_1d64_78bd_642f));
        other.throw();
        other
    }

    /// A number from 0, below this one.
    pub fn below(&mut self, end: usize) -> usize {
        (self.throw() % end.max(1) as u64) as usize
    }

    /// Whether something of so many percent happens.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// So many milliseconds at least, and fewer than so many.
    pub fn millis(&mut self, from: usize, to: usize) -> std::time::Duration {
        std::time::Duration::from_millis((from + self.below(to - from)) as u64)
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
