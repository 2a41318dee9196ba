//! The binary as a child, and what it prints as a newcomer reads it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rabita_tests::scratch::Scratch;
use rabita_tests::{eventually, port};
use tokio::process::{Child, Command};

/// The longest that is waited for the demo to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A demo that runs. It is killed with the value.
pub struct Demo {
    child: Child,
    pub port: u16,
    scratch: Scratch,
}

/// A command that the demo printed.
pub struct Printed {
    pub title: String,
    pub command: String,
}

/// How a command ended.
pub struct Done {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Demo {
    /// Starts a country of two thousand, and waits until it has printed all that it has to say.
    pub async fn start() -> Self {
        let (scratch, port, admin) = (Scratch::new("demo"), port::free(), port::free());
        let mut command = Command::new(program());
        command.arg("demo").arg("--directory").arg(scratch.path().join("country")).args(["--citizens", "2000"]);
        command.args(["--port", &port.to_string(), "--admin-port", &admin.to_string()]);
        let child = spawn(command, &scratch);
        let mut demo = Self { child, port, scratch };
        eventually("the demo has printed its commands", PATIENCE, async || demo.is_up()).await;
        demo
    }

    /// Waits until it was killed, and starts it again with a command that it printed.
    pub async fn start_again(&mut self, printed: &Printed) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it was killed").expect("a child has an end");
        assert!(!ended.success(), "it was killed: {ended}");
        let mut command = Command::new("bash");
        command.args(["-c", &format!("exec {}", printed.command)]);
        self.child = spawn(command, &self.scratch);
        eventually("the demo has printed its commands again", PATIENCE, async || self.is_up()).await;
    }

    /// The commands, in the order in which they stand.
    pub fn printed(&self) -> Vec<Printed> {
        let out = self.out();
        let parts = out.split("\n\n").filter_map(|part| part.strip_prefix("# ")?.split_once('\n'));
        parts.map(|(title, command)| Printed { title: title.to_owned(), command: command.trim_end().to_owned() }).collect()
    }

    pub fn directory(&self) -> PathBuf {
        self.scratch.path().join("country")
    }

    pub fn config(&self) -> String {
        self.directory().join("config").to_str().expect("a path in UTF-8").to_owned()
    }

    /// What it printed for people.
    pub fn out(&self) -> String {
        self.read("out")
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.read("err")
    }

    /// Asks it to end, as a supervisor does, and waits for that.
    pub async fn end(&mut self) -> ExitStatus {
        let id = self.child.id().expect("the demo runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "the demo takes a signal");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("the demo does not end:\n{}", self.log())).expect("a child has an end")
    }

    fn is_up(&mut self) -> bool {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "the demo ended: {ended:?}\n{}", self.log());
        self.out().contains("Ctrl-C ends it.")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.scratch.path().join(name)).expect("a file in UTF-8")
    }
}

/// What it says goes into new files.
fn spawn(mut command: Command, scratch: &Scratch) -> Child {
    let log = |name: &str| Stdio::from(File::create(scratch.path().join(name)).expect("a file in the scratch directory"));
    command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err")).kill_on_drop(true);
    command.spawn().expect("the program runs")
}

impl Printed {
    /// What it does in this scene, where it belongs to it.
    pub fn part_of(&self, scene: &str) -> Option<&str> {
        self.title.strip_prefix(scene)?.strip_prefix(": ")
    }

    /// Pastes it into a shell. The heads of the answer are written to a file, where there is one.
    pub async fn pasted(&self, heads: Option<&Path>) -> Done {
        let more = heads.map(|heads| format!(" --dump-header {}", heads.display())).unwrap_or_default();
        let mut shell = Command::new("bash");
        // A proxy of the machine would be asked for localhost too.
        shell.args(["-c", &format!("{}{more}", self.command)]).env("NO_PROXY", "*");
        ended(shell).await
    }

    /// The body that it sends.
    pub fn body(&self) -> Option<serde_json::Value> {
        let (_, rest) = self.command.split_once("--data '")?;
        let (body, _) = rest.split_once('\'')?;
        serde_json::from_str(body).ok()
    }
}

/// Runs the program to its end.
pub async fn rabita(arguments: &[&str]) -> Done {
    let mut command = Command::new(program());
    command.args(arguments);
    ended(command).await
}

async fn ended(mut command: Command) -> Done {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("the command ends").expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Done { status: output.status, out: text(output.stdout), err: text(output.stderr) }
}

const fn program() -> &'static str {
    env!("CARGO_BIN_EXE_rabita-under-test")
}
