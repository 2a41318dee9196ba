//! One request: from its head to the answer, with its log line, its metrics and its trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use rabita_contract::{Asked, Body, ChangeTerms, ETag, Frame, RateLimit, Route, TraceParent, UpdatesQuery};
use rabita_core::{Answer, Bus, Evidence, Exchange, LimitState, Received, Timing, Trail};
use rabita_journal::Filter;
use rabita_model::ask::Key;
use rabita_model::{Ask, Blame, Code, ExchangeId, Outcome, Purpose, Refusal, SystemId, Want};
use rabita_sdk::Failure;
use tokio::sync::Semaphore;

use super::binary;
use super::meters::Meters;
use super::subscriptions::{self, Subscriptions};
use super::telemetry::{Span, Tracing};
use crate::machine::new_exchange;

/// What all exchanges of a node share.
pub(super) struct Exchanges {
    pub bus: Arc<Bus>,
    pub places: Arc<Semaphore>,
    pub stopping: AtomicBool,
    pub body_max: usize,
    pub body_timeout: Duration,
    pub meters: Meters,
    pub tracing: Tracing,
    /// What is about events, where the node has a journal.
    pub subscriptions: Option<Subscriptions>,
}

/// An answer's body: whole, or on its way.
pub(super) type AnswerBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Failure>>;

/// What the log line of an exchange says.
struct Line<'a> {
    meters: &'a Meters,
    exchange: ExchangeId,
    started: Instant,
    system: Option<&'a str>,
    trail: Option<&'a Trail>,
    purpose: Option<&'a str>,
}

impl Exchanges {
    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>, evidence: Option<Arc<Evidence>>) -> Response<AnswerBody> {
        let (head, mut body) = request.into_parts();
        let response = self.answer_head(&head, &mut body, evidence).await;
        discard(body);
        response
    }

    async fn answer_head(&self, head: &Parts, body: &mut Incoming, evidence: Option<Arc<Evidence>>) -> Response<AnswerBody> {
        let started = Instant::now();
        let exchange = new_exchange();
        let asked = Asked::of(head);
        let system = self.bus.identify(evidence.as_deref());
        let known = system.as_ref().ok().map(SystemId::as_str);
        let line = Line { meters: &self.meters, exchange, started, system: known, trail: None, purpose: None };
        let refuse = |refusal: Refusal| {
            line.refused(&refusal);
            let frame = frame(exchange, started, &Timing::default(), &[]);
            rabita_contract::problem(&refusal, &asked, &frame).map(whole)
        };
        if self.stopping.load(Ordering::Acquire) {
            return refuse(Refusal::new(Code::BusStopping));
        }
        // Whoever is not known has no body read.
        if let Err(refusal) = &system {
            return refuse(refusal.clone());
        }
        let Ok(_place) = self.places.try_acquire() else {
            return refuse(Refusal::new(Code::BusOverloaded).retry_after(Duration::from_secs(1)));
        };
        let route = match self.read(head, body).await {
            Ok(body) => rabita_contract::parse(head, &body),
            Err(refusal) => Err(refusal),
        };
        match route {
            // What cannot be read costs the bus time all the same.
            Err(refusal) => refuse(self.bus.charge(evidence.as_deref()).err().unwrap_or(refusal)),
            Ok(Route::Entity(ask)) => self.entity(head, &asked, ask, evidence, exchange, started).await,
            Ok(route) if subscriptions::is_asked(&route) => {
                let frame = frame(exchange, started, &Timing::default(), &[]);
                match self.follow(route, &asked, evidence.as_deref(), &frame).await {
                    Err(refusal) => refuse(refusal),
                    Ok(response) => {
                        line.answered();
                        response
                    }
                }
            }
            Ok(route) => match self.about(route, evidence.as_deref()).await {
                Err(refusal) => refuse(refusal),
                Ok(body) => {
                    line.answered();
                    let etag = ETag::of(digest(&SHA256, body.bytes()).as_ref());
                    rabita_contract::respond(body, Some(&etag), &asked, &frame(exchange, started, &Timing::default(), &[]))
                        .map(whole)
                }
            },
        }
    }

    /// The body, where the request has one that counts.
    async fn read(&self, head: &Parts, body: &mut Incoming) -> Result<Bytes, Refusal> {
        if !rabita_contract::wants_body(head) {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > self.body_max as u64 {
            return Err(Refusal::new(Code::BodyTooLarge));
        }
        match tokio::time::timeout(self.body_timeout, Limited::new(body, self.body_max).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(Code::BodyTooLarge)),
            Ok(Err(_)) => Err(Refusal::new(Code::MalformedRequest).detail("the body broke off")),
            Err(_) => Err(Refusal::new(Code::MalformedRequest).detail("the body did not arrive in time")),
        }
    }

    /// What is about events.
    async fn follow(
        &self,
        route: Route,
        asked: &Asked,
        evidence: Option<&Evidence>,
        frame: &Frame<'_>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        self.bus.charge(evidence)?;
        // Without a journal no entity offers its events, so no grant permits them.
        let subscriptions = self.subscriptions.as_ref().ok_or(Code::NotPermitted)?;
        subscriptions.answer(route, self.bus.identify(evidence)?, asked, frame).await
    }

    /// What the bus says of itself, and of the caller's updates, to this caller.
    async fn about(&self, route: Route, evidence: Option<&Evidence>) -> Result<Body, Refusal> {
        match route {
            Route::Update(id) => return Ok(rabita_contract::update::update(&self.bus.update(evidence, id).await?)),
            Route::Updates(query) => {
                let page = self.bus.updates(evidence, filter(query)).await?;
                return Ok(rabita_contract::update::updates(&page.updates, page.next.as_deref()));
            }
            _ => {}
        }
        let catalogue = self.bus.catalogue(evidence)?;
        Ok(match route {
            Route::OpenApi => Body::json(&rabita_contract::openapi::openapi(&catalogue, env!("CARGO_PKG_VERSION"))),
            Route::AsyncApi => Body::json(&rabita_contract::asyncapi::asyncapi(&catalogue, env!("CARGO_PKG_VERSION"))),
            Route::Schemas(None) => Body::json(&rabita_contract::catalogue::schemas(&catalogue)),
            Route::Schemas(Some(name)) => {
                let schema = rabita_contract::catalogue::schema(&catalogue, &name);
                Body::schema(schema.ok_or(Code::RouteAbsent)?)
            }
            Route::Catalogue => Body::json(&rabita_contract::catalogue::catalogue(&catalogue)),
            _ => return Err(Code::RouteAbsent.into()),
        })
    }

    async fn entity(
        &self,
        head: &Parts,
        asked: &Asked,
        ask: Ask,
        evidence: Option<Arc<Evidence>>,
        exchange: ExchangeId,
        started: Instant,
    ) -> Response<AnswerBody> {
        let caller_trace = TraceParent::of(&head.headers);
        // A name that no configuration has may be anything, so it names no span.
        let span = self.bus.has(&ask.target).then(|| self.tracing.begin(caller_trace, &ask)).flatten();
        let traceparent = span.as_ref().map(Span::traceparent).or_else(|| caller_trace.map(|trace| trace.to_string()));
        let purpose = ask.purpose.clone();
        let within = match &ask.want {
            Want::Change(submission) => submission.within,
            _ => "",
        };
        let leaves = Leaves { meters: &self.meters, exchange, started, stayed: false };
        let Exchange { result, trail } = self.bus.exchange(Received { exchange, evidence, traceparent, ask }).await;
        leaves.stayed();
        let limits: Vec<RateLimit<'_>> = trail.limit.iter().map(told).collect();
        let mut frame = frame(exchange, started, &trail.timing, &limits);
        (frame.update, frame.is_replayed) = (trail.update, trail.is_replayed);
        let (system, purpose) = (trail.system.as_ref().map(SystemId::as_str), purpose.as_ref().map(Purpose::as_str));
        let line = Line { meters: &self.meters, exchange, started, system, trail: Some(&trail), purpose };
        match result {
            Ok(answer) => {
                let code = refused_with(&answer);
                match code {
                    None => line.answered(),
                    Some(code) => line.refused(&Refusal::new(code)),
                }
                let response = respond(answer, within, asked, &mut frame).await;
                if let Some(span) = span {
                    span.end(&trail, response.status().as_u16(), code);
                }
                response
            }
            Err(refusal) => {
                line.refused(&refusal);
                let response = rabita_contract::problem(&refusal, asked, &frame).map(whole);
                if let Some(span) = span {
                    span.end(&trail, response.status().as_u16(), Some(refusal.code));
                }
                response
            }
        }
    }
}

fn filter(query: UpdatesQuery) -> Filter {
    let UpdatesQuery { state, registry, since, limit, cursor } = query;
    let limit = limit.map_or(0, |limit| limit as usize);
    Filter { state, registry, since, limit, cursor, ..Filter::default() }
}

/// Notices a caller who leaves before the answer: the registry may have been asked all the same.
struct Leaves<'a> {
    meters: &'a Meters,
    exchange: ExchangeId,
    started: Instant,
    stayed: bool,
}

impl Leaves<'_> {
    fn stayed(mut self) {
        self.stayed = true;
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if !self.stayed {
            self.meters.count(None, "caller_left", self.started.elapsed());
            tracing::info!(exchange = %self.exchange, us = as_micros(self.started.elapsed()), "the caller left before the answer");
        }
    }
}

/// Lets what is left of a body arrive, up to a bound. An HTTP/2 stream that ended before its body was sent would be
/// reset, and some callers then lose the answer that had come before.
fn discard(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(tokio::time::timeout(DISCARD_TIME, async move {
        let mut left = DISCARD_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(less) => left = less,
                None => return,
            }
        }
    }));
}

const DISCARD_TIME: Duration = Duration::from_secs(2);
const DISCARD_MAX: usize = 1 << 20;

/// The code of a change that came to nothing.
fn refused_with(answer: &Answer) -> Option<Code> {
    let Answer::Change { entry, .. } = answer else { return None };
    let conclusion = entry.conclusion.as_ref().filter(|conclusion| conclusion.outcome != Outcome::Applied)?;
    conclusion.code
}

async fn respond(answer: Answer, within: &str, asked: &Asked, frame: &mut Frame<'_>) -> Response<AnswerBody> {
    match answer {
        Answer::Change { entry, location, wait } => {
            let record = location.map(|key| rabita_contract::update::record_path(&entry.update.target, &Key(key)));
            let terms = ChangeTerms { wait, record: record.as_deref(), within };
            rabita_contract::change_answer(&entry, &terms, asked, frame).map(whole)
        }
        Answer::Data { body, next, version, age, stale, observed } => {
            frame.age = age;
            frame.is_stale = stale;
            frame.observed = observed;
            let body = match &*body {
                rabita_core::Body::Record(record) => Body::record(record),
                rabita_core::Body::Many(records) => Body::many(records),
                rabita_core::Body::Page(records) => Body::page(records, next.as_deref()),
            };
            let etag = ETag::with_version(digest(&SHA256, body.bytes()).as_ref(), version.as_deref().unwrap_or_default());
            rabita_contract::respond(body, Some(&etag), asked, frame).map(whole)
        }
        Answer::Binary { stream, media_type } => binary::respond(stream, &media_type, asked, frame).await,
    }
}

fn whole(bytes: Bytes) -> AnswerBody {
    Either::Left(Full::new(bytes))
}

fn frame<'a>(exchange: ExchangeId, started: Instant, timing: &Timing, limits: &'a [RateLimit<'a>]) -> Frame<'a> {
    Frame {
        bus: started.elapsed().saturating_sub(timing.registry),
        registry: (!timing.registry.is_zero()).then_some(timing.registry),
        limits,
        ..Frame::new(exchange)
    }
}

fn told(state: &LimitState) -> RateLimit<'static> {
    RateLimit {
        policy: state.name,
        quota: u64::from(state.quota),
        window_s: 1,
        remaining: u64::from(state.remaining),
        reset_s: state.reset_s,
    }
}

impl Line<'_> {
    fn answered(&self) {
        self.count("ok");
        tracing::info!(
            exchange = %self.exchange,
            system = self.system,
            target_entity = self.trail.map(|trail| tracing::field::display(&trail.target)),
            operation = self.trail.map(|trail| trail.operation.as_str()),
            purpose = self.purpose,
            us = self.micros(),
            registry_us = self.trail.map(|trail| as_micros(trail.timing.registry)),
            "exchange"
        );
    }

    /// The one place where a refusal is logged.
    fn refused(&self, refusal: &Refusal) {
        self.count(refusal.code.as_str());
        // A name that no configuration has may be anything: a key in a registry's place.
        let known = self.trail.filter(|trail| trail.is_known);
        tracing::info!(
            exchange = %self.exchange,
            system = self.system,
            target_entity = known.map(|trail| tracing::field::display(&trail.target)),
            operation = self.trail.map(|trail| trail.operation.as_str()),
            purpose = self.purpose,
            us = self.micros(),
            registry_us = self.trail.map(|trail| as_micros(trail.timing.registry)),
            code = refusal.code.as_str(),
            detail = refusal.detail.as_deref(),
            faults = self.faults(refusal),
            "exchange refused"
        );
    }

    /// What kinds of faults there are, and in which places of a registry's reply. The places in a request are left out:
    /// their names are the caller's, and a caller's mistake can be a value in a name's place.
    fn faults(&self, refusal: &Refusal) -> Option<String> {
        let of_registry = refusal.code.blame() == Blame::Registry;
        let told = refusal.faults.iter().map(|fault| match &fault.parameter {
            None if of_registry => format!("{} {}", fault.pointer, fault.code),
            _ => fault.code.to_owned(),
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    fn count(&self, code: &'static str) {
        self.meters.count(self.trail, code, self.started.elapsed());
    }

    fn micros(&self) -> u64 {
        as_micros(self.started.elapsed())
    }
}

fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
