//! A registry in a scratch directory.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation, RegistryId};
use rabita_sdk::{
    Applied, Call, Change, ChangeKind, Changes, Connector, Detected, EntitySpec, Failure, FeedSpec, FilterSpec, Legacy, Read,
    RegistrySpec, Row, SecretRef, SecretText, Secrets, Source, Wanted,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const COLUMNS: [&str; 3] = ["pin", "name", "rev"];

/// A registry, and the connector that is open on it.
pub struct Registry {
    pub directory: TempDir,
    pub spec: RegistrySpec,
    connector: Option<Arc<dyn Connector>>,
}

impl Registry {
    /// A registry with these additions to its settings and its `from`.
    pub fn new(settings: &Value, from: &Value) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["drops", "changes"] {
            std::fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        let spec = spec(directory.path().to_owned(), settings, from);
        Self { directory, spec, connector: None }
    }

    /// Opens the connector, again if it is open.
    pub async fn open(&mut self) {
        if let Some(before) = self.connector.take() {
            before.close().await;
        }
        let opened = rabita_files::kind().open(self.spec.clone(), &NoSecrets).await;
        self.connector = Some(opened.expect("it opens"));
    }

    /// The connector.
    pub fn connector(&self) -> &dyn Connector {
        &**self.connector.as_ref().expect("it is open")
    }

    /// Puts a file into the directory of drops, under another name first.
    pub fn drop(&self, name: &str, text: &str) {
        let drops = self.directory.path().join("drops");
        std::fs::write(drops.join(".new"), text).expect("a file");
        std::fs::rename(drops.join(".new"), drops.join(name)).expect("a file");
    }

    /// The name and the revision of a record, once they are these.
    pub async fn becomes(&self, pin: &str, expected: Option<(&str, &str)>) {
        let began = Instant::now();
        loop {
            let read = self.read(pin).await;
            let expected = expected.map(|(name, rev)| (name.to_owned(), rev.to_owned()));
            if read == Ok(expected.clone()) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{pin} is {read:?}, and not {expected:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The name and the revision of a record.
    pub async fn read(&self, pin: &str) -> Result<Option<(String, String)>, Failure> {
        let row = self.connector().read(Read { entity: 0, key: vec![pin.into()], wanted: wanted() }, &call()).await?;
        let text = |row: &Row, name: &str| row.get(name).and_then(Legacy::to_text).unwrap_or_default().into_owned();
        Ok(row.map(|row| (text(&row, "name"), text(&row, "rev"))))
    }

    /// What the probe fails with, once it does so with these words.
    pub async fn is_told(&self, words: &str) -> Failure {
        let began = Instant::now();
        loop {
            let probed = self.connector().probe(&call()).await;
            match &probed {
                Err(failure) if failure.to_string().contains(words) => return failure.clone(),
                _ => assert!(began.elapsed() < Duration::from_secs(20), "{probed:?}, without `{words}`"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Changes a record's name.
    pub async fn rename(&self, pin: &str, name: &str) -> Result<Applied, Failure> {
        let values = Row::from_iter([("name", Legacy::from(name))]);
        self.apply(ChangeKind::Update, pin, values).await
    }

    /// Changes a record.
    pub async fn apply(&self, kind: ChangeKind, pin: &str, values: Row) -> Result<Applied, Failure> {
        let key = vec![pin.into()];
        let change = Change { entity: 0, id: uuid::Uuid::now_v7(), kind, key, values, expected_version: None };
        self.connector().apply(change, &call()).await
    }

    /// The files of changes, in their order: names and texts.
    pub fn changes(&self) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(self.directory.path().join("changes")).expect("a directory").flatten();
        let mut files: Vec<_> = entries
            .map(|entry| {
                let text = std::fs::read_to_string(entry.path()).expect("a file");
                (entry.file_name().to_string_lossy().into_owned(), text)
            })
            .collect();
        files.sort();
        files
    }

    /// The place that is now, in the log of changes.
    pub async fn now(&self) -> String {
        let ask = Changes { entity: 0, since: None, wanted: wanted(), limit: 10 };
        self.connector().changes(ask, &call()).await.expect("a place").since
    }

    /// The keys that were changed since a place, an ended record with a minus before it.
    pub async fn since(&self, since: &str) -> Vec<String> {
        let ask = Changes { entity: 0, since: Some(since.to_owned()), wanted: wanted(), limit: 100 };
        let page = self.connector().changes(ask, &call()).await.expect("changes");
        let told = |one: &Detected| match one {
            Detected::Key { key, is_gone } => {
                let key = key.first().and_then(Legacy::to_text).unwrap_or_default();
                if *is_gone { format!("-{key}") } else { key.into_owned() }
            }
            Detected::Row(_) => panic!("this kind tells keys"),
        };
        page.changes.iter().map(told).collect()
    }

    /// The reports of refused drops.
    pub fn reports(&self) -> Vec<Value> {
        let entries = std::fs::read_dir(self.directory.path().join("index/reports")).into_iter().flatten().flatten();
        entries.map(|entry| serde_json::from_slice(&std::fs::read(entry.path()).expect("a report")).expect("JSON")).collect()
    }

    /// The files of indexes.
    pub fn indexes(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path().join("index")).expect("a directory").flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "index")).collect()
    }
}

/// A call with as much time as it may need.
pub fn call() -> Call {
    let deadline = Instant::now() + Duration::from_secs(20);
    Call { exchange: ExchangeId::new(uuid::Uuid::now_v7()), deadline, traceparent: None }
}

fn wanted() -> Wanted {
    Wanted { sources: COLUMNS.iter().map(|name| Source::new(name)).collect(), groups: Vec::new() }
}

/// A registry's description with additions.
pub fn spec(directory: PathBuf, settings: &Value, from: &Value) -> RegistrySpec {
    let mut own = json!({
        "source": { "directory": "drops" },
        "index": "index",
        "arrival": { "poll_ms": 20, "settle_ms": 0 },
        "outgoing": { "to": { "directory": "changes" } },
    });
    merge(&mut own, settings);
    let mut own_from = json!({
        "file": "people-*.csv",
        "format": { "delimited": { "columns": COLUMNS } },
        "write": { "name": "{number}.csv", "operation": { "column": "op" }, "bump": "increment" },
    });
    merge(&mut own_from, from);
    let place = |name: &str| format!("/contract/v1/people/fields/{name}");
    let changing = [Operation::Create, Operation::Replace, Operation::Update, Operation::Delete];
    let entity = EntitySpec {
        name: "v1/people".to_owned(),
        pointer: "/contract/v1/people/from".to_owned(),
        from: own_from,
        key: vec![Source::new("pin")],
        wanted: wanted(),
        places: COLUMNS.iter().map(|name| (Source::new(name), place(name))).collect(),
        binary: Vec::new(),
        filters: vec![FilterSpec {
            source: Source::new("name"),
            comparisons: BTreeSet::from([Comparison::Equals]),
            ignore: Vec::new(),
            pointer: "/contract/v1/people/operations/search/by/name".to_owned(),
        }],
        operations: BTreeSet::from([Operation::Read, Operation::Search, Operation::Subscribe])
            .into_iter()
            .chain(changing)
            .collect(),
        written: changing.iter().map(|operation| (*operation, Source::new("name"), place("name"))).collect(),
        version: Some(Source::new("rev")),
        actions: Vec::new(),
        changes: Some(FeedSpec {
            pointer: "/contract/v1/people/changes/from".to_owned(),
            from: json!({ "difference": "drops" }),
        }),
    };
    RegistrySpec {
        registry: RegistryId::new("people").expect("an id"),
        settings: own,
        entities: vec![entity],
        tables: Vec::new(),
        timeout: Duration::from_secs(20),
        concurrency: 8,
        directory,
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(own), Value::Object(more)) => {
            for (name, value) in more {
                merge(own.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (own, value) => *own = value.clone(),
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Err("there are no secrets".to_owned())
    }
}
