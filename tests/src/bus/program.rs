//! The command line as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use rabita_battery::eventually;

/// The longest that is waited for a program to begin or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs, with all that it said. It is killed with the value.
#[derive(Debug)]
pub struct Program {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Program {
    /// Runs a program.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        let said = Arc::<Mutex<Vec<String>>>::default();
        let readers = vec![read(child.stdout.take(), &said), read(child.stderr.take(), &said)];
        Self { child, said, readers }
    }

    /// Serves a configuration directory.
    #[must_use]
    pub fn serve(program: &str, directory: &Path) -> Self {
        Self::run(program, &["serve", "--config", directory.to_str().expect("a path in UTF-8")])
    }

    /// What it said, line by line.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Where it listens for callers, and then for operators, once it does.
    ///
    /// # Panics
    /// When it does not.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        eventually("the program listens", PATIENCE, async || self.said().contains("admin listening")).await;
        let lines = self.said();
        let addresses = lines.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["message"].as_str().filter(|message| message.ends_with("listening"))?;
            line["address"].as_str()?.parse().ok()
        });
        addresses.collect()
    }

    /// Its number, by which the system knows it.
    ///
    /// # Panics
    /// When it has ended already.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("the program runs")
    }

    /// Asks it to end, as a supervisor does.
    ///
    /// # Panics
    /// When it has ended already.
    pub async fn terminate(&self) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "the program takes a signal");
    }

    /// Waits for its end, and for all that it said.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("the program does not end:\n{}", self.said())).expect("a child has an end");
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
        (status, self.said())
    }
}

fn read(stream: Option<impl AsyncRead + Unpin + Send + 'static>, said: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    let stream = stream.expect("the stream is piped");
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}
