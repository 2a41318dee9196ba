//! The people that each legacy system holds in the battery, and the registry's description.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use rabita_model::{ActionName, Comparison, Operation, RegistryId};
use rabita_sdk::{ActSpec, EntitySpec, FeedSpec, FilterSpec, Ignore, Legacy, RegistrySpec, Row, Source, Wanted};
use serde_json::Value;

/// The sources of a person, binary ones left out.
pub const SOURCES: [&str; 6] = ["pin", "family", "given", "born", "notes", "version"];

/// The sources that a change writes; a create writes `pin` too.
pub const WRITTEN: [&str; 4] = ["family", "given", "born", "notes"];

/// The source of the action's request: the family name that the record is to have.
pub const NEW_FAMILY: &str = "new_family";

/// The binary source.
pub const PHOTO: &str = "photo";

/// A record as the legacy system holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The key.
    pub pin: String,
    pub family: String,
    pub given: String,
    /// `YYYY-MM-DD`: a date where the legacy system knows dates.
    pub born: String,
    /// A text of any length, or none.
    pub notes: Option<String>,
    /// Begins at 1 and changes whenever the record does; the legacy system sees to it.
    pub version: i64,
    pub photo: Option<Vec<u8>>,
}

impl Person {
    /// The person of this number, from 0 to 9999: numbers sort as their keys do.
    #[must_use]
    pub fn numbered(number: usize) -> Self {
        Self {
            pin: format!("P{number:05}"),
            family: ["Aliyeva", "Hasanov", "Mammadova", "Quliyev"][number % 4].to_owned(),
            given: format!("Given{number}"),
            born: format!("{}-{:02}-{:02}", 1950 + number % 60, 1 + number % 12, 1 + number % 28),
            notes: (!number.is_multiple_of(3)).then(|| format!("notes of number {number}")),
            version: 1,
            photo: None,
        }
    }

    /// So many people.
    #[must_use]
    pub fn several(count: usize) -> Vec<Self> {
        (0..count).map(Self::numbered).collect()
    }

    /// The key as a connector takes it.
    #[must_use]
    pub fn key(&self) -> Vec<Legacy> {
        key(&self.pin)
    }

    /// The values that a replace or an update writes.
    #[must_use]
    pub fn values(&self) -> Row {
        [
            ("family", self.family.as_str().into()),
            ("given", self.given.as_str().into()),
            ("born", self.born.as_str().into()),
            ("notes", self.notes.as_deref().map_or(Legacy::Null, Legacy::from)),
        ]
        .into_iter()
        .collect()
    }

    /// The values that a create writes: the key's too.
    #[must_use]
    pub fn values_with_key(&self) -> Row {
        let mut row = Row::new();
        row.push("pin", self.pin.as_str().into());
        for (name, value) in self.values().iter() {
            row.push(name, value.clone());
        }
        row
    }

    /// A row as a person, without the photo.
    ///
    /// # Panics
    /// When a value is missing or of a kind that stands for no such value.
    #[must_use]
    pub fn from_row(row: &Row) -> Self {
        let text = |name: &str| {
            let value = row.find(&Source::new(name)).unwrap_or_else(|| panic!("the row holds no `{name}`"));
            value.to_text().unwrap_or_else(|| panic!("`{name}` is {}", value.kind())).into_owned()
        };
        let notes = row.find(&Source::new("notes")).filter(|notes| !notes.is_null());
        Self {
            pin: text("pin"),
            family: text("family"),
            given: text("given"),
            born: text("born"),
            notes: notes.map(|_| text("notes")),
            version: text("version").parse().expect("a version is a number"),
            photo: None,
        }
    }

    /// The person without the photo, to compare with what a row holds.
    #[must_use]
    pub fn without_photo(&self) -> Self {
        Self { photo: None, ..self.clone() }
    }
}

/// A key as a connector takes it.
#[must_use]
pub fn key(pin: &str) -> Vec<Legacy> {
    vec![pin.into()]
}

/// These sources, wanted.
#[must_use]
pub fn wanted(sources: &[&str]) -> Wanted {
    Wanted { sources: sources.iter().map(|name| Source::new(name)).collect(), groups: Vec::new() }
}

/// The registry of people with every operation and these filters: `family` by equality and prefix, `given` by
/// equality, `born` by range. A subject takes away what its legacy system has not.
#[must_use]
pub fn registry(settings: Value, from: Value) -> RegistrySpec {
    RegistrySpec {
        registry: RegistryId::new("people").expect("a registry's id"),
        settings,
        entities: vec![entity(from)],
        tables: Vec::new(),
        timeout: Duration::from_secs(20),
        concurrency: 16,
        directory: PathBuf::from("."),
    }
}

fn entity(from: Value) -> EntitySpec {
    let place = |name: &str| format!("/contract/v1/people/fields/{name}");
    let written = |operation, name: &str| (operation, Source::new(name), place(name));
    let mut all = vec![written(Operation::Create, "pin")];
    for operation in [Operation::Create, Operation::Replace, Operation::Update] {
        all.extend(WRITTEN.iter().map(|name| written(operation, name)));
    }
    EntitySpec {
        name: "v1/people".to_owned(),
        pointer: "/contract/v1/people/from".to_owned(),
        from,
        key: vec![Source::new("pin")],
        wanted: wanted(&SOURCES),
        places: SOURCES.iter().map(|name| (Source::new(name), place(name))).collect(),
        binary: vec![Source::new(PHOTO)],
        filters: vec![
            filter("family", &[Comparison::Equals, Comparison::Prefix], &[]),
            filter("given", &[Comparison::Equals], &[]),
            filter("born", &[Comparison::From, Comparison::To], &[]),
        ],
        operations: BTreeSet::from(Operation::ALL),
        written: all,
        version: Some(Source::new("version")),
        actions: Vec::new(),
        changes: None,
    }
}

/// Adds the action `rename` to the registry of people: it gives a record the family name in [`NEW_FAMILY`], and answers
/// with the `family` that it then has.
pub fn add_rename(spec: &mut RegistrySpec, from: Value) {
    let name = ActionName::new("rename").expect("an action's name");
    let pointer = "/contract/v1/people/actions/rename".to_owned();
    let values = vec![(Source::new(NEW_FAMILY), format!("{pointer}/fields/family"))];
    let action = ActSpec { name, pointer: format!("{pointer}/from"), from, values, reply: Some(wanted(&["family"])) };
    spec.entities[0].actions.push(action);
}

/// Says where the changes of people are found.
pub fn add_changes(spec: &mut RegistrySpec, from: Value) {
    let pointer = "/contract/v1/people/changes/from".to_owned();
    spec.entities[0].changes = Some(FeedSpec { pointer, from });
}

/// A filter of the people.
#[must_use]
pub fn filter(source: &str, comparisons: &[Comparison], ignore: &[Ignore]) -> FilterSpec {
    FilterSpec {
        source: Source::new(source),
        comparisons: comparisons.iter().copied().collect(),
        ignore: ignore.to_vec(),
        pointer: format!("/contract/v1/people/operations/search/by/{source}"),
    }
}
