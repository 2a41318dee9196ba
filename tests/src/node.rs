//! Servers that run on Node.js.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::port;
use crate::process::{Process, Program, find, run};
use crate::scratch::Scratch;

/// A server whose `node server.js [ARGUMENT]... PORT` prints `listening PORT` when it is ready.
#[derive(Debug)]
pub struct NodeServer {
    // Dropped in this order: the server writes into the directory.
    process: Process,
    port: u16,
    _scratch: Scratch,
}

impl NodeServer {
    /// Starts the server in a directory below `tests/servers`, after installing what it needs. The port stands in the
    /// place of the argument `PORT`, or behind all arguments.
    ///
    /// # Panics
    /// When Node.js is not there, its packages cannot be installed, or the server does not start.
    #[must_use]
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers").join(name);
        install(&directory);
        let scratch = Scratch::new(name);
        let port = port::free();
        let program = Program {
            name: "the Node.js server",
            path: find("node", &[]),
            arguments: with_port(arguments, port),
            user: None,
            death_signal: "KILL",
            directory,
            log: scratch.path().join("server.log"),
        };
        let log = program.log.clone();
        let process = Process::start(program, || is_ready(&log));
        Self { process, port, _scratch: scratch }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again at the same port; what it held in memory is gone.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.process.start_again(|| is_ready(self.process.log()));
    }
}

/// Runs a program of Node.js in a directory below `tests/servers` to its end, after installing what it needs.
///
/// # Panics
/// When Node.js is not there or its packages cannot be installed.
#[must_use]
pub fn run_node(name: &str, arguments: &[&str]) -> std::process::Output {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers").join(name);
    install(&directory);
    let node = find("node", &[]);
    std::process::Command::new(node).args(arguments).current_dir(directory).output().expect("Node.js can be run")
}

fn with_port(arguments: &[&str], port: u16) -> Vec<String> {
    let port = port.to_string();
    let behind = if arguments.contains(&"PORT") { &[][..] } else { &["PORT"] };
    let words = ["server.js"].iter().chain(arguments).chain(behind);
    words.map(|word| if *word == "PORT" { port.clone() } else { (*word).to_owned() }).collect()
}

/// Installs what the lock file names, once for each content of it, however many processes ask at the same time.
fn install(directory: &Path) {
    let locked = std::fs::read(directory.join("package-lock.json"))
        .unwrap_or_else(|error| panic!("no package-lock.json in {}: {error}", directory.display()));
    let stamp = directory.join("node_modules").join(".installed");
    let guard = lock_file(directory);
    let lock = File::create(&guard).unwrap_or_else(|error| panic!("cannot write {}: {error}", guard.display()));
    lock.lock().unwrap_or_else(|error| panic!("cannot lock {}: {error}", guard.display()));
    if std::fs::read(&stamp).is_ok_and(|installed| installed == locked) {
        return;
    }
    run("npm ci", &find("npm", &[]), &["ci", "--no-audit", "--no-fund", "--loglevel=error"], None, directory);
    std::fs::write(&stamp, &locked).unwrap_or_else(|error| panic!("cannot write {}: {error}", stamp.display()));
}

fn lock_file(directory: &Path) -> PathBuf {
    let name: String = directory.to_string_lossy().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    std::env::temp_dir().join(format!("rabita-npm{name}.lock"))
}

fn is_ready(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|output| output.lines().any(|line| line.starts_with("listening ")))
}
