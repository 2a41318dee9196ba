//! The SQL of an index: the same columns in a drop and beside it, where changes are that no drop has yet.

use rabita_model::Comparison;
use rabita_sdk::{Condition, Failure, Legacy};
use rusqlite::types::Value;

use super::value::{folded, mask};
use crate::plan::{Filter, Plan};

/// A table of records: `k` is the key, `c0` and so on the values kept, `s0` and so on the texts that searches compare
/// without the differences that they overlook.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    /// The number of values kept.
    pub width: usize,
    filters: Vec<Filter>,
}

impl Table {
    /// The table of an entity under this name.
    #[must_use]
    pub fn new(name: impl Into<String>, plan: &Plan) -> Self {
        Self { name: name.into(), width: plan.kept.width(), filters: plan.filters.clone() }
    }

    /// The columns of values and texts, as they stand in `CREATE TABLE` and `INSERT`.
    #[must_use]
    pub fn columns(&self) -> String {
        let kept = (0..self.width).map(|place| format!(", c{place}"));
        kept.chain(self.folding().map(|(at, _)| format!(", s{at}"))).collect()
    }

    /// A `?` for each of them.
    #[must_use]
    pub fn marks(&self) -> String {
        ", ?".repeat(self.width + self.folding().count())
    }

    /// The texts of a record that searches compare.
    pub fn texts<'a>(&'a self, values: &'a [Legacy]) -> impl Iterator<Item = Value> + 'a {
        self.folding().map(|(_, filter)| {
            let text = values.get(filter.place).and_then(Legacy::to_text);
            text.map_or(Value::Null, |text| Value::Text(folded(&text, &filter.ignore)))
        })
    }

    /// The statements that make what searches need.
    pub fn indexes(&self) -> impl Iterator<Item = String> + '_ {
        self.filters.iter().enumerate().map(|(at, filter)| {
            let column = self.searched(at, filter);
            format!("CREATE INDEX {name}_by_{column} ON {name} ({column}, k)", name = self.name)
        })
    }

    fn folding(&self) -> impl Iterator<Item = (usize, &Filter)> {
        self.filters.iter().enumerate().filter(|(_, filter)| !filter.ignore.is_empty())
    }

    fn searched(&self, at: usize, filter: &Filter) -> String {
        if filter.ignore.is_empty() { format!("c{}", filter.place) } else { format!("s{at}") }
    }
}

/// Conditions as SQL, with their values.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub condition: String,
    pub values: Vec<Value>,
}

impl Query {
    /// What a search asks for.
    ///
    /// # Errors
    /// `Unsupported` for what the manifest does not declare, `Refused` for a value that can't be compared.
    pub fn new(plan: &Plan, table: &Table, conditions: &[Condition]) -> Result<Self, Failure> {
        let mut query = Self::default();
        for condition in conditions {
            let place = plan.kept.columns.iter().position(|own| *own == condition.source);
            let found = table.filters.iter().enumerate().find(|(_, filter)| {
                Some(filter.place) == place
                    && filter.comparisons.contains(&condition.comparison)
                    && condition.ignore.iter().all(|ignore| filter.ignore.contains(ignore))
            });
            let (at, filter) = found.ok_or_else(|| {
                let by = condition.comparison.as_str();
                Failure::unsupported(format!("`{}` is not searched by {by} with these differences", condition.source))
            })?;
            query.push(&table.searched(at, filter), filter, condition)?;
        }
        Ok(query)
    }

    /// Records after this key only.
    pub fn after(&mut self, key: Vec<u8>) {
        self.condition.push_str(" AND k > ?");
        self.values.push(Value::Blob(key));
    }

    fn push(&mut self, searched: &str, filter: &Filter, condition: &Condition) -> Result<(), Failure> {
        let column = format!("c{}", filter.place);
        let text = condition.value.to_text().ok_or_else(|| Failure::refused("a value to compare with is no text"))?;
        let is_prefix = condition.comparison == Comparison::Prefix;
        if filter.ignore.is_empty() && !is_prefix {
            self.exactly(&column, condition.comparison, &condition.value, &text);
            return Ok(());
        }
        let exact = if is_prefix { prefix_folded(&text, condition) } else { folded(&text, &condition.ignore) };
        // By the index first, which overlooks more; then exactly.
        match condition.comparison {
            Comparison::Equals => self.and(&format!("{searched} = ?"), folded(&text, &filter.ignore)),
            Comparison::Prefix => {
                let wide = folded(&text, &filter.ignore);
                let wide = if filter.ignore.is_empty() { exact.clone() } else { wide };
                self.and(&format!("{searched} >= ?"), wide.clone());
                if let Some(end) = after_prefix(&wide) {
                    self.and(&format!("{searched} < ?"), end);
                }
            }
            Comparison::From | Comparison::To => {}
        }
        let bits = mask(&condition.ignore);
        let text_of = if filter.ignore.is_empty() { column } else { format!("folded({column}, {bits})") };
        match condition.comparison {
            Comparison::Equals => self.and(&format!("{text_of} = ?"), exact),
            Comparison::From => self.and(&format!("{text_of} >= ?"), exact),
            Comparison::To => self.and(&format!("{text_of} <= ?"), exact),
            Comparison::Prefix => self.and(&format!("begins(c{}, {bits}, ?)", filter.place), exact),
        }
        Ok(())
    }

    /// A number equals its digits; a range compares numbers with numbers, and texts with texts.
    fn exactly(&mut self, column: &str, comparison: Comparison, value: &Legacy, text: &str) {
        let number = match value {
            Legacy::Int(number) => Some(Value::Integer(*number)),
            Legacy::Float(number) => Some(Value::Real(*number)),
            _ => text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Value::Integer),
        };
        let sign = match comparison {
            Comparison::Equals | Comparison::Prefix => "=",
            Comparison::From => ">=",
            Comparison::To => "<=",
        };
        let Some(number) = number else {
            self.and(&format!("{column} {sign} ?"), text.to_owned());
            if comparison != Comparison::Equals {
                self.condition.push_str(&format!(" AND typeof({column}) = 'text'"));
            }
            return;
        };
        if comparison == Comparison::Equals {
            self.condition.push_str(&format!(" AND {column} IN (?, ?)"));
        } else {
            let numbers = format!("(typeof({column}) IN ('integer', 'real') AND {column} {sign} ?)");
            let texts = format!("(typeof({column}) = 'text' AND {column} {sign} ?)");
            self.condition.push_str(&format!(" AND ({numbers} OR {texts})"));
        }
        self.values.extend([number, Value::Text(text.to_owned())]);
    }

    fn and(&mut self, condition: &str, value: String) {
        self.condition.push_str(" AND ");
        self.condition.push_str(condition);
        self.values.push(Value::Text(value));
    }
}

/// The blank at the end of a prefix belongs to it.
fn prefix_folded(text: &str, condition: &Condition) -> String {
    let has_spaces = condition.ignore.contains(&rabita_sdk::Ignore::OuterSpaces);
    let text = if has_spaces { text.trim_start_matches(' ') } else { text };
    let case: Vec<_> = condition.ignore.iter().copied().filter(|ignore| *ignore == rabita_sdk::Ignore::Case).collect();
    folded(text, &case)
}

/// The least text after all that begin so; `None` where there is no end.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let mut next = u32::from(last) + 1;
        if next == 0xd800 {
            next = 0xe000;
        }
        if let Some(next) = char::from_u32(next) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}
