//! One connection to one broker: requests go out in their order, and answers come back in the same.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use rabita_sdk::SecretText;
use rsasl::config::SASLConfig;
use rsasl::mechname::Mechname;
use rsasl::prelude::{SASLClient, State};
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;

use super::codec::{Input, Output};
use super::messages::{Ask, Authenticate, Ends, Fetch, Handshake, Produce, Versions, Where, code};
use crate::broker::NOT_IN_TIME;
use crate::settings::Mechanism;
use crate::wire::{Address, Life, Wire};

/// How connections are made.
pub(crate) struct Dialler {
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Who the bus is, where its certificate does not say it.
    pub(crate) user: Option<(Mechanism, SecretText, SecretText)>,
    pub(crate) timeout: Duration,
    /// The longest answer that is taken.
    pub(crate) answer_max_bytes: usize,
}

/// A connection on which the broker knows who asks.
pub(crate) struct Connection {
    /// The numbers of requests that are to leave.
    line: mpsc::Sender<i32>,
    waiting: Arc<Waiting>,
    next: AtomicI32,
    pub(crate) life: Life,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broke {
    /// The connection broke before.
    Ended,
    /// The answer was not what the protocol says. The connection is ended.
    Malformed,
    /// The request is longer than is sent. Nothing left.
    TooLarge,
}

/// The longest request that is sent. What a topic takes is mostly less, which the brokers say.
const REQUEST_MAX_BYTES: usize = 64 * 1024 * 1024;

/// So many requests stand in line at most on one connection; others wait until there is room.
const LINE: usize = 256;

impl Broke {
    pub(crate) const fn said(self) -> &'static str {
        match self {
            Self::Ended => "the connection broke",
            Self::Malformed => "what came is not an answer of Kafka",
            Self::TooLarge => "the request is too large",
        }
    }
}

impl Dialler {
    /// Connects, and shows who the bus is. The connection ends with the whole that it is part of.
    ///
    /// # Errors
    /// Why it can't, with the address.
    pub(crate) async fn dial(&self, address: &Address, whole: &CancellationToken) -> Result<Connection, String> {
        let life = Life::within(whole);
        // What was begun ends with this, also where the attempt is dropped.
        let guard = life.ended.clone().drop_guard();
        let dialled = tokio::time::timeout(self.timeout, self.introduced(address, &life)).await;
        let connection = dialled.unwrap_or_else(|_| Err(NOT_IN_TIME.to_owned())).map_err(|why| format!("{address}: {why}"))?;
        guard.disarm();
        Ok(connection)
    }

    async fn introduced(&self, address: &Address, life: &Life) -> Result<Connection, String> {
        let wire = Wire::connect(address, self.tls.as_ref(), life).await?;
        let connection = Connection::on(wire, life.clone(), self.answer_max_bytes);
        let (said, understood) = connection.ask(&Versions).await.map_err(|broke| match broke {
            Broke::Ended => "the connection broke at once: there is no Kafka, or it speaks TLS".to_owned(),
            broke => broke.said().to_owned(),
        })?;
        let mut spoken = vec![of::<Where<'_>>(), of::<Produce<'_>>(), of::<Ends<'_>>(), of::<Fetch<'_>>()];
        if self.user.is_some() {
            spoken.extend([of::<Handshake<'_>>(), of::<Authenticate<'_>>()]);
        }
        let is_spoken =
            |(key, version): &(i16, i16)| understood.iter().any(|it| it.key == *key && (it.least..=it.most).contains(version));
        if said != code::NONE || !spoken.iter().all(is_spoken) {
            return Err("the broker does not speak the protocol of Kafka 0.11 to 4, and with a user of 1.0 to 4".to_owned());
        }
        if let Some((mechanism, user, password)) = &self.user {
            connection.authenticate(*mechanism, user, password).await?;
        }
        Ok(connection)
    }
}

const fn of<A: Ask>() -> (i16, i16) {
    (A::KEY, A::VERSION)
}

impl Connection {
    fn on(wire: Wire, life: Life, answer_max_bytes: usize) -> Self {
        let codec = LengthDelimitedCodec::builder().max_frame_length(answer_max_bytes).new_codec();
        let (reading, mut writing) = tokio::io::split(wire.compat());
        let mut answers = FramedRead::new(reading, codec);
        let (line, mut next) = mpsc::channel::<i32>(LINE);
        let waiting = Arc::new(Waiting::default());
        tokio::spawn({
            let (life, waiting) = (life.clone(), Arc::clone(&waiting));
            async move {
                let _ends_with_this = life.ended.clone().drop_guard();
                let passed_on = async {
                    while let Some(id) = next.recv().await {
                        // What nobody waits for any more before it left does not leave.
                        let Some(frame) = waiting.take_frame(id) else { continue };
                        if writing.write_all(&frame).await.is_err() || writing.flush().await.is_err() {
                            return;
                        }
                    }
                };
                life.ended.run_until_cancelled(passed_on).await;
            }
        });
        tokio::spawn({
            let (life, waiting) = (life.clone(), Arc::clone(&waiting));
            async move {
                let _ends_with_this = life.ended.clone().drop_guard();
                while let Some(Ok(frame)) = answers.next().await {
                    let mut input = Input::new(frame.freeze());
                    let Ok(id) = input.int32() else { return };
                    waiting.hand_over(id, input);
                }
            }
        });
        Self { line, waiting, next: AtomicI32::new(0), life }
    }

    /// Asks, and waits for the answer as long as the connection lasts.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn ask<A: Ask>(&self, ask: &A) -> Result<A::Answer, Broke> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut frame = Output::default();
        frame.int32(0);
        frame.int16(A::KEY);
        frame.int16(A::VERSION);
        frame.int32(id);
        frame.text(CLIENT);
        ask.write(&mut frame);
        let mut frame = frame.0;
        let length = i32::try_from(frame.len() - PREFIX_BYTES).ok().filter(|_| frame.len() <= REQUEST_MAX_BYTES);
        frame[..PREFIX_BYTES].copy_from_slice(&length.ok_or(Broke::TooLarge)?.to_be_bytes());
        let mut expected = self.waiting.expect(id, frame);
        self.line.send(id).await.map_err(|_| Broke::Ended)?;
        tokio::select! {
            biased;
            answer = &mut expected.answer => {
                let mut answer = answer.map_err(|_| Broke::Ended)?;
                match A::read(&mut answer) {
                    Ok(read) if answer.is_empty() => Ok(read),
                    _ => {
                        self.life.ended.cancel();
                        Err(Broke::Malformed)
                    }
                }
            }
            () = self.life.ended.cancelled() => Err(Broke::Ended),
        }
    }

    async fn authenticate(&self, mechanism: Mechanism, user: &SecretText, password: &SecretText) -> Result<(), String> {
        const REFUSED: &str = "the broker refuses access: the user or the password is not right";
        let name = mechanism.as_str();
        match self.ask(&Handshake(name)).await.map_err(|broke| broke.said())? {
            code::NONE => {}
            code::UNSUPPORTED_SASL_MECHANISM => return Err(format!("the broker does not know the mechanism {name}")),
            other => return Err(format!("the broker refuses access with {other}")),
        }
        let wrong = || format!("the user or the password can't be shown by {name}");
        let config = SASLConfig::with_credentials(None, user.expose().to_owned(), password.expose().to_owned());
        let offered = Mechname::parse(name.as_bytes()).map_err(|_| wrong())?;
        let mut session = SASLClient::new(config.map_err(|_| wrong())?).start_suggested(&[offered]).map_err(|_| wrong())?;
        let mut heard: Option<Bytes> = None;
        loop {
            let mut say = Vec::new();
            if heard.as_deref().and_then(iterations).is_some_and(|count| !ITERATIONS.contains(&count)) {
                return Err("the broker asks for a proof that is too cheap or too dear (the iterations of SCRAM)".to_owned());
            }
            let state = session.step(heard.as_deref(), &mut say).map_err(|_| REFUSED)?;
            if matches!(state, State::Finished(_)) && say.is_empty() {
                return Ok(());
            }
            match self.ask(&Authenticate(&say)).await.map_err(|broke| broke.said())? {
                (code::NONE, answer) => heard = Some(answer),
                (code::SASL_AUTHENTICATION_FAILED, _) => return Err(REFUSED.to_owned()),
                (other, _) => return Err(format!("the broker refuses access with {other}")),
            }
            if matches!(state, State::Finished(_)) {
                return Ok(());
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.life.ended.cancel();
    }
}

/// How often the password is to be digested, of the first message of a broker (RFC 5802, section 5.1); `None` for another.
fn iterations(said: &[u8]) -> Option<u64> {
    let said = std::str::from_utf8(said).ok()?;
    said.split(',').find_map(|part| part.strip_prefix("i="))?.parse().ok().or(Some(u64::MAX))
}

/// Fewer make it cheap to find the password by whoever poses as the broker; more keep the bus from its work. Kafka itself takes
/// up to 16,384.
const ITERATIONS: std::ops::RangeInclusive<u64> = 4096..=65_536;

/// As whom the brokers' logs know the bus.
const CLIENT: &str = "rabita";

/// What stands before each message: its length.
const PREFIX_BYTES: usize = 4;

/// The requests that wait for their answers, by number.
#[derive(Default)]
struct Waiting(Mutex<HashMap<i32, Waits>>);

struct Waits {
    /// Until it leaves.
    frame: Option<Vec<u8>>,
    answer: oneshot::Sender<Input>,
}

/// An answer that is waited for, until this is dropped.
struct Expected<'a> {
    id: i32,
    answer: oneshot::Receiver<Input>,
    waiting: &'a Waiting,
}

impl Waiting {
    fn expect(&self, id: i32, frame: Vec<u8>) -> Expected<'_> {
        let (sender, answer) = oneshot::channel();
        self.lock().insert(id, Waits { frame: Some(frame), answer: sender });
        Expected { id, answer, waiting: self }
    }

    fn take_frame(&self, id: i32) -> Option<Vec<u8>> {
        self.lock().get_mut(&id)?.frame.take()
    }

    /// Whoever waited may have left.
    fn hand_over(&self, id: i32, answer: Input) {
        if let Some(waits) = self.lock().remove(&id) {
            let _ = waits.answer.send(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Waits>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.id);
    }
}

impl Mechanism {
    /// As it is named to the broker.
    const fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}
