//! Programs in Python: the example of a connector in another language.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::port;
use crate::process::{Process, Program, find, run};
use crate::real::workspace;
use crate::scratch::Scratch;

/// `connectors/wire/examples/python/serve.py` on a file of people.
#[derive(Debug)]
pub struct PythonConnector {
    // Dropped in this order: the program writes into the directory.
    process: Process,
    port: u16,
    scratch: Scratch,
}

impl PythonConnector {
    /// Starts it on a file of its own.
    ///
    /// # Panics
    /// When Python is not there, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("python");
        let port = port::free();
        let file = scratch.path().join(FILE).display().to_string();
        let arguments = ["serve.py", "--port", &port.to_string(), "--file", &file];
        let program = Program {
            name: "the connector in Python",
            path: find("python3", &[]),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            user: None,
            death_signal: "KILL",
            directory: example(),
            log: scratch.path().join("connector.log"),
        };
        let log = program.log.clone();
        let process = Process::start(program, || is_ready(&log));
        Self { process, port, scratch }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// The file that it keeps people in.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.scratch.path().join(FILE)
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again at the same port, with the people that it had.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.process.start_again(|| is_ready(self.process.log()));
    }
}

const FILE: &str = "people.sqlite";

/// The folder of the example.
#[must_use]
pub fn example() -> PathBuf {
    workspace().join("connectors/wire/examples/python")
}

/// A Python that has what the example's `requirements.txt` names, installed once for each content of it.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn python() -> PathBuf {
    let requirements = example().join("requirements.txt");
    let wanted = std::fs::read(&requirements).unwrap_or_else(|error| panic!("no {}: {error}", requirements.display()));
    let home = std::env::temp_dir().join("rabita-python");
    let (program, stamp) = (home.join("bin/python"), home.join(".installed"));
    let guard = std::env::temp_dir().join("rabita-python.lock");
    let lock = File::create(&guard).unwrap_or_else(|error| panic!("cannot write {}: {error}", guard.display()));
    lock.lock().unwrap_or_else(|error| panic!("cannot lock {}: {error}", guard.display()));
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return program;
    }
    let text = |path: &Path| path.display().to_string();
    run("python3 -m venv", &find("python3", &[]), &["-m", "venv", "--clear", &text(&home)], None, &example());
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &text(&requirements)];
    run("pip install", &program, &install, None, &example());
    std::fs::write(&stamp, &wanted).unwrap_or_else(|error| panic!("cannot write {}: {error}", stamp.display()));
    program
}

fn is_ready(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|output| output.lines().any(|line| line.starts_with("listening ")))
}
