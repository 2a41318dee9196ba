//! A stand-in for broker and registry, from a test's `legacy:`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rabita_sdk::{Call, Failure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::broker::{Broker, Outgoing};

/// A request that is foreseen, and its reply. It may come any number of times; when several fit, the one that says most
/// of its request answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    #[serde(default)]
    pub request: Request,
    #[serde(default)]
    pub response: Response,
}

/// What must hold of a request; what is not given may be anything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    pub exchange: Option<String>,
    pub routing_key: Option<String>,
    pub topic: Option<String>,
    /// The members that the request must have; it may have others beside them.
    pub json: Option<Value>,
}

/// A reply: `json`, or a `text` that need not be JSON. Without either none ever comes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    pub json: Option<Value>,
    pub text: Option<String>,
    /// How long the reply lets wait for itself.
    pub delay_ms: u64,
}

/// A request that went out. What a test leaves out may be anything.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(default)]
    pub exchange: String,
    #[serde(default)]
    pub routing_key: String,
    #[serde(default)]
    pub topic: String,
    /// The key of the message on the topic.
    #[serde(default)]
    pub key: String,
    /// The id of a change or an action; another request's own.
    #[serde(default)]
    pub message_id: String,
    /// The whole request.
    #[serde(default)]
    pub json: Value,
}

/// A broker behind which the registry answers what a test foresees.
pub(crate) struct StandIn {
    /// It stands for Kafka.
    has_topics: bool,
    exchanges: Vec<Exchange>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    asked: Vec<Asked>,
    complaints: Vec<String>,
}

impl StandIn {
    pub(crate) fn new(has_topics: bool, exchanges: Vec<Exchange>) -> Self {
        Self { has_topics, exchanges, told: Mutex::default() }
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).complaints.clone()
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.asked.iter().filter_map(|asked| serde_json::to_value(asked).ok()).collect()
    }

    /// The reply to a request, noted; `None` and a complaint where it is not foreseen.
    fn answer(&self, asked: Asked) -> Option<Response> {
        let fitting = self.exchanges.iter().filter(|exchange| exchange.request.fits(&asked));
        // The first of those that say most: `max_by_key` alone would take the last.
        let best = fitting.rev().max_by_key(|exchange| exchange.request.weight()).map(|exchange| exchange.response.clone());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if best.is_none() {
            let to = if self.has_topics { &asked.topic } else { &asked.routing_key };
            told.complaints.push(format!("not foreseen: to `{to}`: {}", asked.json));
        }
        told.asked.push(asked);
        best
    }
}

#[async_trait]
impl Broker for StandIn {
    async fn ask(&self, request: Outgoing, call: &Call) -> Result<Bytes, Failure> {
        let (routing_key, topic, key) = match self.has_topics {
            true => (String::new(), request.to.name, request.record.unwrap_or_default()),
            false => (request.to.name, String::new(), String::new()),
        };
        let asked = Asked {
            exchange: request.to.exchange,
            routing_key,
            topic,
            key,
            message_id: request.message_id.to_string(),
            json: serde_json::from_slice(&request.body).unwrap_or_default(),
        };
        let Some(response) = self.answer(asked) else {
            return Err(Failure::unavailable("the stand-in does not foresee this request"));
        };
        let reply = match (response.json, response.text) {
            (Some(json), _) => Some(json.to_string()),
            (None, text) => text,
        };
        let come = async {
            tokio::time::sleep(Duration::from_millis(response.delay_ms)).await;
            match reply {
                Some(reply) => Bytes::from(reply),
                None => std::future::pending().await,
            }
        };
        let come = tokio::time::timeout_at(call.deadline.into(), come).await;
        come.map_err(|_| Failure::timed_out("the deadline passed"))
    }

    async fn probe(&self, _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn close(&self) {}
}

impl Request {
    fn fits(&self, asked: &Asked) -> bool {
        self.exchange.as_ref().is_none_or(|exchange| *exchange == asked.exchange)
            && self.routing_key.as_ref().is_none_or(|key| *key == asked.routing_key)
            && self.topic.as_ref().is_none_or(|topic| *topic == asked.topic)
            && self.json.as_ref().is_none_or(|json| holds(&asked.json, json))
    }

    fn weight(&self) -> usize {
        usize::from(self.exchange.is_some())
            + usize::from(self.routing_key.is_some())
            + usize::from(self.topic.is_some())
            + self.json.as_ref().map_or(0, |json| 1 + leaves(json))
    }
}

/// Whether a value has everything that another has.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        (whole, part) => whole == part,
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}
