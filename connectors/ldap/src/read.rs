//! Reading: a selection of attributes, and records by their keys.

use std::collections::HashMap;
use std::sync::Arc;

use rabita_sdk::{Call, Failure, Legacy, OpenBinary, Read, Row, Source, Wanted};

use crate::failure::{Moment, refused};
use crate::link::Link;
use crate::plan::Plan;
use crate::protocol::{Code, Entry, Filter, SearchRequest};
use crate::schema::Schema;
use crate::search::Test;
use crate::values::{DN, Reader, bytes};

/// The most keys in one question: some directories bound how long a filter may be.
const KEYS_MAX: usize = 50;

/// A key as the directory holds it.
pub(crate) type Key = Vec<Vec<u8>>;

/// What one call has: a connection, and what is known of the entity and the directory.
pub(crate) struct Session<'a> {
    pub(crate) link: Link,
    pub(crate) plan: &'a Plan,
    pub(crate) schema: Arc<Schema>,
    pub(crate) call: &'a Call,
    pub(crate) limits: Limits,
}

/// How much a call may take of the directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) answer_max: usize,
    pub(crate) page_entries: u16,
    pub(crate) search_max_entries: usize,
    pub(crate) assertions: bool,
}

/// Attributes that are asked for, and how rows are made of them.
pub(crate) struct Selection {
    wanted: Vec<Reader>,
    groups: Vec<Reader>,
    key: Vec<Reader>,
    pub(crate) attributes: Vec<String>,
}

impl Selection {
    /// What is wanted, and the key: by it a record is told from others that the directory takes for the same.
    pub(crate) fn new(session: &Session<'_>, wanted: &Wanted, tests: &[Test]) -> Result<Self, Failure> {
        if let Some(group) = wanted.groups.iter().find(|group| !group.sources.is_empty()) {
            return Err(Failure::unsupported(format!("the values of {} have no members", group.name)));
        }
        let reader = |source: &Source| session.plan.reader(source, &session.schema);
        let key = &session.plan.spec.key;
        let groups = wanted.groups.iter().map(|group| &group.name);
        let mut attributes: Vec<String> = Vec::new();
        for source in wanted.sources.iter().chain(groups.clone()).chain(key).chain(tests.iter().map(Test::source)) {
            if source.as_str() != DN && !attributes.iter().any(|own| own.eq_ignore_ascii_case(source.as_str())) {
                attributes.push(source.as_str().to_owned());
            }
        }
        if attributes.is_empty() {
            // Without any name all attributes would come (RFC 4511, section 4.5.1.8).
            attributes.push("1.1".to_owned());
        }
        Ok(Self {
            wanted: wanted.sources.iter().map(reader).collect(),
            groups: groups.map(reader).collect(),
            key: key.iter().map(reader).collect(),
            attributes,
        })
    }

    /// The key of an entry.
    pub(crate) fn key(&self, entry: &Entry) -> Result<Key, Failure> {
        self.key.iter().map(|reader| Ok(reader.key(entry)?.to_vec())).collect()
    }

    /// What is wanted of an entry.
    pub(crate) fn row(&self, entry: &Entry) -> Result<Row, Failure> {
        let mut row = Row::with_capacity(self.wanted.len() + self.groups.len());
        for reader in &self.wanted {
            let value = match self.key.contains(reader) {
                true => reader.one(reader.key(entry)?)?,
                false => reader.value(entry)?,
            };
            row.push(reader.source.shared(), value);
        }
        for reader in &self.groups {
            row.push(reader.source.shared(), reader.list(entry)?);
        }
        Ok(row)
    }

    /// Values by themselves, in the order in which they are wanted.
    pub(crate) fn values(&self, entry: &Entry) -> Result<Vec<Legacy>, Failure> {
        self.wanted.iter().map(|reader| reader.value(entry)).collect()
    }
}

impl Session<'_> {
    /// A search among the entity's entries.
    pub(crate) fn request(&self, filters: impl IntoIterator<Item = Filter>, attributes: Vec<String>) -> SearchRequest {
        let all = std::iter::once(self.plan.member.clone()).chain(filters).collect();
        // In whole seconds, and 0 would be no limit.
        let seconds = self.call.remaining().as_secs().saturating_add(1);
        SearchRequest {
            base: self.plan.origin.base.clone(),
            scope: self.plan.scope,
            size_limit: 0,
            time_limit: i32::try_from(seconds).unwrap_or(i32::MAX),
            filter: Filter::And(all),
            attributes,
        }
    }

    /// A key as the directory holds it; none where no attribute can hold it.
    pub(crate) fn key(&self, key: &[Legacy]) -> Result<Option<Key>, Failure> {
        if key.len() != self.plan.spec.key.len() || key.is_empty() {
            return Err(Failure::unsupported("the key has another number of values"));
        }
        Ok(key.iter().map(bytes).collect())
    }

    /// The records of some keys that satisfy all conditions.
    pub(crate) async fn fetch(&mut self, keys: &[Key], wanted: &Wanted, tests: &[Test]) -> Result<HashMap<Key, Row>, Failure> {
        let selection = Selection::new(self, wanted, tests)?;
        let mut found: HashMap<Key, Row> = HashMap::with_capacity(keys.len());
        let mut budget = self.limits.answer_max;
        for part in keys.chunks(KEYS_MAX) {
            let any = Filter::Or(part.iter().map(|key| self.is_key(key)).collect());
            let conditions = tests.iter().map(|test| test.filter.clone());
            let request = self.request(conditions.chain([any]), selection.attributes.clone());
            let end = self.link.search(request, Vec::new(), |entry, length| {
                budget = budget.checked_sub(length).ok_or_else(too_long)?;
                let key = selection.key(&entry)?;
                // The directory may take for the same what is only like it.
                if !part.contains(&key) || !holds_all(tests, &entry) {
                    return Ok(());
                }
                match found.insert(key, selection.row(&entry)?) {
                    None => Ok(()),
                    Some(_) => Err(Failure::malformed(SEVERAL)),
                }
            });
            match end.await?.code {
                Code::SUCCESS => {}
                code => return Err(refused(code, Moment::Reading)),
            }
        }
        Ok(found)
    }

    /// The filter of a key.
    pub(crate) fn is_key(&self, key: &Key) -> Filter {
        let parts = self.plan.spec.key.iter().zip(key);
        let mut parts: Vec<_> = parts.map(|(source, value)| Filter::Equal(source.as_str().to_owned(), value.clone())).collect();
        if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) }
    }

    /// Records by their keys, in the order of the questions.
    pub(crate) async fn read(&mut self, asks: &[Read]) -> Result<Vec<Option<Row>>, Failure> {
        let Some(first) = asks.first() else { return Ok(Vec::new()) };
        let keys = asks.iter().map(|ask| self.key(&ask.key)).collect::<Result<Vec<_>, _>>()?;
        let mut different: Vec<Key> = keys.iter().flatten().cloned().collect();
        different.sort();
        different.dedup();
        let found = self.fetch(&different, &first.wanted, &[]).await?;
        Ok(keys.into_iter().map(|key| key.and_then(|key| found.get(&key).cloned())).collect())
    }

    /// The bytes of a binary value.
    pub(crate) async fn binary(&mut self, ask: &OpenBinary) -> Result<Option<Vec<u8>>, Failure> {
        if !self.plan.binary.contains(&ask.source) {
            return Err(Failure::unsupported(format!("{} is no binary value", ask.source)));
        }
        let Some(key) = self.key(&ask.key)? else { return Ok(None) };
        let wanted = Wanted { sources: vec![ask.source.clone()], groups: Vec::new() };
        let row = self.fetch(std::slice::from_ref(&key), &wanted, &[]).await?.remove(&key);
        match row.as_ref().and_then(|row| row.find(&ask.source)) {
            None | Some(Legacy::Null) => Ok(None),
            Some(Legacy::Bytes(bytes)) => Ok(Some(bytes.clone())),
            Some(other) => {
                Err(Failure::malformed(format!("{} holds {}, where one binary value was expected", ask.source, other.kind())))
            }
        }
    }
}

pub(crate) fn holds_all(tests: &[Test], entry: &Entry) -> bool {
    tests.iter().all(|test| test.holds(entry))
}

pub(crate) fn too_long() -> Failure {
    Failure::malformed("the records of one answer are longer than `answer_max_bytes`")
}

const SEVERAL: &str = "several entries have the key of one record: look at `class`, `filter` and `scope` in `from`";
