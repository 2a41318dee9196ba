//! A code list's rows, made ready for looking up both ways.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::codec::CodecFault;
use crate::{Finding, Legacy};

/// A row of a code list.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeRow {
    pub code: Legacy,
    pub value: Legacy,
    /// The first day on which the code is in force.
    pub valid_from: Option<Date>,
    /// The first day on which it is no longer.
    pub valid_until: Option<Date>,
}

impl CodeRow {
    /// A code that is always in force.
    #[must_use]
    pub const fn new(code: Legacy, value: Legacy) -> Self {
        Self { code, value, valid_from: None, valid_until: None }
    }

    fn is_in_force(&self, today: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= today) && self.valid_until.is_none_or(|until| today < until)
    }
}

/// A code list, ready for looking up.
#[derive(Debug, Default)]
pub struct CodeTable {
    rows: Vec<CodeRow>,
    /// The row of each code, by its text: a code is the same whether the registry has it as a number or as text.
    by_code: HashMap<Box<str>, usize>,
    /// The row of each contract value that is text, and of each that is not: 1 and "1" are two values.
    by_text: HashMap<Box<str>, usize>,
    by_other: HashMap<Box<str>, usize>,
}

/// Two rows give one code different meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disagreement {
    /// The places of the rows, from 0 on.
    pub rows: (usize, usize),
}

impl CodeTable {
    /// Makes a table. Rows without a code are left out. Of several codes with one meaning, the first in force today
    /// is encoded to, else the first. Of several meanings of one code, the one in force today holds.
    ///
    /// # Errors
    /// When a code has several meanings and today does not decide between them.
    pub fn from_rows(rows: Vec<CodeRow>, today: Date) -> Result<Self, Disagreement> {
        let mut table = Self { rows, ..Self::default() };
        for place in 0..table.rows.len() {
            let row = &table.rows[place];
            let Some(code) = row.code.to_text() else { continue };
            let in_force = row.is_in_force(today);
            if let Some(&before) = table.by_code.get(&*code) {
                let other = &table.rows[before];
                if other.value != row.value && other.is_in_force(today) == in_force {
                    return Err(Disagreement { rows: (before, place) });
                }
                if !in_force || other.is_in_force(today) {
                    continue;
                }
            }
            table.by_code.insert(code.into(), place);
        }
        table.index_values(today);
        Ok(table)
    }

    /// The same rows as of another day.
    ///
    /// # Errors
    /// As [`Self::from_rows`].
    pub fn on(&self, today: Date) -> Result<Self, Disagreement> {
        Self::from_rows(self.rows.clone(), today)
    }

    /// The contract value of a code.
    #[must_use]
    pub fn decode(&self, code: &Legacy) -> Option<Legacy> {
        let place = self.by_code.get(&*code.to_text()?)?;
        self.rows.get(*place).map(|row| row.value.clone())
    }

    /// The code of a contract value.
    #[must_use]
    pub fn encode(&self, value: &Legacy) -> Option<Legacy> {
        let text = value.to_text()?;
        let index = if matches!(value, Legacy::Text(_)) { &self.by_text } else { &self.by_other };
        self.rows.get(*index.get(&*text)?).map(|row| row.code.clone())
    }

    /// The contract values, each once, in the order of the list.
    #[must_use]
    pub fn values(&self) -> Vec<Legacy> {
        let mut values: Vec<Legacy> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for row in &self.rows {
            let is_text = matches!(row.value, Legacy::Text(_));
            if row.value.to_text().is_some_and(|text| seen.insert((is_text, text.into_owned()))) {
                values.push(row.value.clone());
            }
        }
        values
    }

    /// Only rows that their code leads back to take part, so that what is encoded decodes again.
    fn index_values(&mut self, today: Date) {
        for current in [true, false] {
            for (place, row) in self.rows.iter().enumerate() {
                let (Some(code), Some(value)) = (row.code.to_text(), row.value.to_text()) else { continue };
                if row.is_in_force(today) != current || self.by_code.get(&*code) != Some(&place) {
                    continue;
                }
                let index = if matches!(row.value, Legacy::Text(_)) { &mut self.by_text } else { &mut self.by_other };
                index.entry(value.into()).or_insert(place);
            }
        }
    }
}

impl Disagreement {
    pub(super) fn finding(self, pointer: &str) -> Finding {
        Finding::new(pointer, self.to_string())
    }

    pub(super) fn fault(self, list: &str) -> CodecFault {
        CodecFault::new("codes_not_loaded", format!("the code list {list} is no code list: {self}"))
    }
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rows {} and {} give one code two meanings", self.rows.0 + 1, self.rows.1 + 1)
    }
}
