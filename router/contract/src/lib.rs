//! The contract over HTTP, as pure functions: requests in, answers, events and problems out, OpenAPI, AsyncAPI and
//! catalogue.
//!
//! The server reads a request's head and body and hands them over; what comes back is a [`Route`] with an
//! [`rabita_model::Ask`], or a refusal with all that is wrong. On the way out, [`Body`] and [`respond`] make the
//! answer, [`change_answer`] that to a change, and [`problem`](mod@problem) the RFC 9457 problem. Beside the server, this
//! is the only place that knows statuses and headers.
//!
//! It opens no socket, reads no clock, draws no random number, and knows neither connectors nor grants: whether a
//! name means anything, and to whom, is for the core to say.
//!
//! Start with [`request`], then [`answer`], [`update`], [`event`] and [`problem`](mod@problem); [`openapi`] and
//! [`asyncapi`] describe what these do.

pub mod request;

pub mod answer;
pub mod conditional;
pub mod event;
pub mod frame;
pub mod ledger;
pub mod problem;
pub mod signature;
pub mod trace;
pub mod transparency;
pub mod update;

pub mod asyncapi;
pub mod catalogue;
pub mod openapi;

mod likely;

pub use answer::{Body, binary_head, respond};
pub use conditional::ETag;
pub use frame::{Asked, Frame, RateLimit};
pub use problem::{problem, status};
pub use request::{
    AgencyInquiry, Days, EventsQuery, Inquiry, LedgerRoute, NewSubscription, Page, Reason, Route, Span, SubjectInquiry, Tile,
    UpdatesQuery, UsageInquiry, one_host, parse, wants_body,
};
pub use trace::TraceParent;
pub use update::{ChangeTerms, change_answer};
