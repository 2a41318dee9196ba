//! OpenSSH, for directories that agencies share by SFTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::port;
use crate::process::{Process, Program, find, run};
use crate::scratch::Scratch;

/// A running server of OpenSSH that offers SFTP to the user who runs the tests, by a key.
#[derive(Debug)]
pub struct Sshd {
    // Dropped in this order: the server reads from the directory.
    process: Process,
    port: u16,
    user: String,
    scratch: Scratch,
}

impl Sshd {
    /// Starts it.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("sshd");
        let keygen = find("ssh-keygen", &[]);
        for name in ["host", "user"] {
            run("ssh-keygen", &keygen, &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name], None, scratch.path());
        }
        let user = run("id", &find("id", &[]), &["-un"], None, scratch.path()).trim().to_owned();
        let port = port::free();
        let file = scratch.path().join("sshd_config");
        std::fs::write(&file, configuration(scratch.path(), port)).unwrap_or_else(|error| panic!("no configuration: {error}"));
        if user == "root" {
            // Where it puts itself away from the rest, which the package's service would make.
            std::fs::create_dir_all("/run/sshd").unwrap_or_else(|error| panic!("no /run/sshd: {error}"));
        }
        let program = Program {
            name: "sshd",
            // It has to be called by its whole path.
            path: find("sshd", &["/usr/sbin"]),
            arguments: ["-D", "-e", "-f", &file.to_string_lossy()].map(str::to_owned).into(),
            user: None,
            death_signal: "KILL",
            directory: scratch.path().to_path_buf(),
            log: scratch.path().join("server.log"),
        };
        let process = Process::start(program, || std::net::TcpStream::connect(port::loopback(port)).is_ok());
        Self { process, port, user, scratch }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// The user who may enter.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The server's public key.
    ///
    /// # Panics
    /// When it went away.
    #[must_use]
    pub fn host_key(&self) -> String {
        let text = std::fs::read_to_string(self.scratch.path().join("host.pub")).expect("the host's public key");
        text.trim().to_owned()
    }

    /// The file with the user's private key.
    #[must_use]
    pub fn user_key(&self) -> PathBuf {
        self.scratch.path().join("user")
    }

    /// Ends it and all its connections, as a power cut would.
    pub fn kill(&self) {
        let told = std::fs::read_to_string(self.scratch.path().join("sshd.pid")).unwrap_or_default();
        // Each connection has a process of its own, which would outlive the one that listens.
        let connections = children(told.trim());
        self.process.kill();
        for child in connections {
            let _ = Command::new("kill").args(["-KILL", &child]).stderr(Stdio::null()).status();
        }
    }

    /// Starts it again at the same address.
    pub fn start_again(&self) {
        self.process.start_again(|| std::net::TcpStream::connect(port::loopback(self.port)).is_ok());
    }
}

/// The processes that a process started.
fn children(parent: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_child = |number: &String| {
        let told = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        // Behind the name in parentheses: state, parent.
        told.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)).is_some_and(|own| own == parent)
    };
    numbers.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())).filter(is_child).collect()
}

fn configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "ListenAddress 127.0.0.1:{port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile {directory}/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
MaxSessions 50
Subsystem sftp internal-sftp
"
    )
}
