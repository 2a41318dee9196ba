//! A made-up country, and what its grants allow: found out here from their meaning, not as the bus does.

use std::fmt::Write as _;
use std::time::Duration;

use rabita_tests::bus::{Answer, Country};
use rabita_tests::faults::Dice;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

/// The fields of a person that hold a mark. `district` holds none: it is what grants are told apart by.
pub const FIELDS: [&str; 6] = ["pin", "name.family", "name.given", "address", "income", "photo"];

/// For what is asked: for nothing, and for two purposes.
pub const PURPOSES: [Option<&str>; 3] = [None, Some("birth-registration"), Some("identity-check")];

const PEOPLE: usize = 3;

/// A value that stands nowhere else.
#[derive(Debug, Clone)]
pub struct Mark {
    pub text: String,
    person: usize,
    /// `secret` is a column that no field of the contract stands for.
    field: &'static str,
}

struct Grant {
    /// Both: then it names them as a group.
    systems: &'static [&'static str],
    operations: Vec<&'static str>,
    /// All of them where there is none.
    fields: Option<Vec<&'static str>>,
    purposes: Option<Vec<&'static str>>,
    /// The only district whose records it shows.
    district: Option<&'static str>,
}

/// How often a mark was seen where it may stand.
#[derive(Debug, Default)]
pub struct Reach {
    pub answers: usize,
    pub binaries: usize,
    pub streams: usize,
    pub webhooks: usize,
}

impl Reach {
    pub fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        self.binaries += other.binaries;
        self.streams += other.streams;
        self.webhooks += other.webhooks;
    }
}

pub struct World {
    pub country: Country,
    /// The grants as they are configured, to be shown with a failure.
    pub grants: String,
    all: Vec<Grant>,
    marks: Vec<Mark>,
    districts: [&'static str; PEOPLE],
    direct: SqlitePool,
    changes: usize,
}

impl World {
    pub fn make(dice: &mut Dice, traces: &str) -> Self {
        let country = Country::new();
        country.node(&format!(
            "telemetry: {{ log: json, log_filter: debug, traces: {{ endpoint: \"{traces}\" }} }}\n\
             webhooks: {{ dangerously_allow_http_webhooks: true, dangerously_allow_private_webhooks: true }}"
        ));
        country.file("agencies.yaml", AGENCIES);
        country.file("transparency.yaml", TRANSPARENCY);
        country.file("registries/vault.yaml", MANIFEST);
        let all = grants(dice);
        let written: Vec<String> = all.iter().map(Grant::written).collect();
        spread(dice, &country, &written);
        let options = SqliteConnectOptions::new().filename(country.path().join("vault.sqlite")).create_if_missing(true);
        let direct = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options.busy_timeout(Duration::from_secs(20)));
        let districts = std::array::from_fn(|_| if dice.percent(50) { "baku" } else { "ganja" });
        let mut world = Self { country, grants: written.join("\n"), all, marks: Vec::new(), districts, direct, changes: 0 };
        world.people(dice);
        world
    }

    fn people(&mut self, dice: &mut Dice) {
        let mut sql = TABLE.to_owned();
        for person in 0..PEOPLE {
            let mut marks = Vec::new();
            // The first person's record is always whole; others may break the schema, or be no record at all.
            let is_long = person > 0 && dice.percent(15);
            let is_no_number = person > 0 && dice.percent(15);
            for field in FIELDS.into_iter().chain(["secret"]) {
                let text = match field {
                    "pin" => drawn(dice, 7),
                    "address" if is_long => format!("Mark{}", drawn(dice, ADDRESS_MAX)),
                    "income" if !is_no_number => format!(
                        "7{}",
                        (0..13).map(|_| char::from(b'1' + u8::try_from(dice.below(9)).expect("a digit"))).collect::<String>()
                    ),
                    _ => format!("Mark{}", drawn(dice, 12)),
                };
                marks.push(format!("'{text}'"));
                self.marks.push(Mark { text, person, field });
            }
            writeln!(
                sql,
                "INSERT INTO people (pin, family, given, address, income, photo, secret, district) VALUES ({}, '{}');",
                marks.join(", "),
                self.districts[person]
            )
            .expect("a text takes all");
        }
        // The bus opens the file only later, and this must not wait for a runtime of its own.
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.run(sql)));
    }

    async fn run(&self, sql: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.direct).await.expect("SQL that runs");
    }

    pub fn pins(&self) -> Vec<String> {
        self.marks.iter().filter(|mark| mark.field == "pin").map(|mark| mark.text.clone()).collect()
    }

    pub fn family(&self, person: usize) -> String {
        let is_it = |mark: &&Mark| mark.field == "name.family" && mark.person == person;
        self.marks.iter().find(is_it).expect("a family").text.clone()
    }

    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// A value that a field of a person is about to have.
    pub fn new_mark(&mut self, dice: &mut Dice, person: usize, field: &'static str) -> String {
        let text = format!("Mark{}", drawn(dice, 12));
        self.marks.push(Mark { text: text.clone(), person, field });
        text
    }

    /// Gives a field another value, as the agency itself would.
    pub async fn change_past_the_bus(&mut self, person: usize, field: &'static str) {
        self.changes += 1;
        let text = format!("MarkPast{}x{}", self.changes, drawn(&mut Dice::new(self.changes as u64), 8));
        let (column, pin) = (column(field), self.pins().swap_remove(person));
        self.run(format!("UPDATE people SET {column} = '{text}' WHERE pin = '{pin}';")).await;
        self.marks.push(Mark { text, person, field });
    }

    /// Whether a system may see a field of a person by an operation.
    pub fn shown(&self, system: &str, operation: &str, purpose: Option<&str>, person: usize, field: &str) -> bool {
        self.all.iter().any(|grant| {
            grant.systems.contains(&system)
                && grant.operations.contains(&operation)
                && grant.purposes.as_ref().is_none_or(|all| purpose.is_some_and(|purpose| all.contains(&purpose)))
                && grant.district.is_none_or(|district| self.districts[person] == district)
                && grant.covers(field)
        })
    }

    /// Whether a mark may stand in what a system is given by an operation, where it asked for these fields or for all.
    pub fn allows(&self, system: &str, operation: &str, purpose: Option<&str>, mark: &Mark, wanted: Option<&[&str]>) -> bool {
        wanted.is_none_or(|wanted| wanted.contains(&mark.field))
            && self.shown(system, operation, purpose, mark.person, mark.field)
    }

    /// Whether a system was granted anything about a field.
    pub fn is_granted(&self, system: &str, field: &str) -> bool {
        self.all.iter().any(|grant| grant.systems.contains(&system) && grant.covers(field))
    }

    /// Holds an answer against what is allowed; how many marks it gave.
    pub fn answered(
        &self,
        operation: &str,
        answer: &Answer,
        system: &str,
        purpose: Option<&str>,
        wanted: Option<&[&str]>,
    ) -> usize {
        for (name, value) in &answer.headers {
            self.holds_none(name.as_str(), value.as_bytes());
        }
        if answer.status >= 400 {
            self.holds_none("a problem", &answer.body);
            return 0;
        }
        self.holds_what_is_allowed(operation, &answer.body, system, operation, purpose, wanted)
    }

    /// Holds bytes against what is allowed; how many marks they held.
    pub fn holds_what_is_allowed(
        &self,
        what: &str,
        bytes: &[u8],
        system: &str,
        operation: &str,
        purpose: Option<&str>,
        wanted: Option<&[&str]>,
    ) -> usize {
        let found: Vec<&Mark> = self.marks.iter().filter(|mark| holds(bytes, &mark.text)).collect();
        for mark in &found {
            assert!(
                self.allows(system, operation, purpose, mark, wanted),
                "{what}: {system} for {purpose:?}, asking for {wanted:?}, is given {mark:?}\n{}\n{}",
                self.grants,
                String::from_utf8_lossy(bytes)
            );
        }
        found.len()
    }

    /// Holds an answer, with its headers, against nothing being allowed.
    pub fn silent(&self, what: &str, answer: &Answer) {
        self.holds_none(what, &answer.body);
        for (name, value) in &answer.headers {
            self.holds_none(name.as_str(), value.as_bytes());
        }
    }

    pub fn holds_none(&self, what: &str, bytes: &[u8]) {
        if let Some(mark) = self.marks.iter().find(|mark| holds(bytes, &mark.text)) {
            let text = String::from_utf8_lossy(bytes);
            let line = text.lines().find(|line| line.contains(&mark.text)).unwrap_or_default();
            panic!("{what} holds {mark:?}: {line}\n{}", self.grants);
        }
    }
}

impl Grant {
    fn covers(&self, field: &str) -> bool {
        field != "secret"
            && self
                .fields
                .as_ref()
                .is_none_or(|fields| fields.iter().any(|own| field == *own || field.starts_with(&format!("{own}."))))
    }

    fn written(&self) -> String {
        let list = |words: &[&str]| format!("[{}]", words.join(", "));
        let fields = self.fields.as_deref().map_or("all".to_owned(), list);
        let purposes = self.purposes.as_deref().map_or("any".to_owned(), list);
        let rows = self.district.map(|district| format!(", rows: 'record.district == \"{district}\"'")).unwrap_or_default();
        let who = match self.systems {
            [system] => format!("system: {system}"),
            _ => "group: desks".to_owned(),
        };
        format!(
            "{{ {who}, version: v1, entity: persons, operations: {}, fields: {fields}, purposes: {purposes}{rows} }}",
            list(&self.operations)
        )
    }
}

fn grants(dice: &mut Dice) -> Vec<Grant> {
    let mut all = Vec::new();
    // A registry without any grant is not configured so.
    for (systems, least) in [(&["portal"][..], 1), (&["mobile"], 0), (&["portal", "mobile"], 0)] {
        for _ in 0..least + dice.below(3 - least) {
            let operations = some(dice, &["read", "search", "update", "subscribe"]);
            let fields = some(dice, &["pin", "name", "name.family", "name.given", "address", "income", "district", "photo"]);
            let purposes = some(dice, &["birth-registration", "identity-check"]);
            all.push(Grant {
                systems,
                operations,
                fields: dice.percent(75).then_some(fields),
                purposes: dice.percent(60).then_some(purposes),
                district: dice.percent(35).then_some("baku"),
            });
        }
    }
    all
}

/// Puts the grants, in any order, into any number of files of the agency that gives them.
fn spread(dice: &mut Dice, country: &Country, written: &[String]) {
    let mut left: Vec<&String> = written.iter().collect();
    while !left.is_empty() {
        let mut text = "registry: vault\ngrants:\n".to_owned();
        for _ in 0..=dice.below(left.len()) {
            let grant = left.swap_remove(dice.below(left.len()));
            writeln!(text, "  - {grant}").expect("a text takes all");
        }
        country.file(&format!("grants/interior/{}.yaml", drawn(dice, 8).to_lowercase()), &text);
    }
}

/// Some of these, one at least.
fn some(dice: &mut Dice, of: &[&'static str]) -> Vec<&'static str> {
    let chosen: Vec<_> = of.iter().copied().filter(|_| dice.percent(50)).collect();
    if chosen.is_empty() { vec![of[dice.below(of.len())]] } else { chosen }
}

fn drawn(dice: &mut Dice, length: usize) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    (0..length).map(|_| char::from(LETTERS[dice.below(LETTERS.len())])).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn column(field: &str) -> &str {
    match field {
        "name.family" => "family",
        "name.given" => "given",
        other => other,
    }
}

/// The title of a field, by which it can be told in whatever describes it.
pub fn title(field: &str) -> String {
    format!("Title of {}", column(field))
}

/// The longest that an address may be.
const ADDRESS_MAX: usize = 40;

const AGENCIES: &str = "
agencies:
  - { id: interior, title: Ministry of the Interior }
  - { id: asan, title: One-stop service }
purposes:
  - { id: birth-registration, title: Registration of a birth }
  - { id: identity-check, title: Check of an identity }
  - { id: audit, title: Audit }
groups:
  - { id: desks, systems: [portal, mobile] }
";

const TRANSPARENCY: &str = "
subjects: [{ system: auditor, purposes: [audit] }]
agencies: [{ system: auditor, agency: interior }]
auditors: [auditor]
statistics: { smallest: 1 }
";

const TABLE: &str = "
CREATE TABLE people (pin TEXT PRIMARY KEY NOT NULL, family TEXT NOT NULL, given TEXT, address TEXT, income INTEGER, photo BLOB,
    secret TEXT, district TEXT NOT NULL, rev INTEGER NOT NULL DEFAULT 1);
";

const MANIFEST: &str = r#"
registry: vault
agency: interior
title: Vault
connector: { kind: sql, url: "sqlite:vault.sqlite", once: { table: rabita_once, create: true } }
contract:
  v1:
    persons:
      schema:
        title: Person
        type: object
        additionalProperties: false
        required: [pin, name]
        properties:
          pin: { title: Title of pin, type: string, pattern: "^[0-9A-Z]{7}$" }
          name:
            title: Name
            type: object
            additionalProperties: false
            required: [family]
            properties:
              family: { title: Title of family, type: string, minLength: 1 }
              given: { title: Title of given, type: string, minLength: 1 }
          address: { title: Title of address, type: string, minLength: 1, maxLength: 40 }
          income: { title: Title of income, type: integer, minimum: 0 }
          district: { title: District, type: string, minLength: 1 }
      key: pin
      subject: pin
      version: rev
      from: { table: people, bump: increment }
      fields:
        pin: pin
        name.family: family
        name.given: given
        address: address
        income: income
        district: district
        photo: { from: photo, binary: { media_type: image/png } }
      operations:
        read: { max_keys: 5 }
        search: { by: [name.family, district], max: 100 }
        update: { fields: [name, address, income] }
        subscribe: {}
"#;
