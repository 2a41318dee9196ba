//! Updates for operators, on the admin listener: lists, shows, sends parked updates on their way again, discards them.
//!
//! Pure over the journal: a request's parts in, an answer out, so that the listener only moves bytes. No payload, no
//! reply of a registry, and no name of the person on whose behalf an update came is ever shown here.
//!
//! The admin listener is in the clear and takes no password. Orders are therefore taken from this machine alone, wherever
//! else the listener can be reached for metrics. A page in an operator's browser is on this machine too: an order must be
//! `application/json`, which a page of another origin cannot send without being allowed first, and must have no `Origin`
//! header, which a browser sends with every POST.

mod order;
mod shown;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use rabita_journal::{Acted, Filter, Journal, JournalError, OperatorAct, Verb};
use rabita_model::{Entry, State, UpdateId};
use serde_json::{Value, json};

use order::{Order, Sought, Wanted};

/// The largest body of an order: some 20,000 ids.
pub(super) const BODY_MAX: usize = 1_048_576;

/// The path below which everything of this module lies.
pub(super) const ROOT: &str = "/updates";

/// How many acts `GET /updates/acts` tells where the query does not say.
const ACTS: usize = 100;

/// How many earlier updates of a record a dry run looks at.
const EARLIER_MAX: usize = 1_000;

/// A request to this module.
pub(super) struct Request<'a> {
    pub head: &'a http::request::Parts,
    pub body: &'a [u8],
    /// Whether it comes from the machine that the node runs on.
    pub is_local: bool,
    pub now: Timestamp,
}

/// The updates of a node, as operators see them.
#[derive(Clone)]
pub struct Operators {
    /// `None` where no registry of the configuration offers changes.
    journal: Option<Arc<dyn Journal>>,
}

/// Why an operator's request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub message: String,
}

impl Refused {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<JournalError> for Refused {
    fn from(error: JournalError) -> Self {
        let status = match error {
            JournalError::Full(_) | JournalError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            JournalError::PositionInvalid => return Self::new(StatusCode::BAD_REQUEST, "the cursor is not one of this journal"),
            JournalError::Lost => StatusCode::CONFLICT,
            JournalError::Corrupt(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl Operators {
    /// Over the node's journal, where it keeps one.
    #[must_use]
    pub fn new(journal: Option<Arc<dyn Journal>>) -> Self {
        Self { journal }
    }

    /// Answers a request whose path begins with `/updates`.
    pub async fn answer(&self, request: Request<'_>) -> Response<Full<Bytes>> {
        match self.told(request).await {
            Ok(told) => json_response(StatusCode::OK, &told),
            Err(refused) => json_response(refused.status, &json!({ "error": refused.message })),
        }
    }

    /// The journal's part of `/readyz`, where there is a journal.
    #[must_use]
    pub fn health(&self) -> Option<Value> {
        let health = self.journal.as_ref()?.health();
        Some(match health {
            Ok(()) => json!({ "healthy": true }),
            Err(why) => json!({ "healthy": false, "why": why }),
        })
    }

    async fn told(&self, Request { head, body, is_local, now }: Request<'_>) -> Result<Value, Refused> {
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let place = path.strip_prefix(ROOT).unwrap_or_default();
        let verb = match place {
            "/retry" => Some(Verb::Retry),
            "/discard" => Some(Verb::Discard),
            _ => None,
        };
        let wanted = if verb.is_some() { Method::POST } else { Method::GET };
        if head.method != wanted {
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes {wanted}")));
        }
        let journal = self.journal.as_deref().ok_or_else(|| {
            Refused::new(StatusCode::NOT_FOUND, "this node keeps no journal: no registry of its configuration offers changes")
        })?;
        match (verb, place) {
            (Some(verb), _) => {
                may_order(&head.headers, is_local)?;
                act(journal, verb, Order::parse(body)?, now).await
            }
            (None, "" | "/") => list(journal, Wanted::of_query(query)?, now).await,
            (None, "/acts") => acts(journal, query).await,
            (None, id) => show(journal, id.trim_start_matches('/')).await,
        }
    }
}

/// Refuses what does not come from this machine, or could come from a page in a browser: see the top of this file.
pub(super) fn may_order(headers: &HeaderMap, is_local: bool) -> Result<(), Refused> {
    if !is_local {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "orders are taken from the machine that the node runs on, and from no other",
        ));
    }
    if headers.contains_key(ORIGIN) {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "a request with an Origin comes from a page; orders are not taken from pages",
        ));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "an order is application/json"));
    }
    Ok(())
}

async fn list(journal: &dyn Journal, wanted: Wanted, now: Timestamp) -> Result<Value, Refused> {
    let page = journal.entries(&wanted.filter(now)?).await?;
    let updates: Vec<Value> = page.updates.iter().map(shown::line).collect();
    Ok(json!({ "updates": updates, "next": page.next }))
}

async fn show(journal: &dyn Journal, id: &str) -> Result<Value, Refused> {
    let id: UpdateId = id.parse().map_err(|error| Refused::new(StatusCode::NOT_FOUND, format!("no update id: {error}")))?;
    let entry = journal.entry(id).await?;
    entry.as_ref().map(shown::whole).ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, format!("the journal has no update {id}")))
}

async fn acts(journal: &dyn Journal, query: &str) -> Result<Value, Refused> {
    let limit = Wanted::of_query(query)?.limit.unwrap_or(ACTS).min(order::LIMIT_MAX);
    let acts = journal.acts(limit).await?;
    let acts: Vec<Value> = acts.iter().map(shown::act).collect();
    Ok(json!({ "acts": acts }))
}

/// Does what was ordered, or tells what it would do.
async fn act(journal: &dyn Journal, verb: Verb, order: Order, now: Timestamp) -> Result<Value, Refused> {
    let (operator, reason) = order.signed(verb)?;
    let (ids, next) = match order.sought {
        Sought::Ids(ids) => (ids, None),
        Sought::Filter(wanted) => parked(journal, &wanted, now).await?,
    };
    let results = if order.dry_run {
        foreseen(journal, &ids).await?
    } else if ids.is_empty() {
        Vec::new()
    } else {
        let count = ids.len();
        let results = journal.act(OperatorAct { verb, ids, operator: operator.clone(), reason, at: now }).await?;
        let done = results.iter().filter(|(_, acted)| *acted == Acted::Done).count();
        tracing::info!(verb = shown::verb(verb), operator, updates = count, done, "an operator's act");
        results
    };
    Ok(shown::results(verb, order.dry_run, &results, next.as_deref()))
}

/// The parked updates of one page of a filter, and where the next page begins.
async fn parked(journal: &dyn Journal, wanted: &Wanted, now: Timestamp) -> Result<(Vec<UpdateId>, Option<String>), Refused> {
    let filter = wanted.filter(now)?;
    if filter.state.is_some_and(|state| state != State::Parked) {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "only parked updates can be retried or discarded"));
    }
    let page = journal.entries(&Filter { state: Some(State::Parked), ..filter }).await?;
    Ok((page.updates.iter().map(|entry| entry.update.id).collect(), page.next))
}

/// What [`Journal::act`] would answer.
async fn foreseen(journal: &dyn Journal, ids: &[UpdateId]) -> Result<Vec<(UpdateId, Acted)>, Refused> {
    let chosen: HashSet<UpdateId> = ids.iter().copied().collect();
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let acted = match journal.entry(*id).await? {
            None => Acted::Absent,
            Some(entry) if entry.state() != State::Parked => Acted::NotParked { state: entry.state() },
            Some(entry) => earlier(journal, &entry, &chosen).await?.map_or(Acted::Done, |id| Acted::Behind { id }),
        };
        results.push((*id, acted));
    }
    Ok(results)
}

/// The first parked update of the same record before this one that was not chosen too.
async fn earlier(journal: &dyn Journal, entry: &Entry, chosen: &HashSet<UpdateId>) -> Result<Option<UpdateId>, Refused> {
    let filter = Filter {
        registry: Some(entry.update.target.registry.clone()),
        record: Some(entry.update.record.clone()),
        state: Some(State::Parked),
        limit: EARLIER_MAX,
        ..Filter::default()
    };
    let page = journal.entries(&filter).await?;
    let before = page.updates.iter().map(|other| other.update.id).take_while(|id| *id != entry.update.id);
    Ok(before.into_iter().find(|id| !chosen.contains(id)))
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body:#}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
