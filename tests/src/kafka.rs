//! Apache Kafka: one broker, or a cluster of three.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::port;
use crate::process::{Process, Program, REMEDY};
use crate::scratch::Scratch;

/// A running cluster; each broker is a controller too, so of three two must run.
///
/// Its listener without TLS is for anybody; with [`Kafka::start_with_tls`] there are others that want to know who comes.
#[derive(Debug)]
pub struct Kafka {
    // Dropped in this order: the brokers write into the directory.
    brokers: Vec<Broker>,
    doors: Vec<Door>,
    doors_given: AtomicUsize,
    scratch: Scratch,
}

/// A listener for those who come through a proxy: a broker tells its clients where to connect, and they would pass by it.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// Where the broker listens: what the proxy connects to.
    pub inner: SocketAddr,
    /// Where the broker says that it listens, to whoever comes this way: the proxy's address. Nothing else is there.
    pub outer: SocketAddr,
}

impl Door {
    fn new() -> Self {
        Self { inner: port::loopback(port::free()), outer: port::loopback(port::free()) }
    }
}

#[derive(Debug)]
struct Broker {
    process: Process,
    port: u16,
}

impl Kafka {
    /// Starts a cluster of so many brokers.
    ///
    /// # Panics
    /// When the jars cannot be fetched, Java is missing, or a broker does not start.
    #[must_use]
    pub fn start(brokers: usize) -> Self {
        Self::launch(brokers, &[])
    }

    /// Starts one broker that also listens with TLS: for [`Self::USER`] with [`Self::PASSWORD`], by PLAIN or SCRAM-SHA-512;
    /// and for whoever has a certificate of its [`Self::authority`].
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with_tls() -> Self {
        Self::launch(1, &["--tls"])
    }

    /// Starts one broker with so many doors.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with_doors(doors: usize) -> Self {
        let doors: Vec<Door> = (0..doors).map(|_| Door::new()).collect();
        let pairs: Vec<String> = doors.iter().map(|door| format!("{}:{}", door.inner.port(), door.outer.port())).collect();
        Self { doors, ..Self::launch(1, &["--doors", &pairs.join(",")]) }
    }

    /// Whom the listener for names and passwords lets in.
    pub const USER: &'static str = "rabita";
    /// The password of [`Self::USER`].
    pub const PASSWORD: &'static str = "rabita-at-the-desk";

    fn launch(count: usize, options: &[&str]) -> Self {
        let scratch = Scratch::new("kafka");
        let directory = scratch.path().join("cluster");
        prepare(&directory, count, options);
        let ports = std::fs::read_to_string(directory.join("ports")).expect("the script wrote the ports");
        let ports = ports.lines().map(|line| line.split_whitespace().next().and_then(|port| port.parse().ok()));
        let ports: Vec<u16> = ports.map(|port| port.expect("the script wrote a port for each broker")).collect();
        // All at once: a controller alone waits for the others before it is ready.
        let brokers = std::thread::scope(|scope| {
            let starts: Vec<_> = (1..)
                .zip(ports)
                .map(|(number, port)| {
                    scope.spawn({
                        let directory = &directory;
                        move || Broker { process: Process::start(program(directory, number), || listens(port)), port }
                    })
                })
                .collect();
            starts.into_iter().map(|start| start.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        Self { brokers, doors: Vec::new(), doors_given: AtomicUsize::new(0), scratch }
    }

    /// Where it listens without TLS: `host:port` of each broker, joined by commas.
    #[must_use]
    pub fn servers(&self) -> String {
        self.read("servers")
    }

    /// Where it listens with TLS for those with a name and a password.
    ///
    /// # Panics
    /// When it was started without.
    #[must_use]
    pub fn servers_with_tls(&self) -> String {
        self.read("servers-tls")
    }

    /// Where it listens with TLS for those with a certificate.
    ///
    /// # Panics
    /// When it was started without.
    #[must_use]
    pub fn servers_with_certificates(&self) -> String {
        self.read("servers-certificates")
    }

    /// The certificate of the authority that signed the brokers', as a PEM file.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.tls("ca.pem")
    }

    /// A client's certificate of that authority, and its key, which [`Self::PASSWORD`] opens, as PEM files.
    #[must_use]
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.tls("client.pem"), self.tls("client.locked.key"))
    }

    /// A door that nobody had before. It is not given back: who left may still knock.
    ///
    /// # Panics
    /// When there is none left of those that it was started with.
    #[must_use]
    pub fn door(&self) -> Door {
        let number = self.doors_given.fetch_add(1, Ordering::Relaxed);
        *self.doors.get(number).expect("the broker was started with doors enough")
    }

    fn tls(&self, name: &str) -> PathBuf {
        self.scratch.path().join("cluster").join("tls").join(name)
    }

    /// Kills one broker, as `kill -9` does; the first is 0.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn kill(&self, broker: usize) {
        self.brokers[broker].process.kill();
    }

    /// Starts a broker again that was killed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self, broker: usize) {
        let Broker { process, port } = &self.brokers[broker];
        process.start_again(|| listens(*port));
    }

    fn read(&self, name: &str) -> String {
        let path = self.scratch.path().join("cluster").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        text.trim().to_owned()
    }
}

fn prepare(directory: &Path, count: usize, options: &[&str]) {
    let mut command = Command::new(script());
    command.arg("prepare").arg("--brokers").arg(count.to_string()).arg("--directory").arg(directory).args(options);
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {}: {error}", script().display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Apache Kafka cannot be prepared: {said}\n{REMEDY}");
}

fn program(directory: &Path, number: usize) -> Program {
    let path = directory.to_string_lossy().into_owned();
    Program {
        name: "Apache Kafka",
        path: script(),
        // The script becomes the broker, so that the signals meant for one reach the other.
        arguments: vec!["run".to_owned(), number.to_string(), "--directory".to_owned(), path],
        user: None,
        death_signal: "KILL",
        directory: directory.to_path_buf(),
        log: directory.join(number.to_string()).join("out.log"),
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kafka/broker")
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(port::loopback(port)).is_ok()
}
