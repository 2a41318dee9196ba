//! The programs that are measured or needed, and what they use of the machine.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program. It ends with this value, or with the benchmark.
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program; what it says goes into `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], log: PathBuf) -> Self {
        let file = File::create(&log).unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        let errors = file.try_clone().expect("an open file");
        // The kernel ends the program when the benchmark is gone, even when that was killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run setpriv (util-linux): {error}"));
        Self { child, log }
    }

    /// Waits until something listens at the address.
    ///
    /// # Panics
    /// When the program ends before, or nothing listens within half a minute.
    pub fn wait_for(&mut self, address: SocketAddr) {
        self.wait_until(|| TcpStream::connect(address).is_ok());
    }

    /// Waits until something holds, looking every millisecond, and tells how long it took.
    ///
    /// # Panics
    /// As [`Self::wait_for`].
    pub fn wait_until(&mut self, holds: impl Fn() -> bool) -> Duration {
        let began = Instant::now();
        while !holds() {
            let ended = self.child.try_wait().expect("a child of this process");
            let said = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(30), "not ready:\n{}", said());
            std::thread::sleep(Duration::from_millis(1));
        }
        began.elapsed()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it and its children have used of the processors.
    pub fn usage(&self) -> Usage {
        let pid = self.child.id();
        let subject = processes().filter(|process| process.id == pid || process.parent == pid).map(|process| process.time).sum();
        Usage { subject, machine: machine_time(), own: own_time() }
    }

    /// The memory that it holds, in MB.
    pub fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0 / 1e6)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Of the subject.
    pub subject: Duration,
    /// Of everything on the machine.
    pub machine: Duration,
    /// Of the benchmark and all that it started.
    pub own: Duration,
}

impl Usage {
    /// What was used since.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            subject: self.subject.saturating_sub(before.subject),
            machine: self.machine.saturating_sub(before.machine),
            own: self.own.saturating_sub(before.own),
        }
    }

    /// How many processors' worth went to programs that have nothing to do with the benchmark.
    pub fn others(&self, window: Duration) -> f64 {
        self.machine.saturating_sub(self.own).as_secs_f64() / window.as_secs_f64()
    }
}

/// The kernel counts in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

struct Process {
    id: u32,
    parent: u32,
    time: Duration,
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name of a program may hold anything, so fields are counted from behind it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
        Some(Process { id, parent: fields.get(1)?.parse().ok()?, time: TICK * ticks })
    })
}

/// The time of this process and all below it.
fn own_time() -> Duration {
    let all: Vec<Process> = processes().collect();
    let mut own = vec![std::process::id()];
    let mut at = 0;
    while let Some(parent) = own.get(at).copied() {
        own.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.id));
        at += 1;
    }
    all.iter().filter(|process| own.contains(&process.id)).map(|process| process.time).sum()
}

fn machine_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u32> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // User, nice, system, interrupts, soft interrupts and stolen time; not idle (3) and not waiting (4).
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).map(|ticks| TICK * *ticks).sum()
}
