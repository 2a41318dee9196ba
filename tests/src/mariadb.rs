//! MariaDB.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::port;
use crate::process::{Process, Program, find, is_root, run};
use crate::scratch::Scratch;

const SYSTEM_USER: &str = "mysql";

/// The account that tests use; it has no password.
const ACCOUNT: &str = "rabita";

/// A MariaDB server with its own data.
#[derive(Debug)]
pub struct Mariadb {
    // Dropped in this order: the server writes into the directory.
    process: Process,
    port: u16,
    scratch: Scratch,
}

impl Mariadb {
    /// Starts a server.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("mariadb");
        let data = format!("--datadir={}", scratch.path().join("data").display());
        let install = find("mariadb-install-db", &["/usr/bin"]);
        if is_root() {
            scratch.give_to(SYSTEM_USER);
        }
        let arguments = ["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"];
        run("mariadb-install-db", &install, &arguments, Some(SYSTEM_USER), scratch.path());
        let port = port::free();
        let process = Process::start(program(scratch.path(), port), || is_ready(scratch.path()));
        let server = Self { process, port, scratch };
        server.run(&format!(
            "CREATE USER '{ACCOUNT}'@'%'; GRANT ALL ON *.* TO '{ACCOUNT}'@'%' WITH GRANT OPTION; FLUSH PRIVILEGES"
        ));
        server
    }

    /// The server that the tests of this binary share; each makes tables or databases of its own.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Mariadb> = LazyLock::new(Mariadb::start);
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
        format!("mysql://{ACCOUNT}@{address}/{database}")
    }

    /// Runs SQL as root, and answers what it printed, without headings.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn run(&self, sql: &str) -> String {
        let socket = socket(self.scratch.path());
        let arguments = ["--no-defaults", "--batch", "--skip-column-names", "-u", "root", &socket, "-e", sql];
        run("mariadb", &find("mariadb", &["/usr/bin"]), &arguments, None, self.scratch.path())
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
        self.process.start_again(|| is_ready(self.scratch.path()));
    }
}

fn program(scratch: &Path, port: u16) -> Program {
    let path: PathBuf = find("mariadbd", &["/usr/sbin", "/usr/libexec"]);
    let arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", scratch.join("data").display()),
        socket(scratch),
        format!("--pid-file={}", scratch.join("server.pid").display()),
        format!("--tmpdir={}", scratch.display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--character-set-server=utf8mb4".to_owned(),
        "--collation-server=utf8mb4_nopad_bin".to_owned(),
        "--max-connections=400".to_owned(),
        "--max-allowed-packet=64M".to_owned(),
        "--innodb-buffer-pool-size=64M".to_owned(),
        // Outlives a kill, if not a power cut.
        "--innodb-flush-log-at-trx-commit=2".to_owned(),
        "--innodb-flush-method=nosync".to_owned(),
        "--skip-log-bin".to_owned(),
    ];
    Program {
        name: "MariaDB",
        path,
        arguments,
        user: Some(SYSTEM_USER),
        death_signal: "KILL",
        directory: scratch.to_path_buf(),
        log: scratch.join("server.log"),
    }
}

fn socket(scratch: &Path) -> String {
    format!("--socket={}", scratch.join("socket").display())
}

fn is_ready(scratch: &Path) -> bool {
    let mut command = Command::new(find("mariadb-admin", &["/usr/bin"]));
    command.args(["--no-defaults", "-u", "root", &socket(scratch), "ping"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
