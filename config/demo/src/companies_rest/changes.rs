//! What was changed of companies, in a file: the service must not forget when its process is killed.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A change of a company's address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    /// The caller's id of it: a change with the same id is the same change, sent twice.
    pub id: Option<String>,
    pub tin: String,
    #[serde(default)]
    pub street: Option<String>,
    #[serde(default)]
    pub house: Option<String>,
}

/// What has become of one company's address.
#[derive(Debug, Clone, Default)]
pub(super) struct Address {
    pub street: Option<String>,
    pub house: Option<String>,
    /// How often it was changed.
    pub revision: u64,
}

/// All changes, each a line of the file.
pub(super) struct Changes {
    file: File,
    made: HashSet<String>,
    addresses: BTreeMap<String, Address>,
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
        let mut changes = Self { file, made: HashSet::new(), addresses: BTreeMap::new() };
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|change| changes.note(change));
        Ok(changes)
    }

    pub fn of(&self, tin: &str) -> Address {
        self.addresses.get(tin).cloned().unwrap_or_default()
    }

    pub fn is_made(&self, id: &str) -> bool {
        self.made.contains(id)
    }

    /// Makes a change: it is on the disk when this returns.
    pub fn make(&mut self, change: Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(&change)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.note(change);
        Ok(())
    }

    fn note(&mut self, change: Change) {
        let Change { id, tin, street, house } = change;
        self.made.extend(id);
        let address = self.addresses.entry(tin).or_default();
        address.street = street.or(address.street.take());
        address.house = house.or(address.house.take());
        address.revision += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, house: &str) -> Change {
        Change { id: Some(id.into()), tin: "1403778211".into(), street: None, house: Some(house.into()) }
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
        assert!(changes.is_made("a") && !changes.is_made("b"));
        changes.make(change("b", "16")).expect("another change");
        let changes = Changes::open(&path).expect("the file again");
        let address = changes.of("1403778211");
        assert_eq!((address.house.as_deref(), address.revision), (Some("16"), 2));
    }
}
