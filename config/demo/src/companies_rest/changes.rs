//! What was changed of companies, in a file: the service must not forget when its process is killed.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A change of a company.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    /// The caller's id of it: a change with the same id is the same change, sent twice.
    pub id: Option<String>,
    pub tin: String,
    #[serde(default)]
    pub street: Option<String>,
    #[serde(default)]
    pub house: Option<String>,
    /// Whether it suspends the company.
    #[serde(default)]
    pub suspends: bool,
}

/// What has become of one company.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    pub street: Option<String>,
    pub house: Option<String>,
    pub is_suspended: bool,
    /// The first is 1; each change makes the next.
    pub revision: u64,
}

impl Default for Changed {
    fn default() -> Self {
        Self { street: None, house: None, is_suspended: false, revision: 1 }
    }
}

/// All changes, each a line of the file.
pub(super) struct Changes {
    file: File,
    /// The revision that each change made, by its id.
    made: HashMap<String, u64>,
    companies: BTreeMap<String, Changed>,
}

impl Changes {
    /// Reads what is there. A line that was cut off by a crash was never confirmed to anybody, and is passed over.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        let mut changes = Self { file, made: HashMap::new(), companies: BTreeMap::new() };
        for change in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            changes.note(change);
        }
        Ok(changes)
    }

    pub fn of(&self, tin: &str) -> Changed {
        self.companies.get(tin).cloned().unwrap_or_default()
    }

    /// The revision that a change made, if it was made.
    pub fn made(&self, id: Option<&str>) -> Option<u64> {
        self.made.get(id?).copied()
    }

    /// Makes a change and tells the revision: it is on the disk when this returns.
    pub fn make(&mut self, change: Change) -> io::Result<u64> {
        let mut line = serde_json::to_vec(&change)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        Ok(self.note(change))
    }

    fn note(&mut self, change: Change) -> u64 {
        let Change { id, tin, street, house, suspends } = change;
        let changed = self.companies.entry(tin).or_default();
        changed.street = street.or(changed.street.take());
        changed.house = house.or(changed.house.take());
        changed.is_suspended |= suspends;
        changed.revision += 1;
        self.made.extend(id.map(|id| (id, changed.revision)));
        changed.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, house: &str) -> Change {
        Change { id: Some(id.into()), tin: "1403778211".into(), street: None, house: Some(house.into()), suspends: false }
    }

    #[test]
    fn what_was_changed_is_there_after_a_crash_and_half_a_line_is_not() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("changes");
        let mut changes = Changes::open(&path).expect("a file");
        changes.make(change("a", "15")).expect("a change");
        drop(changes);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"{\"id\":\"b\",\"ti"))
            .expect("half a line");
        let mut changes = Changes::open(&path).expect("the file again");
        assert_eq!((changes.made(Some("a")), changes.made(Some("b"))), (Some(2), None));
        changes.make(change("b", "16")).expect("another change");
        let changes = Changes::open(&path).expect("the file again");
        let company = changes.of("1403778211");
        assert_eq!((company.house.as_deref(), company.revision), (Some("16"), 3));
    }
}
