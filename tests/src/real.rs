//! The examples of `config/examples` at work: certificates made as their guide says, a node on them, a system that calls.
//!
//! The data of real registries is no part of the project. Where it is not at hand, [`registries`] says so on standard
//! error, where no test runner hides it, and in the file that `RABITA_NOT_RUN` names, for whoever has to see to it that
//! nothing was left out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use jiff::tz::TimeZone;
use rabita_battery::eventually;
use rabita_server::node::Node;
use reqwest::{Certificate, Identity, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::bus::{Answer, Caller};
use crate::scratch::Scratch;

/// The directory with the data of real registries: `RABITA_REGISTRIES`, or `../shared/registries` beside the project.
/// `None`, and plainly said, where there is none; `what` is what was not tested.
///
/// # Panics
/// When `RABITA_REGISTRIES` names what is no directory.
#[must_use]
pub fn registries(what: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("RABITA_REGISTRIES") {
        let directory = PathBuf::from(named);
        assert!(directory.is_dir(), "RABITA_REGISTRIES names {}, which is no directory", directory.display());
        return Some(directory);
    }
    let beside = workspace().join("../shared/registries");
    if beside.is_dir() {
        return Some(beside);
    }
    say(&format!("NOT RUN: {what}: the data of real registries is not at hand; RABITA_REGISTRIES names its directory"));
    None
}

/// Says a line where no test runner hides it; what was not run is also written down where `RABITA_NOT_RUN` says.
pub fn say(line: &str) {
    // The macros are caught by the test runner, the stream itself is not.
    let _ = writeln!(std::io::stderr(), "{line}");
    if let (true, Some(file)) = (line.starts_with("NOT RUN"), std::env::var_os("RABITA_NOT_RUN")) {
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(&file);
        let written = opened.and_then(|mut file| writeln!(file, "{line}"));
        written.unwrap_or_else(|error| panic!("cannot write {}: {error}", Path::new(&file).display()));
    }
}

/// The root of the project.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The examples' names.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn examples() -> Vec<String> {
    let entries = std::fs::read_dir(workspace().join("config/examples")).expect("the examples");
    let directories = entries.flatten().filter(|entry| entry.path().join("rabita.yaml").is_file());
    let mut names: Vec<String> = directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    assert!(!names.is_empty(), "there is an example");
    names
}

/// A copy of an example with certificates. It goes with the value.
#[derive(Debug)]
pub struct Example(Scratch);

impl Example {
    /// Copies an example, and makes certificates for these systems.
    ///
    /// # Panics
    /// When that cannot be done.
    #[must_use]
    pub fn new(name: &str, systems: &[&str]) -> Self {
        let scratch = Scratch::new(name);
        copy(&workspace().join("config/examples").join(name), scratch.path());
        let script = workspace().join("config/examples/certificates");
        let done = Command::new(script).arg(scratch.path()).args(systems).output().expect("the script can be run");
        assert!(done.status.success(), "no certificates: {}", said(&done));
        Self(scratch)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Serves it as it is, but at free ports and with its only registry at this address.
    ///
    /// # Panics
    /// When something is wrong with it.
    pub async fn serve(&self, url: &str) -> Served {
        self.serve_with(|settings| settings["url"] = url.into()).await
    }

    /// Serves it as it is, but at free ports and with its only registry's `connector:` changed so.
    ///
    /// # Panics
    /// When something is wrong with it.
    pub async fn serve_with(&self, change: impl FnOnce(&mut Value)) -> Served {
        let today = TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
        let loaded = rabita_config::load(self.path(), &rabita_server::kinds::all(), today);
        assert_eq!(loaded.report.to_string(), "");
        let mut country = loaded.country.expect("a configuration without findings");
        country.node.admin.address.set_port(0);
        country.node.listeners.iter_mut().for_each(|listener| listener.address.set_port(0));
        // What the environment would give: the tests of a process share one.
        change(&mut country.registries[0].plan.spec.settings);
        let node = Node::start(&country).await.unwrap_or_else(|error| panic!("the node does not start: {error}"));
        Served { base: format!("https://localhost:{}", node.addresses[0].port()), node }
    }

    /// The same, and waits until the registry is ready: its code tables are read after the start.
    ///
    /// # Panics
    /// As [`Self::serve`], and when the registry does not get ready.
    pub async fn serve_ready(&self, url: &str) -> Served {
        self.serve_ready_with(|settings| settings["url"] = url.into()).await
    }

    /// The same, with the registry's `connector:` changed so.
    ///
    /// # Panics
    /// As [`Self::serve_ready`].
    pub async fn serve_ready_with(&self, change: impl FnOnce(&mut Value)) -> Served {
        let served = self.serve_with(change).await;
        let ready = format!("http://{}/readyz", served.node.admin);
        eventually("the registry is ready", Duration::from_secs(30), async || {
            let answer = reqwest::get(&ready).await.expect("the admin listener answers");
            answer.json::<Value>().await.is_ok_and(|told| told["all_registries_ready"] == true)
        })
        .await;
        served
    }

    /// A system that calls what is served, for a purpose.
    ///
    /// # Panics
    /// When it has no certificate.
    #[must_use]
    pub fn system(&self, served: &Served, system: &str, purpose: &'static str) -> System {
        let read = |name: &str| std::fs::read(self.path().join("tls").join(name)).expect("a certificate was made");
        let pem = [read(&format!("{system}.pem")), read(&format!("{system}.key"))].concat();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .tls_certs_only([Certificate::from_pem(&read("ca.pem")).expect("a certificate")])
            .identity(Identity::from_pem(&pem).expect("a certificate and its key"));
        System { client: client.build().expect("a client"), base: served.base.clone(), purpose }
    }

    /// Runs the command line `rabita`, with the example's directory in the place of `DIR`.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn command(&self, program: &str, words: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
        let directory = self.path().to_str().expect("a path in UTF-8");
        let words = words.iter().map(|word| if *word == "DIR" { directory } else { word });
        let done = Command::new(program).args(words).envs(environment.iter().copied()).output().expect("the program can be run");
        (done.status.success(), said(&done))
    }
}

/// An example that is served.
pub struct Served {
    base: String,
    node: Node,
}

impl Served {
    /// Stops it.
    ///
    /// # Panics
    /// When not all is finished in time.
    pub async fn stop(self) {
        assert!(self.node.stop().await, "all is finished in time");
    }
}

/// A system that calls for a purpose.
#[derive(Debug, Clone)]
pub struct System {
    client: reqwest::Client,
    base: String,
    purpose: &'static str,
}

impl System {
    /// Reads a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.sent(self.client.get(format!("{}{path}", self.base))).await
    }

    /// Asks with the arguments in the body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.sent(self.client.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// Begins to read what does not end.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn stream(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base)).header("rabita-purpose", self.purpose);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        answer
    }

    /// All records of a search, and how many pages there were.
    pub async fn all(&self, path: &str, filters: &Value, limit: u32) -> (Vec<Value>, usize) {
        let (mut records, mut pages) = (Vec::new(), 0);
        let mut cursor = Value::Null;
        loop {
            let mut body = json!({ "where": filters, "limit": limit });
            if !cursor.is_null() {
                body["cursor"] = cursor;
            }
            let mut page = self.post(path, &body).await.good().json();
            pages += 1;
            records.extend(page["records"].as_array().expect("records").iter().cloned());
            cursor = page["next"].take();
            if cursor.is_null() {
                return (records, pages);
            }
        }
    }

    async fn sent(&self, request: RequestBuilder) -> Answer {
        let answer = Caller::try_sent(request.header("rabita-purpose", self.purpose)).await;
        answer.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Copies a directory, without what `certificates` makes in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a scratch directory can be written");
    for entry in std::fs::read_dir(from).expect("an example").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() && entry.file_name() == "tls" {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("a scratch directory can be written");
        }
    }
}
