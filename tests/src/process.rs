//! Server processes that do not outlive the tests.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::{Duration, Instant};

/// What the person at the machine does when a server is missing.
pub const REMEDY: &str = "install the servers that tests need with `deploy/desk setup --servers`";

/// How long a server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(25);

/// A program to run as a server.
#[derive(Debug)]
pub struct Program {
    /// For messages.
    pub name: &'static str,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// Whose rights it takes when the tests run as root.
    pub user: Option<&'static str>,
    /// What it gets when the test process dies: `KILL`, or a signal on which it ends at once and tidily.
    pub death_signal: &'static str,
    pub directory: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A server that runs, or was killed and may run again.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Starts the program and returns when it is ready.
    ///
    /// # Panics
    /// When it cannot start, or is not ready in time; the panic shows the end of its output.
    #[must_use]
    pub fn start(program: Program, is_ready: impl Fn() -> bool) -> Self {
        let process = Self { program, child: Mutex::new(None) };
        process.start_again(is_ready);
        process
    }

    /// Starts it again after [`Self::kill`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_again(&self, is_ready: impl Fn() -> bool) {
        let began = Instant::now();
        let mut child = self.child.lock().expect("no holder of the lock panics");
        loop {
            let running = child.get_or_insert_with(|| self.spawn());
            if is_ready() {
                return;
            }
            let ended = running.try_wait().ok().flatten();
            assert!(began.elapsed() < START_MAX, "{} is not ready in time:\n{}", self.program.name, self.said());
            if let Some(status) = ended {
                // Killed a moment ago, it may have left a lock that goes away by itself.
                let is_late = began.elapsed() > Duration::from_secs(5);
                assert!(!is_late, "{} ended with {status}:\n{}", self.program.name, self.said());
                *child = None;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills it, as `kill -9` does, and waits for its end.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends it the signal that ends it at once and tidily, and waits for its end.
    pub fn end(&self) {
        self.end_by(self.program.death_signal);
    }

    /// Asks it to stop (`TERM`), and waits until it has.
    pub fn stop(&self) {
        self.end_by("TERM");
    }

    fn end_by(&self, signal: &str) {
        let mut held = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(mut child) = held.take() {
            let signal = format!("-{signal}");
            let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).stderr(Stdio::null()).status();
            if !sent.is_ok_and(|status| status.success()) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }

    /// Where it writes what it says, anew with each start.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.program.log
    }

    fn said(&self) -> String {
        let bytes = std::fs::read(&self.program.log).unwrap_or_default();
        let output = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    fn spawn(&self) -> Child {
        let program = &self.program;
        let log = File::create(&program.log).unwrap_or_else(|error| panic!("cannot write {}: {error}", program.log.display()));
        let errors = log.try_clone().expect("an open file");
        // The kernel signals the program when its parent is gone, even when that was killed.
        let mut command = as_user("setpriv", program.user);
        command.args(["--pdeathsig", program.death_signal, "--"]).arg(&program.path).args(&program.arguments);
        command.current_dir(&program.directory).stdin(Stdio::null()).stdout(log).stderr(errors);
        spawn(command).unwrap_or_else(|error| panic!("cannot run setpriv (util-linux) for {}: {error}; {REMEDY}", program.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The program of this name, looked for in `PATH` and in these directories.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn find(name: &str, directories: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(directories.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this test needs `{name}`, which is not here: {REMEDY}"))
}

/// Runs a program to its end.
///
/// # Panics
/// When it fails; the panic shows what it said.
pub fn run(name: &str, path: &Path, arguments: &[&str], user: Option<&'static str>, directory: &Path) -> String {
    let mut command = match user.filter(|_| is_root()) {
        Some(_) => {
            let mut command = as_user("setpriv", user);
            command.arg("--").arg(path);
            command
        }
        None => Command::new(path),
    };
    let output = command.args(arguments).current_dir(directory).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {name}: {error}; {REMEDY}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed with {}:\n{said}{}", output.status, String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether the tests run as root.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn as_user(wrapper: &str, user: Option<&str>) -> Command {
    let mut command = Command::new(wrapper);
    if let Some(user) = user.filter(|_| is_root()) {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command
}

type Request = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a child from a thread that lives as long as the process: the kernel takes the end of the thread that
/// started a child for the death of its parent, and each test has a thread of its own.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: LazyLock<Mutex<mpsc::Sender<Request>>> = LazyLock::new(|| {
        let (sender, receiver) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, answer) in receiver {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, answered) = mpsc::channel();
    STARTER.lock().map_err(|_| io::Error::other("no starter"))?.send((command, answer)).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}
