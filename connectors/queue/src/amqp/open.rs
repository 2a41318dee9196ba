//! Makes a connection that requests can be sent on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_rs::Runtime;
use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, Consumer, ErrorKind, ExchangeKind};
use rabita_sdk::SecretText;
use rustls::ClientConfig;

use super::kit::Kit;
use super::link::Link;
use crate::broker::{Destination, NOT_IN_TIME};
use crate::pending::Pending;
use crate::supervisor::Open;
use crate::wire::{Address, Life, Wire};

/// How a connection is made.
pub(crate) struct Opener {
    pub(crate) addresses: Vec<Address>,
    pub(crate) vhost: String,
    /// A name and a password; without them the bus says who it is by its certificate.
    pub(crate) user: Option<(SecretText, SecretText)>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) heartbeat_seconds: u16,
    pub(crate) connect_timeout: Duration,
    /// Where requests go.
    pub(crate) destinations: BTreeSet<Destination>,
}

#[async_trait]
impl Open for Opener {
    type Link = Link;

    /// Connects to the first address that lets it; the error says why the last one did not.
    async fn open(&self) -> Result<Arc<Link>, String> {
        let mut why = "there is no address".to_owned();
        for address in &self.addresses {
            let life = Life::default();
            // What was begun ends with this, also where the attempt is dropped.
            let guard = life.ended.clone().drop_guard();
            let failed = match tokio::time::timeout(self.connect_timeout, self.open_at(address, &life)).await {
                Ok(Ok(link)) => {
                    guard.disarm();
                    return Ok(link);
                }
                Ok(Err(failed)) => failed,
                Err(_) => NOT_IN_TIME.to_owned(),
            };
            why = format!("{address}: {failed}");
        }
        Err(why)
    }
}

impl Opener {
    async fn open_at(&self, address: &Address, life: &Life) -> Result<Arc<Link>, String> {
        let made = Mutex::new(Some(Wire::connect(address, self.tls.as_ref(), life).await?));
        let connect = async move |_: AMQPUri, _: Runtime<Kit>| {
            let wire = made.lock().unwrap_or_else(PoisonError::into_inner).take();
            let gone = || lapin::Error::from(std::io::Error::from(std::io::ErrorKind::NotConnected));
            wire.map(AsyncTcpStream::Plain).ok_or_else(gone)
        };
        let properties = ConnectionProperties::default().with_connection_name("rabita".into());
        let connection = Connection::connector(self.uri(address), Runtime::new(Kit::current()), connect, properties);
        let connection = connection.await.map_err(|error| said(&error))?;
        let missing = self.missing_exchanges(&connection).await?;
        self.link(connection, missing, life).await.map_err(|error| said(&error))
    }

    fn uri(&self, address: &Address) -> AMQPUri {
        let (username, password, mechanism) = match &self.user {
            Some((user, password)) => (user.expose(), password.expose(), SASLMechanism::Plain),
            None => ("", "", SASLMechanism::External),
        };
        let userinfo = AMQPUserInfo { username: username.to_owned(), password: password.to_owned() };
        AMQPUri {
            // The connection is secured before the client is given it.
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority { userinfo, host: address.host.clone(), port: address.port },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(self.heartbeat_seconds),
                auth_mechanism: Some(mechanism),
                ..AMQPQueryString::default()
            },
        }
    }

    /// The exchanges that are not there. A message to one would end the channel, and with it all that is under way.
    async fn missing_exchanges(&self, connection: &Connection) -> Result<BTreeSet<String>, String> {
        let named: BTreeSet<&str> = self.destinations.iter().map(|to| to.exchange.as_str()).collect();
        let mut missing = BTreeSet::new();
        for exchange in named.into_iter().filter(|name| !name.is_empty()) {
            let channel = connection.create_channel().await.map_err(|error| said(&error))?;
            let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
            let declared = channel.exchange_declare(exchange.into(), ExchangeKind::Direct, passive, FieldTable::default());
            match declared.await {
                Ok(()) => channel.close(200, "".into()).await.map_err(|error| said(&error))?,
                Err(error) if error.is_amqp_soft_error() => {
                    missing.insert(exchange.to_owned());
                }
                Err(error) => return Err(said(&error)),
            }
        }
        Ok(missing)
    }

    async fn link(&self, connection: Connection, missing: BTreeSet<String>, life: &Life) -> lapin::Result<Arc<Link>> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let reply_to = channel.queue_declare("".into(), own, FieldTable::default()).await?.name().clone();
        let take = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(reply_to.clone(), "".into(), take, FieldTable::default()).await?;
        let pending = Arc::new(Pending::default());
        tokio::spawn(receive(consumer, Arc::clone(&pending), life.clone()));
        Ok(Arc::new(Link { connection, channel, reply_to, pending, life: life.clone(), missing }))
    }
}

/// Hands replies to those who wait for them, until the connection ends.
async fn receive(mut consumer: Consumer, pending: Arc<Pending>, life: Life) {
    let _ends_with_this = life.ended.clone().drop_guard();
    loop {
        let delivery = tokio::select! {
            delivery = consumer.next() => delivery,
            () = life.ended.cancelled() => return,
        };
        let Some(Ok(delivery)) = delivery else { return };
        let correlation = delivery.properties.correlation_id().as_ref().map(|id| id.to_string());
        pending.deliver(correlation.as_deref().unwrap_or_default(), delivery.data.into());
    }
}

/// What the client says went wrong, without the broker's own text.
pub(super) fn said(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.get_id() {
            403 => "the broker refuses access (403): the user, the password or the user's rights are not enough".to_owned(),
            530 => "the broker refuses access (530): there is no such vhost, or the user may not use it".to_owned(),
            code => format!("the broker closes the channel or the connection with {code}"),
        },
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ParsingError(_) => "what came is not AMQP 0-9-1".to_owned(),
        ErrorKind::InvalidProtocolVersion(_) => "the broker does not speak AMQP 0-9-1".to_owned(),
        ErrorKind::MissingHeartbeatError => "the broker gave no sign of life".to_owned(),
        _ => "the connection is closed".to_owned(),
    }
}
