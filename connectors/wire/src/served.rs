//! The serving side: takes messages, asks connectors, and answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, Limited, StreamBody};
use rabita_model::ExchangeId;
use rabita_sdk::{Act, BinaryStream, Call, Change, Changes, Connector, Failure, OpenBinary, Read, RegistrySpec, Search};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::convert::{exact, legacy, unspoken};
use crate::digest;
use crate::message::{
    ActMessage, ActedAnswer, AppliedAnswer, BinaryMessage, ChangeMessage, ChangesAnswer, ChangesMessage, Describe, Description,
    EntityDescription, FailureMessage, FailureWord, ForgoAnswer, ForgoMessage, Nothing, PageAnswer, ReadManyMessage, ReadMessage,
    RegistryDescription, RowAnswer, RowsAnswer, SearchMessage, TableAnswer, TableMessage,
};
use crate::names::Names;
use crate::transport::{DEADLINE, REQUEST_ID, TRACEPARENT, WIRE};
use crate::value::ExactRow;
use crate::version::{SPOKEN, Versions};

/// Registries that are served to buses.
pub struct Served {
    /// The name of this program among those that serve the same registries.
    pub instance: String,
    /// Its name and version.
    pub software: String,
    pub versions: Versions,
    registries: BTreeMap<String, ServedRegistry>,
}

/// One registry that is served.
pub struct ServedRegistry {
    pub spec: RegistrySpec,
    names: Names,
    pub connector: Arc<dyn Connector>,
}

/// The body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, Failure>;

/// The longest message that is read, in bytes.
const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// The time for a message that names none.
const UNSAID: Duration = Duration::from_secs(30);

/// What is answered: JSON, bytes on their way, or nothing.
enum Answer {
    Json(Vec<u8>),
    Binary(Option<BinaryStream>),
}

impl Served {
    /// Serves nothing yet.
    #[must_use]
    pub fn new(instance: impl Into<String>, software: impl Into<String>) -> Self {
        Self { instance: instance.into(), software: software.into(), versions: SPOKEN, registries: BTreeMap::new() }
    }

    /// Serves this registry, whose manifest is of this kind, by this connector.
    #[must_use]
    pub fn with(mut self, spec: RegistrySpec, kind: &str, connector: Arc<dyn Connector>) -> Self {
        let registry = ServedRegistry { names: Names::of(&spec, kind), spec, connector };
        self.registries.insert(registry.spec.registry.to_string(), registry);
        self
    }

    /// The registries that are served.
    pub fn registries(&self) -> impl Iterator<Item = &ServedRegistry> {
        self.registries.values()
    }

    /// Answers one message. Whoever sent it takes it back by dropping this.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<AnswerBody>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MESSAGE_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return failed(unusable("the message is too long, or ended early")),
        };
        match self.answered(head.uri.path(), &head.headers, &body).await {
            Ok(answer) => response(answer),
            Err(failure) => failed(failure),
        }
    }

    async fn answered(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer, FailureMessage> {
        let path = path.trim_start_matches('/');
        if path == "describe" {
            return self.describe(&read(body)?);
        }
        if let Some(asked) = text(headers, &WIRE).and_then(|text| text.parse().ok())
            && !self.versions.speak(asked)
        {
            return Err(unspoken(self.versions, Versions { oldest: asked, newest: asked }));
        }
        let Some((registry, call)) = path.split_once('/') else { return Err(unusable("there is no such call")) };
        let Some(registry) = self.registries.get(registry) else {
            return Err(Failure::unsupported("this registry is not served here").into());
        };
        registry.answered(call, headers, body).await
    }

    fn describe(&self, asked: &Describe) -> Result<Answer, FailureMessage> {
        let Some(wire) = self.versions.common(asked.wire) else { return Err(unspoken(self.versions, asked.wire)) };
        json(&Description {
            wire,
            instance: self.instance.clone(),
            software: Some(self.software.clone()),
            registries: self.registries.values().map(ServedRegistry::described).collect(),
        })
    }
}

impl ServedRegistry {
    fn described(&self) -> RegistryDescription {
        let entity = |(at, names): (usize, &crate::names::EntityNames)| EntityDescription {
            entity: names.entity.clone(),
            capabilities: self.connector.capabilities(at).into(),
            manifest: Some(digest::of(&self.spec.entities[at])),
        };
        let entities = self.names.entities.iter().enumerate().map(entity).collect();
        RegistryDescription { registry: self.spec.registry.to_string(), entities }
    }

    async fn answered(&self, call: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer, FailureMessage> {
        let at = self.call(headers);
        let connector = &self.connector;
        match call {
            "probe" => {
                connector.probe(&at).await?;
                json(&Nothing {})
            }
            "read" => {
                let ask: ReadMessage = read(body)?;
                let ask = Read { entity: self.entity(&ask.entity)?, key: legacy(ask.key), wanted: ask.wanted.into() };
                json(&RowAnswer { row: connector.read(ask, &at).await?.map(ExactRow) })
            }
            "read_many" => {
                let ask: ReadManyMessage = read(body)?;
                let entity = self.entity(&ask.entity)?;
                let one = |key| Read { entity, key: legacy(key), wanted: ask.wanted.clone().into() };
                let rows = connector.read_many(ask.keys.into_iter().map(one).collect(), &at).await?;
                json(&RowsAnswer { rows: rows.into_iter().map(|row| row.map(ExactRow)).collect() })
            }
            "search" => json(&self.search(read(body)?, &at).await?),
            "apply" => json(&self.apply(read(body)?, &at).await?),
            "act" => json(&self.act(read(body)?, &at).await?),
            "forgo" => {
                let ask: ForgoMessage = read(body)?;
                json(&ForgoAnswer { was_applied: connector.forgo(self.entity(&ask.entity)?, ask.id, &at).await? })
            }
            "changes" => json(&self.changes(read(body)?, &at).await?),
            "open_binary" => {
                let ask: BinaryMessage = read(body)?;
                let ask = OpenBinary { entity: self.entity(&ask.entity)?, key: legacy(ask.key), source: ask.source };
                Ok(Answer::Binary(connector.open_binary(ask, &at).await?))
            }
            "table" => {
                let ask: TableMessage = read(body)?;
                let table = self.names.table(&ask.table).ok_or_else(|| absent("code table"))?;
                if self.spec.tables[table].columns != ask.columns {
                    let detail = "the columns of this code table are others here: the copies of the manifest differ";
                    return Err(Failure::unsupported(detail).into());
                }
                json(&TableAnswer { rows: connector.table(table, &at).await?.into_iter().map(exact).collect() })
            }
            _ => Err(Failure::unsupported("there is no such call in this version of the wire contract").into()),
        }
    }

    async fn search(&self, ask: SearchMessage, at: &Call) -> Result<PageAnswer, FailureMessage> {
        let ask = Search {
            entity: self.entity(&ask.entity)?,
            conditions: ask.conditions.into_iter().map(Into::into).collect(),
            wanted: ask.wanted.into(),
            limit: ask.limit,
            cursor: ask.cursor,
        };
        let page = self.connector.search(ask, at).await?;
        Ok(PageAnswer { rows: page.rows.into_iter().map(ExactRow).collect(), next: page.next })
    }

    async fn apply(&self, ask: ChangeMessage, at: &Call) -> Result<AppliedAnswer, FailureMessage> {
        let change = Change {
            entity: self.entity(&ask.entity)?,
            id: ask.id,
            kind: ask.change.into(),
            key: legacy(ask.key),
            values: ask.values.0,
            expected_version: ask.expected_version.map(|version| version.0),
        };
        Ok(AppliedAnswer { applied: self.connector.apply(change, at).await?.into() })
    }

    async fn act(&self, ask: ActMessage, at: &Call) -> Result<ActedAnswer, FailureMessage> {
        let entity = self.entity(&ask.entity)?;
        let action = self.names.entities[entity].actions.iter().position(|own| *own == ask.action);
        let act = Act {
            entity,
            action: action.ok_or_else(|| absent("action"))?,
            id: ask.id,
            key: legacy(ask.key),
            values: ask.values.0,
            expected_version: ask.expected_version.map(|version| version.0),
        };
        let acted = self.connector.act(act, at).await?;
        Ok(ActedAnswer { applied: acted.applied.into(), reply: acted.reply.map(ExactRow) })
    }

    async fn changes(&self, ask: ChangesMessage, at: &Call) -> Result<ChangesAnswer, FailureMessage> {
        let ask = Changes { entity: self.entity(&ask.entity)?, since: ask.since, wanted: ask.wanted.into(), limit: ask.limit };
        let page = self.connector.changes(ask, at).await?;
        Ok(ChangesAnswer {
            changes: page.changes.into_iter().map(Into::into).collect(),
            since: page.since,
            has_more: page.has_more,
        })
    }

    fn entity(&self, name: &str) -> Result<usize, FailureMessage> {
        self.names.entity(name).ok_or_else(|| absent("entity"))
    }

    /// The call that headers tell of. It lasts no longer than the registry's own time, whatever the other side would like.
    fn call(&self, headers: &HeaderMap) -> Call {
        let asked = text(headers, &DEADLINE).and_then(|text| text.parse().ok()).map_or(UNSAID, Duration::from_millis);
        let exchange = text(headers, &REQUEST_ID).and_then(|text| text.parse().ok());
        Call {
            exchange: exchange.unwrap_or_else(|| ExchangeId::new(Uuid::now_v7())),
            deadline: Instant::now() + asked.min(self.spec.timeout),
            traceparent: text(headers, &TRACEPARENT).map(str::to_owned),
        }
    }
}

fn absent(what: &str) -> FailureMessage {
    Failure::unsupported(format!("there is no such {what} here: the copies of the manifest differ")).into()
}

/// What cannot be understood was not done.
fn unusable(detail: &str) -> FailureMessage {
    Failure::unsupported(detail).into()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, FailureMessage> {
    // The text of the error may hold a value: only its place is told.
    serde_json::from_slice(body)
        .map_err(|wrong| unusable(&format!("the message is not of the contract's form, at byte {}", wrong.column())))
}

fn json<T: Serialize>(answer: &T) -> Result<Answer, FailureMessage> {
    let body = serde_json::to_vec(answer).map_err(|_| Failure::malformed("the answer cannot be written as JSON"))?;
    Ok(Answer::Json(body))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn response(answer: Answer) -> Response<AnswerBody> {
    let stream = match answer {
        Answer::Json(body) => return json_response(StatusCode::OK, body),
        Answer::Binary(None) => {
            let mut response = Response::new(Empty::new().map_err(never).boxed_unsync());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        Answer::Binary(Some(stream)) => stream,
    };
    let (length, media_type) = (stream.length, stream.media_type);
    // A failure within the bytes resets the stream: whoever reads it sees no end.
    let mut response = Response::new(StreamBody::new(stream.chunks.map_ok(Frame::data)).boxed_unsync());
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(Ok(media_type)) = media_type.map(HeaderValue::try_from) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

fn failed(failure: FailureMessage) -> Response<AnswerBody> {
    // For logs and proxies: whoever asked goes by the body.
    let status = match failure.failure {
        FailureWord::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        FailureWord::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FailureWord::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        FailureWord::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        FailureWord::Malformed => StatusCode::BAD_GATEWAY,
        FailureWord::Unsupported => StatusCode::NOT_IMPLEMENTED,
        FailureWord::Version => StatusCode::UPGRADE_REQUIRED,
    };
    json_response(status, serde_json::to_vec(&failure).unwrap_or_default())
}

/// A response with this JSON.
pub(crate) fn json_response(status: StatusCode, body: Vec<u8>) -> Response<AnswerBody> {
    let mut response = Response::new(Full::new(Bytes::from(body)).map_err(never).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn never(never: Infallible) -> Failure {
    match never {}
}
