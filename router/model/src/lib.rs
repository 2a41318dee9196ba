//! The words of the bus: identifiers, the messages that stages hand to each other, and the error codes.
//!
//! The lowest crate: everything else depends on it, it depends on no other crate of the workspace. It is
//! pure: no I/O, no clock, no HTTP. Statuses and headers are the business of `rabita-contract`.
//!
//! Start with [`ask`] (what a caller wants), then [`refusal`] (how the bus says no) and [`code`] (each way of
//! saying no, with its page).

pub mod ask;
pub mod catalogue;
pub mod code;
pub mod fault;
pub mod id;
pub mod likely;
pub mod operation;
pub mod refusal;

pub use ask::{Ask, Comparison, Filter, Target, Want};
pub use code::{Blame, Code, Retry};
pub use fault::Fault;
pub use id::{AgencyId, EntityName, ExchangeId, FieldName, Purpose, RegistryId, SystemId, Version};
pub use operation::Operation;
pub use refusal::Refusal;
