//! PostgreSQL.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::port;
use crate::process::{Process, Program, find, is_root, run};
use crate::scratch::Scratch;

const USER: &str = "postgres";

/// A PostgreSQL server with its own data. Anyone on the machine may connect as `postgres`, without a password.
#[derive(Debug)]
pub struct Postgres {
    // Dropped in this order: the server writes into the directory.
    process: Process,
    port: u16,
    programs: PathBuf,
    scratch: Scratch,
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let programs = programs();
        let scratch = Scratch::new("postgres");
        if is_root() {
            scratch.give_to(USER);
        }
        let data = text(&scratch.path().join("data"));
        let initdb = ["-D", &data, "-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"];
        run("initdb", &programs.join("initdb"), &initdb, Some(USER), scratch.path());
        let port = port::free();
        let process = Process::start(program(&programs, scratch.path(), port), || is_ready(&programs, port));
        Self { process, port, programs, scratch }
    }

    /// The server that the tests of this binary share; each makes tables or databases of its own.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start);
        &SHARED
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// The URL of a database behind an address: this server's, or a proxy's before it.
    #[must_use]
    pub fn url(address: SocketAddr, database: &str) -> String {
        format!("postgres://{USER}@{address}/{database}")
    }

    /// Runs SQL in the database `postgres`, and answers what it printed, unaligned and without headings.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn run(&self, sql: &str) -> String {
        self.run_in("postgres", sql)
    }

    /// Runs SQL in a database.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn run_in(&self, database: &str, sql: &str) -> String {
        let url = Self::url(self.address(), database);
        let arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", sql];
        run("psql", &self.programs.join("psql"), &arguments, None, self.scratch.path())
    }

    /// Runs a file of SQL in a database.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn load(&self, database: &str, file: &Path) {
        let url = Self::url(self.address(), database);
        let arguments = ["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-d", &url, "-f", &text(file)];
        run("psql", &self.programs.join("psql"), &arguments, None, self.scratch.path());
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again at the same port, with the data that it had.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.process.start_again(|| is_ready(&self.programs, self.port));
    }
}

/// Debian keeps the programs of each version in a directory of its own, out of `PATH`: the newest.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .collect();
    versions.sort();
    match versions.pop() {
        Some((_, programs)) => programs,
        None => find("initdb", &[]).parent().map(Path::to_path_buf).unwrap_or_default(),
    }
}

fn program(programs: &Path, scratch: &Path, port: u16) -> Program {
    let mut arguments: Vec<String> =
        ["-D", &text(&scratch.join("data")), "-p", &port.to_string(), "-k", &text(scratch)].map(str::to_owned).into();
    // Nothing here outlives the tests, so nothing has to outlive a power cut.
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=400",
        "shared_buffers=64MB",
        "fsync=off",
        "full_page_writes=off",
        "autovacuum=off",
        "log_min_messages=fatal",
    ] {
        arguments.extend(["-c".to_owned(), setting.to_owned()]);
    }
    Program {
        name: "PostgreSQL",
        path: programs.join("postgres"),
        arguments,
        user: Some(USER),
        // Ends it at once, with its children and its shared memory.
        death_signal: "QUIT",
        directory: scratch.to_path_buf(),
        log: scratch.join("server.log"),
    }
}

fn is_ready(programs: &Path, port: u16) -> bool {
    let mut command = Command::new(programs.join("pg_isready"));
    command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
