//! A stand-in for a registry behind HTTP: answers the requests that a test foresees, and tells of all others.

mod foreseen;
mod server;

pub use foreseen::{Foreseen, Request, Response, Words};
pub use server::Double;
