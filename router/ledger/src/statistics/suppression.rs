//! Hides small counts of a tree, so that they cannot be found from what is shown.
//!
//! What is hidden has nothing shown below it. So whoever subtracts knows, of each count that is shown with what is below
//! it, the sum of the hidden ones there, and nothing else. That sum must leave every value possible that a small count can
//! have. Where the small ones alone do not see to that, a larger one is hidden with them; where there is none that is large
//! enough, nothing below is shown at all.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::statistics::Name;

/// A count as it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    Exact(u64),
    /// There are some, and fewer than this.
    LessThan(u64),
}

/// A count, and the counts that it is the sum of.
#[derive(Debug, Default)]
pub(super) struct Node {
    count: u64,
    below: BTreeMap<Name, Node>,
}

/// What is shown of a node.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) count: Count,
    pub(super) below: Vec<(Name, Shown)>,
}

impl Node {
    /// Counts along a path.
    pub(super) fn add(&mut self, path: &[Name], count: u64) {
        self.count += count;
        if let Some((name, rest)) = path.split_first() {
            self.below.entry(name.clone()).or_default().add(rest, count);
        }
    }

    /// What is shown where counts below `smallest` are hidden.
    pub(super) fn suppress(self, smallest: u64) -> Shown {
        if self.count < smallest {
            return Shown::hidden(smallest);
        }
        Shown { count: Count::Exact(self.count), below: suppress_all(self.below, smallest) }
    }
}

impl Shown {
    const fn hidden(below: u64) -> Self {
        Self { count: Count::LessThan(below), below: Vec::new() }
    }
}

/// What is shown of the counts that a shown one is the sum of.
fn suppress_all(nodes: BTreeMap<Name, Node>, smallest: u64) -> Vec<(Name, Shown)> {
    let (mut hidden, mut sum) = (0, 0);
    for node in nodes.values().filter(|node| node.count < smallest) {
        hidden += 1;
        sum += node.count;
    }
    if hidden == 0 || are_safe(hidden, sum, smallest) {
        return nodes.into_iter().map(|(name, node)| (name, node.suppress(smallest))).collect();
    }
    // Even if the larger one is the least that it can be, a small one can be the most that it can be.
    let needed = (2 * smallest + hidden).saturating_sub(2 + sum).max(smallest);
    let larger = nodes.iter().filter(|(_, node)| node.count >= needed).min_by_key(|(_, node)| node.count);
    let Some((larger, count)) = larger.map(|(name, node)| (name.clone(), node.count)) else { return Vec::new() };
    // All the small ones are 1 at least: whoever subtracts knows this bound.
    let bound = sum + count - hidden + 1;
    let shown = |(name, node): (Name, Node)| {
        let shown = if name == larger { Shown::hidden(bound) } else { node.suppress(smallest) };
        (name, shown)
    };
    nodes.into_iter().map(shown).collect()
}

/// Whether each of so many counts from 1 to below `smallest` with this sum can have every value from 1 to below `smallest`.
const fn are_safe(hidden: u64, sum: u64, smallest: u64) -> bool {
    let (most, others) = (smallest - 1, hidden - 1);
    most + others <= sum && sum <= 1 + others * most
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn tree() -> impl Strategy<Value = Vec<(u8, u8, u8, u64)>> {
        proptest::collection::vec((0_u8..3, 0_u8..4, 0_u8..4, 1_u64..9), 0..24)
    }

    fn node(cells: &[(u8, u8, u8, u64)]) -> Node {
        let mut root = Node::default();
        for (one, two, three, count) in cells {
            root.add(&[Name::Hour(*one), Name::Hour(*two), Name::Hour(*three)], *count);
        }
        root
    }

    /// Every value that each hidden count can have, by trying all: what the labels say, and that the sum is right.
    fn possible(sum: u64, bounds: &[(u64, u64)]) -> Vec<BTreeSet<u64>> {
        fn fill(sum: u64, bounds: &[(u64, u64)], taken: &mut Vec<u64>, found: &mut [BTreeSet<u64>]) {
            let Some(((least, below), rest)) = bounds.split_first() else {
                if sum == 0 {
                    for (set, value) in found.iter_mut().zip(taken.iter()) {
                        set.insert(*value);
                    }
                }
                return;
            };
            for value in *least..(*below).min(sum + 1) {
                taken.push(value);
                fill(sum - value, rest, taken, found);
                taken.pop();
            }
        }
        let mut found = vec![BTreeSet::new(); bounds.len()];
        fill(sum, bounds, &mut Vec::new(), &mut found);
        found
    }

    /// What somebody can do who sees all that is shown, and knows how it is made.
    fn attack(node: &Node, shown: &Shown, smallest: u64) -> Result<(), TestCaseError> {
        let Count::Exact(total) = shown.count else {
            prop_assert!(shown.below.is_empty(), "something is shown below what is hidden");
            return Ok(());
        };
        prop_assert_eq!(total, node.count);
        prop_assert!(total >= smallest);
        if shown.below.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(shown.below.len(), node.below.len());
        let (mut rest, mut bounds) = (total, Vec::new());
        for (name, shown) in &shown.below {
            let truth = &node.below[name];
            attack(truth, shown, smallest)?;
            match shown.count {
                Count::Exact(count) => rest -= count,
                Count::LessThan(bound) => {
                    prop_assert!(truth.count < bound, "what is said of a hidden count is true");
                    bounds.push((if bound == smallest { 1 } else { smallest }, bound));
                }
            }
        }
        for (values, (least, bound)) in possible(rest, &bounds).iter().zip(&bounds) {
            if *least == 1 {
                prop_assert_eq!(values, &(1..*bound).collect::<BTreeSet<_>>(), "a small count can be told from others");
            } else {
                prop_assert!(values.len() >= usize::try_from(smallest).expect("small") - 1, "a larger count can be told");
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_small_count_can_be_anything_small_for_all_that_is_shown(cells in tree(), smallest in 1_u64..6) {
            let truth = node(&cells);
            attack(&truth, &node(&cells).suppress(smallest), smallest)?;
        }
    }

    fn shown(counts: &[u64], smallest: u64) -> Vec<Count> {
        let mut root = Node::default();
        for (name, count) in (0..).zip(counts) {
            root.add(&[Name::Hour(name)], *count);
        }
        root.suppress(smallest).below.into_iter().map(|(_, shown)| shown.count).collect()
    }

    #[test]
    fn a_single_small_count_takes_a_larger_one_with_it() {
        use Count::{Exact, LessThan};
        assert_eq!(shown(&[100, 3, 40, 12], 10), [Exact(100), LessThan(10), LessThan(43), Exact(12)]);
    }

    #[test]
    fn small_counts_that_hide_each_other_need_no_larger_one() {
        use Count::{Exact, LessThan};
        assert_eq!(shown(&[100, 5, 4, 6], 10), [Exact(100), LessThan(10), LessThan(10), LessThan(10)]);
    }

    #[test]
    fn where_nothing_is_large_enough_to_hide_a_small_count_nothing_below_is_shown() {
        assert_eq!(shown(&[12, 1], 10), []);
        assert_eq!(shown(&[9; 2], 10), [], "two of nine can be nothing else");
    }

    #[test]
    fn large_counts_are_shown_as_they_are() {
        assert_eq!(shown(&[10, 11], 10), [Count::Exact(10), Count::Exact(11)]);
        assert_eq!(shown(&[1, 2], 1), [Count::Exact(1), Count::Exact(2)]);
    }
}
