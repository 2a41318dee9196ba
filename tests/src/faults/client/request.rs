//! One update as it is sent, each time the same.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::bus::Caller;
use crate::faults::dice::Dice;
use crate::faults::log::{Intention, Operation};

/// An update to send.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) intention: Intention,
    method: Method,
    path: String,
    body: Option<Value>,
    prefer: Option<&'static str>,
    latest: Option<Timestamp>,
}

impl Request {
    /// Makes one that says what is intended; how long its caller waits is a matter of chance.
    pub(super) fn new(intention: Intention, remark_bytes: usize, dice: &mut Dice) -> Self {
        let collection = "/api/bank/v1/accounts";
        let (note, remark) = (&intention.update, "x".repeat(remark_bytes));
        let record = || json!({ "number": intention.record, "note": note, "remark": remark });
        let (method, body) = match intention.operation {
            Operation::Create => (Method::POST, Some(record())),
            Operation::Replace => (Method::PUT, Some(record())),
            Operation::Update => (Method::PATCH, Some(json!({ "note": note, "remark": remark }))),
            Operation::Delete => (Method::DELETE, None),
        };
        let path = match intention.operation {
            Operation::Create => collection.to_owned(),
            _ => format!("{collection}/{}", intention.record),
        };
        let prefer = match dice.below(100) {
            0..55 => Some("respond-async"),
            55..75 => Some("wait=1"),
            _ => None,
        };
        let latest = intention.may_expire.then(|| Timestamp::now() + Duration::from_millis(dice.below(3000) as u64));
        Self { intention, method, path, body, prefer, latest }
    }

    /// For one node.
    pub(super) fn to(&self, node: &Caller) -> RequestBuilder {
        let mut request = node.request(self.method.clone(), &self.path).header("idempotency-key", &self.intention.update);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        if let Some(prefer) = self.prefer {
            request = request.header("prefer", prefer);
        }
        if let Some(latest) = self.latest {
            request = request.header("rabita-apply-until", latest.to_string());
        }
        request
    }
}
