//! Where a page of a search begins, and where the next one does, for services whose requests are written as templates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// How a search is divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// Not at all: an answer holds every record found, always in the same order, and is divided by the bus.
    #[default]
    None,
    /// By `{$offset}`, how many records to pass over, and `{$limit}`.
    Offset,
    /// By `{$page}`, counted from 1, and `{$limit}`.
    Page,
    /// By `{$cursor}`, which the page before gave.
    Cursor,
}

/// The place in a search where a page begins: which answer of the service to ask for, and how many of its records
/// the pages before have taken. A service whose pages are longer than what is asked for is so divided further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    skip: usize,
    /// The limit that the service is asked for: pages are only counted right while it stays the same.
    pub limit: usize,
    /// Records to pass over, the number of the page, or the service's own cursor.
    pub at: String,
}

impl Place {
    /// The place that a cursor names, or the beginning.
    ///
    /// # Errors
    /// `Refused` when the cursor is none of ours.
    pub fn read(cursor: Option<&str>, paging: Paging, limit: usize) -> Result<Self, Failure> {
        let Some(cursor) = cursor else {
            let at = match paging {
                Paging::Offset => "0",
                Paging::Page => "1",
                Paging::None | Paging::Cursor => "",
            };
            return Ok(Self { skip: 0, limit, at: at.to_owned() });
        };
        let mut parts = cursor.splitn(3, '.');
        let place = (|| {
            let (skip, limit, at) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
            let counts = matches!(paging, Paging::Offset | Paging::Page);
            let is_right = limit > 0 && (!counts || at.parse::<usize>().is_ok());
            is_right.then(|| Self { skip, limit, at: at.to_owned() })
        })();
        place.ok_or_else(|| Failure::refused("the search's cursor is not one of this registry's"))
    }

    /// Which of the records that an answer brought belong to this page of at most `wanted`, and where the next one
    /// begins. `next` is the service's cursor and `total` the number of all records, where the answer tells.
    #[must_use]
    pub fn divide(
        &self,
        brought: usize,
        wanted: usize,
        paging: Paging,
        next: Option<&str>,
        total: Option<usize>,
    ) -> (std::ops::Range<usize>, Option<String>) {
        let start = self.skip.min(brought);
        let end = start.saturating_add(wanted).min(brought);
        if end < brought {
            return (start..end, Some(Self { skip: end, ..self.clone() }.written()));
        }
        let count = self.at.parse::<usize>().unwrap_or_default();
        let passed = match paging {
            Paging::Offset => count.saturating_add(brought),
            Paging::Page => count.saturating_sub(1).saturating_mul(self.limit).saturating_add(brought),
            Paging::None | Paging::Cursor => 0,
        };
        let has_more = brought > 0 && total.map_or(brought >= self.limit, |total| passed < total);
        let at = match paging {
            Paging::None => None,
            Paging::Offset => has_more.then(|| passed.to_string()),
            Paging::Page => has_more.then(|| count.saturating_add(1).to_string()),
            // A cursor that leads to itself would never end.
            Paging::Cursor => next.filter(|next| !next.is_empty() && *next != self.at).map(str::to_owned),
        };
        (start..end, at.map(|at| Self { skip: 0, limit: self.limit, at }.written()))
    }

    fn written(&self) -> String {
        format!("{}.{}.{}", self.skip, self.limit, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all pages of a search over `0..all`, as a service with pages of at most `served` would answer.
    fn walk(all: usize, wanted: usize, served: usize, paging: Paging, tells: bool) -> Vec<usize> {
        let mut taken = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..100 {
            let place = Place::read(cursor.as_deref(), paging, wanted).expect("a cursor of ours");
            let limit = place.limit.min(served);
            let from = match paging {
                Paging::None => 0,
                Paging::Offset => place.at.parse().expect("a number"),
                Paging::Page => (place.at.parse::<usize>().expect("a number") - 1) * place.limit,
                Paging::Cursor => place.at.strip_prefix("c.").map_or(0, |at| at.parse().expect("a number")),
            };
            let length = if matches!(paging, Paging::None) { all } else { limit };
            let brought: Vec<usize> = (from..all).take(length).collect();
            let next = (from + brought.len() < all).then(|| format!("c.{}", from + brought.len()));
            let (range, after) = place.divide(brought.len(), wanted, paging, next.as_deref(), tells.then_some(all));
            assert!(range.len() <= wanted);
            taken.extend_from_slice(&brought[range]);
            let Some(after) = after else { return taken };
            cursor = Some(after);
        }
        panic!("the pages do not end");
    }

    #[test]
    fn takes_every_record_once_however_the_service_divides_them() {
        for all in [0, 1, 4, 5, 6, 10, 23] {
            for paging in [Paging::None, Paging::Offset, Paging::Page, Paging::Cursor] {
                for tells in [true, false] {
                    assert_eq!(walk(all, 5, 5, paging, tells), (0..all).collect::<Vec<_>>(), "{all} {paging:?}");
                }
            }
        }
        assert_eq!(walk(23, 5, 3, Paging::Offset, true), (0..23).collect::<Vec<_>>());
        assert_eq!(walk(23, 5, 3, Paging::Cursor, false), (0..23).collect::<Vec<_>>());
    }

    #[test]
    fn refuses_a_cursor_that_is_none_of_ours() {
        for bad in ["", "1", "0.0.5", "x.5.0", "0.5", "0.5.abc", "-1.5.0"] {
            assert!(matches!(Place::read(Some(bad), Paging::Offset, 5), Err(Failure::Refused { .. })), "{bad}");
        }
    }
}
