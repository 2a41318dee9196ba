//! The whole bus from outside: over real TLS, in front of registries that misbehave on demand.

mod register;

mod authority;
mod binary;
mod catalogue;
mod contract;
mod errors;
mod flights;
mod lifecycle;
mod limits;
mod logs;
mod observability;
mod paging;
mod replies;
mod transport;
