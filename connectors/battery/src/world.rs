//! A subject, a connector open on it, and what may stand between.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation};
use rabita_sdk::{
    Act, Acted, Applied, Call, Capabilities, Change, ChangeKind, ChangePage, Changes, Condition, Connector, EntitySpec, Failure,
    Ignore, Legacy, Page, Read, RegistrySpec, Row, Search, SecretRef, SecretText, Secrets, Source,
};

use crate::people::{NEW_FAMILY, SOURCES, key, wanted};
use crate::{Fault, Need, Person, Proxy, Stall, Subject, Target};

/// For calls that nothing disturbs, however busy the machine is.
const AMPLE: Duration = Duration::from_secs(20);

/// One behaviour's world.
pub struct World<S> {
    pub subject: S,
    pub connector: Arc<dyn Connector>,
    /// Stands between the two, where the legacy system has an address.
    pub proxy: Option<Proxy>,
    pub entity: EntitySpec,
}

impl<S: Subject> World<S> {
    /// A registry of its own with these people.
    pub async fn with(people: &[Person]) -> Self {
        Self::made(Need::Shared, people).await
    }

    /// A legacy system of its own with these people.
    pub async fn alone_with(people: &[Person]) -> Self {
        Self::made(Need::Alone, people).await
    }

    async fn made(need: Need, people: &[Person]) -> Self {
        let subject = S::set_up(need).await;
        subject.load(people).await;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let proxy = match subject.address() {
            Some(upstream) => {
                let address = subject.proxied_at().unwrap_or(anywhere);
                Some(Proxy::start_at(address, upstream).await.expect("a free port for the proxy"))
            }
            None => None,
        };
        let target = proxy.as_ref().map_or(Target::System, |proxy| Target::Proxy(proxy.address()));
        let (connector, spec) = open(&subject, target).await;
        let entity = spec.entities.into_iter().next().expect("the registry has people");
        Self { subject, connector, proxy, entity }
    }

    /// What the connector says that it can do.
    #[must_use]
    pub fn can(&self) -> Capabilities {
        self.connector.capabilities(0)
    }

    /// Whether the connector serves this operation; if not, the caller must check that it says so.
    #[must_use]
    pub fn serves(&self, operation: Operation) -> bool {
        self.can().operations.contains(&operation)
    }

    /// Whether a search may compare so.
    #[must_use]
    pub fn compares(&self, source: &str, comparison: Comparison) -> bool {
        self.serves(Operation::Search)
            && self.entity.filters.iter().any(|f| f.source.as_str() == source && f.comparisons.contains(&comparison))
    }

    /// The differences that a search by this source overlooks.
    #[must_use]
    pub fn ignores(&self, source: &str) -> Vec<Ignore> {
        self.entity.filters.iter().find(|f| f.source.as_str() == source).map(|f| f.ignore.clone()).unwrap_or_default()
    }

    /// Reads the whole record.
    ///
    /// # Errors
    /// As the connector.
    pub async fn read(&self, pin: &str) -> Result<Option<Person>, Failure> {
        self.read_within(pin, AMPLE).await
    }

    /// Reads the whole record within a time.
    ///
    /// # Errors
    /// As the connector.
    pub async fn read_within(&self, pin: &str, time: Duration) -> Result<Option<Person>, Failure> {
        let row = self.connector.read(whole(pin), &within(time)).await?;
        Ok(row.map(|row| Person::from_row(&row)))
    }

    /// The record's version as the connector hands it over.
    pub async fn version(&self, pin: &str) -> Legacy {
        let ask = Read { entity: 0, key: key(pin), wanted: wanted(&["version"]) };
        let row: Row = self.connector.read(ask, &ample()).await.expect("a read").expect("the record");
        row.find(&Source::new("version")).expect("the version").clone()
    }

    /// Applies a change.
    ///
    /// # Errors
    /// As the connector.
    pub async fn apply(&self, change: Change) -> Result<Applied, Failure> {
        self.connector.apply(change, &ample()).await
    }

    /// Does a named action.
    ///
    /// # Errors
    /// As the connector.
    pub async fn act(&self, act: Act) -> Result<Acted, Failure> {
        self.connector.act(act, &ample()).await
    }

    /// Sees to it that a change is never made, unless it has been; whether it has been.
    ///
    /// # Errors
    /// As the connector.
    pub async fn forgo(&self, id: uuid::Uuid) -> Result<bool, Failure> {
        self.connector.forgo(0, id, &ample()).await
    }

    /// Some changes since a place, with the whole records.
    ///
    /// # Errors
    /// As the connector.
    pub async fn changes(&self, since: Option<String>, limit: usize) -> Result<ChangePage, Failure> {
        self.connector.changes(Changes { entity: 0, since, wanted: wanted(&SOURCES), limit }, &ample()).await
    }

    /// One page of people.
    ///
    /// # Errors
    /// As the connector.
    pub async fn page(&self, conditions: &[Condition], limit: usize, cursor: Option<String>) -> Result<Page, Failure> {
        let ask = Search { entity: 0, conditions: conditions.to_vec(), wanted: wanted(&SOURCES), limit, cursor };
        self.connector.search(ask, &ample()).await
    }

    /// All people that a search finds, page by page, in the order found.
    ///
    /// # Errors
    /// As the connector.
    ///
    /// # Panics
    /// When a page is larger than asked for, or the pages do not end.
    pub async fn find(&self, conditions: &[Condition], limit: usize) -> Result<Vec<Person>, Failure> {
        const PAGES_MAX: usize = 2000;
        let mut found = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let page = self.page(conditions, limit, cursor).await?;
            assert!(page.rows.len() <= limit, "a page of {} where {limit} were asked for", page.rows.len());
            found.extend(page.rows.iter().map(Person::from_row));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
        panic!("the pages do not end");
    }

    /// The people as the legacy system itself holds them must be these.
    ///
    /// # Panics
    /// When they are others.
    pub async fn holds(&self, people: &[Person]) {
        let mut expected = people.to_vec();
        expected.sort_by(|a, b| a.pin.cmp(&b.pin));
        let mut held = self.subject.people().await;
        held.sort_by(|a, b| a.pin.cmp(&b.pin));
        assert_eq!(held, expected, "the legacy system holds other records");
    }

    /// Lets no answer reach the connector in good time, until the result is dropped.
    pub async fn slow(&self) -> Stall {
        const LONG: Duration = Duration::from_secs(60);
        match &self.proxy {
            Some(proxy) => {
                proxy.set(Fault::Delay(LONG));
                Box::new(())
            }
            None => self.subject.hold().await,
        }
    }

    /// Disturbs no more.
    pub fn calm(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.set(Fault::Pass);
        }
    }
}

/// Opens a connector, having it check the registry first.
///
/// # Panics
/// When it does not satisfy the kind's schemas, the kind finds something wrong, or it can't be opened.
pub async fn open<S: Subject>(subject: &S, target: Target) -> (Arc<dyn Connector>, RegistrySpec) {
    let spec = subject.spec(target);
    let kind = subject.kind();
    satisfies(&kind.settings_schema(), &spec.settings);
    for entity in &spec.entities {
        satisfies(&kind.entity_schema(), &entity.from);
        for action in &entity.actions {
            satisfies(&kind.action_schema().expect("the kind has actions"), &action.from);
        }
        if let Some(changes) = &entity.changes {
            satisfies(&kind.changes_schema().expect("the kind finds changes"), &changes.from);
        }
    }
    let errors: Vec<_> = kind.check(&spec).into_iter().filter(|finding| !finding.is_warning).collect();
    assert!(errors.is_empty(), "the kind finds the battery's registry wrong: {errors:?}");
    let connector = kind.open(spec.clone(), &*subject.secrets()).await.expect("the connector opens");
    (connector, spec)
}

/// What a kind is given satisfies the schemas that it publishes.
fn satisfies(schema: &serde_json::Value, value: &serde_json::Value) {
    let validator = jsonschema::validator_for(schema).expect("the kind's schema is one");
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "the battery's registry does not satisfy the kind's schema: {errors:?}");
}

/// A call with as much time as it may need.
#[must_use]
pub fn ample() -> Call {
    within(AMPLE)
}

/// A call with so much time.
#[must_use]
pub fn within(time: Duration) -> Call {
    Call { exchange: ExchangeId::new(uuid::Uuid::now_v7()), deadline: Instant::now() + time, traceparent: None }
}

/// Asks for the whole record.
#[must_use]
pub fn whole(pin: &str) -> Read {
    Read { entity: 0, key: key(pin), wanted: wanted(&SOURCES) }
}

/// A condition that overlooks nothing.
#[must_use]
pub fn condition(source: &str, comparison: Comparison, value: &str) -> Condition {
    Condition { source: Source::new(source), comparison, value: value.into(), ignore: Vec::new() }
}

/// Makes a record of this person.
#[must_use]
pub fn create(person: &Person) -> Change {
    change(ChangeKind::Create, &person.pin, person.values_with_key())
}

/// Puts this person in the place of the one with the same key.
#[must_use]
pub fn replace(person: &Person) -> Change {
    change(ChangeKind::Replace, &person.pin, person.values())
}

/// Changes one value of a record.
#[must_use]
pub fn update(pin: &str, source: &str, value: Legacy) -> Change {
    change(ChangeKind::Update, pin, Row::from_iter([(source, value)]))
}

/// Ends a record.
#[must_use]
pub fn delete(pin: &str) -> Change {
    change(ChangeKind::Delete, pin, Row::new())
}

/// The registry's one action: gives a record another family name.
#[must_use]
pub fn rename(pin: &str, family: &str) -> Act {
    let values = Row::from_iter([(NEW_FAMILY, Legacy::from(family))]);
    Act { entity: 0, action: 0, id: uuid::Uuid::now_v7(), key: key(pin), values, expected_version: None }
}

fn change(kind: ChangeKind, pin: &str, values: Row) -> Change {
    Change { entity: 0, id: uuid::Uuid::now_v7(), kind, key: key(pin), values, expected_version: None }
}

/// Runs what may fail or not come back, and says how long it took.
pub async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let result = work.await;
    (result, began.elapsed())
}

/// Of a registry that names no secrets.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Err("the registry names no secrets".to_owned())
    }
}
