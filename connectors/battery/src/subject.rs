//! What a kind of connector brings to the battery.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::{Kind, RegistrySpec, Secrets};

use crate::Person;
use crate::world::NoSecrets;

/// A registry of people in one kind of legacy system, reached through that kind's connector.
///
/// Methods that can't do what they should panic with a sentence that says what is missing.
#[async_trait]
pub trait Subject: Send + Sync + Sized + 'static {
    /// Sets up an empty registry that no other test sees, starting the legacy system where it does not run yet.
    async fn set_up(need: Need) -> Self;

    /// The kind.
    fn kind(&self) -> Arc<dyn Kind>;

    /// The registry as the connector is to see it, made with [`crate::people::registry`].
    fn spec(&self, target: Target) -> RegistrySpec;

    /// The secrets that the registry's description names.
    fn secrets(&self) -> Box<dyn Secrets> {
        Box::new(NoSecrets)
    }

    /// Where the legacy system listens; `None` when it has no server but a file.
    fn address(&self) -> Option<SocketAddr>;

    /// Where the proxy before the legacy system has to listen, when that tells its clients where to connect; `None` when
    /// it may listen anywhere.
    fn proxied_at(&self) -> Option<SocketAddr> {
        None
    }

    /// Makes these the people of the registry, and them alone, without the connector.
    async fn load(&self, people: &[Person]);

    /// All people of the registry in the order of their keys, read without the connector.
    async fn people(&self) -> Vec<Person>;

    /// Ends the legacy system as a power cut would. Only asked of one that was set up for [`Need::Alone`].
    async fn stop(&self);

    /// Starts it again at the same address and returns when it answers. Its records may be gone.
    async fn start(&self);

    /// Makes the legacy system unable to answer until the result is dropped. Only asked of one without an address:
    /// the others are slowed by the proxy.
    async fn hold(&self) -> Stall {
        panic!("a legacy system without an address has to hold its answers by itself")
    }

    /// Whether what lies between connector and legacy system lets go of a question that nobody waits for any more. Says
    /// `false` for what is known to hang there, out of the connector's reach, so that it is not blamed for it.
    fn lets_go(&self) -> bool {
        true
    }

    /// Whether the connector always has a question under way, as one that waits for whatever comes next. That none is left
    /// by a call can't be seen from outside then.
    fn always_asks() -> bool {
        false
    }

    /// Whether the connector answers from a copy of its own. A legacy system that is slow or away then hinders no read,
    /// once there is a copy; only `probe` tells.
    fn answers_from_copies() -> bool {
        false
    }

    /// Whether the legacy system itself keeps this text exactly. Says `false` for what is known to be lost or
    /// changed beyond the connector, so that the connector is not blamed for it.
    fn keeps(&self, _text: &str) -> bool {
        true
    }
}

/// A subject that can stop at a record, as when another transaction holds its lock.
#[async_trait]
pub trait Stallable: Subject {
    /// Lets no change of any record through until the result is dropped.
    async fn stall(&self) -> Stall;

    /// How many questions of connectors the legacy system works at.
    async fn busy(&self) -> usize;
}

/// Holds something up until it is dropped.
pub type Stall = Box<dyn std::any::Any + Send>;

/// What a behaviour needs of the legacy system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A registry of its own on a server that others use too.
    Shared,
    /// A server of its own, which it will kill.
    Alone,
}

/// What a connector is opened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The legacy system at its own address.
    System,
    /// The legacy system behind a proxy that listens here.
    Proxy(SocketAddr),
    /// Nothing: an address where nothing listens (`None` for a kind without addresses: a file that is not there).
    Nowhere(Option<SocketAddr>),
    /// Something that is no legacy system of this kind. Only asked of a kind without addresses: a file of noise.
    Noise,
}

impl Target {
    /// The address to connect to, given the legacy system's own.
    #[must_use]
    pub const fn address(self, own: Option<SocketAddr>) -> Option<SocketAddr> {
        match self {
            Self::Proxy(address) | Self::Nowhere(Some(address)) => Some(address),
            Self::System | Self::Nowhere(None) | Self::Noise => own,
        }
    }
}
