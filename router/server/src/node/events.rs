//! Streams of events: `GET /bus/events`, as the server-sent events of HTML.
//!
//! A stream begins where its caller left off (`Last-Event-ID`), or with what happens next. It ends with the caller, with
//! the last grant that it rests on, when the journal or the ledger fails, and when the node stops: a caller that comes
//! back with the last id it saw misses nothing. Where events are gone by then, the stream says so first.
//!
//! What a stream brings is released data: [`Releases`] has it in the ledger before it leaves.

mod released;
mod tail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::try_join_all;
use http_body::Frame;
use metrics::{counter, gauge};
use rabita_config::node::NodeLimits;
use rabita_contract::EventsQuery;
use rabita_contract::event::{EventView, HEARTBEAT, stream_frame};
use rabita_core::bus::refused;
use rabita_core::feed::{Feed, Interest};
use rabita_core::{Bus, Evidence};
use rabita_journal::{JournalError, Position};
use rabita_model::{Code, Event, Fault, Refusal, SystemId};
use rabita_sdk::Failure;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use released::{Release, Releases};
pub(super) use tail::{Passed, Tail};

/// How long a stream is silent at most.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Tells that events after the caller's last one are no longer kept.
const GAP: &[u8] = b": events were missed: they are no longer kept\nevent: rabita.gap\ndata: {}\n\n";

/// Tells that nothing can be brought as long as the ledger cannot be written.
const UNRECORDED: &[u8] =
    b": nothing leaves the bus that its ledger does not have\nevent: rabita.stopped\ndata: {\"code\":\"ledger_unavailable\"}\n\n";

/// Tells that nothing can be brought as long as the journal cannot be read: over Kafka another node may do better.
const UNREAD: &[u8] = b": the bus cannot read its journal\nevent: rabita.stopped\ndata: {\"code\":\"journal_unavailable\"}\n\n";

/// The streams of a node.
pub(super) struct Streams {
    bus: Arc<Bus>,
    tail: Arc<Tail>,
    releases: Releases,
    open: Arc<Mutex<HashMap<SystemId, usize>>>,
    max: usize,
    per_system: usize,
    stops: watch::Receiver<bool>,
}

/// One stream.
struct Open {
    tail: Arc<Tail>,
    releases: Releases,
    feed: Feed,
    system: SystemId,
    position: Position,
    /// The position that the caller knows to come back with.
    told: Option<Position>,
    news: watch::Receiver<u64>,
    stops: watch::Receiver<bool>,
    heartbeat: Instant,
    /// When the access token of the caller is over, where it showed one.
    ends: Option<Instant>,
    /// Nothing more is brought.
    is_over: bool,
    _place: Place,
}

/// Events that leave together, as bytes.
struct Batch {
    release: Release,
    events: usize,
    bytes: BytesMut,
}

/// One of the streams that a node and a system may have.
struct Place {
    open: Arc<Mutex<HashMap<SystemId, usize>>>,
    system: SystemId,
}

impl Streams {
    /// As many streams as the limits permit, until the node stops.
    pub fn new(bus: &Arc<Bus>, tail: &Arc<Tail>, releases: &Releases, limits: &NodeLimits, stops: watch::Receiver<bool>) -> Self {
        Self {
            bus: Arc::clone(bus),
            tail: Arc::clone(tail),
            releases: releases.clone(),
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
    /// beyond the limits; `journal_unavailable`, `ledger_unavailable`.
    pub async fn begin(
        &self,
        system: SystemId,
        evidence: &Evidence,
        query: EventsQuery,
    ) -> Result<impl Stream<Item = Result<Frame<Bytes>, Failure>> + Send + 'static, Refusal> {
        let EventsQuery { registry, entity, purpose, after } = query;
        let feed = self.bus.feed(&system, &Interest { registry, entity }, purpose.as_ref(), Some(evidence))?;
        self.releases.check()?;
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
            releases: self.releases.clone(),
            feed,
            system,
            position,
            told,
            news,
            stops: self.stops.clone(),
            // The first thing sent shows the caller that the stream is there, and where it begins.
            heartbeat: Instant::now(),
            ends: evidence.token.as_ref().map(|token| end(token.until)),
            is_over: false,
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
            let is_shown = self.ends.is_none_or(|ends| Instant::now() < ends);
            if self.is_over || !is_shown || *self.stops.borrow() || !self.feed.is_open() {
                return None;
            }
            self.news.borrow_and_update();
            let page = match self.tail.after(&self.position).await {
                Ok(page) => page,
                Err(error) => return Some(self.unread(&error)),
            };
            let is_end = page.events.is_empty();
            let mut bytes = BytesMut::new();
            if page.has_gap {
                bytes.extend_from_slice(GAP);
                if is_end {
                    match self.tail.journal.newest().await {
                        Ok(newest) => self.position = newest,
                        Err(error) => return Some(self.unread(&error)),
                    }
                }
            }
            let batches = self.batches(&page.events);
            self.release(batches, &mut bytes).await;
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
                () = tokio::time::sleep_until(self.ends.map_or(self.heartbeat, |ends| ends.min(self.heartbeat))) => {
                    if Instant::now() >= self.heartbeat {
                        return Some(self.beat());
                    }
                }
            }
        }
    }

    /// The last bytes of a stream whose journal cannot be read.
    fn unread(&mut self, error: &JournalError) -> Bytes {
        tracing::warn!(%error, system = %self.system, "a stream of events breaks off: the journal cannot be read");
        self.is_over = true;
        Bytes::from_static(UNREAD)
    }

    /// What of these events the system sees: those of one entity that follow each other leave together.
    fn batches(&mut self, events: &[Arc<Passed>]) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        for passed in events {
            self.position = passed.position.clone();
            let Some(shown) = self.shown(passed) else { continue };
            self.told = Some(passed.position.clone());
            let frame = stream_frame(&passed.position.0, &shown);
            let last = batches.last_mut().filter(|last| last.release.is_of(&passed.event));
            match last {
                Some(last) => last.take_in(&self.feed, &passed.event, &shown, &frame),
                None => batches.push(Batch::begin(Release::of(&self.feed, &passed.event, &shown), &frame)),
            }
        }
        batches
    }

    /// Adds what the ledger has; where it cannot be written, the stream is over, and says so.
    async fn release(&mut self, batches: Vec<Batch>, bytes: &mut BytesMut) {
        let releases = &self.releases;
        let recorded = batches.into_iter().map(|Batch { release, events, bytes }| async move {
            releases.record(release, &bytes).await.map(|()| (events, bytes))
        });
        match try_join_all(recorded).await {
            Ok(recorded) => {
                for (events, frames) in recorded {
                    counter!("rabita_events_streamed_total", "system" => self.system.to_string()).increment(events as u64);
                    bytes.extend_from_slice(&frames);
                }
            }
            Err(error) => {
                tracing::warn!(%error, system = %self.system, "a stream of events breaks off: the ledger cannot be written");
                bytes.extend_from_slice(UNRECORDED);
                self.is_over = true;
            }
        }
    }

    fn shown(&self, passed: &Passed) -> Option<Value> {
        let fields = self.feed.view(&passed.event)?;
        let view = EventView { fields: &fields, is_own: passed.system.as_ref() == Some(&self.system) };
        rabita_contract::event::event(&passed.event, &view)
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

impl Batch {
    /// The exchange by which the ledger has the batch goes before it, as a comment.
    fn begin(release: Release, frame: &[u8]) -> Self {
        let bytes = BytesMut::from(format!(": exchange {}\n", release.exchange).as_bytes());
        let mut batch = Self { release, events: 1, bytes };
        batch.bytes.extend_from_slice(frame);
        batch
    }

    fn take_in(&mut self, feed: &Feed, event: &Event, shown: &Value, frame: &[u8]) {
        self.release.take_in(feed, event, shown);
        self.events += 1;
        self.bytes.extend_from_slice(frame);
    }
}

/// The instant of a moment in seconds since 1970. A year from now is as good as never.
fn end(until: i64) -> Instant {
    let left = until.saturating_sub(jiff::Timestamp::now().as_second());
    Instant::now() + Duration::from_secs(u64::try_from(left).unwrap_or_default()).min(Duration::from_hours(24 * 365))
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
