//! The other direction: a program in any language at an address that the bus calls.

use std::sync::atomic::{AtomicU16, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, StatusCode};
use rabita_http::{Client, Outgoing as Request};
use rabita_model::RegistryId;
use rabita_sdk::{Call, Failure, Promise, RegistrySpec};

use crate::fit::fit;
use crate::message::{Describe, Description};
use crate::names::Names;
use crate::transport::{Outgoing, Streaming, Transport, failure, headers, no_answer};
use crate::version::SPOKEN;

/// An address where the wire contract is served.
pub(crate) struct Direct {
    client: Client,
    spec: RegistrySpec,
    names: Names,
    promise: Promise,
    /// The version that is spoken.
    wire: AtomicU16,
}

impl Direct {
    pub fn new(client: Client, spec: RegistrySpec, promise: Promise) -> Self {
        let names = Names::of(&spec, crate::names::WIRE);
        Self { client, spec, names, promise, wire: AtomicU16::new(SPOKEN.newest) }
    }

    fn request(&self, ask: Outgoing, call: &Call) -> Request {
        let headers = headers(self.wire.load(Ordering::Relaxed), call);
        Request { method: Method::POST, path: ask.path(), headers, body: Some(ask.body), changes: ask.changes }
    }

    fn about(registry: Option<&RegistryId>, call: &'static str, body: Bytes) -> Outgoing {
        Outgoing { registry: registry.cloned(), call, entity: None, body, changes: false }
    }

    /// What is served there; the version that is spoken follows from it.
    async fn describe(&self, call: &Call) -> Result<Description, Failure> {
        let body = serde_json::to_vec(&Describe { wire: SPOKEN }).expect("it is JSON");
        let answer = self.send(Self::about(None, "describe", body.into()), call).await?;
        let described: Description = serde_json::from_slice(&answer)
            .map_err(|_| no_answer("it describes itself in another form than the wire contract's", false))?;
        if !SPOKEN.speak(described.wire) {
            return Err(no_answer(
                format!("it chose version {} of the wire contract, and {SPOKEN} is spoken", described.wire),
                false,
            ));
        }
        self.wire.store(described.wire, Ordering::Relaxed);
        Ok(described)
    }
}

#[async_trait]
impl Transport for Direct {
    async fn send(&self, ask: Outgoing, call: &Call) -> Result<Bytes, Failure> {
        let changes = ask.changes;
        let answer = self.client.send(self.request(ask, call), call).await?;
        if answer.status == StatusCode::OK {
            Ok(answer.body)
        } else {
            Err(failure(answer.status.as_u16(), &answer.body, changes))
        }
    }

    async fn stream(&self, ask: Outgoing, call: &Call) -> Result<Streaming, Failure> {
        use futures_util::TryStreamExt as _;
        const FAILURE_MAX: usize = 16 * 1024;
        let mut answer = self.client.send_streaming(self.request(ask, call), call).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Streaming { body: None, length: None, media_type: None });
        }
        if answer.status != StatusCode::OK {
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunks.try_next().await?.filter(|chunk| body.len() + chunk.len() <= FAILURE_MAX) {
                body.extend_from_slice(&chunk);
            }
            return Err(failure(answer.status.as_u16(), &body, false));
        }
        let said = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let length = said(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let media_type = said(CONTENT_TYPE).map(str::to_owned);
        Ok(Streaming { body: Some(answer.chunks), length, media_type })
    }

    /// Asks what is served there, whether that is what the manifest relies on, and whether the registry answers.
    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        let described = self.describe(call).await?;
        let registry = &self.spec.registry;
        let Some(served) = described.registries.iter().find(|served| served.registry == registry.as_str()) else {
            return Err(Failure::unavailable(format!("the registry `{registry}` is not served there")));
        };
        if let Some(why) = fit(&self.spec, &self.names, self.promise, served).into_iter().flatten().next() {
            return Err(Failure::unavailable(why));
        }
        self.send(Self::about(Some(registry), "probe", Bytes::from_static(b"{}")), call).await.map(drop)
    }

    /// The connections go with the client.
    async fn close(&self) {}
}
