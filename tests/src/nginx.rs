//! nginx, for what stands before registries in agencies.

use std::net::SocketAddr;
use std::path::Path;

use crate::port;
use crate::process::{Process, Program, find};
use crate::scratch::Scratch;

/// A running nginx with one server.
#[derive(Debug)]
pub struct Nginx {
    // Dropped in this order: the server writes into the directory.
    process: Process,
    port: u16,
    scratch: Scratch,
}

impl Nginx {
    /// Starts it. `server` is what stands in its `server` block beside `listen`; `listen` is what follows the address
    /// there (`""`, or `"ssl"`). Files that it names relative to [`Self::directory`] have to be written by `prepare`.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start(listen: &str, server: &str, prepare: impl FnOnce(&Path)) -> Self {
        let scratch = Scratch::new("nginx");
        prepare(scratch.path());
        let port = port::free();
        let file = scratch.path().join("nginx.conf");
        std::fs::write(&file, configuration(scratch.path(), port, listen, server))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
        let directory = scratch.path().to_string_lossy().into_owned();
        let arguments = ["-p", &directory, "-c", &file.to_string_lossy(), "-e", &format!("{directory}/error.log")];
        let program = Program {
            name: "nginx",
            path: find("nginx", &["/usr/sbin"]),
            arguments: arguments.map(str::to_owned).into(),
            user: None,
            death_signal: "KILL",
            directory: scratch.path().to_path_buf(),
            log: scratch.path().join("server.log"),
        };
        let process = Process::start(program, || std::net::TcpStream::connect(port::loopback(port)).is_ok());
        Self { process, port, scratch }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// Where its files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again at the same address.
    pub fn start_again(&self) {
        self.process.start_again(|| std::net::TcpStream::connect(port::loopback(self.port)).is_ok());
    }
}

/// One process and nothing outside the directory, so that neither root nor a configuration of the machine is needed.
fn configuration(directory: &Path, port: u16, listen: &str, server: &str) -> String {
    let directory = directory.display();
    format!(
        "daemon off;
master_process off;
pid {directory}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} {listen};
        {server}
    }}
}}
"
    )
}
