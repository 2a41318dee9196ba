//! The store: the tables in which a journal keeps what it knows, and every query on them. SQLite.
//!
//! It knows no engine. The embedded engine keeps the truth in it, each change durable when it is committed; the Kafka
//! engine keeps a view of its topics in it, which it can build anew. So the functions take a connection, on which the
//! engine has begun a transaction where they write, and say what they found and did; who is told of it, and when, is the
//! engine's business. One thread writes ([`crate::writer`]), a few read ([`crate::readers`]).
//!
//! | module | what it gives |
//! |---|---|
//! | [`schema`] | opens a file with its tables |
//! | [`claims`] | what an idempotency key was used for |
//! | [`updates`] | one update: put, read, progress, park, unpark, conclude; what waits; what is parked before and behind |
//! | [`listing`] | updates by a filter, page by page; how many wait |
//! | [`events`] | events in their order, by number; what was forgotten of them |
//! | [`kept`] | values under keys, and the engine's own marks (offsets, names) |
//! | [`operate`] | an operator's act on parked updates as a whole |
//! | [`acts`] | what operators did |
//! | [`purge`] | forgets what was kept for long enough, a little at a time |
//!
//! Updates have a number, `seq`, in the order in which they were put; it is never used again. A clock orders nothing.
//! The payload has a column of its own, which is erased when the update is concluded.

pub mod acts;
pub mod claims;
pub mod events;
pub mod kept;
pub mod listing;
pub mod operate;
pub mod purge;
pub mod schema;
pub mod updates;

mod fault;
mod row;

pub(crate) use fault::{corrupt, fault};
