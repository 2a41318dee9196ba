//! One request: from its head to the answer, recorded and signed, with its log line, its metrics and its trace.

mod line;
mod reply;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use rabita_contract::{Asked, Body, ETag, LedgerRoute, RateLimit, Route, TraceParent};
use rabita_core::{Bus, Caller, Certificate, Evidence, Exchange, Received, Timing};
use rabita_ledger::entry::RequestSignature;
use rabita_model::{Ask, Code, ExchangeId, Refusal, SystemId, Want};
use rabita_sdk::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::ledger_reads::LedgerReads;
use super::meters::Meters;
use super::recording::{Deed, Recording};
use super::subscriptions::{self, Subscriptions};
use super::telemetry::{Span, Tracing};
use super::tokens::Tokens;
use super::transparency::Transparency;
use crate::machine::new_exchange;
use line::{Leaves, Line};
use reply::{discard, filter, frame, refused_with, respond, told, whole};

/// What every change has.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

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
    pub tokens: Arc<Tokens>,
    pub recording: Recording,
    /// What is read of the ledger, where the node has one.
    pub ledger_reads: Option<LedgerReads>,
    pub transparency: Arc<Transparency>,
}

/// An answer's body: whole, or on its way.
pub(super) type AnswerBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Failure>>;

/// A request under way: what is known of it so far.
pub(super) struct Begun<'a> {
    pub exchange: ExchangeId,
    pub at: Timestamp,
    pub started: Instant,
    pub head: &'a Parts,
    pub asked: Asked,
    pub body: Bytes,
    pub evidence: Evidence,
    pub caller: Option<Arc<Caller>>,
    pub signature: Option<RequestSignature>,
}

/// An answer that has not left yet.
struct Ended {
    response: Response<AnswerBody>,
    deed: Deed,
    /// Why it is not what was asked for.
    refusal: Option<Refusal>,
    span: Option<Span>,
}

impl Exchanges {
    /// Answers a request.
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        certificate: Option<Arc<Certificate>>,
    ) -> Response<AnswerBody> {
        let (head, body) = request.into_parts();
        if !head.headers.contains_key(IDEMPOTENCY_KEY) {
            return self.answered(&head, body, certificate).await;
        }
        // A change is made whether or not its caller stays, so it is recorded whether or not.
        let answered = tokio::spawn(async move { self.answered(&head, body, certificate).await });
        match answered.await.map_err(JoinError::try_into_panic) {
            Ok(response) => response,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime ends, and with it whoever waits here.
            Err(Err(_)) => std::future::pending().await,
        }
    }

    async fn answered(&self, head: &Parts, mut body: Incoming, certificate: Option<Arc<Certificate>>) -> Response<AnswerBody> {
        let mut begun = Begun {
            exchange: new_exchange(),
            at: Timestamp::now(),
            started: Instant::now(),
            head,
            asked: Asked::of(head),
            body: Bytes::new(),
            evidence: Evidence { certificate, ..Evidence::default() },
            caller: None,
            signature: None,
        };
        // Held until it is recorded: a ledger that is slow must not gather requests without end.
        let (ended, _place) = match self.admit(&mut begun, &mut body).await {
            Ok(place) => (self.route(&begun).await, Some(place)),
            Err(refusal) => (begun.refused(refusal), None),
        };
        let response = self.end(&begun, ended).await;
        discard(body);
        response
    }

    /// Who is calling, with what, and whether there is a place for it.
    async fn admit(&self, begun: &mut Begun<'_>, body: &mut Incoming) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Refusal::new(Code::BusStopping));
        }
        let certificate = begun.evidence.certificate.as_ref().map(|certificate| certificate.sha256.as_str());
        begun.evidence.token = self.tokens.token(&begun.head.headers, certificate).await?;
        // Whoever is not known has no body read.
        let caller = self.bus.identify(&begun.evidence)?;
        let system = caller.id.clone();
        begun.caller = Some(caller);
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Refusal::new(Code::BusOverloaded).retry_after(Duration::from_secs(1)));
        };
        match self.read_signed(begun, body, &system).await {
            Ok(()) => Ok(place),
            Err(refusal) => Err(self.charged(begun, refusal)),
        }
    }

    /// The body and, where the request is signed, proof that it is the system's own.
    async fn read_signed(&self, begun: &mut Begun<'_>, body: &mut Incoming, system: &SystemId) -> Result<(), Refusal> {
        rabita_contract::one_host(begun.head)?;
        begun.body = self.read(begun.head, body).await?;
        begun.signature = self.recording.signatures.verify(begun.head, &begun.body, system, begun.at.as_second())?;
        begun.evidence.is_signed = begun.signature.is_some();
        Ok(())
    }

    /// What cannot be read costs the bus time all the same.
    fn charged(&self, begun: &Begun<'_>, refusal: Refusal) -> Refusal {
        self.bus.charge(&begun.evidence).err().unwrap_or(refusal)
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

    async fn route(&self, begun: &Begun<'_>) -> Ended {
        let route = match rabita_contract::parse(begun.head, &begun.body) {
            Err(refusal) => return begun.refused(self.charged(begun, refusal)),
            // These tell nothing of anybody, and an auditor reads them without end: they are not recorded.
            Ok(Route::Ledger(route)) => {
                let answer = self.read_ledger(begun, route).await;
                return begun.ended(answer.map(|response| response.map(whole)), Deed::Open);
            }
            Ok(Route::Keys) => {
                let body = Body::json(&self.recording.signatures.jwks());
                return begun.ended(self.bus.charge(&begun.evidence).map(|()| begun.tell(body)), Deed::Open);
            }
            Ok(route) => route,
        };
        // No data leaves that could not be recorded, so no registry is asked for any.
        if let Err(refusal) = self.recording.ready() {
            return begun.refused(self.charged(begun, refusal));
        }
        match route {
            Route::Entity(ask) => self.entity(begun, ask).await,
            Route::Transparency(inquiry) => self.look_up(begun, inquiry).await,
            route if subscriptions::is_asked(&route) => {
                let deed = Deed::bus("subscriptions");
                begun.ended(self.follow(begun, route).await, deed)
            }
            route => {
                let deed = Deed::bus(service(&route));
                begun.ended(self.about(begun, route).await.map(|body| begun.tell(body)), deed)
            }
        }
    }

    /// What the ledger tells: of its tree to everybody, of its entries to auditors.
    async fn read_ledger(&self, begun: &Begun<'_>, route: LedgerRoute) -> Result<Response<Bytes>, Refusal> {
        self.bus.charge(&begun.evidence)?;
        let reads = self.ledger_reads.as_ref().ok_or(Code::RouteAbsent)?;
        let may_audit = begun.caller.as_ref().is_some_and(|caller| self.transparency.may_audit(&caller.id));
        if route.reads_entries() && !may_audit {
            return Err(Code::NotPermitted.into());
        }
        reads.answer(route, &begun.asked, &begun.frame()).await
    }

    /// Who looked at whose data.
    async fn look_up(&self, begun: &Begun<'_>, inquiry: rabita_contract::Inquiry) -> Ended {
        let Some(caller) = &begun.caller else { return begun.refused(Code::Unauthenticated.into()) };
        if let Err(refusal) = self.bus.charge(&begun.evidence) {
            return begun.refused(refusal);
        }
        if let Err(refusal) = rabita_core::user(&begun.evidence, inquiry.user().map(str::to_owned)) {
            return begun.refused(refusal);
        }
        let told = self.transparency.answer(inquiry, &caller.id, begun.at).await;
        begun.ended(told.result.map(|body| begun.tell(body)), Deed::Bus(Box::new(told.account)))
    }

    /// What is about events.
    async fn follow(&self, begun: &Begun<'_>, route: Route) -> Result<Response<AnswerBody>, Refusal> {
        self.bus.charge(&begun.evidence)?;
        // Without a journal no entity offers its events, so no grant permits them.
        let subscriptions = self.subscriptions.as_ref().ok_or(Code::NotPermitted)?;
        let system = self.bus.identify(&begun.evidence)?.id.clone();
        subscriptions.answer(route, system, &begun.evidence, &begun.asked, &begun.frame()).await
    }

    /// What the bus says of itself, and of the caller's updates, to this caller.
    async fn about(&self, begun: &Begun<'_>, route: Route) -> Result<Body, Refusal> {
        let evidence = &begun.evidence;
        match route {
            Route::Update(id) => return Ok(rabita_contract::update::update(&self.bus.update(evidence, id).await?)),
            Route::Updates(query) => {
                let page = self.bus.updates(evidence, filter(query)).await?;
                return Ok(rabita_contract::update::updates(&page.updates, page.next.as_deref()));
            }
            _ => {}
        }
        let mut catalogue = self.bus.catalogue(evidence)?;
        if let Some(caller) = &begun.caller {
            catalogue.transparency = self.transparency.rights(&caller.id);
        }
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

    async fn entity(&self, begun: &Begun<'_>, ask: Ask) -> Ended {
        let caller_trace = TraceParent::of(&begun.head.headers);
        // A name that no configuration has may be anything, so it names no span.
        let span = self.bus.has(&ask.target).then(|| self.tracing.begin(caller_trace, &ask)).flatten();
        let traceparent = span.as_ref().map(Span::traceparent).or_else(|| caller_trace.map(|trace| trace.to_string()));
        let within = match &ask.want {
            Want::Change(submission) => submission.within,
            _ => "",
        };
        let leaves = Leaves::of(&self.meters, begun.exchange, begun.started);
        let received = Received { exchange: begun.exchange, evidence: begun.evidence.clone(), traceparent, ask };
        let Exchange { result, trail } = self.bus.exchange(received).await;
        leaves.stayed();
        let limits: Vec<RateLimit<'_>> = trail.limit.iter().map(told).collect();
        let mut frame = frame(begun.exchange, begun.started, &trail.timing, &limits);
        (frame.update, frame.is_replayed) = (trail.update, trail.is_replayed);
        let refused = result.as_ref().ok().and_then(refused_with).map(Refusal::new);
        let responded = match result {
            Ok(answer) => respond(answer, within, &begun.asked, &mut frame).await,
            Err(refusal) => Err(refusal),
        };
        let (response, refusal) = match responded {
            Ok(response) => (response, refused),
            Err(refusal) => (rabita_contract::problem(&refusal, &begun.asked, &frame).map(whole), Some(refusal)),
        };
        Ended { response, deed: Deed::Registry(Box::new(trail)), refusal, span }
    }

    /// Records what came of a request, and gives the answer its receipt, its signature and its log line.
    async fn end(&self, begun: &Begun<'_>, ended: Ended) -> Response<AnswerBody> {
        let Ended { response, deed, mut refusal, span } = ended;
        let code = refusal.as_ref().map(|refusal| refusal.code);
        let mut response = match self.recording.record(begun, response, &deed, code).await {
            Ok(response) => response,
            Err(unrecorded) => {
                let response = rabita_contract::problem(&unrecorded, &begun.asked, &begun.frame()).map(whole);
                refusal = Some(unrecorded);
                response
            }
        };
        if let Err(unsigned) = self.recording.sign(&mut response, begun).await {
            response = rabita_contract::problem(&unsigned, &begun.asked, &begun.frame()).map(whole);
            refusal = Some(unsigned);
        }
        let trail = match &deed {
            Deed::Registry(trail) => Some(&**trail),
            _ => None,
        };
        let line = Line {
            meters: &self.meters,
            exchange: begun.exchange,
            started: begun.started,
            system: begun.caller.as_ref().map(|caller| caller.id.as_str()),
            trail,
            purpose: deed.purpose(),
        };
        line.end(refusal.as_ref());
        if let (Some(span), Some(trail)) = (span, trail) {
            span.end(trail, response.status().as_u16(), refusal.map(|refusal| refusal.code));
        }
        response
    }
}

impl Begun<'_> {
    fn frame(&self) -> rabita_contract::Frame<'static> {
        frame(self.exchange, self.started, &Timing::default(), &[])
    }

    fn tell(&self, body: Body) -> Response<AnswerBody> {
        let etag = ETag::of(digest(&SHA256, body.bytes()).as_ref());
        rabita_contract::respond(body, Some(&etag), &self.asked, &self.frame()).map(whole)
    }

    fn refused(&self, refusal: Refusal) -> Ended {
        self.ended(Err(refusal), Deed::bus("unread"))
    }

    fn ended(&self, result: Result<Response<AnswerBody>, Refusal>, deed: Deed) -> Ended {
        match result {
            Ok(response) => Ended { response, deed, refusal: None, span: None },
            Err(refusal) => {
                let response = rabita_contract::problem(&refusal, &self.asked, &self.frame()).map(whole);
                Ended { response, deed, refusal: Some(refusal), span: None }
            }
        }
    }
}

/// What the ledger calls a question to the bus itself.
const fn service(route: &Route) -> &'static str {
    match route {
        Route::Catalogue => "catalogue",
        Route::OpenApi => "openapi",
        Route::AsyncApi => "asyncapi",
        Route::Schemas(_) => "schemas",
        Route::Update(_) | Route::Updates(_) => "updates",
        _ => "other",
    }
}
