//! The stages before delivery. Each proof can be made by its stage alone, and is needed by the next.

mod authenticate;
mod authorise;
mod validate;

pub(crate) use authenticate::Authenticated;
pub use authenticate::user;
pub(crate) use authorise::Permitted;
pub(crate) use validate::{Asked, Draft, Validated, set};
