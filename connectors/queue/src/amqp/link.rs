//! A connection that is open, and one request on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind};
use rabita_sdk::{Call, Failure};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::open::said;
use crate::broker::{Destination, Outgoing, lost};
use crate::pending::Pending;
use crate::supervisor;
use crate::wire::{Life, Patience, SILENCE};

/// A connection, its channel and its queue of replies.
pub(crate) struct Link {
    pub(super) connection: Connection,
    pub(super) channel: Channel,
    pub(super) reply_to: ShortString,
    pub(super) pending: Arc<Pending>,
    pub(super) life: Life,
    /// Exchanges that were not there when the connection was made.
    pub(super) missing: BTreeSet<String>,
}

impl Link {
    /// Sends a request and waits for its reply; whoever calls sees to the deadline.
    pub(super) async fn ask(&self, request: &Outgoing, call: &Call) -> Result<Bytes, Failure> {
        let to = &request.to;
        if self.missing.contains(&to.exchange) {
            return Err(no_exchange(&to.exchange));
        }
        if self.connection.status().blocked() {
            return Err(Failure::unavailable("the broker takes no messages now: it is out of memory or disk"));
        }
        let mut expected = self.pending.expect();
        let properties = self.properties(request, expected.id, call);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, routing_key) = (to.exchange.as_str().into(), to.name.as_str().into());
        let mut patience = Patience::with(&self.life);
        let publish = self.channel.basic_publish(exchange, routing_key, options, &request.body, properties);
        let confirm = async { publish.await?.await };
        tokio::pin!(confirm);
        loop {
            tokio::select! {
                biased;
                reply = &mut expected.reply => {
                    patience.is_over = true;
                    return reply.map_err(|_| lost(request.changes, CLOSED));
                }
                outcome = &mut confirm, if !patience.is_over => {
                    patience.is_over = true;
                    self.taken(outcome, request)?;
                }
                () = self.life.ended.cancelled() => return Err(lost(request.changes, CLOSED)),
            }
        }
    }

    /// Whether what the requests go to is there.
    pub(super) async fn probe(&self, destinations: &BTreeSet<Destination>) -> Result<(), Failure> {
        let _patience = Patience::with(&self.life);
        let gone = |error: &lapin::Error| Failure::unavailable(self.broke(error));
        for to in destinations {
            if self.missing.contains(&to.exchange) {
                return Err(no_exchange(&to.exchange));
            }
            // Closed by the broker where the queue is not there, so it is one of its own.
            let channel = self.connection.create_channel().await.map_err(|error| gone(&error))?;
            if to.exchange.is_empty() {
                let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                match channel.queue_declare(to.name.as_str().into(), passive, FieldTable::default()).await {
                    Ok(_) => {}
                    Err(error) if code(&error) == Some(NOT_FOUND) => return Err(unroutable(to)),
                    // The queue is there, and the user may write to it but not look at it.
                    Err(error) if error.is_amqp_soft_error() => continue,
                    Err(error) => return Err(gone(&error)),
                }
            }
            channel.close(200, "".into()).await.map_err(|error| gone(&error))?;
        }
        Ok(())
    }

    /// What the broker's word for a request means.
    fn taken(&self, outcome: lapin::Result<Confirmation>, request: &Outgoing) -> Result<(), Failure> {
        match outcome {
            Ok(Confirmation::Ack(None) | Confirmation::NotRequested) => Ok(()),
            Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))) => Err(unroutable(&request.to)),
            Ok(Confirmation::Nack(None)) => {
                Err(lost(request.changes, "the broker did not take the request: its queue may be full"))
            }
            Err(error) => Err(lost(request.changes, &self.broke(&error))),
        }
    }

    /// Lets go of the connection at once: whoever fails with it first may call again before its end is noticed otherwise.
    fn broke(&self, error: &lapin::Error) -> String {
        self.life.ended.cancel();
        said(error)
    }

    fn properties(&self, request: &Outgoing, correlation: Uuid, call: &Call) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert("x-request-id".into(), AMQPValue::LongString(call.exchange.to_string().into()));
        if let Some(parent) = &call.traceparent {
            headers.insert("traceparent".into(), AMQPValue::LongString(parent.as_str().into()));
        }
        // Nobody waits for what is carried out later: a request that is not taken by then is thrown away by the broker.
        let expiration = call.remaining().as_millis().max(1).to_string();
        BasicProperties::default()
            .with_content_type("application/json".into())
            .with_correlation_id(correlation.to_string().into())
            .with_reply_to(self.reply_to.clone())
            .with_message_id(request.message_id.to_string().into())
            .with_expiration(expiration.into())
            .with_app_id("rabita".into())
            .with_headers(headers)
    }
}

#[async_trait]
impl supervisor::Link for Link {
    fn ended(&self) -> &CancellationToken {
        &self.life.ended
    }

    /// The client of AMQP knows that nothing can be sent before the connection ends.
    fn is_sound(&self) -> bool {
        !self.life.ended.is_cancelled() && self.connection.status().connected() && self.channel.status().connected()
    }

    /// Says farewell to the broker, which else would write of a client that vanished.
    async fn close(&self) {
        let farewell = self.connection.close(200, "".into());
        // A broker that does not answer is left all the same.
        let _answered = tokio::time::timeout(SILENCE, farewell).await;
        self.life.ended.cancel();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.life.ended.cancel();
    }
}

const CLOSED: &str = "the connection to the broker broke";

/// AMQP 0-9-1, section 1.1: reply codes.
const NOT_FOUND: u16 = 404;

fn unroutable(to: &Destination) -> Failure {
    let (exchange, key) = (&to.exchange, &to.name);
    Failure::unavailable(if exchange.is_empty() {
        format!("there is no queue `{key}`: correct `routing_key`, or have the queue made")
    } else {
        format!("the exchange `{exchange}` leads nowhere for the routing key `{key}`: a binding is missing")
    })
}

fn no_exchange(exchange: &str) -> Failure {
    Failure::unavailable(format!("there is no exchange `{exchange}`, or the user may not use it"))
}

fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
