//! A registry behind REST that does what a test says: well, slowly, wrongly, or not at all.
//!
//! It holds persons, each a JSON object in the words of the register (`FIN`, `SOYAD`, `AD`, `DOGUM`, `CINS`), and gives
//! every member of them whatever was asked for, so that what the bus leaves out it leaves out by itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use rabita_battery::SilentPort;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Mood {
    /// With its records.
    Well,
    /// With exactly this.
    Says { status: u16, headers: Vec<(&'static str, &'static str)>, body: Bytes },
    /// With the beginning of an answer, this.
    BreaksOff(Bytes),
}

impl Mood {
    /// This body as JSON.
    #[must_use]
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::Says { status: 200, headers: vec![("content-type", "application/json")], body: body.into() }
    }

    /// The first half of a person.
    #[must_use]
    pub const fn breaks_off() -> Self {
        Self::BreaksOff(Bytes::from_static(b"{\"FIN\":\"5ZJBKH7\",\"SOYAD\":\"Gizlin"))
    }

    /// This status and no more.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Says { status, headers: Vec::new(), body: Bytes::new() }
    }
}

/// One call that came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    /// The query's parameters, decoded.
    pub query: HashMap<String, String>,
    pub headers: HeaderMap,
}

/// The running registry. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    persons: Vec<Value>,
    photos: Mutex<HashMap<String, Bytes>>,
    mood: Mutex<Mood>,
    held: watch::Sender<bool>,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    seen: Vec<Seen>,
    in_flight: usize,
    cancelled: usize,
}

impl Upstream {
    /// A registry with these persons, on a free port.
    pub async fn with(persons: Vec<Value>) -> Self {
        Self::at(SilentPort::new(), persons)
    }

    /// A registry with five persons, of whom two are of one family.
    pub async fn start() -> Self {
        Self::with(five()).await
    }

    /// The same on this port, at which nobody answered so far.
    ///
    /// # Panics
    /// When the machine does not let it.
    #[must_use]
    pub fn at(port: SilentPort, persons: Vec<Value>) -> Self {
        let address = port.address();
        let socket = port.listen().expect("a port can be listened on");
        let state = Arc::new(State {
            persons,
            photos: Mutex::default(),
            mood: Mutex::new(Mood::Well),
            held: watch::Sender::new(false),
            calls: Mutex::default(),
        });
        tokio::spawn(serve(socket, Arc::clone(&state)));
        Self { address, state }
    }

    /// The address that a manifest takes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How it answers from now on.
    pub fn is(&self, mood: Mood) {
        *lock(&self.state.mood) = mood;
    }

    /// Answers wait from now on, until [`Self::release`].
    pub fn hold(&self) {
        self.state.held.send_replace(true);
    }

    /// Gives the answers that wait, and no longer waits.
    pub fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// A person's photo.
    pub fn set_photo(&self, pin: &str, photo: impl Into<Bytes>) {
        lock(&self.state.photos).insert(pin.to_owned(), photo.into());
    }

    /// The calls that came, questions after its health left out.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.calls).seen.clone()
    }

    /// How many came.
    #[must_use]
    pub fn calls(&self) -> usize {
        lock(&self.state.calls).seen.len()
    }

    /// The last one.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn last(&self) -> Seen {
        lock(&self.state.calls).seen.last().cloned().expect("a call came")
    }

    /// How many are being answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        lock(&self.state.calls).in_flight
    }

    /// How many were given up before they were answered.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        lock(&self.state.calls).cancelled
    }
}

/// Five persons in the words of the register.
#[must_use]
pub fn five() -> Vec<Value> {
    let person = |pin: &str, family: &str, given: &str, born: &str, sex: &str| json!({ "FIN": pin, "SOYAD": family, "AD": given, "DOGUM": born, "CINS": sex, "GELIR": 1250, "QEYD": "not for callers" });
    vec![
        person("5ZJBKH7", "Əliyeva", "Aygün", "19780312", "Q"),
        person("4WTR2PX", "Məmmədov", "Rəşid", "19550101", "K"),
        person("7K2VXA9", "Quliyev", "Elçin", "20010930", "K"),
        person("6DQ0N1M", "Məmmədov", "Tural", "19891224", "K"),
        person("3AAAAAA", "Həsənova", "Leyla", "19660606", "Q"),
    ]
}

async fn serve(socket: TcpListener, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = socket.accept().await else { return };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(answer(&state, &request).await) }
            });
            // A caller that leaves early is part of the tests.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn answer(state: &Arc<State>, request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if path == "/health" {
        return said(200, &[], Bytes::new());
    }
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let seen = Seen { path, query, headers: request.headers().clone() };
    let mut visit = Visit::begin(Arc::clone(state), seen.clone());
    let _ = state.held.subscribe().wait_for(|held| !held).await;
    visit.is_answered = true;
    let mood = lock(&state.mood).clone();
    match mood {
        Mood::Well => records(state, &seen),
        Mood::Says { status, headers, body } => said(status, &headers, body),
        Mood::BreaksOff(begin) => {
            // A body that waits lets go what was written before.
            let broken = stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
            });
            let body = stream::iter([Ok(Frame::data(begin))]).chain(broken);
            let mut response = Response::new(BodyExt::boxed(StreamBody::new(body)));
            response.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("a media type"));
            response
        }
    }
}

fn records(state: &State, seen: &Seen) -> Response<Body> {
    let segments: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["persons"] => search(state, &seen.query),
        ["persons", pin] => match state.persons.iter().find(|person| person["FIN"] == *pin) {
            Some(person) => told(person),
            None => said(404, &[], Bytes::new()),
        },
        ["persons", pin, "photo"] => match lock(&state.photos).get(*pin) {
            Some(photo) => said(200, &[("content-type", "image/png")], photo.clone()),
            None => said(404, &[], Bytes::new()),
        },
        ["plots", district, number] => told(&json!({ "RAYON": district, "NOMRE": number, "SAHE": 600 })),
        _ => said(404, &[], Bytes::new()),
    }
}

fn search(state: &State, query: &HashMap<String, String>) -> Response<Body> {
    let is_asked = |person: &&Value| query.get("soyad").is_none_or(|family| person["SOYAD"] == **family);
    let number = |name: &str, otherwise: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let found: Vec<&Value> = state.persons.iter().filter(is_asked).collect();
    let page: Vec<&&Value> = found.iter().skip(number("kec", 0)).take(number("say", 100)).collect();
    told(&json!({ "cem": found.len(), "siyahi": page }))
}

fn told(value: &Value) -> Response<Body> {
    said(200, &[("content-type", "application/json")], Bytes::from(value.to_string()))
}

fn said(status: u16, headers: &[(&'static str, &'static str)], body: Bytes) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body).map_err(|never| match never {}).boxed()).expect("a status and headers")
}

/// A call while it is answered.
struct Visit {
    state: Arc<State>,
    is_answered: bool,
}

impl Visit {
    fn begin(state: Arc<State>, seen: Seen) -> Self {
        let mut calls = lock(&state.calls);
        calls.seen.push(seen);
        calls.in_flight += 1;
        drop(calls);
        Self { state, is_answered: false }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut calls = lock(&self.state.calls);
        calls.in_flight -= 1;
        calls.cancelled += usize::from(!self.is_answered);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
