//! Answers in the bus's terms become responses.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use rabita_contract::{Asked, Body, ChangeTerms, ETag, Frame, RateLimit, UpdatesQuery};
use rabita_core::{Answer, LimitState, Timing};
use rabita_journal::Filter;
use rabita_model::ask::Key;
use rabita_model::{Code, ExchangeId, Outcome, Refusal};

use super::AnswerBody;
use crate::node::binary;

pub(super) fn filter(query: UpdatesQuery) -> Filter {
    let UpdatesQuery { state, registry, since, limit, cursor } = query;
    let limit = limit.map_or(0, |limit| limit as usize);
    Filter { state, registry, since, limit, cursor, ..Filter::default() }
}

/// Lets what is left of a body arrive, up to a bound. An HTTP/2 stream that ended before its body was sent would be
/// reset, and some callers then lose the answer that had come before.
pub(super) fn discard(mut body: Incoming) {
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
pub(super) fn refused_with(answer: &Answer) -> Option<Code> {
    let Answer::Change { entry, .. } = answer else { return None };
    let conclusion = entry.conclusion.as_ref().filter(|conclusion| conclusion.outcome != Outcome::Applied)?;
    conclusion.code
}

pub(super) async fn respond(
    answer: Answer,
    within: &str,
    asked: &Asked,
    frame: &mut Frame<'_>,
) -> Result<Response<AnswerBody>, Refusal> {
    Ok(match answer {
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
        Answer::Binary { stream, media_type } => binary::respond(stream, &media_type, asked, frame).await?,
    })
}

pub(super) fn whole(bytes: Bytes) -> AnswerBody {
    Either::Left(Full::new(bytes))
}

pub(super) fn frame<'a>(exchange: ExchangeId, started: Instant, timing: &Timing, limits: &'a [RateLimit<'a>]) -> Frame<'a> {
    Frame {
        bus: started.elapsed().saturating_sub(timing.registry),
        registry: (!timing.registry.is_zero()).then_some(timing.registry),
        limits,
        ..Frame::new(exchange)
    }
}

pub(super) fn told(state: &LimitState) -> RateLimit<'static> {
    RateLimit {
        policy: state.name,
        quota: u64::from(state.quota),
        window_s: 1,
        remaining: u64::from(state.remaining),
        reset_s: state.reset_s,
    }
}
