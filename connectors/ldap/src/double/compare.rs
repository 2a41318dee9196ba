//! How the stand-in compares: whether a filter holds for an entry, and whether a name lies below another.

use std::cmp::Ordering;

use crate::dn::{folded, parts};
use crate::protocol::{Entry, Filter, Scope, Substrings};

/// Whether a filter holds for an entry.
pub(super) fn holds(filter: &Filter, entry: &Entry) -> bool {
    let any = |name: &str, is_right: &dyn Fn(&[u8]) -> bool| entry.values(name).iter().any(|value| is_right(value));
    match filter {
        Filter::And(all) => all.iter().all(|filter| holds(filter, entry)),
        Filter::Or(any) => any.iter().any(|filter| holds(filter, entry)),
        Filter::Not(not) => !holds(not, entry),
        Filter::Equal(name, asked) | Filter::Approximate(name, asked) => any(name, &|value| folded(value) == folded(asked)),
        Filter::Substrings(name, pieces) => any(name, &|value| has_pieces(value, pieces)),
        Filter::AtLeast(name, asked) => any(name, &|value| order(value, asked) != Ordering::Less),
        Filter::AtMost(name, asked) => any(name, &|value| order(value, asked) != Ordering::Greater),
        Filter::Present(name) => !entry.values(name).is_empty(),
        Filter::Extensible(own) => own.attribute.as_deref().is_some_and(|name| {
            any(name, &|value| match own.rule.as_deref() {
                Some("1.2.840.113556.1.4.803") => bits(value, &own.value).is_some_and(|(bits, mask)| bits & mask == mask),
                Some("1.2.840.113556.1.4.804") => bits(value, &own.value).is_some_and(|(bits, mask)| bits & mask != 0),
                Some(rule) if rule.starts_with("caseExact") => value == own.value,
                _ => folded(value) == folded(&own.value),
            })
        }),
    }
}

/// Whether an entry lies within a scope.
pub(super) fn lies_within(name: &str, base: &str, scope: Scope) -> bool {
    let (name, base) = (parts(name), parts(base));
    if !name.ends_with(&base) {
        return false;
    }
    match scope {
        Scope::Base => name.len() == base.len(),
        Scope::One => name.len() == base.len() + 1,
        Scope::Subtree => true,
    }
}

fn order(value: &[u8], asked: &[u8]) -> Ordering {
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
    match (number(value), number(asked)) {
        (Some(value), Some(asked)) => value.cmp(&asked),
        _ => folded(value).cmp(&folded(asked)),
    }
}

fn has_pieces(value: &[u8], pieces: &Substrings) -> bool {
    let value = folded(value);
    let mut rest = value.as_slice();
    if let Some(initial) = &pieces.initial {
        let Some(after) = rest.strip_prefix(folded(initial).as_slice()) else { return false };
        rest = after;
    }
    for piece in &pieces.any {
        let piece = folded(piece);
        let Some(at) = (0..=rest.len()).find(|at| rest[*at..].starts_with(&piece)) else { return false };
        rest = &rest[at + piece.len()..];
    }
    pieces.last.as_ref().is_none_or(|last| rest.ends_with(&folded(last)))
}

fn bits(value: &[u8], mask: &[u8]) -> Option<(i64, i64)> {
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse().ok();
    Some((number(value)?, number(mask)?))
}
