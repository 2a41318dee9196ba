//! Connectors that run elsewhere: in a host within an agency's network that dials out to the bus, or in a program of any
//! language at an address that the bus calls. Both speak one contract, `connectors/wire/SPEC.md`: plain JSON messages for
//! the connector's trait, over HTTP.
//!
//! Sits beside the other kinds of connectors, on the sdk and on `rabita-http`. The bus's side is [`remote`], a connector
//! that makes messages of calls, and what carries them: a [`pool`] of the hosts' [`link`]s, or an address. The serving
//! side is [`served`], which makes calls of messages, and [`dial`], which keeps a line to each bus node. It must not know
//! which kinds of connectors are served, nor who may serve what: the node decides that.
//!
//! Start with [`message`], then [`remote`] and [`served`].

pub mod message;
pub mod value;
pub mod version;

mod convert;
pub mod digest;
mod fit;
pub mod names;
pub mod transport;

pub mod link;
pub mod pool;
pub mod remote;

pub mod dial;
pub mod served;

mod direct;
mod kind;
mod stand_in;

pub use dial::{ALPN, Line, LineStatus};
pub use kind::kind;
pub use link::{Link, LinkError, LinkOptions};
pub use message::Welcome;
pub use pool::{MemberStatus, Pool};
pub use remote::Remote;
pub use served::Served;
pub use version::{SPOKEN, Versions};
