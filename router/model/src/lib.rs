//! The words of the bus: identifiers, the messages that stages hand to each other, and the error codes.
//!
//! The lowest crate: everything else depends on it, it depends on no other crate of the workspace. It is
//! pure: no I/O, no clock, no HTTP. Statuses and headers are the business of `rabita-contract`.
//!
//! Start with [`ask`] (what a caller wants), [`update`] (a change on its way) and [`event`](mod@event), then [`refusal`] (how the bus says no) and [`code`] (each way of
//! saying no, with its page). [`rule`] is what a configuration can break.

pub mod ask;
pub mod catalogue;
pub mod code;
pub mod event;
pub mod fault;
pub mod id;
pub mod likely;
pub mod operation;
pub mod refusal;
pub mod rule;
pub mod subject;
pub mod update;

pub use ask::{Ask, Comparison, Filter, IfMatch, Submission, Target, Wait, Want};
pub use code::{Blame, Code, Retry};
pub use event::{Event, Happened};
pub use fault::Fault;
pub use id::{
    ActionName, AgencyId, BadId, BasisId, EntityName, EventId, ExchangeId, FieldName, GroupId, HostId, Purpose, RegistryId,
    SubscriptionId, SystemId, UpdateId, Version,
};
pub use operation::Operation;
pub use refusal::Refusal;
pub use rule::Rule;
pub use subject::Subject;
pub use update::{Change, Conclusion, Entry, Outcome, Payload, Progress, State, Trouble, Update};
