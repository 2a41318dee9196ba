//! Configuration directories: as many registries and grants as a measurement needs, of three kinds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rabita_demo::certificates::Certificates;
use rabita_keys::{Algorithm, SigningKey};
use rabita_tests::port;
use rabita_tests::scratch::Scratch;

use crate::Plan;
use crate::caller::{self, Ask, Target};
use crate::server::Server;
use crate::signer::{KEY, Signer};

/// What a call through the bus carries.
pub const HEADERS: &[(&str, &str)] = &[("rabita-purpose", "employment")];

/// How many rows the tables have.
pub const ROWS: usize = 10_000;

/// A scratch directory with the certificates of the benchmark.
pub fn scratch() -> Scratch {
    let scratch = Scratch::new("load");
    let (bus, callers) = (scratch.path().join("bus"), scratch.path().join("callers"));
    Certificates::write(&bus, &callers, today()).expect("certificates can be made");
    scratch
}

/// The day, in UTC.
pub fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// A bus to start.
pub struct Country {
    directory: PathBuf,
    bus: u16,
    admin: u16,
}

/// What a bus does beside answering, so that others can hold it to its word later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// Whether each exchange is in the ledger before its answer leaves.
    pub records: bool,
    /// Whether answers are signed, with Ed25519.
    pub signs: bool,
}

impl Trust {
    pub const OFF: Self = Self { records: false, signs: false };
}

/// A bus that runs.
pub struct Bus {
    pub server: Server,
}

impl Country {
    /// Begins a configuration in `scratch`, with everything on but the ledger and signatures: limits too high to be met,
    /// the log as JSON, a trace for one exchange of a hundred.
    pub fn new(scratch: &Scratch, name: &str, upstream: u16) -> Self {
        Self::trusting(scratch, name, upstream, Trust::OFF)
    }

    /// The same, and so much of the ledger and of signatures.
    pub fn trusting(scratch: &Scratch, name: &str, upstream: u16, trust: Trust) -> Self {
        let country = Self { directory: scratch.path().join(name), bus: port::free(), admin: port::free() };
        let (bus, admin) = (country.bus, country.admin);
        let signing = if trust.signs { country.signing() } else { String::new() };
        let records = trust.records;
        country.write(
            "rabita.yaml",
            &format!(
                "listeners:
  - address: 127.0.0.1:{bus}
    tls:
      certificate: ../bus/server.pem
      key: ../bus/server.key
      client_authorities: ../bus/ca.pem
      min_version: \"1.3\"
admin: {{ address: 127.0.0.1:{admin} }}
telemetry:
  log: json
  log_filter: info
  traces: {{ endpoint: \"http://127.0.0.1:{upstream}/v1/traces\", share: 0.01 }}
ledger: {{ enabled: {records} }}
{signing}"
            ),
        );
        country.write(
            "agencies.yaml",
            "agencies: [{ id: interior, title: Interior }, { id: one-stop, title: One-stop }]
purposes:
  - { id: employment, title: Entering into employment }
  - { id: company-registration, title: Registering a company }
",
        );
        country.system("asan-portal", "asan-portal.systems.example");
        country
    }

    /// A system, known by a name in its certificate.
    pub fn system(&self, id: &str, dns: &str) {
        self.system_with(id, dns, "");
    }

    fn system_with(&self, id: &str, dns: &str, more: &str) {
        let system = format!(
            "system: {id}
agency: one-stop
certificates: [{{ dns: {dns} }}]
limits: {{ requests_per_second: 1000000 }}
{more}"
        );
        self.write(&format!("systems/{id}.yaml"), &system);
    }

    /// A new key of the node, with which it signs answers. A signed request is fresh for so short that the node remembers
    /// those of the last run only.
    fn signing(&self) -> String {
        let (_, pem) = SigningKey::generate("bus-1", Algorithm::Ed25519).expect("random bytes");
        self.write("keys/bus.pem", &pem);
        "signing: { keys: [{ id: bus-1, file: keys/bus.pem }], window_s: 5 }\n".to_owned()
    }

    /// The portal signs its requests with this key.
    pub fn signed_by(&self, signer: &Signer) {
        self.write("keys/portal.pem", &signer.public_pem());
        self.system_with(
            "asan-portal",
            "asan-portal.systems.example",
            &format!("keys: [{{ id: {KEY}, file: keys/portal.pem }}]\n"),
        );
    }

    /// The registry `bank`, whose accounts stand in this database and may be changed by the portal.
    pub fn bank(&self, url: &str) {
        let connector = format!("{{ kind: sql, url: \"{url}\", once: {{ table: rabita_once, create: true }} }}");
        self.registry("bank", &connector, ACCOUNTS);
        self.grant_of("bank", "accounts", "[read, update]", "all", &["asan-portal".to_owned()]);
    }

    /// Permission for these systems to read an entity, without one field where the entity has many.
    pub fn grant(&self, registry: &str, entity: &str, fields: &str, systems: &[String]) {
        self.grant_of(registry, entity, "[read]", fields, systems);
    }

    fn grant_of(&self, registry: &str, entity: &str, operations: &str, fields: &str, systems: &[String]) {
        let mut grants = format!("registry: {registry}\ngrants:\n");
        for system in systems {
            let _ = write!(
                grants,
                "  - system: {system}
    version: v1
    entity: {entity}
    operations: {operations}
    fields: {fields}
    purposes: [employment, company-registration]
    until: 2099-12-31
    requests_per_second: 1000000
"
            );
        }
        self.write(&format!("grants/{registry}.yaml"), &grants);
    }

    /// A registry; `connector` and `entity` are YAML at their places.
    pub fn registry(&self, id: &str, connector: &str, entity: &str) {
        let manifest = format!(
            "registry: {id}
agency: interior
connector: {connector}
limits: {{ requests_per_second: 1000000, concurrency: 64, queue: 1000, timeout_ms: 5000, updates: {{ in_flight: 32 }} }}
contract:
  v1:
{entity}"
        );
        self.write(&format!("registries/{id}.yaml"), &manifest);
    }

    /// So many registries, of REST, SQL and SOAP by turns, each granted to all systems.
    pub fn mixed(&self, registries: usize, systems: &[String], upstream: u16, database: &Path) {
        for number in 0..registries {
            let id = format!("registry-{number}");
            match number % 3 {
                0 => {
                    self.registry(
                        &id,
                        &format!("{{ kind: rest, url: \"http://127.0.0.1:{upstream}\", probe: {{ path: /health }} }}"),
                        COMPANIES,
                    );
                    self.grant(&id, "companies", COMPANY_FIELDS, systems);
                }
                1 => {
                    self.registry(&id, &sqlite(database), PERSONS);
                    self.grant(&id, "persons", "all", systems);
                }
                _ => {
                    let settings = format!(
                        "{{ kind: soap, url: \"http://127.0.0.1:{upstream}/service.asmx\", namespaces: {{ d: \"urn:dyp\" }} }}"
                    );
                    self.registry(&id, &settings, VEHICLES);
                    self.grant(&id, "vehicles", "all", systems);
                }
            }
        }
    }

    /// Starts the bus, without waiting until it is ready.
    pub fn start(&self, plan: &Plan) -> Server {
        let directory = self.directory.to_str().expect("UTF-8");
        Server::start(&plan.rabita, &["serve", "--config", directory], self.directory.join("rabita.log"))
    }

    /// Starts the bus, and waits until its registries are ready.
    pub fn run(&self, plan: &Plan) -> Bus {
        let mut server = self.start(plan);
        server.wait_until(|| self.is_ready());
        Bus { server }
    }

    /// What the embedded journal takes of the disk, in MB.
    pub fn journal_mb(&self) -> f64 {
        let files = std::fs::read_dir(self.directory.join("journal")).into_iter().flatten().flatten();
        let bytes: u64 = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
        bytes as f64 / 1e6
    }

    /// Whether the bus says that it is ready.
    pub fn is_ready(&self) -> bool {
        port::status(port::loopback(self.admin), "/readyz") == Some(200)
    }

    /// What a caller asks of an entity.
    pub fn target(&self, scratch: &Scratch, registry: &str, entity: &str, key: fn(usize, usize) -> String) -> Target {
        Target {
            address: port::loopback(self.bus),
            ask: Ask::Read,
            path: format!("/api/{registry}/v1/{entity}/"),
            key,
            headers: HEADERS,
            tls: caller::tls(scratch.path()),
            signer: None,
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory can be made");
        std::fs::write(&path, text).expect("a file can be written");
    }
}

/// A taxpayer's number that no other connection asks for.
pub fn tin(connection: usize, count: usize) -> String {
    format!("{:010}", 1_000_000_000 + connection * 10_000_000 + count)
}

/// A person's number: each connection goes through the rows in an order of its own.
pub fn pin(connection: usize, count: usize) -> String {
    format!("{:07}", (connection * 1571 + count * 37) % ROWS)
}

/// The settings of a registry on an SQLite file.
pub fn sqlite(database: &Path) -> String {
    format!("{{ kind: sql, url: \"sqlite:{}\", read_only: true }}", database.display())
}

/// Accounts, as [`crate::bank`] makes them.
const ACCOUNTS: &str = r#"    accounts:
      schema:
        title: Account
        type: object
        additionalProperties: false
        required: [number]
        properties:
          number: { title: Number, type: string, maxLength: 7 }
          note: { title: Note, type: string, maxLength: 40 }
          remark: { title: Remark, type: string }
      key: number
      from: { table: accounts }
      fields: { number: number, note: note, remark: remark }
      operations: { read: {}, update: { fields: [note, remark] } }
"#;

/// All fields but the capital.
pub const COMPANY_FIELDS: &str = "[tin, name, legal_form, registered_on, address, director, activities, status]";

/// Companies, with codecs of several kinds.
pub const COMPANIES: &str = r#"    companies:
      schema: business/company/v1
      key: tin
      from: { read: { path: "/api/v2/taxpayers/{tin}", record: data } }
      fields:
        tin: tin
        name: legalName
        legal_form: { from: legalForm, codec: { codes: legal_forms } }
        registered_on: { from: registrationDate, codec: { date: "%Y-%m-%dT00:00:00+04:00" } }
        address.region: address.region
        address.street: address.street
        address.house: { from: address.house, codec: text }
        director.pin: director.pin
        director.name: { from: director.fullName, codec: trim, split: "{family} {given} {patronymic}" }
        activities:
          each: activities
          fields: { code: code, title: name }
        status: { from: status, codec: { codes: statuses } }
        capital: charterCapital
      operations: { read: {} }
codes:
  legal_forms: { MMC: limited_liability_company, ASC: open_joint_stock_company, FS: sole_proprietor }
  statuses: { ACTIVE: active, SUSPENDED: suspended, LIQUIDATED: liquidated }
"#;

/// Persons, as the tables of [`crate::sql`] hold them.
pub const PERSONS: &str = r#"    persons:
      schema: civil/person/v1
      key: pin
      from: { table: citizens }
      fields:
        pin: fin
        name.family: { from: soyad, codec: trim }
        name.given: { from: ad, codec: trim }
        name.patronymic: { from: ata_adi, codec: trim }
        birth_date: { from: dogum, codec: { date: { format: "%Y%m%d", partial: true, legacy: integer } } }
        birth_place: dogum_yeri
        sex: { from: cins, codec: { codes: sex } }
        marital_status: { from: aile, codec: { codes: marital_status } }
      operations: { read: {} }
codes:
  sex: { K: male, Q: female }
  marital_status: { S: single, E: married, B: divorced, D: widowed }
"#;

const VEHICLES: &str = r#"    vehicles:
      schema: vehicles/vehicle/v1
      key: plate
      from:
        read:
          action: urn:dyp/GetVehicle
          request: { "d:GetVehicle": { "d:Plate": "{@plate}" } }
          response: { element: GetVehicleResponse, record: Vehicle }
      fields:
        plate: "@plate"
        make: Make
        model: Model
        year: { from: Year, codec: integer }
        status: { from: "@status", codec: { codes: statuses } }
      operations: { read: {} }
codes:
  statuses: { A: registered, W: wanted, S: deregistered }
"#;
