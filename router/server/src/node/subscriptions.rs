//! What callers ask about events: to stream them, or to have them sent.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use rabita_config::Country;
use rabita_contract::event::stream_head;
use rabita_contract::{Asked, Body, Frame, Route};
use rabita_core::{Bus, Evidence};
use rabita_journal::Journal;
use rabita_ledger::Ledger;
use rabita_model::{Code, Refusal, SystemId};
use serde_json::Value;
use tokio::sync::watch;

use super::events::{Releases, Streams, Tail};
use super::exchange::AnswerBody;
use super::webhooks::{Desk, SenderError, Webhooks};

/// Everything about events that callers ask for.
pub(super) struct Subscriptions {
    streams: Streams,
    desk: Desk,
}

impl Subscriptions {
    /// Streams and subscriptions, and the webhooks that serve these.
    ///
    /// # Errors
    /// When the authorities of receivers cannot be read.
    pub fn open(
        bus: &Arc<Bus>,
        journal: &Arc<dyn Journal>,
        country: &Country,
        stops: watch::Receiver<bool>,
        ledger: Option<Arc<Ledger>>,
    ) -> Result<(Self, Webhooks), SenderError> {
        let tail = Arc::new(Tail::new(journal));
        let releases = Releases::new(ledger);
        let streams = Streams::new(bus, &tail, &releases, &country.node.limits, stops);
        let (webhooks, desk) = Webhooks::open(bus, &tail, releases, &country.node.webhooks, &country.directory)?;
        Ok((Self { streams, desk }, webhooks))
    }

    /// Answers what is asked about events.
    ///
    /// # Errors
    /// Whatever is refused; `route_absent` for what is not about events.
    pub async fn answer(
        &self,
        route: Route,
        system: SystemId,
        evidence: &Evidence,
        asked: &Asked,
        frame: &Frame<'_>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let desk = &self.desk;
        let (status, told) = match route {
            Route::Events(query) => {
                let stream = self.streams.begin(system, evidence, query).await?;
                return Ok(stream_head(frame).map(|()| Either::Right(StreamBody::new(stream).boxed_unsync())));
            }
            Route::SubscriptionCreate(wish) => {
                let told = desk.create(system, evidence, wish).await?;
                return Ok(created(&told, asked, frame));
            }
            Route::SubscriptionDelete(id) => {
                desk.delete(&system, id).await?;
                let mut response = rabita_contract::respond(Body::json(&()), None, asked, frame).map(|_| empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().remove(http::header::CONTENT_LENGTH);
                response.headers_mut().remove(http::header::CONTENT_TYPE);
                return Ok(response);
            }
            Route::Subscriptions => (StatusCode::OK, desk.list(&system).await?),
            Route::Subscription(id) => (StatusCode::OK, desk.show(&system, id).await?),
            Route::DeadLetters(id) => (StatusCode::OK, desk.dead(&system, id).await?),
            Route::Replay(id) => (StatusCode::ACCEPTED, desk.replay(&system, id).await?),
            _ => return Err(Code::RouteAbsent.into()),
        };
        Ok(respond(status, &told, asked, frame))
    }
}

/// Whether a route is about events.
pub(super) const fn is_asked(route: &Route) -> bool {
    matches!(
        route,
        Route::Events(_)
            | Route::Subscriptions
            | Route::SubscriptionCreate(_)
            | Route::Subscription(_)
            | Route::SubscriptionDelete(_)
            | Route::DeadLetters(_)
            | Route::Replay(_)
    )
}

fn respond(status: StatusCode, told: &Value, asked: &Asked, frame: &Frame<'_>) -> Response<AnswerBody> {
    let mut response = rabita_contract::respond(Body::json(told), None, asked, frame);
    *response.status_mut() = status;
    response.map(|bytes| Either::Left(Full::new(bytes)))
}

/// The one answer that holds a secret, so nobody may keep it.
fn created(told: &Value, asked: &Asked, frame: &Frame<'_>) -> Response<AnswerBody> {
    let mut response = respond(StatusCode::CREATED, told, asked, frame);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let path = told["id"].as_str().map(|id| format!("/bus/subscriptions/{id}"));
    if let Some(path) = path.and_then(|path| HeaderValue::try_from(path).ok()) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

fn empty() -> AnswerBody {
    Either::Left(Full::new(Bytes::new()))
}
