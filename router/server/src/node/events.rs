//! Streams of events: `GET /bus/events`, as the server-sent events of HTML.
//!
//! A stream begins where its caller left off (`Last-Event-ID`), or with what happens next. It ends with the caller, with
//! the last grant that it rests on, when the journal fails, and when the node stops: a caller that comes back with the
//! last id it saw misses nothing. Where events are gone by then, the stream says so first.

mod tail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body::Frame;
use metrics::{counter, gauge};
use rabita_config::node::NodeLimits;
use rabita_contract::EventsQuery;
use rabita_contract::event::{EventView, HEARTBEAT, stream_frame};
use rabita_core::Bus;
use rabita_core::bus::refused;
use rabita_core::feed::{Feed, Interest};
use rabita_journal::{JournalError, Position};
use rabita_model::{Code, Fault, Refusal, SystemId};
use rabita_sdk::Failure;
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use tail::{Passed, Tail};

/// How long a stream is silent at most.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Tells that events after the caller's last one are no longer kept.
const GAP: &[u8] = b": events were missed: they are no longer kept\nevent: rabita.gap\ndata: {}\n\n";

/// The streams of a node.
pub(super) struct Streams {
    bus: Arc<Bus>,
    tail: Arc<Tail>,
    open: Arc<Mutex<HashMap<SystemId, usize>>>,
    max: usize,
    per_system: usize,
    stops: watch::Receiver<bool>,
}

/// One stream.
struct Open {
    tail: Arc<Tail>,
    feed: Feed,
    system: SystemId,
    position: Position,
    /// The position that the caller knows to come back with.
    told: Option<Position>,
    news: watch::Receiver<u64>,
    stops: watch::Receiver<bool>,
    heartbeat: Instant,
    _place: Place,
}

/// One of the streams that a node and a system may have.
struct Place {
    open: Arc<Mutex<HashMap<SystemId, usize>>>,
    system: SystemId,
}

impl Streams {
    /// As many streams as the limits permit, until the node stops.
    pub fn new(bus: &Arc<Bus>, tail: &Arc<Tail>, limits: &NodeLimits, stops: watch::Receiver<bool>) -> Self {
        Self {
            bus: Arc::clone(bus),
            tail: Arc::clone(tail),
            open: Arc::default(),
            max: limits.streams,
            per_system: limits.streams_per_system,
            stops,
        }
    }

    /// Begins a stream of a system.
    ///
    /// # Errors
    /// What [`Bus::feed`] refuses; `invalid_request` for a position that is none; `bus_overloaded` and `rate_limited`
    /// beyond the limits; `journal_unavailable`.
    pub async fn begin(
        &self,
        system: SystemId,
        query: EventsQuery,
    ) -> Result<impl Stream<Item = Result<Frame<Bytes>, Failure>> + Send + 'static, Refusal> {
        let EventsQuery { registry, entity, purpose, after } = query;
        let feed = self.bus.feed(&system, &Interest { registry, entity }, purpose.as_ref())?;
        let place = self.place(&system)?;
        let news = self.tail.news();
        let told = after.map(Position);
        let position = match &told {
            Some(position) => {
                self.tail.after(position).await.map_err(unknown)?;
                position.clone()
            }
            None => self.tail.journal.newest().await.map_err(refused)?,
        };
        let open = Open {
            tail: Arc::clone(&self.tail),
            feed,
            system,
            position,
            told,
            news,
            stops: self.stops.clone(),
            // The first thing sent shows the caller that the stream is there, and where it begins.
            heartbeat: Instant::now(),
            _place: place,
        };
        Ok(futures_util::stream::unfold(open, |mut open| async move {
            let bytes = open.next().await?;
            Some((Ok(Frame::data(bytes)), open))
        }))
    }

    fn place(&self, system: &SystemId) -> Result<Place, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let later = |code| Refusal::new(code).retry_after(HEARTBEAT_EVERY);
        if open.values().sum::<usize>() >= self.max {
            return Err(later(Code::BusOverloaded).detail("as many streams as the node takes"));
        }
        let own = open.entry(system.clone()).or_default();
        if *own >= self.per_system {
            return Err(later(Code::RateLimited).detail("as many streams as a system may have"));
        }
        *own += 1;
        gauge!("rabita_event_streams").increment(1.0);
        Ok(Place { open: Arc::clone(&self.open), system: system.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.system) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.system);
            }
        }
        gauge!("rabita_event_streams").decrement(1.0);
    }
}

impl Open {
    /// The next bytes of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if *self.stops.borrow() || !self.feed.is_open() {
                return None;
            }
            self.news.borrow_and_update();
            let page = self.tail.after(&self.position).await;
            let page = page.inspect_err(|error| tracing::warn!(%error, "a stream of events breaks off")).ok()?;
            let is_end = page.events.is_empty();
            let mut bytes = BytesMut::new();
            if page.has_gap {
                bytes.extend_from_slice(GAP);
                if is_end {
                    self.position = self.tail.journal.newest().await.ok()?;
                }
            }
            for passed in page.events {
                if let Some(frame) = self.frame(&passed) {
                    counter!("rabita_events_streamed_total", "system" => self.system.to_string()).increment(1);
                    bytes.extend_from_slice(&frame);
                    self.told = Some(passed.position.clone());
                }
                self.position = passed.position.clone();
            }
            if !bytes.is_empty() {
                self.heartbeat = Instant::now() + HEARTBEAT_EVERY;
                return Some(bytes.freeze());
            }
            if !is_end {
                continue;
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = super::stopped(&mut self.stops) => return None,
                () = tokio::time::sleep_until(self.heartbeat) => return Some(self.beat()),
            }
        }
    }

    fn frame(&self, passed: &Passed) -> Option<Bytes> {
        let fields = self.feed.view(&passed.event)?;
        let view = EventView { fields: &fields, is_own: passed.system.as_ref() == Some(&self.system) };
        let event = rabita_contract::event::event(&passed.event, &view)?;
        Some(stream_frame(&passed.position.0, &event))
    }

    /// A sign of life. Events that the caller does not see move its place all the same: an `id` without data is taken
    /// down and nothing more.
    fn beat(&mut self) -> Bytes {
        self.heartbeat = Instant::now() + HEARTBEAT_EVERY;
        if self.told.as_ref() == Some(&self.position) {
            return Bytes::from_static(HEARTBEAT);
        }
        self.told = Some(self.position.clone());
        Bytes::from(format!(":\nid: {}\n\n", self.position.0))
    }
}

fn unknown(error: JournalError) -> Refusal {
    match error {
        JournalError::PositionInvalid => {
            let fault = Fault::parameter("Last-Event-ID", "position", "this is the `id` of no event of this bus");
            Refusal::with_faults(Code::InvalidRequest, vec![fault])
        }
        other => refused(other),
    }
}
