//! The whole bus from outside: over real TLS, in front of registries that misbehave on demand.

mod licences;
mod people;
mod register;

mod asyncapi;
mod authority;
mod binary;
mod catalogue;
mod contract;
mod detection;
mod errors;
mod events;
mod flights;
mod lifecycle;
mod limits;
mod logs;
mod nodes;
mod observability;
mod officials;
mod operators;
mod paging;
mod queue;
mod replies;
mod rivals;
mod sources;
mod transport;
mod updates;
mod waiting;
mod webhooks;
mod whole;
