//! RabbitMQ.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

use crate::bus::Authority;
use crate::port;
use crate::process::{Process, Program, find};
use crate::scratch::Scratch;

/// Who may do everything in [`VHOST`].
pub const USER: &str = "bus";
/// The password of [`USER`].
pub const PASSWORD: &str = "the password of the bus";
/// The virtual host in which tests declare their queues.
pub const VHOST: &str = "registry";

/// A RabbitMQ broker with its own data, without plugins. It listens in clear and under TLS.
///
/// Nothing of it is outside its directory, and it asks no port mapper of Erlang, so that any number run side by side.
#[derive(Debug)]
pub struct Rabbitmq {
    // Dropped in this order: the server writes into the directory.
    process: Process,
    port: u16,
    secured_port: u16,
    _scratch: Scratch,
}

impl Rabbitmq {
    /// Starts a broker. It takes about five seconds of a processor.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("rabbitmq");
        let (port, secured_port) = (port::free(), port::free());
        let authority = Authority::get();
        let files = [
            ("rabbitmq.conf", configuration(scratch.path(), port, secured_port)),
            ("definitions.json", definitions()),
            ("plugins", "[].".to_owned()),
            ("ca.pem", authority.certificate.clone()),
            ("server.pem", authority.server.certificate.clone()),
            ("server.key", authority.server.key.clone()),
        ];
        for (name, text) in files {
            std::fs::write(scratch.path().join(name), text).expect("a scratch directory can be written");
        }
        let process = Process::start(program(scratch.path()), || listens(port, secured_port));
        Self { process, port, secured_port, _scratch: scratch }
    }

    /// The broker that the tests of this binary share; each has queues with names of its own.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Rabbitmq> = LazyLock::new(Rabbitmq::start);
        &SHARED
    }

    /// Where it listens in clear.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        port::loopback(self.port)
    }

    /// Where it listens under TLS, with a certificate of [`Authority`]. It takes clients without a certificate, and with
    /// one of that authority.
    #[must_use]
    pub const fn secured_address(&self) -> SocketAddr {
        port::loopback(self.secured_port)
    }

    /// The URL by which [`USER`] reaches [`VHOST`] behind an address: this broker's, or a proxy's before it.
    #[must_use]
    pub fn url(address: SocketAddr) -> String {
        format!("amqp://{USER}:{}@{address}/{VHOST}", PASSWORD.replace(' ', "%20"))
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again at the same ports, with the durable queues that it had and the persistent messages in them.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.process.start_again(|| listens(self.port, self.secured_port));
    }
}

fn configuration(scratch: &Path, port: u16, secured_port: u16) -> String {
    let scratch = scratch.display();
    format!(
        "listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{secured_port}
ssl_options.cacertfile = {scratch}/ca.pem
ssl_options.certfile = {scratch}/server.pem
ssl_options.keyfile = {scratch}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
load_definitions = {scratch}/definitions.json
log.console.level = warning
raft.wal_max_size_bytes = 1048576
# The machine's disk may be nearly full; the tests write next to nothing.
disk_free_limit.absolute = 1MB
"
    )
}

/// With definitions of its own it makes no user `guest`.
fn definitions() -> String {
    serde_json::json!({
        "users": [{ "name": USER, "password": PASSWORD, "tags": [] }],
        "vhosts": [{ "name": VHOST }],
        "permissions": [{ "user": USER, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*" }],
    })
    .to_string()
}

fn program(scratch: &Path) -> Program {
    let place = |name: &str| scratch.join(name).to_string_lossy().into_owned();
    let distribution = port::free().to_string();
    let variables = [
        // Nobody listens there: a port mapper of the machine must not hear of this node.
        ("ERL_EPMD_PORT", port::free().to_string()),
        ("HOME", place("")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        ("RABBITMQ_CONFIG_FILE", place("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", place("plugins")),
        ("RABBITMQ_FEATURE_FLAGS_FILE", place("feature_flags")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        ("RABBITMQ_LOG_BASE", place("log")),
        ("RABBITMQ_MNESIA_BASE", place("data")),
        ("RABBITMQ_NODENAME", NODE.to_owned()),
        ("RABBITMQ_PID_FILE", place("pid")),
        // Then the script becomes the Erlang machine, so that the signals meant for one reach the other.
        ("RUNNING_UNDER_SYSTEMD", "yes".to_owned()),
    ];
    let mut arguments: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    arguments.push(server());
    // The node is its own port mapper.
    arguments.extend(["-sname", NODE, "-start_epmd", "false", "-erl_epmd_port", &distribution].map(str::to_owned));
    for (setting, value) in [
        ("inet_dist_use_interface", "{127,0,0,1}"),
        ("inet_dist_listen_min", &distribution),
        ("inet_dist_listen_max", &distribution),
    ] {
        arguments.extend(["-kernel", setting, value].map(str::to_owned));
    }
    // One scheduler, bound to no core: others use this machine too.
    arguments.extend(["+S", "1:1", "+SDcpu", "1:1", "+sbt", "u"].map(str::to_owned));
    Program {
        name: "RabbitMQ",
        path: find("env", &["/usr/bin"]),
        arguments,
        user: None,
        death_signal: "KILL",
        directory: scratch.to_path_buf(),
        log: scratch.join("server.log"),
    }
}

/// The script itself: Debian has a wrapper in `PATH`, which becomes another user and works in another directory.
fn server() -> String {
    let name = "rabbitmq-server";
    let found = find(name, &["/usr/sbin", "/usr/lib/rabbitmq/bin"]);
    let real = found.canonicalize().expect("a file that is there");
    real.with_file_name(name).to_string_lossy().into_owned()
}

const NODE: &str = "rabbit@localhost";

/// It begins with the one and then the other.
fn listens(port: u16, secured_port: u16) -> bool {
    [port, secured_port].into_iter().all(|port| std::net::TcpStream::connect(port::loopback(port)).is_ok())
}
