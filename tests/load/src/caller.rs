//! The load: connections that ask one question after the other, over TLS 1.3 with a client certificate.
//!
//! A thread for each connection, with blocking reads: a runtime's timers are a millisecond coarse, which is more than
//! what is to be measured, and the generator has to cost little beside what it drives.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::server::Usage;
use crate::signer::Signer;

/// Connections that are kept open and ask side by side.
pub const CONNECTIONS: usize = 64;

/// Before this is over nothing is counted: connections, pools and branch predictors get warm.
const WARM: Duration = Duration::from_secs(1);

/// What is asked, and where.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub ask: Ask,
    /// The path before the key.
    pub path: String,
    /// How a key is made of a connection's number and its count of questions.
    pub key: fn(usize, usize) -> String,
    pub headers: &'static [(&'static str, &'static str)],
    pub tls: Arc<ClientConfig>,
    /// Signs each read, where it is there.
    pub signer: Option<Arc<Signer>>,
}

/// What is asked of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Read,
    /// A merge patch, each time under a new idempotency key. Its caller waits for the outcome, or only until the bus
    /// has it.
    Change {
        waits: bool,
    },
}

/// How many changes were asked for so far, by all connections; each was answered, or the benchmark ended.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How many changes were asked for so far.
pub fn changes() -> u64 {
    CHANGES.load(Ordering::Relaxed)
}

/// A text for a record's longest field, so that a change has some 500 bytes in all.
pub const REMARK: &str = "The holder was seen at the counter with the document in hand, and asked that the entry be set right. \
    The official at the counter compared the document with the entry, found that they differ, and sent the change on. \
    The holder was told that the change is on its way, and was given the number under which it can be followed.";

/// When the next question is asked.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As soon as the one before is answered.
    Saturating,
    /// So many per second over all connections, whether or not answers come. The time of an answer counts from when
    /// its question was due, so a subject that stalls cannot hide the questions that it kept from being asked.
    PerSecond(f64),
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub per_second: f64,
    /// Sorted, in nanoseconds.
    times: Vec<u64>,
    /// What the subject and the machine used meanwhile.
    pub usage: Usage,
}

impl Outcome {
    /// Of answers in the window, with what was used in it.
    pub fn new(mut times: Vec<u64>, window: Duration, usage: Usage) -> Self {
        times.sort_unstable();
        Self { per_second: times.len() as f64 / window.as_secs_f64(), times, usage }
    }

    /// The time within which so large a share of the answers came, in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let at = ((self.times.len() as f64 * share) as usize).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(f64::NAN, |time| *time as f64 / 1e6)
    }

    /// Processor time of the subject for one answer, in microseconds.
    pub fn subject_us(&self) -> f64 {
        self.usage.subject.as_secs_f64() * 1e6 / self.times.len() as f64
    }
}

/// Runs the load. `usage` tells what the subject has used so far.
///
/// # Panics
/// When an answer is not the one that is wanted, or breaks off: a benchmark of refusals would measure nothing.
pub fn run(target: &Target, connections: usize, pace: Pace, measured: Duration, usage: impl Fn() -> Usage) -> Outcome {
    let barrier = Arc::new(Barrier::new(connections + 1));
    let begin: Arc<OnceLock<Instant>> = Arc::default();
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            let (target, barrier, begin) = (target.clone(), Arc::clone(&barrier), Arc::clone(&begin));
            std::thread::spawn(move || {
                let mut connection = Connection::open(&target);
                barrier.wait();
                let begin = *begin.wait();
                connection
                    .ask_on(&target, Turn { number, connections, pace, begin, from: begin + WARM, to: begin + WARM + measured })
            })
        })
        .collect();
    barrier.wait();
    let begin = *begin.get_or_init(|| Instant::now() + Duration::from_millis(20));
    let sleep_until = |moment: Instant| std::thread::sleep(moment.saturating_duration_since(Instant::now()));
    sleep_until(begin + WARM);
    let before = usage();
    sleep_until(begin + WARM + measured);
    let used = usage().since(&before);
    let times = threads.into_iter().flat_map(|thread| thread.join().expect("the connection was served")).collect();
    Outcome::new(times, measured, used)
}

/// The client's side of TLS 1.3: the country's authority, and the certificate of one of its systems.
///
/// # Panics
/// When a file cannot be read.
pub fn tls(directory: &Path) -> Arc<ClientConfig> {
    let file = |name: &str| directory.join(name);
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(file("bus/ca.pem")).expect("the authority was written");
    roots.add(authority).expect("an authority");
    let chain = vec![CertificateDer::from_pem_file(file("callers/asan-portal.pem")).expect("the certificate was written")];
    let key = PrivateKeyDer::from_pem_file(file("callers/asan-portal.key")).expect("the key was written");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider speaks TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .expect("certificate and key go together");
    Arc::new(config)
}

/// Asks one question over a connection of its own, and tells whether it was answered with 200.
pub fn is_answered(target: &Target, number: usize) -> bool {
    let mut connection = Connection::open(target);
    connection.exchange(target, &(target.key)(0, number)).is_ok()
}

#[derive(Clone, Copy)]
struct Turn {
    number: usize,
    connections: usize,
    pace: Pace,
    begin: Instant,
    from: Instant,
    to: Instant,
}

struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    request: String,
    answer: Vec<u8>,
}

impl Connection {
    fn open(target: &Target) -> Self {
        let stream = TcpStream::connect(target.address).expect("the subject listens");
        stream.set_nodelay(true).expect("a connected socket");
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::clone(&target.tls), name).expect("the settings are right");
        Self { stream: StreamOwned::new(session, stream), request: String::new(), answer: Vec::with_capacity(8192) }
    }

    fn ask_on(&mut self, target: &Target, turn: Turn) -> Vec<u64> {
        let mut times = Vec::with_capacity(1 << 16);
        for count in 0.. {
            let due = match turn.pace {
                Pace::Saturating => Instant::now(),
                Pace::PerSecond(rate) => {
                    let place = (count * turn.connections + turn.number) as f64;
                    let due = turn.begin + Duration::from_secs_f64(place / rate);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    due
                }
            };
            if due >= turn.to {
                break;
            }
            let key = (target.key)(turn.number, count);
            if let Err(wrong) = self.exchange(target, &key) {
                panic!("{}{key}: {wrong}", target.path);
            }
            let done = Instant::now();
            let counts = match turn.pace {
                Pace::Saturating => done >= turn.from && done <= turn.to,
                Pace::PerSecond(_) => due >= turn.from,
            };
            if counts {
                times.push(u64::try_from(done.duration_since(due).as_nanos()).unwrap_or(u64::MAX));
            }
        }
        times
    }

    /// One question and its whole answer.
    fn exchange(&mut self, target: &Target, key: &str) -> Result<(), String> {
        self.request.clear();
        let method = if target.ask == Ask::Read { "GET" } else { "PATCH" };
        let _ = write!(self.request, "{method} {}{key} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n", target.path);
        for (name, value) in target.headers {
            let _ = write!(self.request, "{name}: {value}\r\n");
        }
        if let Some(signer) = &target.signer {
            self.request.push_str(&signer.headers(&format!("{}{key}", target.path), target.headers));
        }
        match target.ask {
            Ask::Read => self.request.push_str("\r\n"),
            Ask::Change { waits } => self.push_change(waits),
        }
        self.stream.write_all(self.request.as_bytes()).map_err(|error| error.to_string())?;
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|length| self.answer.len() < length) {
            let mut part = [0; 8192];
            match self.stream.read(&mut part).map_err(|error| error.to_string())? {
                0 => return Err("the connection was closed".to_owned()),
                read => self.answer.extend_from_slice(&part[..read]),
            }
            if whole.is_none() {
                whole = length(&self.answer);
            }
        }
        let status: &[u8] = if target.ask == (Ask::Change { waits: false }) { b"HTTP/1.1 202 " } else { b"HTTP/1.1 200 " };
        if self.answer.starts_with(status) {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&self.answer).into_owned())
    }

    /// The rest of the head, and the body, of a change.
    fn push_change(&mut self, waits: bool) {
        let number = CHANGES.fetch_add(1, Ordering::Relaxed);
        let body = format!("{{\"note\":\"{number}\",\"remark\":\"{REMARK}\"}}");
        let prefer = if waits { "" } else { "prefer: respond-async\r\n" };
        let kind = "content-type: application/merge-patch+json";
        let _ =
            write!(self.request, "idempotency-key: {number}\r\n{prefer}{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    }
}

/// The length of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + length.expect("the subjects say how long their answers are"))
}
