//! A stand-in for a registry behind HTTP: answers the requests that a test foresees, and tells of all others.

mod asked;
mod foreseen;
mod server;

pub use asked::{Asked, Texts};
pub use foreseen::{Foreseen, Request, Response, Words};
pub use server::Double;
