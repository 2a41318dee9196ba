//! Chance that is the same each time: a country is made again from its seed.

/// A stream of numbers from a seed (xorshift64*, seeded through SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each pair of seed and topic, so that one part of the country can grow without
    /// changing the others.
    #[must_use]
    pub fn new(seed: u64, topic: &str) -> Self {
        let mut state = topic.bytes().fold(seed ^ 0x9E37_79B9_7F4A_7C15, |state, byte| mix(state ^ u64::from(byte)));
        state = mix(state);
        // The one state from which xorshift never leaves is zero.
        Self(if state == 0 { 1 } else { state })
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 to `end - 1`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 {
            return 0;
        }
        let drawn = (self.draw() >> 11) % end as u64;
        usize::try_from(drawn).unwrap_or(0)
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: i32, last: i32) -> i32 {
        let span = usize::try_from(last.saturating_sub(first)).map_or(0, |span| span + 1);
        first + i32::try_from(self.below(span)).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub fn per_mille(&mut self, share: usize) -> bool {
        self.below(1000) < share
    }

    /// One of them.
    ///
    /// # Panics
    /// When there are none; the country only picks from lists that it holds.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const fn mix(mut state: u64) -> u64 {
    state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_topic_draw_the_same_and_another_topic_draws_otherwise() {
        let drawn = |seed, topic| {
            let mut random = Random::new(seed, topic);
            (0..8).map(|_| random.draw()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7, "people"), drawn(7, "people"));
        assert_ne!(drawn(7, "people"), drawn(7, "vehicles"));
        assert_ne!(drawn(7, "people"), drawn(8, "people"));
    }

    #[test]
    fn between_reaches_both_ends_and_nothing_beyond() {
        let mut random = Random::new(1, "ends");
        let drawn: std::collections::BTreeSet<i32> = (0..500).map(|_| random.between(-2, 3)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2, 3]);
    }
}
