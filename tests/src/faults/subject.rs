//! A node of the bus as a process that is killed and started again, at the same addresses and on the same directory.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bus::{Authority, Caller, Country};
use crate::port;
use crate::process::{Process, Program, find};

/// The longest that a caller waits for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(25);

/// What a node is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The `rabita` program.
    pub program: PathBuf,
    /// Where the database is, or the proxy before it.
    pub registry: SocketAddr,
    /// Whether the registry keeps the ids of changes, so that none is applied twice.
    pub keeps_ids: bool,
    /// The `journal:` of the node; left out for what the bus does by itself.
    pub journal: Option<String>,
    /// Where the nodes' ledgers are; left out for what the bus does by itself.
    pub ledgers: Option<PathBuf>,
    /// Environment variables of the program.
    pub environment: Vec<(String, String)>,
    /// Where what the node says is gathered, over all its lives.
    pub evidence: PathBuf,
}

/// A node that runs, or was killed.
#[derive(Debug)]
pub struct Node {
    process: Process,
    country: Country,
    bus: SocketAddr,
    admin: SocketAddr,
    program: PathBuf,
    number: usize,
    evidence: PathBuf,
    log: PathBuf,
}

impl Node {
    /// Writes a configuration directory and starts a node on it.
    ///
    /// # Panics
    /// When it is not ready in time.
    #[must_use]
    pub fn start(setup: &Setup, number: usize) -> Self {
        let (bus, admin) = (port::loopback(port::free()), port::loopback(port::free()));
        let country = Country::new();
        let ledgers = setup.ledgers.as_deref().unwrap_or(country.path());
        let ledger = ledgers.join(format!("ledger-{number}"));
        write_country(setup, &country, bus, admin, &ledger, number);
        let process = Process::start(program(setup, &country), || is_ready(admin));
        let (program, evidence) = (setup.program.clone(), setup.evidence.clone());
        Self { process, country, bus, admin, program, number, evidence, log: ledger.join("log") }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.process.kill();
        self.gather();
    }

    /// Starts it again and waits until it is ready.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start_again(&self) {
        self.process.start_again(|| is_ready(self.admin));
    }

    /// Starts it again without waiting: it may be killed before it is ready.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn begin_again(&self) {
        self.process.start_again(|| true);
    }

    /// Has the ledger verified as it lies there: that it is whole, and goes on from what it was the last time. Says what was
    /// found.
    ///
    /// # Panics
    /// When the program cannot be run.
    #[must_use]
    pub fn verify(&self) -> Option<String> {
        let seen = self.evidence.join(format!("node-{}.seen", self.number));
        let mut program = Command::new(&self.program);
        program.args(["ledger", "verify"]).arg(&self.log).arg("--remember").arg(seen);
        let done = program.output().expect("the program can be run");
        (!done.status.success()).then(|| String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// Stops it, and puts its ledger, which is at rest then, into the evidence.
    ///
    /// # Panics
    /// When the ledger cannot be copied.
    pub fn end(&self) {
        self.process.stop();
        self.gather();
        copy(&self.log, &self.evidence.join(ledger_name(self.number))).expect("the ledger can be copied");
        let signer = self.log.with_file_name("signer.pem");
        let mut program = Command::new(&self.program);
        program.args(["ledger", "key", "--log", "--name", &format!("node-{}", self.number), "--file"]).arg(signer);
        let key = program.output().expect("the program can be run").stdout;
        std::fs::write(self.evidence.join(format!("node-{}.key", self.number)), key).expect("the key can be kept");
    }

    /// The configuration directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.country.path()
    }

    /// A system that may change accounts.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::with(self.bus, Some(&Authority::get().portal), |client| client.timeout(ANSWER_MAX))
    }

    /// Appends what it said in the life that ended; the next one begins its log anew.
    fn gather(&self) {
        let said = std::fs::read(self.process.log()).unwrap_or_default();
        let gathered = self.evidence.join(format!("node-{}.log", self.number));
        let file = std::fs::File::options().create(true).append(true).open(gathered);
        // What a node said helps to understand a fault, and proves nothing.
        let _ = file.and_then(|mut file| file.write_all(&said));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The ledger of a node in the directory of evidence.
#[must_use]
pub fn ledger_name(number: usize) -> String {
    format!("ledger-{number}")
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy(&entry.path(), &to)? } else { _ = std::fs::copy(entry.path(), to)? }
    }
    Ok(())
}

fn write_country(setup: &Setup, country: &Country, bus: SocketAddr, admin: SocketAddr, ledger: &Path, number: usize) {
    let journal = setup.journal.as_ref().map_or_else(String::new, |journal| format!("journal: {journal}\n"));
    country.file(
        "rabita.yaml",
        &format!(
            "listeners:\n  - {{ address: \"{bus}\", tls: {{ certificate: tls/server.pem, key: tls/server.key, client_authorities: tls/ca.pem }} }}
admin: {{ address: \"{admin}\" }}
telemetry: {{ log_filter: warn }}
ledger: {{ directory: \"{}\", origin: node-{number} }}
{journal}",
            ledger.display()
        ),
    );
    let once = if setup.keeps_ids { ", once: { table: rabita_once, create: true }" } else { "" };
    let url = format!("postgres://postgres@{}/postgres", setup.registry);
    country.file("registries/bank.yaml", &MANIFEST.replace("{URL}", &url).replace("{ONCE}", once));
    country.file("grants/bank.yaml", GRANTS);
}

fn program(setup: &Setup, country: &Country) -> Program {
    let environment = setup.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let command = [setup.program.as_path(), Path::new("serve"), Path::new("--config"), country.path()];
    let command = command.map(|word| word.to_str().expect("a path in UTF-8").to_owned());
    Program {
        name: "the bus",
        // Replaces itself by the program, so that a signal reaches that.
        path: find("env", &[]),
        arguments: environment.chain(command).collect(),
        user: None,
        death_signal: "KILL",
        directory: country.path().to_path_buf(),
        log: country.path().join("node.log"),
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    port::status(admin, "/readyz") == Some(200)
}

/// Retries are quick and have no end, so that a trial does not wait long and nothing is laid aside for a person.
const MANIFEST: &str = r#"
registry: bank
agency: interior
connector: { kind: sql, url: "{URL}", connect_timeout_ms: 1000{ONCE} }
limits:
  concurrency: 16
  queue: 1000
  timeout_ms: 2000
  breaker: { failures: 20, open_ms: 200 }
  updates: { in_flight: 8, waiting: 1000, first_ms: 50, max_ms: 1000, attempts: 10000 }
contract:
  v1:
    accounts:
      schema:
        title: Account
        type: object
        additionalProperties: false
        required: [number]
        properties:
          number: { title: Number, type: string, minLength: 1, maxLength: 40 }
          note: { title: Note, type: string, maxLength: 40 }
          remark: { title: Remark, type: string }
      key: number
      from: { table: accounts }
      fields: { number: number, note: note, remark: remark }
      operations:
        read: {}
        create: { fields: [number, note, remark] }
        replace: { fields: [number, note, remark] }
        update: { fields: [note, remark] }
        delete: {}
"#;

const GRANTS: &str = "
registry: bank
grants:
  - { system: portal, version: v1, entity: accounts, operations: [read, create, replace, update, delete], fields: all, purposes: any }
";
